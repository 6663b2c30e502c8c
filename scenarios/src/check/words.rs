//! What must hold of the words that nodes give for each other's logs.

use std::collections::{BTreeMap, BTreeSet};

use xyn_net::proto::witness::Contradiction;
use xyn_store::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use xyn_store::timeline::feed::FeedId;
use xyn_store::{Digest, Timestamp};

use super::{Broken, Check};
use crate::node::Shelf;
use crate::tally::Happening;

/// Every log that was ever signed, and every word for one.
#[derive(Default)]
pub(crate) struct Words {
    /// The leaves behind each root.
    logs: BTreeMap<(FeedId, Digest), Vec<Digest>>,
    /// What each node vouched for last, of each log.
    last: BTreeMap<(usize, FeedId), Digest>,
    given: BTreeSet<(usize, FeedId, Digest)>,
}

fn log(checkpoint: &Checkpoint) -> FeedId {
    FeedId { node: checkpoint.node, incarnation: checkpoint.incarnation }
}

impl Words {
    /// Whether the log with root `new` begins as the one with root `old` is.
    fn continues(&self, log: FeedId, old: Option<Digest>, new: Digest) -> bool {
        let old = old.map(|old| self.logs.get(&(log, old)));
        let Some(new) = self.logs.get(&(log, new)) else { return false };
        old.is_none_or(|old| old.is_some_and(|old| new.starts_with(old)))
    }
}

impl Check {
    /// A node signed its log.
    pub(crate) fn signed(&mut self, signed: &SignedCheckpoint, leaves: Vec<Digest>) {
        self.words.logs.insert((log(&signed.checkpoint), signed.checkpoint.root), leaves);
    }

    /// A node gave its word.
    pub(crate) fn vouched(&mut self, now: Timestamp, node: usize, signed: &SignedCheckpoint) {
        let Checkpoint { size, root, .. } = signed.checkpoint;
        let log = log(&signed.checkpoint);
        self.words.given.insert((node, log, root));
        let before = self.words.last.insert((node, log), root);
        let is_kept_to = self.words.continues(log, before, root);
        // What one copy of a folder vouched for the other does not know.
        if !is_kept_to && self.is_honest(node) && !self.cloned.contains(&node) {
            self.broke(now, Broken::TwoWords { node, author: self.author(&log), size });
        }
    }

    /// A node found that a log is not what it was.
    pub(crate) fn alarm(&mut self, now: Timestamp, node: usize, author: usize, why: Contradiction) {
        self.happened(node, Happening::Alarms);
        if self.is_honest(node) && self.is_honest(author) {
            self.broke(now, Broken::Suspected { node, author, why: why.to_string() });
        }
    }

    /// Each word that a node counts was given, for this and by that one.
    pub(crate) fn attested(&mut self, now: Timestamp, node: usize, shelf: &Shelf) {
        for row in shelf.attested().unwrap_or_default() {
            let Checkpoint { size, root, .. } = row.checkpoint.checkpoint;
            let witness = self.numbers.get(&row.witness).copied().unwrap_or(usize::MAX);
            let is_given = self.words.given.contains(&(witness, log(&row.checkpoint.checkpoint), root));
            if !is_given || row.checkpoint.verify_witness(row.witness, &row.signature).is_err() {
                self.broke(now, Broken::Unvouched { node, witness, size });
            }
        }
    }
}
