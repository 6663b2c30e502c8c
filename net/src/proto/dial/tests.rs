//! When somebody is dialled, and when not.

use super::*;

const ALICE: PublicKey = PublicKey::from_bytes([1; 32]);

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.after(Duration::from_secs(seconds))
}

/// Far away, unless it is the house next door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct House(usize);

const NEXT_DOOR: House = House(10_000);

impl Place for House {
    fn is_local(&self) -> bool {
        *self == NEXT_DOOR
    }
}

fn address(number: usize) -> House {
    House(number)
}

fn due(dialer: &mut Dialer<House>, now: Timestamp) -> Vec<(Whom<House>, Vec<House>)> {
    dialer.due(now, |_| true)
}

#[test]
fn whoever_does_not_answer_is_dialled_ever_less_often_but_never_given_up() {
    let mut dialer = Dialer::new(1);
    dialer.fix(Some(ALICE), address(1));
    let mut now = at(0);
    for attempt in 0..12 {
        assert_eq!(due(&mut dialer, now), [(Whom::Node(ALICE), vec![address(1)])]);
        assert_eq!(due(&mut dialer, now.after(BACKOFF_MAX)), [], "it is being dialled");
        dialer.failed(&Whom::Node(ALICE), now);
        let backoff = BACKOFF_FIRST.saturating_mul(1 << attempt).min(BACKOFF_MAX);
        assert_eq!(due(&mut dialer, now.after(backoff / 2 - Duration::from_micros(1))), []);
        now = now.after(backoff);
    }
}

#[test]
fn a_connection_that_broke_is_made_again_soon_and_nobody_connected_is_dialled() {
    let mut dialer = Dialer::new(1);
    dialer.fix(None, address(1));
    assert_eq!(due(&mut dialer, at(0)), [(Whom::At(address(1)), vec![address(1)])]);
    dialer.connected(ALICE, Some(&Whom::At(address(1))), at(0));
    assert_eq!(due(&mut dialer, at(100)), []);
    dialer.disconnected(ALICE, at(100));
    assert_eq!(due(&mut dialer, at(101)), [(Whom::Node(ALICE), vec![address(1)])], "now it has a name");
}

#[test]
fn whoever_hangs_up_at_once_is_dialled_ever_less_often() {
    let mut dialer = Dialer::new(1);
    dialer.fix(Some(ALICE), address(1));
    for hung_up in 0..10 {
        dialer.connected(ALICE, None, at(hung_up * 100));
        dialer.disconnected(ALICE, at(hung_up * 100 + 1));
    }
    assert_eq!(due(&mut dialer, at(901).after(BACKOFF_MAX / 2)), []);
    dialer.connected(ALICE, None, at(1000));
    dialer.disconnected(ALICE, at(1000).after(SETTLED_AFTER));
    assert_eq!(due(&mut dialer, at(1001).after(SETTLED_AFTER)).len(), 1);
}

#[test]
fn where_somebody_else_answers_is_left_out_while_there_is_another_place() {
    let mut dialer = Dialer::new(1);
    dialer.fix(Some(ALICE), address(1));
    dialer.rumour(ALICE, address(2));
    let whom = Whom::Node(ALICE);
    let mut attempt = |taken: &[usize], now| {
        let found = due(&mut dialer, now);
        taken.iter().for_each(|port| dialer.taken(&whom, address(*port)));
        dialer.failed(&whom, now);
        found.into_iter().flat_map(|(_, addresses)| addresses).collect::<Vec<_>>()
    };
    assert_eq!(attempt(&[1], at(0)), [address(1), address(2)]);
    assert_eq!(attempt(&[2], at(100)), [address(2)]);
    assert_eq!(attempt(&[], at(200)), [address(1), address(2)], "nobody is given up");
}

#[test]
fn a_place_from_the_settings_is_dialled_again_when_who_answered_there_is_gone_for_good() {
    let place = Whom::At(address(1));
    let met = || {
        let mut dialer = Dialer::new(1);
        dialer.fix(None, address(1));
        dialer.connected(ALICE, Some(&place), at(0));
        dialer.disconnected(ALICE, at(100));
        dialer
    };
    let mut revoked = met();
    revoked.retain(|_| false);
    assert_eq!(due(&mut revoked, at(200)), [(place.clone(), vec![address(1)])]);

    let mut replaced = met();
    replaced.learn(ALICE, address(2));
    replaced.taken(&Whom::Node(ALICE), address(1));
    let found = due(&mut replaced, at(200));
    assert_eq!(found, [(Whom::Node(ALICE), vec![address(2)]), (place.clone(), vec![address(1)])]);
}

