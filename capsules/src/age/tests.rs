//! Encryption, against whoever changes, cuts, moves or passes on what is encrypted.

mod capsules;

use std::collections::BTreeSet;
use std::io::{BufReader, Read, Write};

use base64::prelude::{BASE64_STANDARD, Engine};

use super::*;

const PIECE_BYTES: usize = 64 << 10;

/// A key, and what `age` 1.1.1 made with `age -r OTHER -r RECIPIENT` of the words `a capsule of few`.
const SECRET: &str =
    "# one line of its own\nAGE-SECRET-KEY-1E9SVD928365YAUD63WVP0LAMY5A9EALDRT5A527SZ60R676T27USVU5QRL\n";
const RECIPIENT: &str = "age13vhlk5fc329kzgevp3jgr5pg2w76a2jm7czz8zxcz6jpv9tpffjsfs5wzx";
const MADE_BY_AGE: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSB2SlBYeVJxQkUyUDk0azVMQ25BNGgwSW9UdnVQVzJN\
    cFdVUG5td2piMmlJCnhDYmFQTERFMk12VXl3VmljK25iTm02dXN4d2NFUHF5c0lsVUlGYlFORDgKLT4gWDI1NTE5ICtGZFlIWDNTaG5DM1FGSHdpM\
    XVleFRjci85a3JhVEVvRm4yOFMrWkhlRzQKeW1valJLZTRNS2QySWROV1VkYzVUVVlFTU5Nd1M2SDU2eXVPNlJmSGRwdwotLS0gUXJJK1ZRQUF0SW\
    FWL1VMK2JvemloR1VhejB5ZkNBTmFBazNBeWxBc2c2YwqjrZy4n5ZGUv/SNKriG4tPHcM6QmkdwBLE+jEgIBhKsr0HLRTuVqBUdaWSrQmHg/Y=";

fn identity(number: u8) -> Identity {
    Identity::from_bytes([number; 32])
}

fn recipients(numbers: &[u8]) -> BTreeSet<Recipient> {
    numbers.iter().map(|number| identity(*number).recipient()).collect()
}

fn encrypted(bytes: &[u8], to: &[u8]) -> Vec<u8> {
    let mut writer = Encrypting::new(Vec::new(), &recipients(to)).expect("random bytes");
    writer.write_all(bytes).expect("written");
    writer.finish().expect("written")
}

/// What comes out; or what is said instead.
fn decrypted(bytes: &[u8], by: &[Identity]) -> Result<Vec<u8>, String> {
    let mut opened = Decrypted::new(bytes, by).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    opened.read_to_end(&mut out).map(|_| out).map_err(|error| error.to_string())
}

/// The lines of the header, and what is behind them.
fn parts(bytes: &[u8]) -> (Vec<String>, Vec<u8>) {
    let at = memchr::memmem::find(bytes, b"\n--- ").expect("a header") + 1;
    let end = at + memchr::memchr(b'\n', &bytes[at..]).expect("a last line") + 1;
    let text = String::from_utf8(bytes[..end].to_vec()).expect("lines");
    (text.lines().map(str::to_owned).collect(), bytes[end..].to_vec())
}

fn whole(lines: &[String], body: &[u8]) -> Vec<u8> {
    [lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes(), body].concat()
}

#[test]
fn what_age_encrypted_is_read() {
    let by = Identity::read_all(SECRET).expect("a key");
    let sealed = BASE64_STANDARD.decode(MADE_BY_AGE).expect("base64");
    assert_eq!(by[0].recipient().to_string(), RECIPIENT);
    assert_eq!(decrypted(&sealed, &by).as_deref(), Ok(b"a capsule of few".as_slice()));
    assert_eq!(format!("# {}\n{}\n", "one line of its own", by[0].secret_text()), SECRET);
}

