//! A capsule on trial in a world: offered by one node, fetched by the others, proved, rolled out, and rolled back.
//!
//! Owns who says what of it and when, and how far each node is. What nodes hear of it are moments of the timeline, and
//! its file comes to them as all content does. Invariant: a node does nothing with it that no moment it has tells it
//! to.

use std::sync::Arc;
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::ids::{self, EntryId};
use xyn_store::scope::Principal;
use xyn_store::timeline::Saying;
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};

use super::World;
use super::queue::Event;
use crate::node::chest::Step;
use crate::report::{Passed, Spread};
use crate::span::Span;
use crate::trial::{NotTried, Trial};

/// How long after the beginning the capsule is offered: by then nodes know each other.
const OFFERED_AFTER: Duration = Duration::from_secs(10);
/// How long until what could not be said is tried again.
const AGAIN: Duration = Duration::from_secs(10);
/// What is done with the capsule, as a node that does not come to it lacks it.
const FETCHED: &str = "fetched";
const VERIFIED: &str = "verified";
const ROLLED_OUT: &str = "rolled out";
const ROLLED_BACK: &str = "rolled back";

/// What becomes of a capsule.
pub(crate) struct Rollout {
    trial: Arc<Trial>,
    /// Who offers it.
    source: usize,
    offered: Option<Timestamp>,
    /// The moments that say to roll it out, and to roll it back.
    pub(crate) told: [Option<EntryId>; 2],
    /// When each node had it, and when it was rolled out and back there.
    nodes: Vec<Log>,
}

/// When a node was done with each step for the first time.
#[derive(Clone, Copy, Default)]
struct Log {
    fetched: Option<Timestamp>,
    rolled_out: Option<Timestamp>,
    rolled_back: Option<Timestamp>,
}

/// A node that is not as far as it could be.
pub(crate) struct Behind {
    pub(crate) node: usize,
    /// What it did not do.
    pub(crate) lacks: &'static str,
}

impl World {
    /// Puts a capsule under this world.
    pub fn with(mut self, trial: Arc<Trial>) -> Result<Self, NotTried> {
        trial.fits(self.machines.len())?;
        let source = self.scenario.steady().ok_or(NotTried::NoSource)?;
        self.machines.iter_mut().for_each(|machine| machine.chest().reserve(Arc::clone(&trial)));
        let nodes = vec![Log::default(); self.machines.len()];
        self.rollout = Some(Rollout { trial, source, offered: None, told: [None; 2], nodes });
        Ok(self)
    }

    /// Puts on the calendar when the capsule is offered, and when all go back.
    pub(super) fn plan_rollout(&mut self) {
        if self.rollout.is_some() {
            self.queue.push(self.dawn.after(OFFERED_AFTER), Event::Tell(Step::RolledOut));
            let half = self.scenario.lasts.0 / 2;
            self.queue.push(self.dawn.after(half.max(OFFERED_AFTER)), Event::Tell(Step::RolledBack));
        }
    }

    /// The source says what comes next, as soon as it can.
    pub(super) fn tell(&mut self, step: Step) {
        let is_said = match step {
            Step::RolledBack => self.tell_to_go_back(),
            Step::Before | Step::RolledOut => self.offer(),
        };
        if !is_said {
            self.queue.push(self.now.after(AGAIN), Event::Tell(step));
        }
    }

    /// The capsule comes into the world: all hear that it is there, and that it is to be rolled out.
    fn offer(&mut self) -> bool {
        let Some(rollout) = &self.rollout else { return true };
        let source = rollout.source;
        let offer = Refs { offer: Some(Box::new(rollout.trial.offer())), ..Refs::default() };
        let offer = rollout.moment(self.now, Kind::Pack, offer);
        let (out, note) = rollout.moment(self.now, Kind::Deploy, Refs::default());
        let has_file = self.machines[source].chest().put_tried().is_ok();
        let is_said = has_file && self.say(source, sayings([offer, (out, note)]));
        if let Some(rollout) = self.rollout.as_mut().filter(|_| is_said) {
            (rollout.offered, rollout.told[0]) = (Some(self.now), Some(out));
        }
        is_said
    }

    /// All hear that it is to be rolled back.
    fn tell_to_go_back(&mut self) -> bool {
        let Some(rollout) = &self.rollout else { return true };
        let (source, [Some(out), _]) = (rollout.source, rollout.told) else { return false };
        let refs = Refs { parents: vec![out], ..Refs::default() };
        let (back, note) = rollout.moment(self.now, Kind::Rollback, refs);
        let is_said = self.say(source, sayings([(back, note)]));
        if let Some(rollout) = self.rollout.as_mut().filter(|_| is_said) {
            rollout.told[1] = Some(back);
        }
        is_said
    }

