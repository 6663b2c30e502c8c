//! The standard mix: a world for each seed, with some of everything going wrong in it.
//!
//! Owns what a seed means. Invariant: honest nodes can reach each other without the help of bad ones, so that
//! what must hold can hold.

use std::collections::BTreeSet;
use std::time::Duration;

use xyn_store::simulation::Dice;

use crate::fault::{Fault, Manner, Planned, Trouble, Unsynced};
use crate::network::{Shape, Weather};
use crate::scenario::{Join, Keeping, Scenario, Topology, Work};
use crate::span::Span;
use crate::tally::Tally;

/// Purpose of the dice that make up worlds.
const MIX: u64 = 4;
/// One world in so many keeps records in the real database.
const DATABASE_EVERY: u64 = 4;
const MANNERS: [Manner; 10] = [
    Manner::Liar,
    Manner::Forger,
    Manner::Equivocator,
    Manner::Replayer,
    Manner::Flooder,
    Manner::Babbler,
    Manner::Braggart,
    Manner::Mute,
    Manner::Defiant,
    Manner::Rewriter,
];

/// The world of `seed`.
pub fn scenario(seed: u64) -> Scenario {
    let mut dice = Dice::of(seed, MIX);
    let nodes = 3 + dice.below(5) as usize;
    let minutes = 2 + dice.below(6);
    let work = Work {
        nodes: Vec::new(),
        every: Span::secs(5 + dice.below(40)),
        batch: 1 + dice.below(4),
        boards: dice.below(3) * 15,
        content: 0,
        content_kib: 32,
    };
    let mut scenario = Scenario {
        name: format!("mix {seed}"),
        about: String::new(),
        seed,
        nodes,
        topology: topology(&mut dice),
        keeping: if dice.below(DATABASE_EVERY) == 0 { Keeping::Database } else { Keeping::Rows },
        knows: None,
        weather: weather(&mut dice, 3),
        lasts: Span::secs(minutes * 60),
        settles_within: Span::secs(25 * 60),
        work: vec![work],
        checkpoints: None,
        joins: Vec::new(),
        faults: Vec::new(),
        expect: Tally::new(),
    };
    let count = 1 + dice.below(8);
    scenario.faults = (0..count).map(|_| planned(nodes, minutes * 60, &mut dice)).collect();
    keep_honest_nodes_together(&mut scenario);
    // Last, so that the worlds are otherwise what they would be without.
    scenario.work[0].content = if dice.below(4) == 0 { 20 } else { 0 };
    scenario.checkpoints = (dice.below(6) == 0).then(|| Span::secs(30 + dice.below(90)));
    if dice.below(8) == 0 {
        let at = Span::secs(dice.below(minutes * 60));
        let by = dice.below(nodes as u64 - 1) as usize;
        let after = Span::secs(dice.below(60));
        let good_for = Span::secs(10 + dice.below(600));
        let join = Join { node: nodes - 1, by, at, good_for, after, ticket_of: None };
        scenario.joins.push(join);
        scenario.topology = Topology::Full;
    }
    if dice.below(8) == 0 {
        rotate(&mut scenario, minutes * 60, &mut dice);
    }
    if dice.below(8) == 0 {
        scenario.knows = Some(if dice.coin() { Topology::Star } else { Topology::Line });
        // Nobody owes it to anybody to be heard of through a bad node.
        match scenario.acquaintances().is_some_and(|known| are_together(&scenario, &known)) {
            true => scenario.topology = Topology::Full,
            false => scenario.knows = None,
        }
    }
    if dice.below(4) == 0 && scenario.weather.jitter != Span::default() {
        scenario.weather.shape = Shape::ALL[dice.below(Shape::ALL.len() as u64) as usize];
    }
    for planned in &mut scenario.faults {
        if let Fault::Turn { into: into @ Manner::Forger, .. } = &mut planned.fault
            && !dice.coin()
        {
            *into = Manner::Impostor;
        }
    }
    if dice.coin() {
        fall_out(&mut scenario, &mut dice);
    }
    scenario
}

