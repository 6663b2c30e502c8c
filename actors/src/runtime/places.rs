//! Places: which runs may begin, and in which order those that may not yet come next.
//!
//! Owns three limits. A blueprint's `concurrency` is a number of places that runs hold from their start to their end,
//! waits included, so that what it keeps apart is not let in during a wait. The node's is a number of runs that work
//! at once, which are those in memory. A run over either limit stays as it was created, in line by priority and age;
//! the journal remembers the line. While a line is as long as the third allows, what people or events would add to it
//! is refused; an event that was accepted before, or that a run emits, still adds to it. It is told who is in memory
//! and reads no clock. Invariant: a run is let in only while fewer hold its blueprint's places than its own version
//! allows, and whoever leaves calls the next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use xyn_store::Timestamp;
use xyn_store::ids::RunId;

use crate::run::State;

/// Higher priority first, then the older.
type Rank = (Reverse<i8>, Timestamp, RunId);

/// A run that asks for a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket<'a> {
    /// Its blueprint.
    pub(crate) blueprint: &'a str,
    /// Runs of the blueprint that may be under way at once, if its version says so.
    pub(crate) limit: Option<u32>,
    /// Its priority.
    pub(crate) priority: i8,
    /// When it was created.
    pub(crate) created_at: Timestamp,
    /// The run.
    pub(crate) run: RunId,
}

/// Who is under way and who is in line.
pub(super) struct Places {
    /// Runs that may work at once.
    limit: usize,
    /// It is known who was under way and in line at the last stop. Before, no blueprint's place is given away.
    is_open: bool,
    /// By id; only those that state a limit.
    blueprints: HashMap<String, Blueprint>,
    /// Runs that wait for nothing but the node.
    ready: BTreeSet<Rank>,
    /// Runs that were called from `ready` and did not come yet.
    called: HashSet<RunId>,
    /// Runs under way that are about to be woken.
    waking: usize,
    /// Runs under way that cannot be woken yet. They go before those that have not begun.
    asleep: usize,
}

#[derive(Default)]
struct Blueprint {
    holders: HashSet<RunId>,
    /// With the limit that the run's version states.
    line: BTreeMap<Rank, u32>,
}

impl<'a> Ticket<'a> {
    /// What the run asks with that is created at `created_at`.
    pub(crate) fn new(state: &'a State, priority: i8, created_at: Timestamp) -> Self {
        let (blueprint, limit) = (&state.plan.id, state.plan.limits.concurrency);
        Self { blueprint, limit, priority, created_at, run: state.id }
    }

    /// What a run asks with that was created.
    pub(crate) fn of(state: &'a State) -> Option<Self> {
        state.begin.as_ref().map(|begin| Self::new(state, begin.created.priority, begin.at))
    }

    fn rank(&self) -> Rank {
        (Reverse(self.priority), self.created_at, self.run)
    }
}

