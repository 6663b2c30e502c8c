//! Serving: a frame over a whole range for newcomers, and any piece of a feed under a signature.

use super::node::{Node, admitted, refusal};
use super::world::{Author, entries, env, moment};
use crate::audit::key::NodeKey;
use crate::timeline::admit::Refusal;
use crate::timeline::frame::{FRAME_MAX_BYTES, Frame, FrameError, PACK_RECORDS};
use crate::timeline::record::Body;
use crate::timeline::{Bytes, feed::FeedId};

/// The frames that a newcomer is sent.
fn served(node: &Node, feed: &FeedId) -> Vec<Vec<u8>> {
    let reader = node.store.read().expect("reads");
    let (mut frames, mut next) = (Vec::new(), 1);
    while let Some((last, frame)) = reader.feed_frame(env(), feed, next, FRAME_MAX_BYTES).expect("reads") {
        frames.push(frame);
        next = last + 1;
    }
    frames
}

#[test]
fn whole_ranges_are_served_under_one_signature_and_are_the_same_bytes_everywhere() {
    let mut author = Node::new();
    let count = PACK_RECORDS as usize * 2 + 5;
    let titles: Vec<String> = (0..count).map(|n| format!("entry {n}")).collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    // Signed piece by piece, as they are written.
    let frames: Vec<Vec<u8>> = titles.chunks(70).flat_map(|some| author.say(some)).collect();
    assert!(frames.len() > 30, "{} frames", frames.len());
    let feed = author.timeline.own();
    let mut replayed = Node::new();
    replayed.admit(&frames);
    let packs = served(&author, &feed);
    assert_eq!(packs, served(&replayed, &feed));
    assert_eq!(packs.len(), 3, "one for each range, and one for the rest");
    let mut newcomer = Node::new();
    for verdict in newcomer.admit(&packs) {
        admitted(&verdict);
    }
    assert_eq!(newcomer.digest(), author.digest());
    assert_eq!(newcomer.rows(), replayed.rows());
    assert_eq!(served(&newcomer, &feed), packs, "and it serves them on");
}

#[test]
fn a_range_that_is_not_what_it_says_is_refused_by_name() {
    let mut author = Author::new(1, 1);
    let records = entries(&mut author, PACK_RECORDS as usize + 1);
    let whole = author.frame(&records[..PACK_RECORDS as usize]);
    let frame_error = |frame: Vec<u8>| match refusal(Node::new().admit(&[frame])) {
        Refusal::Frame(error) => error,
        other => panic!("{other}"),
    };
    assert_eq!(frame_error(author.frame(&records)), FrameError::CrossesPacks);
    assert_eq!(frame_error(whole[..whole.len() - 70].to_vec()), FrameError::Malformed);
    let stranger = NodeKey::from_secret([9; 32]);
    let sealed = Frame::seal(&stranger, env(), records[..PACK_RECORDS as usize].to_vec());
    assert_eq!(frame_error(sealed.expect("records").encode()), FrameError::BadSignature);
    // The place of its first record, which every hash behind it speaks for.
    let mut elsewhere = author.frame(&records[..10]);
    elsewhere[1 + 32 + 32 + 8 + 7] = 2;
    elsewhere[1 + 32 + 32 + 8 + 8] = 1;
    assert_eq!(frame_error(elsewhere), FrameError::BadSignature);
    let large = |n| author.write(moment(n), Body::Statement(Bytes(vec![0; 60 << 10])));
    let large: Vec<_> = (0..8).map(large).collect();
    let huge = author.frame(&large);
    let bytes = huge.len();
    assert_eq!(frame_error(huge), FrameError::Oversized(bytes));
    assert_eq!(refusal(Node::new().admit(&[vec![0; FRAME_MAX_BYTES + 1]])).reason(), "oversized");
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
