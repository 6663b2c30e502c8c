//! The laws of records, each broken on purpose: whose they are, which count, and that none is lost.

use std::sync::Arc;
use std::time::Duration;

use xyn_store::timeline::frame::Frame;
use xyn_store::trust::{Placed, Roster, SignedStatement};

use super::{Broken, CALM, broken, scenario};
use crate::node::Shelf;
use crate::node::shelf::flaws::Names;
use crate::tally::Happening;
use crate::world::{World, mischief};

/// The calm world with these faults, so many seconds later.
fn after(secs: u64, faults: &str) -> World {
    let mut world = World::new(scenario(&format!("{CALM}\nfaults: {faults}"))).expect("opens");
    world.wake();
    world.until(world.now.after(Duration::from_secs(secs)));
    world
}

fn shelf(world: &mut World, node: usize) -> &mut Shelf {
    &mut world.machines[node].running.as_mut().expect("runs").shelf
}

#[test]
pub(super) fn a_node_that_takes_what_is_said_in_the_name_of_others_is_noticed() {
    let forger = "[{at: 1m, fault: {turn: {node: 3, into: forger}}}]";
    assert!(after(0, forger).go_on().holds(), "where all look at signatures");
    let mut world = after(0, forger);
    let key = |node| world.people.key(node).clone();
    let keys = (0..3).map(|node| (key(node).public(), key(node))).collect();
    shelf(&mut world, 0).flaws.blind_to = Some(Names { env: world.people.env(), keys });
    let report = world.go_on();
    let is_it = matches!(broken(&report), Broken::Unauthorised { node: 0, author: 0..3, .. });
    assert!(is_it, "{}", report.to_text());
}

#[test]
fn a_change_under_the_actor_of_somebody_else_is_refused_by_all_of_entries_and_of_boards() {
    for is_board in [false, true] {
        let mut world = after(100, "[{at: 299s, fault: {turn: {node: 3, into: impostor}}}]");
        assert!(world.impersonate(3, is_board), "there are changes of others");
        world.until(world.now.after(Duration::from_secs(1)));
        assert_eq!(world.check.tally.get(&Happening::Impostures), Some(&3), "board: {is_board}");
        let report = world.go_on();
        assert!(report.holds(), "{}", report.to_text());
    }
}

#[test]
fn who_lacks_what_an_imposture_follows_passes_it_on_and_is_no_liar() {
    let faults = "[{at: 60s, for: 2m, fault: {disk: {node: 2, fails: full}}}, \
                   {at: 299s, fault: {turn: {node: 3, into: impostor}}}]";
    let in_ring = format!("{}\nfaults: {faults}", CALM.replace("topology: full", "topology: ring"));
    let mut world = World::new(scenario(&in_ring)).expect("opens");
    world.wake();
    world.until(world.now.after(Duration::from_secs(100)));
    assert!(world.impersonate(3, false), "there are changes of others");
    world.until(world.now.after(Duration::from_secs(1)));
    assert_eq!(world.check.tally.get(&Happening::Impostures), Some(&2), "node 0, and node 1 by way of 2");
    let report = world.go_on();
    assert!(report.holds(), "{}", report.to_text());
}

#[test]
fn a_record_that_its_author_never_wrote_is_noticed_even_with_its_signature() {
    let mut world = after(60, "[]");
    let (key, env) = (world.people.key(2).clone(), world.people.env().root());
    let feed = world.machines[2].feed();
    let head = world.check.books.last(&feed).expect("it wrote something");
    let stolen = mischief::record(env, feed, head, world.now, b"not mine");
    let frame = Frame::seal(&key, env, vec![stolen]).expect("a record").encode();
    world.spread(3, feed, &frame, |_| true);
    let report = world.go_on();
    assert!(matches!(broken(&report), Broken::Unauthorised { author: 2, .. }), "{}", report.to_text());
}

#[test]
pub(super) fn records_that_count_past_a_cut_are_noticed() {
    let mut world = after(60, "[]");
    let cut = world.people.revocation(world.people.root(), 2, Default::default(), world.now);
    let env = world.people.env();
    let revocation = Placed { statement: SignedStatement::decode(&cut, env).expect("signed"), place: None };
    let statements = world.people.certificates.iter().chain([&revocation]);
    let roster = Arc::new(Roster::fold(env, statements, Default::default()));
    // It knows, and does not act on it.
    shelf(&mut world, 0).pretend(roster);
    let report = world.go_on();
    assert!(matches!(broken(&report), Broken::PastCut { node: 0, author: 2, .. }), "{}", report.to_text());
}

/// The calm world in which node 1 is away from so many seconds on and answers for what it does not keep.
fn hasty(from: u64) -> World {
    let mut world = after(from, &format!("[{{at: {from}s, fault: {{part: {{one: [1]}}}}}}]"));
    shelf(&mut world, 1).flaws.is_hasty = true;
    world
}

#[test]
pub(super) fn a_node_that_answers_for_what_it_does_not_keep_is_noticed() {
    let mut world = hasty(299);
    let work = world.scenario.work[0].clone();
    world.toil(1, &work);
    let report = world.go_on();
    assert!(matches!(broken(&report), Broken::Missing { author: 1, .. }), "{}", report.to_text());
}

#[test]
fn a_node_that_writes_over_what_it_answered_for_is_noticed() {
    let mut world = hasty(120);
    world.until(world.now.after(Duration::from_secs(30)));
    // What it keeps from now on takes the place of what it did not.
    shelf(&mut world, 1).flaws.is_hasty = false;
    let report = world.go_on();
    assert!(matches!(broken(&report), Broken::Lost { node: 1, author: 1, .. }), "{}", report.to_text());
}
