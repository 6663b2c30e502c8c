//! The law of who comes to know whom, broken on purpose.

use std::time::Duration;

use super::{Broken, CALM, broken, scenario};
use crate::tally::Happening;
use crate::world::World;

/// The calm world in which each knows only the first from the start.
fn strangers(faults: &str) -> World {
    World::new(scenario(&format!("{CALM}\nknows: star\nfaults: {faults}"))).expect("opens")
}

#[test]
fn whoever_knows_one_comes_to_know_all_and_leaves_one_trace() {
    let [one, two] = [(); 2].map(|()| strangers("[]").run());
    assert!(one.holds() && one.times(Happening::Introduced) == 3, "{}", one.to_text());
    assert_eq!(one.trace, two.trace);
}

#[test]
pub(super) fn a_node_that_tells_nobody_of_the_others_is_noticed() {
    let mut world = strangers("[]");
    world.wake();
    world.machines[0].running.as_mut().expect("runs").process.contacts = None;
    let report = world.go_on();
    assert!(matches!(broken(&report), Broken::Unmet { node: 1, other: 2, .. }), "{}", report.to_text());
}

#[test]
fn what_was_learned_is_known_after_a_restart() {
    let alone = "{at: 1m, fault: {stop: {node: 0}}}, {at: 70s, fault: {stop: {node: 3}}}";
    let again =
        "{at: 80s, for: 20s, fault: {stop: {node: 1}}}, {at: 80s, for: 20s, fault: {stop: {node: 2}}}";
    let mut world = strangers(&format!("[{alone}, {again}]"));
    world.wake();
    let written = |world: &World| world.check.books.last(&world.machines[2].feed()).map_or(0, |last| last.0);
    world.until(world.now.after(Duration::from_secs(80)));
    let before = written(&world);
    world.until(world.now.after(Duration::from_secs(160)));
    let (feed, after) = (world.machines[2].feed(), written(&world));
    let shelf = &world.machines[1].running.as_ref().expect("runs").shelf;
    let heard = shelf.timeline().and_then(|timeline| timeline.feed(&feed)).map_or(0, |row| row.head.seq);
    // Whoever made them known to each other was gone all the time.
    assert!(heard > before && heard + 2 >= after, "{heard} of {after}, {before} before");
}