#[test]
fn whatever_its_length_it_comes_back_for_each_recipient_and_nobody_else() {
    for length in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let sealed = encrypted(&bytes, &[1, 2]);
        for by in [1, 2] {
            let by = [identity(9), identity(by)];
            assert_eq!(decrypted(&sealed, &by).as_deref(), Ok(bytes.as_slice()), "{length}");
        }
        let others = decrypted(&sealed, &[identity(3)]).expect_err("not for them");
        assert!(others.contains("encrypted to others"), "{others}");
    }
    assert!(decrypted(&encrypted(b"x", &[1]), &[]).expect_err("no key").contains("name a key"));
}

#[test]
fn one_content_is_never_encrypted_to_the_same_bytes() {
    assert_ne!(encrypted(b"x", &[1]), encrypted(b"x", &[1]));
}

#[test]
fn what_ends_early_is_refused_at_every_byte() {
    let bytes = vec![7; 40];
    let sealed = encrypted(&bytes, &[1]);
    for end in 0..sealed.len() {
        decrypted(&sealed[..end], &[identity(1)]).expect_err("cut");
    }
    // At the end of a piece, too.
    let sealed = encrypted(&vec![7; 2 * PIECE_BYTES + 5], &[1]);
    let cut = decrypted(&sealed[..sealed.len() - 5 - 16], &[identity(1)]).expect_err("cut");
    assert!(cut.starts_with("piece 2 of the encrypted file, from byte 65568 on"), "{cut}");
}

#[test]
fn a_changed_byte_is_refused_wherever_it_is() {
    let sealed = encrypted(b"a capsule of few", &[1]);
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        decrypted(&changed, &[identity(1)]).expect_err("changed");
    }
}

#[test]
fn pieces_stay_in_their_places() {
    let sealed = encrypted(&vec![7; 3 * PIECE_BYTES + 5], &[1]);
    let (lines, body) = parts(&sealed);
    let (salt, pieces) = body.split_at(16);
    let pieces: Vec<&[u8]> = pieces.chunks(PIECE_BYTES + 16).collect();
    let put = |order: &[usize]| {
        let body: Vec<u8> = order.iter().flat_map(|number| pieces[*number].to_vec()).collect();
        decrypted(&whole(&lines, &[salt, &body].concat()), &[identity(1)])
    };
    put(&[0, 1, 2, 3]).expect("as it was");
    for order in [[1, 0, 2, 3].as_slice(), &[0, 1, 3], &[0, 0, 1, 2, 3], &[0, 1, 2, 3, 3], &[3], &[]] {
        put(order).expect_err("moved");
    }
}

#[test]
fn lines_for_a_recipient_count_only_in_the_header_they_were_sealed_in() {
    let (one, body) = parts(&encrypted(b"mine", &[1, 2]));
    let (other, _) = parts(&encrypted(b"theirs", &[1]));
    let by = [identity(1)];
    let mine = |lines: &[String]| decrypted(&whole(lines, &body), &by).expect_err("changed");
    // Its own, out of another file; a second one put beside; one taken out; the two the other way round.
    let mut swapped = one.clone();
    let own = (1..5).step_by(2).find(|at| {
        let alone = [&one[..1], &one[*at..*at + 2], &one[5..]].concat();
        !mine(&alone).contains("to others")
    });
    let own = own.expect("one of them is ours");
    swapped[own..own + 2].clone_from_slice(&other[1..3]);
    assert!(mine(&swapped).contains("header of the encrypted file was changed"));
    assert!(mine(&[&one[..3], &other[1..3], &one[3..]].concat()).contains("was changed"));
    assert!(mine(&[&one[..1], &one[own..own + 2], &one[5..]].concat()).contains("was changed"));
    assert!(mine(&[&one[..1], &one[3..5], &one[1..3], &one[5..]].concat()).contains("was changed"));
}

