//! Members whose journal is not what it was: whoever witnessed it tells, and keeps what the member signed.

use xyn_net::wire::{self, Bounded, Growth, Message as _, Witness};
use xyn_store::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use xyn_store::audit::key::NodeKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::{Clock, Digest};

use crate::flood::{attacker, member};
use crate::node::eventually;
use crate::team::Mate;

/// What `key` signs of its journal of so many entries.
fn signed(key: &NodeKey, size: u64, root: &[u8]) -> SignedCheckpoint {
    let (node, at) = (key.public(), Clock::system().now());
    Checkpoint { node, incarnation: 1, size, root: Digest::of(root), at }.sign(key)
}

/// What a member says of a journal that it rewrites, having said that it has five entries.
fn rewrites(key: &NodeKey, way: &str) -> Vec<Witness> {
    let offer = |size, root: &[u8]| Witness::Offer(signed(key, size, root));
    let first = offer(5, b"as it was");
    match way {
        "the log is shorter than it was" => vec![first, offer(3, b"as it was before")],
        "the log has two roots at one size" => vec![first, offer(5, b"rewritten")],
        _ => {
            let log = FeedId { node: key.public(), incarnation: 1 };
            let proof = Witness::Proof {
                growth: Growth { log, from: 5, to: 9 },
                hashes: Bounded::new(vec![Digest::of(b"made up")]).expect("one"),
            };
            vec![first, offer(9, b"rewritten"), proof]
        }
    }
}

#[tokio::test]
async fn who_rewrites_its_journal_is_told_of_by_whoever_witnessed_it() {
    let mut ada = Mate::new("ada");
    ada.up(None).await;
    let ways = [
        ("the log is shorter than it was", 3),
        ("the log has two roots at one size", 5),
        ("the log does not continue what it was", 9),
    ];
    for ((way, size), secret) in ways.into_iter().zip(11..) {
        let (key, host) = (member(&ada, secret).await, ada.node().mesh()[0].clone());
        let node = key.public().to_string();
        let messages = rewrites(&key, way).iter().map(wire::encode).collect();
        let attack = tokio::spawn(attacker::say(key, host, Witness::PROTOCOL, messages));
        let told = eventually("it is told of", async || {
            let told = ada.node().all("/api/v1/events?event_name=xyn.peer.contradicted").await;
            told.into_iter().find(|event| event["data"]["node"] == node.as_str())
        })
        .await;
        attack.abort();
        assert_eq!(told["data"]["why"], way, "{told}");
        let sizes = ["before", "now"].map(|when| told["data"][when]["checkpoint"]["size"].as_u64());
        assert_eq!(sizes, [Some(5), Some(size)], "what it signed is kept: {told}");
        assert!(ada.node().log().contains(way), "{way}: {}", ada.node().log());
    }
    assert_eq!(ada.refusals("lie").await, ways.len() as u64);
}
