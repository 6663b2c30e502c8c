//! How many questions wait: those of this node at a peer, and those of peers here.

use super::*;

#[test]
fn a_question_that_nobody_waits_for_any_more_counts_until_it_is_answered() {
    let mut bed = Bed::new(2, 1);
    bed.connect(0, 1);
    let now = bed.now;
    let core = &mut bed.nodes[0].core;
    let mut begin_and_stop = |object: Digest| {
        let began = core.handle(Input::Fetch(Want::named(object, 1 << 30)), now);
        core.handle(Input::Stop(object), now);
        let ask = |output| if let Output::Ask { ask, .. } = output { Some(ask) } else { None };
        began.into_iter().find_map(ask)
    };
    let asked: Vec<_> = (0..200_u64).map(|n| begin_and_stop(Digest::of(&n.to_be_bytes()))).collect();
    let open: Vec<AskId> = asked.iter().copied().flatten().collect();
    assert_eq!(open.len(), ASKS_PER_PEER, "its peer has all of them, and allows no more than so many");
    assert!(asked[..ASKS_PER_PEER].iter().all(Option::is_some));
    core.handle(Input::Answered { ask: open[0], bytes: None }, now);
    let object = Digest::of(b"another");
    assert!(matches!(
        core.handle(Input::Fetch(Want::named(object, 1)), now)[..],
        [_, Output::Ask { .. }, ..]
    ));
}

#[test]
fn who_asks_for_more_than_may_wait_or_sends_what_is_no_question_is_dropped() {
    let mut bed = Bed::new(3, 1);
    bed.connect(0, 1);
    bed.connect(0, 2);
    let ask =
        wire::encode(&Ask::Manifest { root: Digest::of(b""), object: Digest::of(b""), from: 0, credit: 1 });
    for id in 0..=ASKED_PER_PEER as u64 {
        // Nobody takes the answers, so that all of them wait.
        let input = Input::Asked { peer: public(1), id: 1_000_000 + id, bytes: ask.clone() };
        let outputs = bed.nodes[0].core.handle(input, bed.now);
        let reason = outputs.iter().find_map(|output| match output {
            Output::Drop { reason, .. } => Some(*reason),
            _ => None,
        });
        assert_eq!(reason, (id == ASKED_PER_PEER as u64).then_some(Misdeed::Flood));
    }
    (0..2).for_each(|id| bed.tell(0, Input::Asked { peer: public(2), id, bytes: vec![9] }));
    assert_eq!(bed.drops, [(0, 2, Misdeed::Newer)]);
}

#[test]
fn one_who_asks_for_much_keeps_nobody_else_waiting() {
    let mut core = Blobs::default();
    let now = Timestamp::from_micros(1);
    let ask =
        wire::encode(&Ask::Manifest { root: Digest::of(b""), object: Digest::of(b""), from: 0, credit: 1 });
    for peer in 0..6 {
        core.handle(Input::Connected(public(peer)), now);
    }
    let mut served: Vec<PublicKey> = Vec::new();
    for (peer, count) in [(0, 40), (1, 40), (2, 40), (3, 40), (4, 40), (5, 1)] {
        for id in 0..count {
            let input = Input::Asked { peer: public(peer), id, bytes: ask.clone() };
            served.extend(core.handle(input, now).iter().filter_map(|output| match output {
                Output::Serve { peer, .. } => Some(*peer),
                _ => None,
            }));
        }
    }
    assert_eq!(served.len(), ANSWERS_MAX);
    assert!(!served.contains(&public(5)), "its turn has not come");
    let mut finished = 0;
    while !served.contains(&public(5)) {
        let done = served[finished];
        finished += 1;
        served.extend(core.handle(Input::Served { peer: done }, now).iter().filter_map(
            |output| match output {
                Output::Serve { peer, .. } => Some(*peer),
                _ => None,
            },
        ));
    }
    assert!(finished <= 6, "it waited for {finished} answers");
}
