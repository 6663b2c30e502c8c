//! The laws of the door, each broken on purpose.

use xyn_store::simulation::{Base, Memory};

use super::{Betrayal, Broken, CALM, Traitor, broken, scenario};
use crate::report::Report;
use crate::tally::Happening;
use crate::world::World;

/// The calm world with these newcomers and faults.
fn text(joins: &str, faults: &str) -> String {
    format!("{CALM}\njoins: {joins}\nfaults: {faults}")
}

/// That world, in which the door of node 0 lets in whoever shows any ticket.
fn careless(joins: &str) -> Report {
    let mut world = World::new(scenario(&text(joins, "[]"))).expect("opens");
    world.wake();
    world.machines[0].running.as_mut().expect("runs").shelf.flaws.is_careless = true;
    world.go_on()
}

#[test]
fn whoever_comes_with_a_ticket_is_let_in_whatever_the_power_does_and_leaves_one_trace() {
    let joins = "[{node: 3, by: 0, at: 1m}]";
    let faults = "
  - {at: 58s, for: 5s, every: 10s, fault: {crash: {node: 0, unsynced: some}}}
  - {at: 61s, for: 3s, every: 9s, fault: {crash: {node: 3, unsynced: torn}}}";
    let [one, two] = [(); 2].map(|()| World::new(scenario(&text(joins, faults))).expect("opens").run());
    assert!(one.holds() && one.times(Happening::LetIn) == 1, "{}", one.to_text());
    assert_eq!(one.trace, two.trace);
}

#[test]
fn a_ticket_that_is_shown_twice_or_late_lets_nobody_in() {
    let twice = "[{node: 3, by: 0, at: 1m}, {node: 2, by: 0, at: 1m, after: 1m, ticket_of: 3}]";
    let report = World::new(scenario(&text(twice, "[]"))).expect("opens").run();
    assert!(report.holds() && report.times(Happening::LetIn) == 1, "{}", report.to_text());
    let late = "[{node: 3, by: 0, at: 1m, good_for: 10s, after: 20s}]";
    let report = World::new(scenario(&text(late, "[]"))).expect("opens").run();
    assert!(report.holds() && report.times(Happening::LetIn) == 0, "{}", report.to_text());
}

#[test]
pub(super) fn a_door_that_does_not_look_at_tickets_is_noticed() {
    let report = careless("[{node: 3, by: 0, at: 1m}, {node: 2, by: 0, at: 1m, after: 1m, ticket_of: 3}]");
    let why = "had let in another";
    assert_eq!(broken(&report), &Broken::Opened { node: 0, newcomer: 2, why }, "{}", report.to_text());
    let report = careless("[{node: 3, by: 0, at: 1m, good_for: 10s, after: 20s}]");
    let why = "had expired";
    assert_eq!(broken(&report), &Broken::Opened { node: 0, newcomer: 3, why }, "{}", report.to_text());
}

#[test]
pub(super) fn a_door_that_forgets_its_tickets_is_noticed() {
    let others = CALM.replace("work: [{", "work: [{nodes: [1], ");
    let text = format!("{others}\njoins: [{{node: 3, by: 0, at: 1s}}]");
    // The first thing that node 0 keeps is the ticket.
    let base = |number| match number {
        0 => Ok(Traitor::boxed(Betrayal::Forgets(1))),
        _ => Ok(Box::new(Memory::new()) as Box<dyn Base>),
    };
    let report = World::over(scenario(&text), &base).expect("opens").run();
    assert!(matches!(broken(&report), Broken::SentAway { node: 0, newcomer: 3, .. }), "{}", report.to_text());
}

#[test]
pub(super) fn a_door_that_never_answers_is_noticed() {
    let mute = "[{at: 0s, fault: {turn: {node: 0, into: mute, unnoticed: true}}}]";
    let report = World::new(scenario(&text("[{node: 3, by: 0, at: 1m}]", mute))).expect("opens").run();
    assert!(matches!(broken(&report), Broken::Outside { node: 0, newcomer: 3, .. }), "{}", report.to_text());
}
