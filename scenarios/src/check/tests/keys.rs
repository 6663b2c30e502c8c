//! The laws of keys that end, each broken on purpose.

use std::time::Duration;

use xyn_store::trust::NotAdmitted;

use super::{Broken, CALM, broken, scenario};
use crate::node::shelf::flaws::{Deaf, Flaws};
use crate::report::Report;
use crate::tally::Happening;
use crate::world::World;

const ROTATE: &str = "{at: 1m, fault: {rotate: {node: 2, by: 1}}}";
const REVOKE: &str = "{at: 2m, fault: {revoke: {node: 2, by: 1}}}";
const DEFY: &str = "{at: 2m, fault: {turn: {node: 2, into: defiant}}}";
const THIEF: &str = "{at: 70s, fault: {turn: {node: 3, into: thief}}}";

/// The calm world with these faults.
fn world(faults: &str) -> World {
    World::new(scenario(&format!("{CALM}\nfaults: [{faults}]"))).expect("opens")
}

/// That world, in which node `node` does not hear how keys end.
fn deaf(node: usize, deaf: Deaf, faults: &str) -> Report {
    let mut world = world(faults);
    world.wake();
    world.machines[node].running.as_mut().expect("runs").shelf.flaws.deaf = deaf;
    world.go_on()
}

#[test]
fn a_node_goes_on_under_another_key_and_leaves_one_trace() {
    let faults = format!("{ROTATE}, {THIEF}, {{at: 2m, fault: {{rotate: {{node: 2, by: 0}}}}}}");
    let [one, two] = [(); 2].map(|()| world(&faults).run());
    assert!(one.holds() && one.times(Happening::Rotated) == 2, "{}", one.to_text());
    assert!(one.times(Happening::Thefts) > 10, "{}", one.to_text());
    assert_eq!(one.trace, two.trace);
}

#[test]
fn a_key_is_taken_whatever_the_power_does() {
    let crashes = |node: usize, at: u64| {
        format!("{{at: {at}s, for: 3s, every: 11s, fault: {{crash: {{node: {node}, unsynced: some}}}}}}")
    };
    let report = world(&format!("{ROTATE}, {}, {}", crashes(1, 59), crashes(2, 64))).run();
    assert!(report.holds() && report.times(Happening::Rotated) == 1, "{}", report.to_text());
}

#[test]
fn a_revocation_of_the_first_key_takes_the_next_with_it() {
    let mut world = world(&format!("{ROTATE}, {REVOKE}, {DEFY}"));
    world.wake();
    world.until(world.now.after(Duration::from_secs(150)));
    assert_eq!(world.people.keys(2).len(), 2, "it took another key before");
    for node in [0, 1, 3] {
        let roster = world.machines[node].running.as_ref().expect("runs").shelf.roster();
        for key in world.people.keys(2) {
            let admitted = roster.admit(key.public(), world.now);
            assert!(matches!(admitted, Err(NotAdmitted::Revoked(_))), "node {node}: {admitted:?}");
        }
    }
    let report = world.go_on();
    assert!(report.holds(), "{}", report.to_text());
}

#[test]
pub(super) fn a_node_that_counts_what_a_key_signs_after_its_end_is_noticed() {
    let report = deaf(0, Deaf::ToSuccessions, &format!("{ROTATE}, {THIEF}"));
    let is_seen = matches!(broken(&report), Broken::Outlived { node: 0, author: 2, .. });
    assert!(is_seen, "{}", report.to_text());
    let report = deaf(0, Deaf::ToRevocations, &format!("{ROTATE}, {REVOKE}, {DEFY}"));
    let is_seen = matches!(broken(&report), Broken::Outlived { node: 0, author: 2, .. });
    assert!(is_seen, "{}", report.to_text());
}

#[test]
pub(super) fn a_node_that_talks_to_the_successor_of_a_revoked_key_is_noticed() {
    let report = deaf(0, Deaf::ToRevocations, &format!("{ROTATE}, {REVOKE}"));
    assert_eq!(broken(&report), &Broken::Admitted { node: 0, other: 2 }, "{}", report.to_text());
}

