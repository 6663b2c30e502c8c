//! A capsule on trial: what becomes of it in a world, and its laws, each broken on purpose.

use std::sync::Arc;
use std::time::Duration;

use xyn_capsules::container::{ContainerError, Cover, Options, pack};
use xyn_capsules::tree::Limits;
use xyn_store::Digest;
use xyn_store::ids;

use super::{Broken, CALM, broken, scenario};
use crate::report::{Report, Spread};
use crate::trial::{Judge, NotTried, Proved, Trial};
use crate::world::World;

/// Bytes that do not compress, the same ones for the same seed.
fn noise(seed: u64, kib: usize) -> Vec<u8> {
    (0..kib * 32).flat_map(|word| *Digest::of(&(seed + word as u64).to_be_bytes()).as_bytes()).collect()
}

/// The file of a capsule.
fn file(seed: u64, kib: usize) -> Vec<u8> {
    let place = tempfile::tempdir().expect("a folder");
    let (app, target) = (place.path().join("app"), place.path().join("app.caps"));
    std::fs::create_dir(&app).expect("made");
    std::fs::write(app.join("noise"), noise(seed, kib)).expect("written");
    std::fs::write(app.join("text"), "text").expect("written");
    pack(&app, &target, &Options::default()).expect("packed").seal(b"manifest", &[]).expect("sealed");
    std::fs::read(target).expect("there")
}

/// Proves every byte.
fn judge() -> Judge {
    let prove = |bytes: &[u8]| {
        let verified = Cover::read(bytes)?.open(None, Limits::default())?.verify()?;
        let id = "urn:xyn:app:shop@1.0.0".to_owned();
        Ok(Proved { capsule: Digest::of(b"manifest"), id, generation: 7, files: verified.files })
    };
    Box::new(move |bytes| prove(bytes).map_err(|error: ContainerError| error.to_string()))
}

fn trial(seed: u64, kib: usize) -> Arc<Trial> {
    Arc::new(Trial::new(&file(seed, kib), judge()).expect("sound"))
}

/// The calm world with these lines in the place of its topology, and a capsule in it.
fn world(lines: &str, trial: Arc<Trial>) -> World {
    let text = CALM.replace("topology: full\n", lines);
    World::new(scenario(&text)).expect("opens").with(trial).expect("fits")
}

/// It has it, and runs.
fn after(mut world: World, secs: u64) -> World {
    world.wake();
    world.until(world.now.after(Duration::from_secs(secs)));
    world
}

fn counts(report: &Report) -> Vec<(&'static str, u64)> {
    let spread = report.spread.as_ref().expect("it was on trial");
    spread.steps.iter().map(|step| (step.name, step.nodes)).collect()
}

const CHAOS: &str = "
topology: ring
weather: {latency: 20ms, jitter: 60ms, loss: 10, twice: 10, rate: 100000}
faults:
  - {at: 15s, for: 20s, every: 45s, fault: {crash: {node: 1, unsynced: torn}}}
  - {at: 12s, for: 2m, fault: {part: {one: [2]}}}
  - {at: 11s, for: 3m, fault: {disk: {node: 1, fails: full}}}
  - {at: 1s, fault: {turn: {node: 3, into: liar}}}
";

#[test]
fn a_capsule_comes_to_all_is_rolled_out_and_back_whatever_goes_wrong_and_leaves_one_trace() {
    let [one, two] = [(); 2].map(|()| world(CHAOS, trial(1, 600)).run());
    assert!(one.holds(), "{}", one.to_text());
    // All but the liar, to whom nobody talks.
    let all = ["fetched", "verified", "rolled out", "rolled back"].map(|step| (step, 3));
    assert_eq!(counts(&one), all, "{}", one.to_text());
    assert_eq!((one.trace, &one.spread), (two.trace, &two.spread));
    let Spread { generation: 7, files: 2, source: 0, chunks, size_bytes, sent_bytes, .. } =
        one.spread.clone().expect("it was on trial")
    else {
        panic!("{}", one.to_text());
    };
    assert!(chunks > 3 && size_bytes > 600 << 10 && sent_bytes > 2 * size_bytes, "{}", one.to_text());
    let other = world(CHAOS, trial(2, 500)).run();
    assert!(other.holds(), "{}", other.to_text());
    assert!(other.trace != one.trace && other.spread != one.spread, "another capsule says something else");
}