#[test]
fn an_attempt_that_fails_after_the_other_side_came_changes_nothing() {
    let mut dialer = Dialer::new(1);
    dialer.fix(Some(ALICE), address(1));
    assert_eq!(due(&mut dialer, at(0)).len(), 1);
    dialer.connected(ALICE, None, at(0));
    dialer.failed(&Whom::Node(ALICE), at(1));
    assert_eq!(due(&mut dialer, at(1000)), []);
}

#[test]
fn two_plans_with_different_seeds_do_not_dial_in_step() {
    let waits = |seed| {
        let mut dialer = Dialer::<House>::new(seed);
        dialer.connected(ALICE, None, at(0));
        dialer.disconnected(ALICE, at(0));
        dialer.targets[&Whom::Node(ALICE)].stage
    };
    assert_eq!(waits(1), waits(1));
    assert_ne!(waits(1), waits(2));
}

#[test]
fn what_is_learned_and_rumoured_of_a_node_is_bounded_and_forgotten_with_the_node() {
    let mut dialer = Dialer::new(1);
    dialer.fix(Some(ALICE), address(99));
    (0..ADDRESSES_MAX + 3).for_each(|port| dialer.learn(ALICE, address(port)));
    (200..200 + RUMOURS_MAX + 3).for_each(|port| dialer.rumour(ALICE, address(port)));
    dialer.rumour(ALICE, address(99));
    let [(_, addresses)] = due(&mut dialer, at(0)).try_into().expect("one");
    assert_eq!(addresses.len(), 1 + ADDRESSES_MAX + RUMOURS_MAX);
    let has = |port| addresses.contains(&address(port));
    assert!(has(99) && !has(2) && has(3) && !has(202) && has(203), "no rumour displaces what is known");
    assert_eq!(dialer.learned(ALICE).len(), ADDRESSES_MAX);
    dialer.learn(ALICE, address(203));
    assert_eq!(dialer.targets[&Whom::Node(ALICE)].addresses().count(), ADDRESSES_MAX + RUMOURS_MAX);

    let bob = PublicKey::from_bytes([2; 32]);
    dialer.rumour(bob, address(7));
    assert_eq!(dialer.due(at(0), |node| node != bob), [], "it is no member yet");
    dialer.retain(|_| false);
    assert_eq!(dialer.targets.len(), 1, "what the settings say is not forgotten");
}

#[test]
fn whoever_takes_over_from_a_node_is_looked_for_where_that_one_was() {
    let mut dialer = Dialer::new(1);
    dialer.fix(Some(ALICE), address(99));
    dialer.learn(ALICE, address(1));
    let heir = PublicKey::from_bytes([3; 32]);
    dialer.succeed(|_| heir);
    assert_eq!(due(&mut dialer, at(0)), [(Whom::Node(heir), vec![address(99), address(1)])]);
}

#[test]
fn a_rumour_is_tried_soon_but_rumours_never_make_more_than_an_attempt_a_second() {
    let mut dialer = Dialer::new(1);
    dialer.fix(Some(ALICE), address(99));
    for attempt in 0..10 {
        assert_eq!(due(&mut dialer, at(attempt)).len(), 1, "{attempt}");
        dialer.failed(&Whom::Node(ALICE), at(attempt));
        (0..100).for_each(|port| dialer.rumour(ALICE, address(port)));
        if attempt > 1 {
            assert_eq!(due(&mut dialer, at(attempt).after(BACKOFF_FIRST - Duration::from_micros(1))), []);
        }
    }
}

#[test]
fn when_the_own_network_changed_everybody_who_is_not_here_is_tried_at_once() {
    let mut dialer = Dialer::new(1);
    let bob = PublicKey::from_bytes([2; 32]);
    dialer.fix(Some(ALICE), address(1));
    dialer.fix(Some(bob), address(2));
    for second in 0..20 {
        dialer.failed(&Whom::Node(ALICE), at(second));
    }
    dialer.connected(bob, None, at(20));
    assert_eq!(due(&mut dialer, at(20)), []);
    dialer.hurry();
    assert_eq!(due(&mut dialer, at(20)), [(Whom::Node(ALICE), vec![address(1)])]);
    dialer.failed(&Whom::Node(ALICE), at(20));
    assert_eq!(due(&mut dialer, at(21)).len(), 1, "its patience begins anew");
}

#[test]
fn on_the_local_network_nobody_is_waited_for_as_long() {
    let mut dialer = Dialer::new(1);
    dialer.fix(Some(ALICE), address(1));
    dialer.learn(ALICE, NEXT_DOOR);
    (0..20).for_each(|_| dialer.failed(&Whom::Node(ALICE), at(0)));
    assert_eq!(due(&mut dialer, at(0).after(BACKOFF_NEAR_MAX)).len(), 1);
}