/// Node 1 says while it is away from node 0 that node 3 is out; and node 0, which never heard of it, that node 1 is.
fn carried(is_mum: bool) -> Report {
    let faults = "faults:
  - {at: 30s, for: 2m, fault: {part: {one: [0, 3], other: [1, 2]}}}
  - {at: 1m, fault: {revoke: {node: 3, by: 1}}}
  - {at: 70s, fault: {revoke: {node: 1, by: 0}}}";
    let text = CALM.replace("work: [{", "work: [{nodes: [0, 2, 3], ");
    let mut world = World::new(scenario(&format!("{text}\n{faults}"))).expect("opens");
    world.wake();
    world.machines[2].running.as_mut().expect("runs").shelf.flaws.is_mum = is_mum;
    world.go_on()
}

#[test]
fn a_node_that_keeps_to_itself_what_the_root_said_through_one_that_is_out_is_noticed() {
    let report = carried(false);
    assert!(report.holds(), "{}", report.to_text());
    let report = carried(true);
    let is_seen = matches!(broken(&report), Broken::Differs { .. } | Broken::Apart { .. });
    assert!(is_seen, "{}", report.to_text());
}

#[test]
fn a_revocation_that_lasts_though_the_disk_answered_otherwise_is_one() {
    let faults = "faults:
  - {at: 50s, for: 1m, fault: {disk: {node: 1, fails: full_late}}}
  - {at: 1m, fault: {revoke: {node: 2, by: 1}}}";
    // Nothing else is written meanwhile: a disk that failed once takes nothing more.
    let text = CALM.replace("keeping: rows", "keeping: database").replace("every: 10s", "every: 1h");
    let mut world = World::new(scenario(&format!("{text}\n{faults}"))).expect("opens");
    world.wake();
    world.until(world.now.after(Duration::from_secs(61)));
    assert_eq!(world.check.revoked().count(), 0, "as far as anybody knows");
    world.until(world.now.after(Duration::from_secs(60)));
    assert_eq!(world.check.revoked().collect::<Vec<_>>(), [2]);
    let report = world.go_on();
    assert!(report.holds(), "{}", report.to_text());
}

#[test]
pub(super) fn a_node_for_which_work_is_lost_with_its_key_is_noticed() {
    let mut world = world(ROTATE);
    world.wake();
    world.machines[0].running.as_mut().expect("runs").shelf.flaws.disowns = true;
    let report = world.go_on();
    let is_it = matches!(broken(&report), Broken::Disowned { node: 0, author: 2, .. });
    assert!(is_it, "{}", report.to_text());
}

#[test]
pub(super) fn a_node_that_confirms_no_key_is_noticed() {
    let report = deaf(1, Deaf::ToSuccessions, ROTATE);
    let stuck = Broken::Unconfirmed { node: 2, by: 1, within: "3m".into() };
    assert_eq!(broken(&report), &stuck, "{}", report.to_text());
}

/// The world in which a cut is lifted, where node 2 has this flaw.
fn reinstated(flaw: impl FnOnce(&mut Flaws)) -> Report {
    let text = include_str!("../../../scenarios/reinstated.yaml");
    let mut world = World::new(scenario(text)).expect("opens");
    world.wake();
    flaw(&mut world.machines[2].running.as_mut().expect("runs").shelf.flaws);
    world.go_on()
}

#[test]
pub(super) fn a_node_that_does_not_judge_again_what_it_refused_is_noticed() {
    let report = reinstated(|flaws| flaws.is_final = true);
    let is_it = matches!(broken(&report), Broken::Misjudged { node: 2, author: 5, .. });
    assert!(is_it, "{}", report.to_text());
}

#[test]
fn a_node_that_lifts_no_cut_is_noticed() {
    let report = reinstated(|flaws| flaws.is_grudging = true);
    let is_it = matches!(broken(&report), Broken::Apart { author: 5, .. });
    assert!(is_it, "{}", report.to_text());
}
