//! What holds for every schedule.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::proto::conduct::SHUNNED_FOR;

#[derive(Clone, Debug)]
enum Step {
    Write(usize, usize),
    Connect(usize, usize),
    Disconnect(usize, usize),
    /// An author's folder was copied; this node saw another end of its feed.
    Fork(usize, usize, u64),
    Run(u64),
}

fn step(nodes: usize) -> impl Strategy<Value = Step> {
    let node = move || 0..nodes;
    prop_oneof![
        4 => (node(), 1..40usize).prop_map(|(node, count)| Step::Write(node, count)),
        3 => (node(), node()).prop_map(|(a, b)| Step::Connect(a, b)),
        2 => (node(), node()).prop_map(|(a, b)| Step::Disconnect(a, b)),
        1 => (node(), node(), 1..20u64).prop_map(|(node, author, back)| Step::Fork(node, author, back)),
        4 => (1..5000u64).prop_map(Step::Run),
    ]
}

fn weather() -> impl Strategy<Value = Weather> {
    (0..20u64, 0..20u64, 1..2000u64).prop_map(|(loss_percent, twice_percent, delay_ms_max)| Weather {
        loss_percent,
        twice_percent,
        delay_ms_max,
    })
}

fn play(bed: &mut Bed, steps: &[Step]) {
    for step in steps {
        match *step {
            Step::Write(node, count) if bed.nodes[node].disk.known(feed(node)).fork.is_none() => {
                bed.write(node, count)
            }
            Step::Connect(a, b) if a != b => bed.connect(a, b),
            Step::Disconnect(a, b) if a != b => bed.disconnect(a, b),
            Step::Fork(node, author, back) if node != author => {
                let known = bed.nodes[node].disk.known(feed(author));
                if known.fork.is_none() && known.seq() > back {
                    bed.nodes[node].disk.rewind(feed(author), known.seq() - back);
                    (0..back).for_each(|_| bed.nodes[node].disk.write(feed(author), b"another end"));
                    bed.grew(node, feed(author));
                }
            }
            Step::Run(millis) => bed.run(Duration::from_millis(millis)),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nodes_that_can_talk_end_up_with_the_same_records(
        seed: u64,
        weather in weather(),
        steps in vec(step(4), 1..30),
    ) {
        let mut bed = Bed::new(4, seed);
        bed.weather = weather;
        play(&mut bed, &steps);
        // The storm is over: a line of good connections, and time for every grudge to pass.
        bed.weather = CALM;
        (0..3).for_each(|node| bed.connect(node, node + 1));
        bed.run(SHUNNED_FOR * 3);
        bed.assert_same(&[0, 1, 2, 3]);
        let earned = |reason| [Misdeed::Stall, Misdeed::Unasked, Misdeed::Empty].contains(&reason);
        prop_assert!(bed.drops.iter().all(|(.., reason)| earned(*reason)), "all are honest: {:?}", bed.drops);
    }

    #[test]
    fn the_same_seed_gives_the_same_story(seed: u64, weather in weather(), steps in vec(step(3), 1..15)) {
        let tell = || {
            let mut bed = Bed::new(3, seed);
            bed.weather = weather;
            play(&mut bed, &steps);
            (bed.sent, bed.drops, bed.nodes.into_iter().map(|node| node.disk).collect::<Vec<_>>())
        };
        prop_assert_eq!(tell(), tell());
    }

    #[test]
    fn bytes_of_strangers_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let mut bed = Bed::new(2, 1);
        bed.write(1, 5);
        bed.connect(0, 1);
        bed.deliver(0, 1, [&[1], bytes.as_slice()].concat());
    }
}
