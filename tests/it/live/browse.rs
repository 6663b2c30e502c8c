//! A catalogue on a real network: found by asking everybody on it, and read where it was said to be.
//!
//! Whoever asks is no program of ours, and knows nothing but RFC 6762 and the name of the service.

use super::lab::Lab;
use super::wait;

/// Asks the network for catalogues, as mDNS does, and prints the first answer in hexadecimal digits.
const ASK: &str = r#"
use strict; use warnings; use Socket;
my ($group, $own) = map { inet_aton($_) } '224.0.0.251', $ARGV[0];
socket(my $socket, PF_INET, SOCK_DGRAM, 17) or die "socket: $!";
setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1) or die "reuse: $!";
bind($socket, sockaddr_in(5353, INADDR_ANY)) or die "bind: $!";
setsockopt($socket, 0, 35, $group . $own) or die "join: $!";
my $question = pack('n6', 0, 0, 1, 0, 0, 0) . "\x04_xyn\x04_tcp\x05local\0" . pack('n2', 12, 1);
send($socket, $question, 0, sockaddr_in(5353, $group)) or die "ask: $!";
$SIG{ALRM} = sub { exit 1 };
alarm 3;
while (defined recv($socket, my $answer, 9000, 0)) {
    next unless unpack('x2n', $answer) & 0x8000 and index($answer, '_xyn') > 0;
    print unpack('H*', $answer);
    exit;
}
"#;

/// Reads a page.
const READ: &str = r#"
use strict; use warnings; use IO::Socket::INET;
my $door = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 7423, Timeout => 5) or die "no door: $!";
print $door "GET /capsules HTTP/1.0\r\nHost: $ARGV[0]\r\n\r\n";
print while <$door>;
"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_catalogue_is_found_on_the_network_where_it_is_and_read() {
    let Some(mut lab) = Lab::networked(2).await else {
        eprintln!("live: this machine allows no network namespaces: nobody was looked for here");
        return;
    };
    (0..2).for_each(|at| lab.sites[at].kill());
    let (address, own) = (lab.sites[0].address(), lab.sites[1].address());
    let ask = |lab: &Lab| lab.sites[1].runs("perl", &["-e", ASK, &own]);
    let silent = ask(&lab);
    assert_eq!((silent.code, silent.out.as_str()), (1, ""), "nobody is there: {}", silent.err);

    lab.sites[0].set("XYN_LAN_CATALOGUE", "0.0.0.0:7423");
    lab.start(0);
    let name = format!("xyn-{}", &lab.sites[0].key()[..12]);
    wait("the catalogue is found", || {
        let said = ask(&lab);
        // Its name, its port behind priority and weight, and where to look.
        let port = [0_u16, 0, 7423].map(u16::to_be_bytes).concat();
        let wanted =
            [name.as_bytes(), b"\x04_xyn\x04_tcp\x05local", port.as_slice(), b"path=/capsules"].map(hex);
        if wanted.iter().all(|word| said.out.contains(word.as_str())) {
            Ok(())
        } else {
            Err(format!("{said:?}"))
        }
    });
    let page = lab.sites[1].runs("perl", &["-e", READ, &address]).ok();
    assert!(page.starts_with("HTTP/1.0 200") && page.contains(r#""items":[]"#), "{page}");
}
