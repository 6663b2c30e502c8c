//! What news are worth, and what is remembered of them.

use super::*;
use crate::proto::conduct::{MESSAGES_BURST, PASSED_ON_TIMES};
use crate::wire::Payload;
use xyn_store::timeline::feed::FeedId;

const NOW: Timestamp = Timestamp::EPOCH;
const ALICE: PublicKey = PublicKey::from_bytes([1; 32]);
const BOB: PublicKey = PublicKey::from_bytes([2; 32]);

fn news(seq: u64, size: usize) -> News {
    let bytes = Payload::new(&vec![7; size]).expect("within the bound");
    News { feed: FeedId { node: ALICE, incarnation: 1 }, frame: Frame { from: seq, to: seq, bytes } }
}

fn heard(gossip: &mut Gossip, peer: PublicKey, news: &News) -> Vec<Output> {
    gossip.handle(Input::Heard { peer, bytes: wire::encode(news) }, NOW)
}

fn id(news: &News) -> Digest {
    Digest::of(&wire::encode(news))
}

fn report(news: &News, peer: PublicKey, verdict: Verdict) -> Output {
    Output::Report { id: id(news), peer, verdict }
}

#[test]
fn what_is_written_is_published_at_once_and_not_looked_at_when_it_comes_back() {
    let (mut gossip, mut news) = (Gossip::new(NOW), news(1, 10));
    news.frame.to = 3;
    let published = gossip.handle(Input::Wrote(news.clone()), NOW);
    assert_eq!(published, [Output::Publish { bytes: wire::encode(&news), records: 3 }]);
    assert_eq!(heard(&mut gossip, BOB, &news), [report(&news, BOB, Verdict::Ignore)]);
}

#[test]
fn the_same_news_from_two_neighbours_are_verified_once() {
    let (mut gossip, news) = (Gossip::new(NOW), news(1, 10));
    let first = heard(&mut gossip, ALICE, &news);
    assert_eq!(first, [Output::Admit { peer: ALICE, id: id(&news), news: news.clone() }]);
    assert_eq!(heard(&mut gossip, BOB, &news), [report(&news, BOB, Verdict::Ignore)]);
    let done = gossip.handle(Input::Admitted { id: id(&news), result: Ok(Fit::Continues) }, NOW);
    assert_eq!(done, [report(&news, ALICE, Verdict::Accept)]);
}

/// What becomes of news of Alice that this peer forwarded.
fn outcome(peer: PublicKey, result: Result<Fit, Refused>) -> (Verdict, Option<Output>) {
    let (mut gossip, news) = (Gossip::new(NOW), news(1, 10));
    heard(&mut gossip, peer, &news);
    let mut done = gossip.handle(Input::Admitted { id: id(&news), result }, NOW).into_iter();
    match done.next() {
        Some(Output::Report { verdict, .. }) => (verdict, done.next()),
        other => panic!("a message gets its verdict first: {other:?}"),
    }
}

#[test]
fn each_outcome_has_its_verdict() {
    let gap = Output::Gap(ALICE);
    let lie = Output::Drop { peer: ALICE, reason: Misdeed::Lie };
    let cases = [
        (Ok(Fit::Continues), Verdict::Accept, None),
        (Ok(Fit::Waits), Verdict::Accept, Some(gap.clone())),
        (Err(Refused::Unlinked), Verdict::Ignore, Some(gap.clone())),
        (Err(Refused::Busy), Verdict::Ignore, Some(gap)),
        (Err(Refused::Cut), Verdict::Ignore, None),
        (Err(Refused::Paced), Verdict::Ignore, None),
        (Err(Refused::Newer), Verdict::Ignore, None),
        (Err(Refused::Unfit { is_newer: true }), Verdict::Ignore, None),
        (Err(Refused::Unfit { is_newer: false }), Verdict::Reject, Some(lie.clone())),
        (Err(Refused::False), Verdict::Reject, Some(lie)),
    ];
    for (result, verdict, more) in cases {
        assert_eq!(outcome(ALICE, result), (verdict, more), "{result:?}");
    }
    // What its author alone answers for.
    for is_newer in [false, true] {
        assert_eq!(outcome(BOB, Err(Refused::Unfit { is_newer })), (Verdict::Ignore, None));
    }
}

