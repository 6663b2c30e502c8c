//! The log of a node, what it vouches for, and who vouched for it.
//!
//! Owns the log that others witness: a leaf for each record of the node's feed, so that it survives what the feed
//! survives. Invariant: nothing is vouched for before that is kept.

use xyn_net::wire::Growth;
use xyn_store::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use xyn_store::audit::merkle::Frontier;
use xyn_store::audit::proof::{consistency_plan, hashes};
use xyn_store::audit::signature::Signature;
use xyn_store::projection::{Changes, VouchedRow, WitnessRow};
use xyn_store::tables::Key;
use xyn_store::timeline::frame::Frame as Sealed;
use xyn_store::{Digest, Order, StoreError, Timestamp};

use super::Shelf;

/// Rows that are read at a time; more than a world has.
const ROWS_MAX: usize = 1 << 16;

impl Shelf {
    /// Signs the log as it is committed. None when it did not grow.
    pub(crate) fn checkpoint(&mut self, now: Timestamp) -> Option<(SignedCheckpoint, Vec<Digest>)> {
        self.grow();
        if self.leaves.len() == self.signed {
            return None;
        }
        let leaves = self.leaves.clone();
        self.signed = leaves.len();
        let root = leaves.iter().copied().collect::<Frontier>().root();
        let (node, incarnation, size) = (self.own.node, self.own.incarnation, leaves.len() as u64);
        let checkpoint = Checkpoint { node, incarnation, size, root, at: now };
        Some((checkpoint.sign(&self.key), leaves))
    }

    /// Reads what was written since the last time.
    fn grow(&mut self) {
        let row = self.timeline().and_then(|timeline| timeline.feed(&self.own));
        let (after, to) = (self.leaves.len() as u64, row.map_or(0, |row| row.head.seq));
        for frame in self.read(self.own, after, to, u32::MAX) {
            let Ok(frame) = Sealed::open(&self.env.root(), &frame.bytes) else { return };
            self.leaves.extend(frame.records.iter().map(|record| record.hash));
        }
    }

    /// Changes what was written first, which no honest node does.
    pub(crate) fn rewrite(&mut self) {
        self.grow();
        if let Some(first) = self.leaves.first_mut() {
            *first = Digest::of(first.as_bytes());
            self.signed = 0;
        }
    }

    /// That the log grew and nothing else.
    pub(crate) fn prove(&self, growth: Growth) -> Option<Vec<Digest>> {
        let is_here = growth.log == self.own && growth.to <= self.leaves.len() as u64;
        let plan = consistency_plan(growth.from, growth.to).ok().filter(|_| is_here)?;
        hashes(&plan, &self.leaves)
    }

    /// Gives this node's word for another's log, when that is kept.
    pub(crate) fn vouch(&mut self, checkpoint: SignedCheckpoint) -> Option<Signature> {
        let mut changes = Changes::new();
        changes.put(&VouchedRow(checkpoint));
        self.commit(changes).is_ok().then(|| checkpoint.witness(&self.key))
    }

    /// What this node gave its word for.
    pub(crate) fn vouched(&self) -> Result<Vec<SignedCheckpoint>, StoreError> {
        let page =
            self.base.read()?.page::<VouchedRow>(&Key::new(), Order::Ascending, None, ROWS_MAX, |_| true);
        Ok(page?.items.into_iter().map(|VouchedRow(checkpoint)| checkpoint).collect())
    }

    /// Keeps a witness's word for this node's log.
    pub(crate) fn attest(&mut self, row: &WitnessRow) {
        let mut changes = Changes::new();
        changes.put(row);
        // What is not kept the witness says again for the next one.
        let _ = self.commit(changes);
    }

    /// Whose word it has, for what.
    pub(crate) fn attested(&self) -> Result<Vec<WitnessRow>, StoreError> {
        let page =
            self.base.read()?.page::<WitnessRow>(&Key::new(), Order::Ascending, None, ROWS_MAX, |_| true);
        Ok(page?.items)
    }
}
