//! Addresses and URLs: a table of what is open and what is not.

use super::*;

#[test]
fn every_special_range_has_its_class_up_to_its_bounds() {
    use Class::*;
    let cases = [
        (Public, "1.1.1.1 9.255.255.255 11.0.0.0 172.15.255.255 172.32.0.0 192.167.255.255 100.63.255.255"),
        (Public, "100.128.0.0 223.255.255.255 198.17.255.255 198.20.0.0"),
        (Public, "2606:4700::1111 2001:4860:4860::8888 2a00::1 3ffe::1"),
        (Loopback, "127.0.0.1 127.255.255.255 ::1"),
        (Private, "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.1 100.64.0.0 100.127.255.255"),
        (Private, "fc00:: fdff::1 fd00:ec2::254 fec0::1"),
        (LinkLocal, "169.254.169.254 169.254.0.0 fe80:: febf::1 168.63.129.16"),
        (Unspecified, "0.0.0.0 0.1.2.3 ::"),
        (Multicast, "224.0.0.1 239.255.255.255 ff02::1"),
        (Broadcast, "255.255.255.255"),
        (Documentation, "192.0.2.1 198.51.100.7 203.0.113.9 2001:db8::1 3fff::1"),
        (Reserved, "240.0.0.1 255.255.255.254 192.0.0.192 192.88.99.1 198.18.0.1"),
        (Reserved, "100::1 2001::1 2001:1ff::1 5f00::1 64:ff9b:1::1 4000::1 ::ffff:0:0:1"),
    ];
    for (class, addresses) in cases {
        for address in addresses.split(' ') {
            let parsed: IpAddr = address.parse().expect("the case is an address");
            assert_eq!(classify(parsed), class, "{address}");
        }
    }
}

#[test]
fn forms_that_embed_an_ipv4_address_are_judged_by_it() {
    use Class::*;
    let cases = [
        ("::ffff:127.0.0.1", Loopback),
        ("::ffff:169.254.169.254", LinkLocal),
        ("::ffff:8.8.8.8", Public),
        ("::10.0.0.1", Private),
        ("::2", Unspecified),
        ("64:ff9b::7f00:1", Loopback),
        ("64:ff9b::808:808", Public),
        ("2002:7f00:1::", Loopback),
        ("2002:c0a8:1::1", Private),
        ("2002:e000:1::1", Multicast),
    ];
    for (address, class) in cases {
        assert_eq!(classify(address.parse().expect("the case is an address")), class, "{address}");
    }
}

#[test]
fn each_egress_word_opens_its_own_class_and_no_other() {
    let all = Egress { loopback: true, private: true, link_local: true };
    let classes = ["127.0.0.1", "10.0.0.1", "169.254.1.1"];
    for (index, address) in classes.iter().enumerate() {
        let address = address.parse().expect("the case is an address");
        let only = |n: usize| Egress { loopback: n == 0, private: n == 1, link_local: n == 2 };
        for open in 0..3 {
            assert_eq!(check_address(address, only(open)).is_ok(), open == index, "{address}");
        }
        assert!(matches!(check_address(address, Egress::default()), Err(Refused::Closed(..))));
        assert!(check_address(address, all).is_ok());
    }
    for address in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "240.0.0.1", "::", "ff02::1"] {
        let address = address.parse().expect("the case is an address");
        assert!(matches!(check_address(address, all), Err(Refused::Never(..))), "{address}");
    }
}

#[test]
fn literal_addresses_in_every_spelling_are_seen_before_anything_is_sent() {
    let loopback = [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://[::1]:80/",
        "http://[::ffff:7f00:1]/",
        "http://[0:0:0:0:0:ffff:127.0.0.1]/",
        "http://１２７.0.0.1/",
        "https:127.0.0.1",
        "http:\\\\127.0.0.1\\",
    ];
    for text in loopback {
        let url = Url::parse(text).expect("the case is a URL");
        assert!(
            matches!(check_url(&url, Egress::default()), Err(Refused::Closed(_, Class::Loopback))),
            "{text}"
        );
        assert_eq!(check_url(&url, Egress { loopback: true, ..Egress::default() }), Ok(()), "{text}");
    }
}

#[test]
fn schemes_and_credentials_in_urls_are_refused() {
    let cases = [
        ("ftp://example.com/", Refused::Scheme("ftp".into())),
        ("file:///etc/passwd", Refused::Scheme("file".into())),
        ("gopher://example.com/", Refused::Scheme("gopher".into())),
        ("data:text/plain,x", Refused::Scheme("data".into())),
        ("http://user@example.com/", Refused::UserInfo),
        ("http://:secret@example.com/", Refused::UserInfo),
    ];
    for (text, expected) in cases {
        let url = Url::parse(text).expect("the case is a URL");
        assert_eq!(check_url(&url, Egress::default()), Err(expected), "{text}");
    }
    let name = Url::parse("https://localhost:1/").expect("a URL");
    assert_eq!(check_url(&name, Egress::default()), Ok(()), "names are judged after resolution");
}

proptest::proptest! {
    #[test]
    fn an_embedded_form_is_never_judged_milder_than_its_address(octets: [u8; 4]) {
        let inner = Ipv4Addr::from(octets);
        let [a, b, c, d] = octets.map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        let plain = classify(inner.into());
        for form in [
            inner.to_ipv6_mapped(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ] {
            proptest::prop_assert_eq!(classify(form.into()), plain);
        }
    }
}