#[test]
fn a_header_is_written_in_one_way() {
    let (lines, body) = parts(&encrypted(b"x", &[1]));
    let refused = |at: usize, line: &str| {
        let mut changed = lines.clone();
        changed[at] = line.to_owned();
        decrypted(&whole(&changed, &body), &[identity(1)]).expect_err("another header")
    };
    let zero = "A".repeat(43);
    let faults = [
        (0, "age-encryption.org/v2".to_owned(), 1),
        (1, format!("{} more", lines[1]), 2),
        (1, format!("{}=", lines[1]), 2),
        (1, format!("-> X25519 {zero}"), 2),
        (1, "-> X25519".to_owned(), 2),
        (1, "->  X25519".to_owned(), 2),
        (1, format!("{}\r", lines[1]), 2),
        (2, format!("{}AA", lines[2]), 3),
        (2, "A".repeat(65), 3),
        (2, "A".repeat(64), 4),
        (3, "--- AAAA".to_owned(), 4),
        (3, format!("{} ", lines[3]), 4),
        (3, format!("---{}", &lines[3][4..]), 4),
    ];
    for (at, line, told) in faults {
        let said = refused(at, &line);
        assert!(said.starts_with(&format!("line {told} of the header")), "`{line}`: {said}");
    }
    let nobody = whole(&[lines[0].clone(), lines[3].clone()], &body);
    assert!(decrypted(&nobody, &[identity(1)]).expect_err("for nobody").starts_with("line 2 of the header"));
    // One without an end is not read on and on.
    let endless = BufReader::new(FIRST_LINE.chain(std::io::repeat(b'A')));
    assert!(matches!(Decrypted::new(endless, &[identity(1)]), Err(NotOpened::Header { line: 2 })));
}

#[test]
fn keys_have_one_form_and_weak_ones_are_none() {
    let one = identity(1).recipient().to_string();
    assert_eq!(one.parse(), Ok(identity(1).recipient()));
    let mistyped = one.replace(&one[10..11], if &one[10..11] == "q" { "p" } else { "q" });
    for text in ["", "age1", "age1qqq", &one[1..], &one.to_uppercase(), &mistyped, &identity(1).secret_text()]
    {
        let refused = text.parse::<Recipient>().expect_err("no recipient");
        assert_eq!(refused, InvalidAgeKey::Recipient(crate::json::shown(text)));
    }
    let weak = String::from(key::weak());
    assert_eq!(weak.parse::<Recipient>(), Err(InvalidAgeKey::Weak(weak.clone())));
    assert_eq!(Identity::read_all("# nothing\n").err(), Some(InvalidAgeKey::NoIdentity));
    let refused = Identity::read_all(&format!("\n{one}\n")).expect_err("a recipient is no identity");
    assert_eq!(refused, InvalidAgeKey::Identity(2));
    assert!(!format!("{:?}", identity(1)).contains(&identity(1).secret_text()[16..40]));
}

/// Reads `bytes`, and every other time says `kind` instead.
struct Faltering<'b> {
    bytes: &'b [u8],
    kind: std::io::ErrorKind,
    falters: bool,
}

impl Read for Faltering<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.falters = !self.falters;
        if self.falters { self.bytes.read(out) } else { Err(self.kind.into()) }
    }
}

#[test]
fn what_could_not_be_read_whole_is_not_handed_out_and_an_interruption_is_no_fault() {
    let plain = vec![b'a'; 2 * PIECE_BYTES + 1];
    let sealed = encrypted(&plain, &[1]);
    let opened = |kind| {
        let reader = BufReader::new(Faltering { bytes: &sealed, kind, falters: false });
        Decrypted::new(reader, &[identity(1)]).expect("the header is whole")
    };
    let mut out = Vec::new();
    let mut broken = opened(std::io::ErrorKind::TimedOut);
    assert!(broken.read_to_end(&mut out).is_err());
    broken.read_to_end(&mut out).expect("nothing comes behind a fault");
    assert_eq!(out, b"");
    opened(std::io::ErrorKind::Interrupted).read_to_end(&mut out).expect("whole");
    assert_eq!(out, plain);
}
