//! What holds for every schedule.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Connect(usize, usize),
    Disconnect(usize, usize),
    Fetch(usize, usize),
    Stop(usize, usize),
    Kill(usize),
    Run(u64),
}

const NODES: usize = 4;
const BLOBS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let (node, blob) = (|| 0..NODES, || 0..BLOBS);
    prop_oneof![
        3 => (node(), node()).prop_map(|(a, b)| Step::Connect(a, b)),
        2 => (node(), node()).prop_map(|(a, b)| Step::Disconnect(a, b)),
        3 => (node(), blob()).prop_map(|(node, blob)| Step::Fetch(node, blob)),
        1 => (node(), blob()).prop_map(|(node, blob)| Step::Stop(node, blob)),
        1 => node().prop_map(Step::Kill),
        4 => (1..3000u64).prop_map(Step::Run),
    ]
}

/// Blobs of different lengths, one on each of the first nodes, each cut in its own way.
static SHELVES: LazyLock<Vec<(Shelf, Digest)>> = LazyLock::new(|| {
    let shelf = |blob: usize| {
        let mut shelf = Shelf::default();
        let bytes = content(blob as u64, [300_000, 3 << 20, 1 << 20][blob]);
        let object = shelf.put(&bytes, 40_000 + blob);
        (shelf, object)
    };
    (0..BLOBS).map(shelf).collect()
});

fn object(blob: usize) -> Digest {
    SHELVES[blob].1
}

fn play(seed: u64, loss_percent: u64, steps: &[Step]) -> Bed {
    let mut bed = Bed::new(NODES, seed);
    bed.loss_percent = loss_percent;
    bed.nodes.iter_mut().for_each(|node| node.bytes_per_second = MIB);
    (0..BLOBS).for_each(|blob| bed.nodes[blob].shelf = SHELVES[blob].0.clone());
    for step in steps {
        match *step {
            Step::Connect(a, b) => bed.connect(a, b),
            Step::Disconnect(a, b) => bed.disconnect(a, b),
            Step::Fetch(node, blob) => {
                let object = object(blob);
                if !bed.nodes[node].shelf.has(&object) {
                    bed.fetch(node, object);
                }
            }
            Step::Stop(node, blob) => bed.tell(node, Input::Stop(object(blob))),
            Step::Kill(node) => bed.kill(node),
            Step::Run(millis) => bed.run(Duration::from_millis(millis)),
        }
    }
    bed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_connected_to_a_holder_gets_every_blob(
        seed: u64,
        loss_percent in 0..10u64,
        steps in vec(step(), 1..25),
    ) {
        let mut bed = play(seed, loss_percent, &steps);
        // The storm is over.
        bed.loss_percent = 0;
        (0..NODES).for_each(|a| (0..a).for_each(|b| bed.connect(a, b)));
        bed.run(PATIENCE * 2);
        for node in 0..NODES {
            for object in (0..BLOBS).map(object) {
                if !bed.nodes[node].shelf.has(&object) {
                    bed.fetch(node, object);
                    bed.until_done(node, object, PATIENCE * 2);
                }
                prop_assert!(bed.nodes[node].shelf.has(&object), "node {node}: {:?}", bed.drops);
            }
        }
        prop_assert_eq!(&bed.drops, &[], "all are honest");
    }

    #[test]
    fn the_same_seed_gives_the_same_story(seed: u64, loss in 0..10u64, steps in vec(step(), 1..15)) {
        let tell = || {
            let bed = play(seed, loss, &steps);
            let came: Vec<_> = bed.nodes.iter().map(|node| (node.came_bytes, node.progress.clone())).collect();
            (bed.now, bed.drops, came, bed.nodes.into_iter().map(|node| node.shelf).collect::<Vec<_>>())
        };
        prop_assert_eq!(tell(), tell());
    }

    #[test]
    fn bytes_of_strangers_never_panic(bytes in vec(any::<u8>(), 0..300), head in 0..3u8) {
        let (mut bed, mut bytes) = (Bed::new(2, 1), bytes);
        bytes.splice(0..0, [1, head]);
        bed.connect(0, 1);
        let object = Digest::of(b"x");
        bed.fetch(0, object);
        let asks: Vec<_> = bed.nodes[0].core.asks.keys().copied().collect();
        for ask in asks {
            bed.tell(0, Input::Answered { ask, bytes: Some(bytes.clone()) });
        }
        bed.order += 1;
        let id = bed.order;
        bed.served.insert(id, (0, 1, 0));
        bed.tell(0, Input::Asked { peer: public(1), id, bytes });
    }
}
