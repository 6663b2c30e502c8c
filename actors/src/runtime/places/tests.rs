//! Who is let in, and who comes next.

use super::*;

const ROOMY: u32 = 1_000;

fn run(number: u64) -> RunId {
    uuid::Uuid::from_u64_pair(0, number).into()
}

fn ticket(number: u64, limit: Option<u32>) -> Ticket<'static> {
    let created_at = Timestamp::from_micros(number as i64);
    Ticket { blueprint: "bp", limit, priority: 0, created_at, run: run(number) }
}

fn open(limit: u32) -> Places {
    let mut places = Places::new(limit);
    places.open();
    places
}

#[test]
fn a_blueprint_lets_in_as_many_as_it_says_and_then_the_next_in_line() {
    let mut places = open(ROOMY);
    let let_in: Vec<bool> = (1..=4).map(|n| places.admit(&ticket(n, Some(2)), 1)).collect();
    assert_eq!(let_in, [true, true, false, false]);
    assert_eq!(places.call(0), [], "nobody gave up a place");
    places.leave(&ticket(1, Some(2)));
    assert_eq!(places.call(0), [run(3)]);
    assert!(places.admit(&ticket(3, Some(2)), 1));
    assert!(!places.admit(&ticket(5, Some(2)), 1));
    assert_eq!(places.in_line(), 2);
}

#[test]
fn blueprints_do_not_stand_in_each_others_way() {
    let mut places = open(ROOMY);
    assert!(places.admit(&ticket(1, Some(1)), 1));
    assert!(!places.admit(&ticket(2, Some(1)), 2));
    assert!(places.admit(&Ticket { blueprint: "other", ..ticket(3, Some(1)) }, 2));
    assert!(places.admit(&Ticket { blueprint: "free", ..ticket(4, None) }, 3));
}

#[test]
fn a_line_is_full_for_those_who_would_stand_in_it() {
    let mut places = open(ROOMY);
    (1..=3).for_each(|n| _ = places.admit(&ticket(n, Some(1)), 1));
    let blueprint = ticket(1, Some(1)).blueprint;
    assert!(places.is_full(blueprint, 2) && !places.is_full(blueprint, 3));
    assert!(!places.is_full("other", 2), "another blueprint has its own");
    let mut places = open(1);
    (1..=2).for_each(|n| _ = places.admit(&ticket(n, None), 2));
    assert!(places.is_full("other", 2), "those who wait for the node stand in everybody's way");
}

#[test]
fn higher_priority_goes_first_and_then_the_older() {
    let mut places = open(ROOMY);
    assert!(places.admit(&ticket(1, Some(1)), 1));
    for (number, priority) in [(4, 0), (3, 0), (5, 7)] {
        assert!(!places.admit(&Ticket { priority, ..ticket(number, Some(1)) }, 1));
    }
    for (before, priority, next) in [(1, 0, 5), (5, 7, 3), (3, 0, 4)] {
        places.leave(&Ticket { priority, ..ticket(before, Some(1)) });
        assert_eq!(places.call(0), [run(next)]);
    }
}

#[test]
fn a_run_that_waits_at_a_gate_keeps_its_blueprints_place_and_gives_back_the_nodes() {
    let mut places = open(1);
    assert!(places.admit(&ticket(1, Some(1)), 1));
    assert!(!places.admit(&Ticket { blueprint: "free", ..ticket(2, None) }, 2));
    assert!(!places.admit(&ticket(3, Some(1)), 2));
    assert_eq!(places.call(0), [run(2)], "the first one is put away");
    assert!(places.admit(&Ticket { blueprint: "free", ..ticket(2, None) }, 1));
    assert_eq!(places.call(0), []);
}

#[test]
fn the_node_calls_no_more_than_there_is_room_for() {
    let mut places = open(3);
    let let_in = (1..=10).filter(|&n| places.admit(&ticket(n, None), n as usize)).count();
    assert_eq!(let_in, 3);
    assert_eq!(places.call(3), []);
    assert_eq!(places.call(1), [run(4), run(5)]);
    assert_eq!(places.call(1), [], "those called are on their way");
    assert!(places.admit(&ticket(4, None), 2));
    assert!(places.admit(&ticket(5, None), 3));
    assert!(!places.admit(&ticket(11, None), 3), "others were there before");
}

#[test]
fn who_is_woken_goes_before_those_who_have_not_begun() {
    let mut places = open(1);
    let mut sleeps = false;
    assert!(places.admit(&ticket(1, None), 1));
    assert!(!places.admit(&ticket(2, None), 2));
    assert!(!places.wake(1, &mut sleeps));
    assert_eq!(places.call(0), [], "somebody under way waits to be woken");
    assert!(places.wake(0, &mut sleeps));
    assert_eq!(places.call(0), [], "and is on its way");
    places.woken();
    assert_eq!(places.call(0), [run(2)]);
}

#[test]
fn no_place_of_a_blueprint_is_given_away_before_the_last_stop_is_known() {
    let mut places = Places::new(ROOMY);
    assert!(places.admit(&ticket(7, None), 1), "the node has room");
    assert!(!places.admit(&ticket(9, Some(2)), 1));
    places.line_up(&ticket(8, None));
    places.hold("bp", run(1));
    places.line_up(&ticket(2, Some(2)));
    places.line_up(&ticket(3, Some(2)));
    assert_eq!(places.call(0), []);
    places.open();
    assert_eq!(places.call(0), [run(2), run(8)]);
}

#[test]
fn a_limit_that_was_lowered_lets_nobody_in_until_enough_have_left() {
    let mut places = Places::new(ROOMY);
    (1..=3).for_each(|n| places.hold("bp", run(n)));
    places.line_up(&ticket(4, Some(1)));
    places.open();
    for n in 1..=3 {
        assert_eq!(places.call(0), []);
        places.leave(&ticket(n, Some(5)));
    }
    assert_eq!(places.call(0), [run(4)]);
}

#[test]
fn who_ends_while_in_line_or_never_came_to_be_holds_nothing() {
    let mut places = open(ROOMY);
    let let_in = (1..=4).filter(|&n| places.admit(&ticket(n, Some(1)), 1)).count();
    assert_eq!(let_in, 1);
    places.leave(&ticket(2, Some(1)));
    places.forget(run(3));
    places.forget(run(1));
    assert_eq!(places.call(0), [run(4)]);
    places.leave(&ticket(4, Some(1)));
    assert_eq!(places.in_line(), 0);
    assert!(places.blueprints.is_empty(), "nothing is kept of those who are gone");
}

#[test]
fn asking_twice_takes_one_place() {
    let mut places = open(ROOMY);
    assert!(places.admit(&ticket(1, Some(2)), 1));
    assert!(places.admit(&ticket(1, Some(2)), 1));
    assert!(places.admit(&ticket(2, Some(2)), 1));
    assert!(!places.admit(&ticket(3, Some(2)), 1));
}