    /// A node does with the capsule what its timeline tells it to, one step at a time.
    pub(super) fn follow_rollout(&mut self, node: usize) {
        let (Some(rollout), Some(running)) = (&mut self.rollout, &mut self.machines[node].running) else {
            return;
        };
        let (shelf, chest, log) = (&running.shelf, &mut running.chest, &mut rollout.nodes[node]);
        let [out, back] = rollout.told;
        let is_told = |moment: Option<EntryId>| moment.is_some_and(|moment| shelf.shows(moment));
        if !chest.has_tried() {
            if shelf.offers(&rollout.trial.proved.capsule) {
                chest.want_tried();
            }
            return;
        }
        log.fetched.get_or_insert(self.now);
        let next = match chest.step() {
            Step::Before if is_told(out) => Step::RolledOut,
            Step::RolledOut if is_told(back) => Step::RolledBack,
            _ => return,
        };
        match chest.go_on(next) {
            Ok(false) => return,
            Ok(true) if next == Step::RolledOut => log.rolled_out.get_or_insert(self.now),
            Ok(true) => log.rolled_back.get_or_insert(self.now),
            Err(why) => return self.check.unproved(self.now, node, why),
        };
        self.trace.note(self.now, 12, node, &[&[next as u8]]);
    }

    /// The first of those that could have the capsule that did not go through all of it.
    pub(super) fn first_behind(&self) -> Option<Behind> {
        let rollout = self.rollout.as_ref()?;
        let groups = self.groups();
        let Some(group) = groups.iter().find(|group| group.contains(&rollout.source)) else {
            return Some(Behind { node: rollout.source, lacks: FETCHED });
        };
        group.iter().find_map(|&node| {
            let chest = &self.machines[node].running.as_ref()?.chest;
            let lacks = match chest.step() {
                Step::RolledBack => return None,
                Step::RolledOut => ROLLED_BACK,
                Step::Before if chest.has_tried() => ROLLED_OUT,
                Step::Before => FETCHED,
            };
            Some(Behind { node, lacks })
        })
    }

    /// A capsule that came to nobody says nothing about spreading.
    pub(super) fn must_have_spread(&mut self) {
        let Some(rollout) = &self.rollout else { return };
        if rollout.nodes.iter().filter(|log| log.rolled_back.is_some()).count() < 2 {
            self.check.unspread(self.now, rollout.source);
        }
    }
}

impl Rollout {
    /// What the source says of the capsule.
    fn moment(&self, now: Timestamp, kind: Kind, refs: Refs) -> (EntryId, Note) {
        let capsule = self.trial.proved.capsule;
        let note = Note {
            principal: Principal::new(format!("person-{}@sim", self.source)),
            branch: Branch::main(),
            kind,
            title: "the capsule on trial".to_owned(),
            refs: Refs { capsule: Some(capsule), ..refs },
        };
        (ids::derived(now, &[capsule.as_bytes(), &[kind as u8]]), note)
    }

    /// What became of it.
    pub(super) fn spread(&self, sent_bytes: u64) -> Spread {
        let Self { trial, source, offered, nodes, .. } = self;
        let begun = offered.unwrap_or(Timestamp::EPOCH);
        let passed = |name, when: fn(&Log) -> Option<Timestamp>| {
            let times = nodes.iter().filter_map(when);
            Passed::new(name, times.map(|at| Span::millis(at.since(begun).as_millis() as u64)).collect())
        };
        Spread {
            capsule: trial.proved.capsule,
            file: trial.manifest.object(),
            generation: trial.proved.generation,
            size_bytes: trial.manifest.size_bytes(),
            chunks: trial.manifest.parts().len() as u64,
            files: trial.proved.files,
            source: *source,
            sent_bytes,
            steps: vec![
                passed(FETCHED, |log| log.fetched),
                // Right before it is rolled out, and once more before it is rolled back.
                passed(VERIFIED, |log| log.rolled_out),
                passed(ROLLED_OUT, |log| log.rolled_out),
                passed(ROLLED_BACK, |log| log.rolled_back),
            ],
        }
    }
}

fn sayings<const N: usize>(moments: [(EntryId, Note); N]) -> Vec<Saying> {
    moments.map(|(id, note)| Saying::Entry(id, Box::new(note))).into()
}
