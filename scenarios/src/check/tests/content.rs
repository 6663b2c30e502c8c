//! The laws of content, each broken on purpose.

use std::time::Duration;

use super::{Broken, CALM, broken, scenario};
use crate::node::chest::{Flaw, ROOM_BYTES};
use crate::report::Report;
use crate::tally::Happening;
use crate::world::World;

/// The calm world in which moments name content of up to so many KiB, with these faults.
fn world(content_kib: u64, faults: &str) -> World {
    let work = format!("work: [{{every: 10s, content: 60, content_kib: {content_kib}}}]");
    // So slow that the power goes in the middle of some of it.
    let slow =
        CALM.replace("topology: full", "topology: full\nweather: {latency: 5ms, jitter: 20ms, rate: 300000}");
    let text = slow.replace("work: [{every: 10s, batch: 2, boards: 20}]", &work);
    assert!(text.contains(&work), "the calm world has that work");
    World::new(scenario(&format!("{text}\nfaults: {faults}"))).expect("opens")
}

/// That world, in which the content of node 1 has a flaw from its first start on.
fn flawed(content_kib: u64, faults: &str, flaw: Flaw) -> Report {
    let mut world = world(content_kib, faults);
    world.machines[1].chest.flaw = Some(flaw);
    world.run()
}

#[test]
fn content_comes_to_whoever_wants_it_whatever_the_power_does_and_leaves_one_trace() {
    let faults = "[{at: 1m, for: 5s, every: 20s, fault: {crash: {node: 1, unsynced: torn}}}]";
    let [one, two] = [(); 2].map(|()| world(256, faults).run());
    assert!(one.holds() && one.times(Happening::Fetched) > 50, "{}", one.to_text());
    assert_eq!(one.trace, two.trace);
}

#[test]
pub(super) fn a_node_that_takes_whatever_comes_is_noticed() {
    let liar = "[{at: 0s, fault: {turn: {node: 3, into: liar}}}]";
    let report = flawed(64, liar, Flaw::Gullible);
    assert!(matches!(broken(&report), Broken::Counterfeit { node: 1, .. }), "{}", report.to_text());
}

#[test]
pub(super) fn a_node_that_begins_anew_after_each_crash_is_noticed() {
    let crashes = "[{at: 1m, for: 2s, every: 7s, fault: {crash: {node: 1, unsynced: kept}}}]";
    let report = flawed(2048, crashes, Flaw::Forgetful);
    assert!(matches!(broken(&report), Broken::Repeated { node: 1, .. }), "{}", report.to_text());
}

#[test]
fn a_node_that_takes_more_than_it_has_room_for_is_noticed() {
    let report = flawed(4096, "[]", Flaw::Boundless);
    let is_it = |broken: &Broken| matches!(broken, Broken::Overflow { node: 1, limit: ROOM_BYTES, .. });
    assert!(is_it(broken(&report)), "{}", report.to_text());
}

#[test]
pub(super) fn a_node_that_keeps_what_it_has_to_itself_is_noticed() {
    for manner in ["mute", "braggart"] {
        let turn = format!("[{{at: 0s, fault: {{turn: {{node: 3, into: {manner}, unnoticed: true}}}}}}]");
        let mut world = world(64, &turn);
        // Nobody else has what it makes, and all want it.
        world.scenario.work[0].nodes = vec![3];
        world.scenario.work.push(crate::scenario::Work {
            content: 1,
            nodes: vec![0],
            ..world.scenario.work[0].clone()
        });
        let report = world.run();
        assert!(matches!(broken(&report), Broken::Unfetched { holder: 3, .. }), "{}", report.to_text());
    }
}

#[test]
fn a_chunk_that_the_disk_changed_is_noticed() {
    let mut world = world(64, "[]");
    world.wake();
    world.until(world.now.after(Duration::from_secs(200)));
    world.machines[2].chest().spoil();
    let report = world.go_on();
    assert!(matches!(broken(&report), Broken::Counterfeit { node: 2, .. }), "{}", report.to_text());
}
