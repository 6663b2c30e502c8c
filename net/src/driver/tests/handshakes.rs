//! Who connects and never says who it is.

use std::io::{Read, Write};
use std::net::TcpStream;

use libp2p::multiaddr::{Multiaddr, Protocol};

use super::people::roster;
use super::*;

/// What is said first on a connection over TCP: how the two go on.
const GREETING: &[u8] = b"\x13/multistream/1.0.0\n\x07/noise\n";

/// A connection to where a node listens, and no more.
fn at(host: &Node) -> TcpStream {
    let address: Multiaddr = host.address.parse().expect("an address");
    let port = address.iter().find_map(|part| if let Protocol::Tcp(port) = part { Some(port) } else { None });
    TcpStream::connect(("::1", port.expect("it listens there"))).expect("it is accepted")
}

#[tokio::test]
async fn who_does_not_prove_who_it_is_is_refused_by_name_and_so_is_who_says_nothing() {
    let mut alice = node(1, &roster(&[1], &[])).start().await;
    let mut mute = at(&alice);
    let noise = |length: u8| [&[0, length], vec![7; length.into()].as_slice()].concat();
    let babble = [GREETING, &noise(32), &noise(64)].concat();
    // What is said, and whether who says it stays and hears that it is false.
    let cases = [(vec![0xff; 256], true), (babble, true), (Vec::new(), false), (GREETING.to_vec(), false)];
    let mut open = Vec::new();
    for (count, (bytes, is_false)) in (1..).zip(cases) {
        let mut stream = at(&alice);
        stream.write_all(&bytes).expect("it is heard");
        open.extend(is_false.then_some(stream));
        let why = alice.hear(bad_handshake).await;
        assert!(why != BadHandshake::Slow, "{count}");
        assert_eq!(matches!(why, BadHandshake::False(_)), is_false, "{count}: {why:?}");
        assert_eq!(alice.status().await.traffic.refused["handshake"], count);
    }
    let why = alice.hear(bad_handshake).await;
    assert_eq!(why, BadHandshake::Slow);
    assert_eq!(mute.read(&mut [0]).expect("it is closed in order"), 0);
}

/// The fault of a handshake that was refused, and said to come from this machine.
fn bad_handshake(event: Event) -> Option<BadHandshake> {
    match event {
        Event::Refused { peer: None, why: Refusal::Handshake { from, why } } if from == "/ip6/::1" => {
            Some(why)
        }
        _ => None,
    }
}