#[test]
fn one_who_left_before_the_verdict_is_blamed_and_not_taken_for_one_who_is_here() {
    let mut gossip = Gossip::new(NOW);
    let mut hear_and_leave = |seq| {
        let news = news(seq, 10);
        heard(&mut gossip, ALICE, &news);
        gossip.handle(Input::Disconnected(ALICE), NOW);
        let done = gossip.handle(Input::Admitted { id: id(&news), result: Err(Refused::Newer) }, NOW);
        assert!(gossip.peers.is_empty());
        done
    };
    assert_eq!(hear_and_leave(1).len(), 1);
    assert!(hear_and_leave(2).contains(&Output::Drop { peer: ALICE, reason: Misdeed::Newer }));
}

#[test]
fn what_is_remembered_and_verified_at_a_time_is_bounded() {
    let mut gossip = Gossip::new(NOW);
    for peer in 0..8 {
        let peer = PublicKey::from_bytes([peer; 32]);
        for seq in 0..256 {
            heard(&mut gossip, peer, &news(u64::from(peer.as_bytes()[0]) << 32 | seq, 10));
        }
    }
    assert_eq!(gossip.validating.len(), VALIDATING_MAX);
    let late = news(u64::MAX, 10);
    assert_eq!(heard(&mut gossip, BOB, &late), [report(&late, BOB, Verdict::Ignore), Output::Gap(BOB)]);
    (0..SEEN_MAX as u64 + 10).for_each(|seq| gossip.remember(Digest::of(&seq.to_be_bytes())));
    assert_eq!((gossip.seen.len(), gossip.order.len()), (SEEN_MAX, SEEN_MAX));
}

#[test]
fn who_says_nothing_again_and_again_floods() {
    let mut gossip = Gossip::new(NOW);
    let mut said = || gossip.handle(Input::Said(BOB), NOW);
    assert!((0..MESSAGES_BURST * PASSED_ON_TIMES).all(|_| said().is_empty()));
    assert_eq!(said(), [Output::Drop { peer: BOB, reason: Misdeed::Flood }]);
}

#[test]
fn a_flooder_and_a_babbler_are_dropped_and_a_hasty_writer_falls_silent() {
    let mut gossip = Gossip::new(NOW);
    let flood =
        (0..2 * PASSED_ON_TIMES * MESSAGES_BURST).flat_map(|seq| heard(&mut gossip, ALICE, &news(seq, 10)));
    assert!(flood.into_iter().any(|out| out == Output::Drop { peer: ALICE, reason: Misdeed::Flood }));
    let mut gossip = Gossip::new(NOW);
    let mut flood_in_parts = Vec::new();
    for seq in 0..2 * PASSED_ON_TIMES * MESSAGES_BURST {
        flood_in_parts.extend(heard(&mut gossip, ALICE, &news(seq, 10)));
        if seq % 1000 == 0 {
            gossip.handle(Input::Disconnected(ALICE), NOW);
        }
    }
    assert!(flood_in_parts.contains(&Output::Drop { peer: ALICE, reason: Misdeed::Flood }));
    let mut gossip = Gossip::new(NOW);
    let passed_on = (0..2 * MESSAGES_BURST).flat_map(|seq| heard(&mut gossip, ALICE, &news(seq, 10)));
    let is_drop = |out: &Output| matches!(out, Output::Drop { .. });
    assert!(!passed_on.collect::<Vec<_>>().iter().any(is_drop), "it hands on what others sent");
    let babble = |gossip: &mut Gossip| gossip.handle(Input::Heard { peer: BOB, bytes: vec![1] }, NOW);
    let twice = [babble(&mut gossip), babble(&mut gossip)].concat();
    assert_eq!(twice.last(), Some(&Output::Drop { peer: BOB, reason: Misdeed::Malformed }));
    let big = (0..100).flat_map(|seq| gossip.handle(Input::Wrote(news(seq, 100_000)), NOW)).count();
    assert_eq!(big as u64, PUBLISHED_BYTES_BURST / 100_000);
}