fn topology(dice: &mut Dice) -> Topology {
    match dice.below(6) {
        0 => Topology::Star,
        1 => Topology::Ring,
        2 => Topology::Line,
        3 => Topology::Random(3),
        _ => Topology::Full,
    }
}

/// Weather that is up to so `bad`, of 10.
fn weather(dice: &mut Dice, bad: u64) -> Weather {
    Weather {
        latency: Span::millis(1 + dice.below(100)),
        jitter: Span::millis(dice.below(100 * bad)),
        loss: dice.below(30 * bad),
        twice: dice.below(20 * bad),
        rate: 100_000 << dice.below(8),
        shape: Shape::default(),
    }
}

fn planned(nodes: usize, secs: u64, dice: &mut Dice) -> Planned {
    let fault = fault(nodes, dice);
    let at = Span::millis(dice.below(secs * 1000));
    let lasts = Some(Span::secs(1 + dice.below(secs)));
    let every = (dice.below(4) == 0).then(|| Span::secs(secs / 2 + dice.below(secs)));
    match fault {
        Fault::SetClock { .. } | Fault::Swap { .. } => Planned { at, lasts: None, every, fault },
        Fault::Revoke { .. } | Fault::Turn { .. } => Planned { at, lasts: None, every: None, fault },
        // What comes again must be over by then.
        _ => Planned {
            at,
            lasts: every.map(|every| Span::secs(every.0.as_secs() / 2)).or(lasts),
            every,
            fault,
        },
    }
}

fn fault(nodes: usize, dice: &mut Dice) -> Fault {
    let node = dice.below(nodes as u64) as usize;
    match dice.below(20) {
        0..=4 => {
            let one: Vec<usize> = (0..nodes).filter(|_| dice.coin()).collect();
            Fault::Part { one, other: Vec::new(), one_way: dice.below(3) == 0 }
        }
        5..=6 => Fault::Stop { node },
        7..=9 => {
            let kinds = [Unsynced::Lost, Unsynced::Kept, Unsynced::Cut, Unsynced::Some, Unsynced::Torn];
            Fault::Crash { node, unsynced: kinds[dice.below(5) as usize] }
        }
        10..=11 => {
            let kinds = [Trouble::Full, Trouble::FullLate, Trouble::Broken, Trouble::Unreadable];
            Fault::Disk { node, fails: kinds[dice.below(4) as usize] }
        }
        12 => Fault::Slow { node, by: Span::millis(dice.below(20_000)) },
        13 => Fault::Storm { nodes: Vec::new(), weather: weather(dice, 10) },
        14 => Fault::SetClock { node, by: Span::secs(dice.below(7200)), back: dice.coin() },
        15 => Fault::Swap { node },
        16 => Fault::Revoke { node, by: (node + 1) % nodes, own: false },
        _ => Fault::Turn { node, into: MANNERS[dice.below(MANNERS.len() as u64) as usize], unnoticed: false },
    }
}

/// Lets a node take another key, and one that stays as it is confirm it. Whoever was away then hears of it from
/// others.
fn rotate(scenario: &mut Scenario, secs: u64, dice: &mut Dice) {
    let node = dice.below(scenario.nodes as u64) as usize;
    let by = (node + 1 + dice.below(scenario.nodes as u64 - 1) as usize) % scenario.nodes;
    let at = Span::secs(dice.below(secs));
    let is_tied = |join: &Join| join.by == node || join.node == by;
    if is_steady(scenario, node) && is_steady(scenario, by) && !scenario.joins.iter().any(is_tied) {
        scenario.topology = Topology::Full;
        let fault = Fault::Rotate { node, by };
        scenario.faults.push(Planned { at, lasts: None, every: None, fault });
        let thief = (by + 1) % scenario.nodes;
        if thief != node && dice.coin() {
            let fault = Fault::Turn { node: thief, into: Manner::Thief, unnoticed: false };
            scenario.faults.push(Planned { at, lasts: None, every: None, fault });
        }
    }
}

