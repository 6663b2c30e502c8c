//! What comes and goes by gossip that no honest member sends or leaves.

use xyn_store::Digest;

use super::intruders::Intruder;
use super::people::{env, feed, roster};
use super::*;
use crate::driver::behaviour::{self, ANNOUNCED_MAX, GOSSIP};
use crate::driver::news::STREAMS_MAX;
use crate::proto::conduct::{MESSAGES_BURST, Misdeed, PASSED_ON_TIMES};
use crate::wire::{self, MESSAGE_BYTES_MAX, Message as _};

const ALICE: u8 = 1;
const MALLORY: u8 = 66;

const PAUSE: Duration = Duration::from_millis(200);

/// Bytes with their length before them, as gossip has them.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&postcard::to_stdvec(&bytes.len()).expect("a number"), bytes].concat()
}

/// A field of a message: bytes, or a message in it.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &sized(bytes)].concat()
}

/// Asks for the news of the environment.
fn subscription() -> Vec<u8> {
    let topic = behaviour::topic(env()).hash();
    sized(&field(1, &[&[1 << 3, 1][..], &field(2, topic.as_str().as_bytes())].concat()))
}

/// News of `topic`, which say where they are from.
fn news(from: &[u8], topic: &str) -> Vec<u8> {
    let from = if from.is_empty() { Vec::new() } else { field(1, from) };
    sized(&field(2, &[from, field(2, b"news"), field(4, topic.as_bytes())].concat()))
}

#[tokio::test]
async fn gossip_that_is_none_is_refused_by_name() {
    let topic = behaviour::topic(env()).hash();
    let mut too_long = sized(&vec![0; MESSAGE_BYTES_MAX + 1]);
    too_long.truncate(8);
    let (slow, topic) = (vec![9, 1, 1, 1], topic.as_str());
    let cases = [
        (too_long, 1, "too_large"),
        (slow.clone(), 1, "slow"),
        (vec![9, 1], 1, "cut_short"),
        // On one stream after the other.
        (slow, 2, "cut_short"),
        (subscription(), STREAMS_MAX + 1, "flood"),
        // Messages with nothing in them.
        (vec![0; 2 * (MESSAGES_BURST * PASSED_ON_TIMES) as usize], 1, "flood"),
        (vec![4, 0xff, 0xff, 0xff, 0xff], 1, "malformed"),
        (news(b"somebody", topic), 1, "malformed"),
        (news(b"", "xyn/another"), 1, "unasked"),
    ];
    for transport in TRANSPORTS {
        for (bytes, mut times, label) in cases.clone() {
            let team = roster(&[ALICE, MALLORY], &[]);
            let mut alice = Start { transport: transport.into(), ..node(ALICE, &team) }.start().await;
            let mut mallory = Intruder::at(&alice, GOSSIP).await;
            let why = loop {
                mallory.write(bytes.clone());
                times -= 1;
                let refused = mallory.beside(alice.hear_refused(MALLORY, |why| why.label() != "protocol"));
                // What came on one stream is read before the next one is opened.
                let pause = if times > 0 { PAUSE } else { PATIENCE };
                if let Ok(why) = tokio::time::timeout(pause, refused).await {
                    break why;
                }
            };
            assert_eq!(why.label(), label, "{why}: {bytes:?}");
            let gone = alice.hear(|event| matches!(event, Event::Disconnected(_)).then_some(()));
            mallory.beside(gone).await;
            assert_eq!(alice.status().await.traffic.refused[label], 1);
        }
    }
}

#[tokio::test]
async fn as_much_is_read_as_one_may_announce() {
    let mut alice = node(ALICE, &roster(&[ALICE, MALLORY], &[])).start().await;
    let mut mallory = Intruder::at(&alice, GOSSIP).await;
    let topic = behaviour::topic(env()).hash();
    let ids = field(2, &[7; Digest::BYTES]).repeat(ANNOUNCED_MAX);
    let announced = field(3, &field(1, &[field(1, topic.as_str().as_bytes()), ids].concat()));
    // What comes behind it is refused for what it is itself.
    mallory.write([sized(&announced), news(b"", "xyn/another")].concat());
    let why = mallory.beside(alice.hear_refused(MALLORY, |why| why.label() != "protocol")).await;
    assert_eq!(why, Refusal::Misdeed(Misdeed::Unasked));
}

/// Over TCP: a stream of QUIC holds so much that nobody waits for who does not take it.
#[tokio::test]
async fn a_member_that_asks_for_news_and_does_not_take_them_is_told_of_by_name() {
    let mut alice = node(ALICE, &roster(&[ALICE, MALLORY], &[])).start().await;
    let mut mallory = Intruder::at(&alice, GOSSIP).await;
    mallory.write(subscription());
    let unsent = async {
        while !alice.status().await.traffic.refused.contains_key("news_unsent") {
            alice.disk().write(feed(ALICE), &[7; 4 << 10]);
            alice.write().await;
        }
        alice.hear_refused(MALLORY, |why| *why == Refusal::NewsUnsent).await;
    };
    tokio::time::timeout(PATIENCE, mallory.beside(unsent)).await.expect("it is told of");
}

#[tokio::test]
async fn a_member_that_does_not_speak_gossip_is_told_of_by_name() {
    let mut alice = node(ALICE, &roster(&[ALICE, MALLORY], &[])).start().await;
    let mut mallory = Intruder::at(&alice, wire::Sync::PROTOCOL).await;
    mallory.beside(alice.hear_refused(MALLORY, |why| *why == Refusal::Protocol(GOSSIP))).await;
}
