//! Reading a run from the node that ran it, and all that can come in between.

use std::time::Duration;

use xyn_store::{Digest, ids};

use super::*;
use crate::wire::Payload;
use crate::wire::runs::{ACCOUNT_BYTES_MAX, PIECE_BYTES_MAX, Part};

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.after(Duration::from_secs(seconds))
}

fn key(n: u8) -> PublicKey {
    PublicKey::from_bytes([n; 32])
}

const ADA: PublicKey = PublicKey::from_bytes([1; 32]);
const BOB: PublicKey = PublicKey::from_bytes([2; 32]);

fn question() -> Question {
    let [run, moment] = [b"run".as_slice(), b"moment"].map(|name| [name]);
    Question {
        run: ids::derived(Timestamp::EPOCH, &run),
        moment: ids::derived(Timestamp::EPOCH, &moment),
        part: Part::Whole,
    }
}

/// A node that is connected to these.
fn node(peers: &[PublicKey]) -> Runs {
    let mut node = Runs::default();
    peers.iter().for_each(|peer| assert!(node.handle(Input::Connected(*peer), at(0)).is_empty()));
    node
}

fn hear(node: &mut Runs, peer: PublicKey, message: &Message, now: Timestamp) -> Vec<Output> {
    node.handle(Input::Received { peer, bytes: wire::encode(message) }, now)
}

/// Begins to read as number `read`; answers the number under which `ADA` is asked.
fn begin(node: &mut Runs, read: ReadId, now: Timestamp) -> u64 {
    let out = node.handle(Input::Read { read, peer: ADA, question: question() }, now);
    asked(&out, 0)
}

/// The number of the one question in `out`, which asks from this byte on.
fn asked(out: &[Output], wanted: u32) -> u64 {
    match out {
        [Output::Send { peer: ADA, message: Message::Ask { number, from, .. } }] if *from == wanted => {
            *number
        }
        other => panic!("a question from {wanted} on: {other:?}"),
    }
}

fn ask(number: u64) -> Message {
    Message::Ask { number, question: question(), from: 0 }
}

/// What becomes of a question when `account` is told from where it is asked for, each time one of `accounts`.
fn told(bob: &mut Runs, ada: &mut Runs, mut accounts: impl FnMut() -> Vec<u8>) -> Result<Vec<u8>, NotRead> {
    let mut out = bob.handle(Input::Read { read: 9, peer: ADA, question: question() }, at(0));
    loop {
        match out.as_slice() {
            [Output::Send { message: ask, .. }] => {
                let asked = hear(ada, BOB, ask, at(0));
                let [Output::Tell { tell, peer: BOB, question: what, from }] = asked.as_slice() else {
                    panic!("a question for the node: {asked:?}");
                };
                assert_eq!(*what, question());
                let result = Piece::of(&accounts(), *from).ok_or(Withheld::TooLarge);
                let answer = ada.handle(Input::Told { tell: *tell, result }, at(0));
                let [Output::Send { peer: BOB, message }] = answer.as_slice() else {
                    panic!("an answer: {answer:?}");
                };
                out = hear(bob, ADA, message, at(0));
            }
            [Output::Read { read: 9, result }] => return result.clone(),
            other => panic!("a question or an end: {other:?}"),
        }
    }
}

#[test]
fn an_account_comes_whole_however_long_it_is() {
    let lengths = [0, 1, PIECE_BYTES_MAX, PIECE_BYTES_MAX + 1, ACCOUNT_BYTES_MAX];
    for length in lengths {
        let account: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let (mut bob, mut ada) = (node(&[ADA]), node(&[BOB]));
        assert_eq!(told(&mut bob, &mut ada, || account.clone()), Ok(account.clone()), "{length}");
        assert!(bob.held().iter().chain(&ada.held()).all(|held| held.size == 0));
    }
    let (mut bob, mut ada) = (node(&[ADA]), node(&[BOB]));
    let too_long = told(&mut bob, &mut ada, || vec![0; ACCOUNT_BYTES_MAX + 1]);
    assert_eq!(too_long, Err(NotRead::Withheld(Withheld::TooLarge)));
}