/// Whoever let a node in turns it out while it is apart with some others, and is turned out itself: who hears of both
/// lifts the one cut again, where that word stands behind the other.
fn fall_out(scenario: &mut Scenario, dice: &mut Dice) {
    let Some(Join { node, by, at, after, .. }) = scenario.joins.first().cloned() else { return };
    let Some(root) = (0..scenario.nodes).find(|it| ![node, by].contains(it)) else { return };
    // Whoever is out introduces nobody.
    if scenario.knows.is_some() || ![node, by, root].into_iter().all(|it| is_steady(scenario, it)) {
        return;
    }
    let mut one: Vec<usize> = (0..scenario.nodes).filter(|it| ![node, by, root].contains(it)).collect();
    one.retain(|_| dice.coin());
    one.push(by);
    let begins = at.0 + after.0 + Duration::from_secs(10 + dice.below(60));
    let mut plan = |secs: u64, lasts: Option<Span>, fault| {
        let at = Span(begins + Duration::from_secs(secs));
        scenario.faults.push(Planned { at, lasts, every: None, fault });
    };
    plan(0, Some(Span::secs(90)), Fault::Part { one, other: Vec::new(), one_way: false });
    plan(10 + dice.below(60), None, Fault::Revoke { node: by, by: root, own: false });
    plan(10 + dice.below(60), None, Fault::Revoke { node, by, own: true });
}

/// Whether a node stays what it is, under its key, as far as is planned.
fn is_steady(scenario: &Scenario, of: usize) -> bool {
    !scenario.faults.iter().any(|planned| match planned.fault {
        Fault::Turn { node, .. }
        | Fault::Revoke { node, .. }
        | Fault::Swap { node }
        | Fault::Rotate { node, .. } => node == of,
        _ => false,
    })
}

/// Where honest nodes could only reach each other through bad ones, or through one that was revoked, everybody
/// reaches everybody.
fn keep_honest_nodes_together(scenario: &mut Scenario) {
    if !are_together(scenario, &scenario.links()) {
        scenario.topology = Topology::Full;
    }
}

/// Whether these links lead from each honest node to each other one without the help of bad ones.
fn are_together<'a>(scenario: &Scenario, links: impl IntoIterator<Item = &'a [usize; 2]> + Copy) -> bool {
    let mut out = scenario.bad();
    out.extend(scenario.faults.iter().filter_map(|planned| match planned.fault {
        Fault::Revoke { node, .. } => Some(node),
        _ => None,
    }));
    let mut left: BTreeSet<usize> = (0..scenario.nodes).filter(|node| !out.contains(node)).collect();
    let mut next: Vec<usize> = left.pop_first().into_iter().collect();
    while let Some(node) = next.pop() {
        let near = links.into_iter().filter(|ends| ends.contains(&node)).flatten();
        next.extend(near.filter(|other| left.remove(other)));
    }
    left.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_is_a_scenario_that_reads_back() {
        for seed in 0..500 {
            let made = scenario(seed);
            assert_eq!(Scenario::parse(&made.to_text()), Ok(made), "seed {seed}");
        }
    }

    #[test]
    fn some_of_everything_goes_wrong() {
        let faults: Vec<Planned> = (0..500).flat_map(|seed| scenario(seed).faults).collect();
        let kinds: BTreeSet<String> = faults.iter().map(|it| kind(&it.fault)).collect();
        assert_eq!(kinds.len(), 12 + MANNERS.len(), "{kinds:?}");
    }

    fn kind(fault: &Fault) -> String {
        match fault {
            Fault::Turn { into, .. } => format!("{into:?}"),
            other => format!("{other:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
        }
    }
}
