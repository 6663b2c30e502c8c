//! The laws of witnessing, each broken on purpose.

use std::time::Duration;

use xyn_store::audit::signature::Signature;
use xyn_store::projection::WitnessRow;

use super::{Broken, CALM, broken, scenario};
use crate::tally::Happening;
use crate::world::World;

/// The calm world in which logs are signed, with these faults.
fn world(faults: &str) -> World {
    World::new(scenario(&format!("{CALM}\ncheckpoints: 10s\nfaults: {faults}"))).expect("opens")
}

#[test]
fn a_log_that_is_rewritten_is_found_out_and_nobody_vouches_for_both() {
    let report = world("[{at: 1m, fault: {turn: {node: 3, into: rewriter}}}]").run();
    assert!(report.holds() && report.times(Happening::Alarms) > 0, "{}", report.to_text());
}

#[test]
fn logs_that_only_grow_are_vouched_for_whatever_the_power_does() {
    let report = world("[{at: 1m, for: 5s, every: 20s, fault: {crash: {node: 1, unsynced: some}}}]").run();
    assert!(report.holds() && report.times(Happening::Alarms) == 0, "{}", report.to_text());
}

#[test]
pub(super) fn a_node_whose_log_is_not_what_it_was_is_noticed() {
    let report = world("[{at: 1m, fault: {turn: {node: 3, into: rewriter, unnoticed: true}}}]").run();
    assert!(matches!(broken(&report), Broken::Suspected { author: 3, .. }), "{}", report.to_text());
}

#[test]
pub(super) fn a_witness_that_vouches_for_whatever_it_is_offered_is_noticed() {
    let mut world = world("[{at: 1m, fault: {turn: {node: 3, into: rewriter}}}]");
    world.wake();
    world.machines[1].running.as_mut().expect("runs").process.is_obliging = true;
    let report = world.go_on();
    assert!(matches!(broken(&report), Broken::TwoWords { node: 1, author: 3, .. }), "{}", report.to_text());
}

#[test]
pub(super) fn a_word_that_nobody_gave_is_noticed() {
    let mut world = world("[]");
    world.wake();
    world.until(world.now.after(Duration::from_secs(60)));
    let witness = world.people.key(2).public();
    let shelf = &mut world.machines[1].running.as_mut().expect("runs").shelf;
    let row = shelf.attested().expect("reads").pop().expect("somebody vouched for it");
    shelf.attest(&WitnessRow { witness, signature: Signature::from_bytes([7; 64]), ..row });
    let report = world.go_on();
    assert!(matches!(broken(&report), Broken::Unvouched { node: 1, witness: 2, .. }), "{}", report.to_text());
}