#[test]
fn an_account_that_changes_between_two_pieces_is_read_again_and_not_for_ever() {
    let mut versions = 0_u8..;
    let mut next = |last: u8| {
        let version = versions.next().expect("not so many").min(last);
        vec![version; PIECE_BYTES_MAX + 7]
    };
    let (mut bob, mut ada) = (node(&[ADA]), node(&[BOB]));
    assert_eq!(told(&mut bob, &mut ada, || next(3)), Ok(vec![3; PIECE_BYTES_MAX + 7]));
    assert_eq!(told(&mut bob, &mut ada, || next(u8::MAX)), Err(NotRead::Changing));
}

#[test]
fn why_nothing_is_told_is_said() {
    for why in [Withheld::Unknown, Withheld::Denied, Withheld::Unavailable] {
        let mut bob = node(&[ADA]);
        let number = begin(&mut bob, 1, at(0));
        let out = hear(&mut bob, ADA, &Message::Withheld { number, why }, at(0));
        assert_eq!(out, [Output::Read { read: 1, result: Err(why.into()) }]);
    }
}

#[test]
fn a_piece_that_is_a_lie_ends_the_question_and_the_connection() {
    type Spoil = fn(&mut Piece);
    let (long, short) = (vec![7; PIECE_BYTES_MAX + 1], b"account".to_vec());
    let spoil: [(&[u8], Spoil); 5] = [
        (&short, |piece| piece.whole = Digest::of(b"another")),
        (&short, |piece| piece.length = 3),
        (&short, |piece| piece.length += 1),
        (&long, |piece| piece.length = ACCOUNT_BYTES_MAX as u32 + 1),
        // One byte each time, and for ever.
        (&long, |piece| piece.bytes = Payload::new(&[7]).expect("short")),
    ];
    for (account, spoil) in spoil {
        let mut bob = node(&[ADA]);
        let number = begin(&mut bob, 1, at(0));
        let mut piece = Piece::of(account, 0).expect("short");
        spoil(&mut piece);
        let out = hear(&mut bob, ADA, &Message::Piece { number, piece }, at(0));
        let [ended, dropped] = out.as_slice() else { panic!("two things to do: {out:?}") };
        assert_eq!(*ended, Output::Read { read: 1, result: Err(NotRead::False) });
        assert_eq!(*dropped, Output::Drop { peer: ADA, reason: Misdeed::Lie });
        assert_eq!(bob.held()[0].size, 0);
    }
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for_and_is_unasked_when_it_does() {
    let mut bob = node(&[ADA]);
    let number = begin(&mut bob, 1, at(0));
    assert!(bob.handle(Input::Tick, at(ANSWER_TIMEOUT.as_secs() - 1)).is_empty());
    let out = bob.handle(Input::Tick, at(ANSWER_TIMEOUT.as_secs()));
    assert_eq!(out, [Output::Read { read: 1, result: Err(NotRead::Late) }]);
    let piece = Message::Piece { number, piece: Piece::of(b"late", 0).expect("short") };
    assert!(hear(&mut bob, ADA, &piece, at(21)).is_empty());
    let mut times = 0;
    while hear(&mut bob, ADA, &piece, at(21)).is_empty() {
        times += 1;
        assert!(times < 100, "whoever goes on is dropped");
    }
}

#[test]
fn only_who_is_asked_can_answer() {
    let mut bob = node(&[ADA, key(3)]);
    let number = begin(&mut bob, 1, at(0));
    let forged = Message::Piece { number, piece: Piece::of(b"forged", 0).expect("short") };
    assert!(hear(&mut bob, key(3), &forged, at(0)).is_empty());
    assert!(hear(&mut bob, key(4), &forged, at(0)).is_empty(), "nobody that is connected");
    let right = Message::Piece { number, piece: Piece::of(b"right", 0).expect("short") };
    let out = hear(&mut bob, ADA, &right, at(0));
    assert_eq!(out, [Output::Read { read: 1, result: Ok(b"right".to_vec()) }]);
}

#[test]
fn who_is_away_or_leaves_is_not_waited_for_and_not_too_much_is_read() {
    let mut bob = node(&[]);
    let read = |read| Input::Read { read, peer: ADA, question: question() };
    let refused = |read, why| [Output::Read { read, result: Err(why) }];
    assert_eq!(bob.handle(read(0), at(0)), refused(0, NotRead::Away));
    bob.handle(Input::Connected(ADA), at(0));
    let open = READINGS_PER_PEER as ReadId;
    for number in 0..open {
        begin(&mut bob, number, at(0));
    }
    assert_eq!(bob.handle(read(open), at(0)), refused(open, NotRead::Busy));
    let others = (READINGS_MAX / READINGS_PER_PEER) as u8;
    let of_others = (3..3 + others).flat_map(|other| {
        bob.handle(Input::Connected(key(other)), at(0));
        let reads = (0..open).map(move |number| (u64::from(other) * 100 + number, key(other)));
        reads
            .flat_map(|(read, peer)| bob.handle(Input::Read { read, peer, question: question() }, at(0)))
            .collect::<Vec<_>>()
    });
    let is_busy = |out: &Output| matches!(out, Output::Read { result: Err(NotRead::Busy), .. });
    assert_eq!(of_others.filter(is_busy).count(), READINGS_PER_PEER, "one peer too many");
    let out = bob.handle(Input::Disconnected(ADA), at(0));
    assert_eq!(out, (0..open).flat_map(|number| refused(number, NotRead::Away)).collect::<Vec<_>>());
}

#[test]
fn a_peer_is_told_at_a_pace_that_outlives_its_connection_and_one_that_asks_for_more_is_dropped() {
    let mut ada = node(&[BOB]);
    let tell = |ada: &mut Runs, out: Vec<Output>, now| {
        let [Output::Tell { tell, .. }] = out.as_slice() else { return false };
        let result = Err(Withheld::Unknown);
        ada.handle(Input::Told { tell: *tell, result }, now);
        true
    };
    for number in 0..TOLD_BURST {
        let out = hear(&mut ada, BOB, &ask(number), at(0));
        assert!(tell(&mut ada, out, at(0)), "{number}");
    }
    assert!(hear(&mut ada, BOB, &ask(100), at(0)).is_empty(), "it waits");
    ada.handle(Input::Disconnected(BOB), at(0));
    ada.handle(Input::Connected(BOB), at(0));
    let waiting = ASKED_PER_PEER as u64;
    assert!((0..waiting).all(|number| hear(&mut ada, BOB, &ask(number), at(0)).is_empty()));
    let out = ada.handle(Input::Tick, at(1));
    assert!(tell(&mut ada, out, at(1)), "a second later there is something for it");
    let flood = (0..2 * waiting).flat_map(|number| hear(&mut ada, BOB, &ask(number), at(1)));
    let dropped = Output::Drop { peer: BOB, reason: Misdeed::Flood };
    assert!(flood.collect::<Vec<_>>().contains(&dropped));
}

#[test]
fn each_peer_is_told_in_its_turn_and_one_that_left_is_told_nothing() {
    let peers: Vec<PublicKey> = (2..9).map(key).collect();
    let mut ada = node(&peers);
    let mut telling = Vec::new();
    for peer in &peers {
        for number in 0..2 {
            for out in hear(&mut ada, *peer, &ask(number), at(0)) {
                let Output::Tell { tell, peer, .. } = out else { panic!("to tell: {out:?}") };
                telling.push((tell, peer));
            }
        }
    }
    assert_eq!(telling.iter().map(|(_, peer)| *peer).collect::<Vec<_>>(), peers[..TELLING_MAX]);
    ada.handle(Input::Disconnected(peers[0]), at(0));
    ada.handle(Input::Connected(peers[0]), at(0));
    let (tell, _) = telling[0];
    let result = Ok(Piece::of(b"account", 0).expect("short"));
    let out = ada.handle(Input::Told { tell, result }, at(0));
    let [Output::Tell { peer, .. }] = out.as_slice() else {
        panic!("the next one, and nobody else: {out:?}")
    };
    assert_eq!(*peer, peers[TELLING_MAX]);
}
