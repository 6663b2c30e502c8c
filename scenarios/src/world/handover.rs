//! Nodes that change their keys: the last word under the old one, the word that confirms it, and the start under the
//! new one.
//!
//! Owns what the node around the store does in production, and when. What counts the roster says, and what may be
//! written the timeline. Invariant: a folder goes by its next key from the start on at which its own records say that
//! this one has the seat.

use std::sync::Arc;

use xyn_store::StoreError;
use xyn_store::timeline::Saying;
use xyn_store::trust::Roster;

use super::World;
use crate::check::Word;
use crate::tally::Happening;

impl World {
    /// What is to be done at `node` about keys that change.
    pub(super) fn tend_keys(&mut self, node: usize) {
        if self.rotations.contains_key(&node) {
            self.give_up_key(node);
        }
        let below: Vec<usize> =
            self.rotations.iter().filter(|(_, by)| **by == node).map(|(below, _)| *below).collect();
        below.into_iter().for_each(|below| self.confirm_key(node, below));
    }

    /// A node says its last word under its key, or goes on under the next one where that was confirmed.
    fn give_up_key(&mut self, node: usize) {
        let next = self.people.next(node);
        let machine = &mut self.machines[node];
        let clock = machine.clock(self.now);
        let Some(running) = &machine.running else { return };
        if running.shelf.roster().heir(machine.key.public()) == next.public() {
            self.stop(node);
            return self.start(node);
        }
        // Where it was said before, the timeline takes nothing more.
        let word = running.shelf.farewell(&next, clock);
        machine.next = Some(next);
        if let Some(word) = word {
            self.say(node, vec![Saying::Statement(word)]);
        }
    }

    /// A node confirms the last word of another: with its own key where it ranks above it, else the root's is kept
    /// there.
    fn confirm_key(&mut self, by: usize, node: usize) {
        let old = self.people.key(node).public();
        let clock = self.machines[by].clock(self.now);
        let Some(running) = &self.machines[by].running else { return };
        let Some(word) = running.shelf.confirmation(old, self.people.root(), clock) else { return };
        let last = word.last.into_iter().map(|(feed, head)| (feed, head.seq)).collect();
        let retired = Word::Retired { node, old, last, is_roots: word.is_roots };
        self.check.ends(retired, word.bytes.clone());
        self.say(by, vec![Saying::Statement(word.bytes)]);
    }

    /// A folder goes by the key that is prepared in it, where that has the seat.
    pub(super) fn settle_key(&mut self, node: usize) -> Result<(), StoreError> {
        let machine = &self.machines[node];
        let (Some(next), Some(base)) = (&machine.next, &machine.base) else { return Ok(()) };
        let (next, env) = (Arc::clone(next), self.people.env());
        let reader = base.read()?;
        let (papers, statements) = (self.people.papers(node), reader.statements(env)?);
        let roster = Roster::fold(env, papers.iter().chain(&statements), reader.fork_cuts()?);
        drop(reader);
        if roster.heir(machine.key.public()) != next.public() {
            return Ok(());
        }
        // Others may still believe in a connection with the old one.
        self.leave(node);
        self.trace.note(self.now, 13, node, &[next.public().as_bytes()]);
        self.check.renamed(node, next.public());
        self.people.take_over(node, Arc::clone(&next));
        let machine = &mut self.machines[node];
        (machine.key, machine.next) = (next, None);
        self.rotations.remove(&node);
        self.check.happened(node, Happening::Rotated);
        Ok(())
    }

    /// The first node that waits for another one to confirm its key, where both are as they should be.
    pub(super) fn first_unconfirmed(&self) -> Option<(usize, usize)> {
        let waits = |(node, by): (&usize, &usize)| {
            let is_near = self.groups().iter().any(|group| group.contains(node) && group.contains(by));
            is_near.then_some((*node, *by))
        };
        self.rotations.iter().find_map(waits)
    }
}