#[test]
fn all_nodes_of_a_world_share_the_bytes_of_a_capsule() {
    let trial = trial(1, 600);
    let world = after(world("topology: full\n", Arc::clone(&trial)), 60);
    assert_eq!(trial.records.values().map(Arc::strong_count).min(), Some(5), "each of 4 holds it");
    assert_eq!(
        world.machines.iter().map(|it| it.running.as_ref().expect("runs").chest.used_bytes()).max(),
        Some(0)
    );
}

#[test]
pub(super) fn a_capsule_that_does_not_prove_is_not_put_on_trial_and_is_noticed_at_whatever_node_has_it() {
    let mut tampered = file(1, 40);
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    let refused = Trial::new(&tampered, judge()).map(drop).expect_err("tampered");
    assert!(matches!(&refused, NotTried::Unproved(why) if why.contains("was changed")), "{refused}");
    let proved = Trial::new(&file(1, 40), judge()).expect("sound").proved;
    let mut believed = Trial::new(&tampered, Box::new(move |_| Ok(proved.clone()))).expect("believed");
    believed.judge = judge();
    let report = world("topology: full\n", Arc::new(believed)).run();
    let is_it =
        |broken: &Broken| matches!(broken, Broken::Unproved { why, .. } if why.contains("was changed"));
    assert!(is_it(broken(&report)), "{}", report.to_text());
}

#[test]
fn a_source_whose_disk_changes_what_it_offers_is_noticed() {
    let mut world = after(world("topology: full\nweather: {rate: 20000}\n", trial(1, 600)), 12);
    world.machines[0].chest().spoil();
    let report = world.go_on();
    let is_it = matches!(broken(&report), Broken::Framed { other: 0, .. } | Broken::Unproved { node: 0, .. });
    assert!(is_it, "{}", report.to_text());
}

#[test]
pub(super) fn a_node_that_does_not_do_what_it_was_told_is_noticed() {
    for (which, secs, lacking) in [(0, 10, "rolled out"), (1, 150, "rolled back")] {
        let mut world = after(world("topology: full\n", trial(1, 40)), secs);
        let told = &mut world.rollout.as_mut().expect("on trial").told;
        // A moment that nobody ever sees.
        assert!(told[which].replace(ids::derived(world.now, &[b"nothing"])).is_some(), "it was said");
        let report = world.go_on();
        let is_it = |broken: &Broken| matches!(broken, Broken::Behind { lacks, .. } if *lacks == lacking);
        assert!(is_it(broken(&report)), "{}", report.to_text());
    }
}

#[test]
pub(super) fn a_world_in_which_a_capsule_comes_to_nobody_does_not_hold() {
    let report = world("topology: {links: []}\n", trial(1, 40)).run();
    assert_eq!(broken(&report), &Broken::Unspread { node: 0 }, "{}", report.to_text());
    let report = world("topology: full\nweather: {loss: 1000}\n", trial(1, 40)).run();
    assert!(matches!(broken(&report), Broken::Apart { .. }), "{}", report.to_text());
    let report = world("topology: full\nweather: {rate: 1000}\n", trial(1, 900)).run();
    assert!(
        matches!(broken(&report), Broken::Apart { .. } | Broken::Unfetched { .. }),
        "{}",
        report.to_text()
    );
}

#[test]
fn a_world_refuses_a_capsule_that_it_cannot_hold_or_nobody_can_offer() {
    let fits = |text: &str, trial| World::new(scenario(text)).expect("opens").with(trial).map(drop);
    let many = CALM.replace("nodes: 4", "nodes: 4096").replace("topology: full", "topology: ring");
    let refused = fits(&many, trial(1, 600)).expect_err("2.4 GB");
    assert!(matches!(refused, NotTried::TooMuch { nodes: 4096, .. }), "{refused}");
    fits(&many, trial(1, 400)).expect("1.6 GB");
    let turn = |node| format!("{{at: 1m, fault: {{turn: {{node: {node}, into: mute}}}}}}");
    let bad = format!("{CALM}\nfaults: [{}, {}, {}, {}]", turn(0), turn(1), turn(2), turn(3));
    assert_eq!(fits(&bad, trial(1, 1)).expect_err("all are bad"), NotTried::NoSource);
    let huge = vec![0; (crate::trial::TRIAL_BYTES_MAX + 1) as usize];
    assert_eq!(Trial::new(&huge, judge()).map(drop).expect_err("huge"), NotTried::TooLarge);
}