impl Places {
    /// Places for `limit` runs at work; those of blueprints are given away from [`Places::open`] on.
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit: limit as usize,
            is_open: false,
            blueprints: HashMap::new(),
            ready: BTreeSet::new(),
            called: HashSet::new(),
            waking: 0,
            asleep: 0,
        }
    }

    /// Notes a run that was under way at the last stop.
    pub(super) fn hold(&mut self, blueprint: &str, run: RunId) {
        self.blueprints.entry(blueprint.to_owned()).or_default().holders.insert(run);
    }

    /// Everybody who was under way or in line at the last stop is known.
    pub(super) fn open(&mut self) {
        self.is_open = true;
        let blueprints: Vec<String> = self.blueprints.keys().cloned().collect();
        blueprints.iter().for_each(|blueprint| self.move_up(blueprint));
    }

    /// Whether the run may begin, being one of those `in_memory`. If not it is in line, and is called.
    pub(super) fn admit(&mut self, ticket: &Ticket<'_>, in_memory: usize) -> bool {
        if self.called.remove(&ticket.run) {
            return true;
        }
        if !self.take_place(ticket) {
            self.line_up(ticket);
            return false;
        }
        let rank = ticket.rank();
        let is_first = self.ready.first().is_none_or(|first| rank <= *first);
        // The run itself is in memory.
        let may_begin = is_first && in_memory <= self.limit.saturating_sub(self.coming());
        if may_begin {
            self.ready.remove(&rank)
        } else {
            self.ready.insert(rank)
        };
        may_begin
    }

    /// Takes a place of the run's blueprint, unless there is none or others come before.
    fn take_place(&mut self, ticket: &Ticket<'_>) -> bool {
        let Some(limit) = ticket.limit else { return true };
        let blueprint = self.blueprints.entry(ticket.blueprint.to_owned()).or_default();
        if blueprint.holders.contains(&ticket.run) {
            return true;
        }
        let rank = ticket.rank();
        let is_first = blueprint.line.first_key_value().is_none_or(|(first, _)| rank <= *first);
        let takes = self.is_open && is_first && blueprint.holders.len() < limit as usize;
        if takes {
            blueprint.line.remove(&rank);
            blueprint.holders.insert(ticket.run);
        }
        takes
    }

    /// Puts the run in line.
    pub(super) fn line_up(&mut self, ticket: &Ticket<'_>) {
        match ticket.limit {
            Some(limit) => {
                let blueprint = self.blueprints.entry(ticket.blueprint.to_owned()).or_default();
                blueprint.line.insert(ticket.rank(), limit);
            }
            None => {
                self.ready.insert(ticket.rank());
            }
        }
    }

    /// The run has ended: it holds no place and is in no line.
    pub(super) fn leave(&mut self, ticket: &Ticket<'_>) {
        self.called.remove(&ticket.run);
        self.ready.remove(&ticket.rank());
        if let Some(blueprint) = self.blueprints.get_mut(ticket.blueprint) {
            blueprint.holders.remove(&ticket.run);
            blueprint.line.remove(&ticket.rank());
            self.move_up(ticket.blueprint);
        }
    }

    /// There is no such run after all: its creation did not become durable. Rare, so everybody is looked at.
    pub(super) fn forget(&mut self, run: RunId) {
        self.called.remove(&run);
        self.ready.retain(|(.., other)| *other != run);
        for blueprint in self.blueprints.values_mut() {
            blueprint.holders.remove(&run);
            blueprint.line.retain(|(.., other), _| *other != run);
        }
        let blueprints: Vec<String> = self.blueprints.keys().cloned().collect();
        blueprints.iter().for_each(|blueprint| self.move_up(blueprint));
    }

    /// Gives free places of the blueprint to the first in its line.
    fn move_up(&mut self, id: &str) {
        let Some(blueprint) = self.blueprints.get_mut(id).filter(|_| self.is_open) else { return };
        while let Some(first) = blueprint.line.first_entry() {
            if blueprint.holders.len() >= *first.get() as usize {
                return;
            }
            let (rank, _) = first.remove_entry();
            blueprint.holders.insert(rank.2);
            self.ready.insert(rank);
        }
        if blueprint.holders.is_empty() {
            self.blueprints.remove(id);
        }
    }

    /// Runs that are on their way into memory.
    fn coming(&self) -> usize {
        self.called.len() + self.waking
    }

    /// Who may begin now, while so many are `in_memory`.
    pub(super) fn call(&mut self, in_memory: usize) -> Vec<RunId> {
        let mut called = Vec::new();
        while self.is_open && self.asleep == 0 && in_memory + self.coming() < self.limit {
            let Some((.., run)) = self.ready.pop_first() else { break };
            self.called.insert(run);
            called.push(run);
        }
        called
    }

    /// Whether one more run under way may be woken now; `sleeps` remembers that it could not be before.
    pub(super) fn wake(&mut self, in_memory: usize, sleeps: &mut bool) -> bool {
        let may_wake = in_memory + self.coming() < self.limit;
        match (may_wake, std::mem::replace(sleeps, !may_wake)) {
            (true, true) => self.asleep -= 1,
            (false, false) => self.asleep += 1,
            _ => {}
        }
        self.waking += usize::from(may_wake);
        may_wake
    }

    /// A woken run is in memory, or waits again.
    pub(super) fn woken(&mut self) {
        self.waking -= 1;
    }

    /// Whether somebody waits to be woken.
    pub(super) fn has_sleepers(&self) -> bool {
        self.asleep > 0
    }

    /// Whether a run of the blueprint would come to stand behind so many that it is refused.
    pub(super) fn is_full(&self, blueprint: &str, limit: u32) -> bool {
        let limit = limit as usize;
        let line = self.blueprints.get(blueprint).map_or(0, |blueprint| blueprint.line.len());
        line >= limit || self.ready.len() >= limit
    }

    /// Runs that have not begun.
    pub(super) fn in_line(&self) -> usize {
        self.ready.len() + self.blueprints.values().map(|blueprint| blueprint.line.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
