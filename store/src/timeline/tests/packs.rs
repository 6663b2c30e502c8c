//! Serving: packs for newcomers, and any piece of a feed under a signature.

use super::node::{Node, admitted, refusal};
use super::world::env;
use crate::timeline::admit::Verdict;
use crate::timeline::frame::{FRAME_MAX_BYTES, PACK_RECORDS};

#[test]
fn a_newcomer_from_packs_has_what_a_replay_gives_and_packs_are_the_same_everywhere() {
    let mut author = Node::new();
    let count = PACK_RECORDS as usize * 2 + 5;
    let titles: Vec<String> = (0..count).map(|n| format!("entry {n}")).collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let frames: Vec<Vec<u8>> = titles.chunks(700).flat_map(|some| author.say(some)).collect();
    let feed = author.timeline.own();
    let mut replayed = Node::new();
    replayed.admit(&frames);
    let packs = |node: &Node| -> Vec<Vec<u8>> {
        let reader = node.store.read().expect("reads");
        let pack = |number| reader.pack(env(), &feed, number).expect("reads");
        assert!(pack(2).is_none(), "it is not full");
        (0..2).map(|number| pack(number).expect("full")).collect()
    };
    assert_eq!(packs(&replayed), packs(&author));
    let mut newcomer = Node::new();
    for verdict in newcomer.admit_packs(&packs(&author)) {
        admitted(&verdict);
    }
    let reader = author.store.read().expect("reads");
    let rest = reader.feed_frame(env(), &feed, 2 * PACK_RECORDS + 1, FRAME_MAX_BYTES);
    drop(reader);
    newcomer.admit(&[rest.expect("reads").expect("is there").1]);
    assert_eq!(newcomer.digest(), author.digest());
    assert_eq!(newcomer.rows(), replayed.rows());
    let mut torn = packs(&author)[0].clone();
    let middle = torn.len() / 2;
    torn[middle] ^= 1;
    assert!(matches!(Node::new().admit_packs(&[torn])[0], Verdict::Refused(_)));
    assert_eq!(refusal(Node::new().admit_packs(&[frames[0].clone()])).reason(), "malformed");
}

#[test]
fn any_record_on_can_be_served_under_a_signature() {
    let (mut node, mut other) = (Node::new(), Node::new());
    for batch in 0..7 {
        let titles: Vec<String> = (0..300).map(|n| format!("{batch} {n}")).collect();
        node.say(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let feed = node.timeline.own();
    let reader = node.store.read().expect("reads");
    // The other one comes to signatures of its own choosing, for it asks for little at a time.
    for max_bytes in (0..).map(|step| 100_000 + step * 10_000).take(40) {
        let have = other.timeline.feed(&feed).map_or(0, |row| row.head.seq);
        let Some((_, frame)) = reader.feed_frame(env(), &feed, have + 1, max_bytes).expect("reads") else {
            break;
        };
        assert!(frame.len() <= max_bytes);
        admitted(&other.admit(&[frame])[0]);
    }
    assert_eq!(other.digest(), node.digest());
    assert!(reader.feed_frame(env(), &feed, 2101, FRAME_MAX_BYTES).expect("reads").is_none());
    assert!(reader.feed_frame(env(), &feed, 0, FRAME_MAX_BYTES).expect("reads").is_none());
}
