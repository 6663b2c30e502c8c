//! The canonical timeline: what two nodes must agree on, and its hash.
//!
//! Owns the one order and the one encoding in which a timeline is compared. What is excluded is left out: how
//! much of it a node holds depends on when it learned of the cut. Invariant: equal timelines have equal
//! hashes, and others not.

use sha2::{Digest as _, Sha256};

use super::board::{Board, View};
use super::entry::Note;
use super::feed::FeedId;
use super::hlc::Hlc;
use crate::digest::Digest;
use crate::ids::EntryId;

const DOMAIN: &[u8] = b"xyn timeline v1\n";

/// What an entry is sorted by: when, which, and in which record it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// When it was written.
    pub at: Hlc,
    /// The entry.
    pub entry_id: EntryId,
    /// The feed that holds it.
    pub feed: FeedId,
    /// The record.
    pub seq: u64,
}

/// A whole timeline, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Equal where timelines are.
    pub digest: Digest,
    /// Moments.
    pub moments: u64,
    /// Boards.
    pub boards: u64,
    /// Changes to boards that count and show on none; no part of the digest.
    pub left_out: u64,
}

/// Takes the rows of a timeline, entries first, each kind in its order.
pub(super) struct Canonical(Sha256);

impl Canonical {
    pub(super) fn new() -> Self {
        Self(Sha256::new_with_prefix(DOMAIN))
    }

    pub(super) fn entry(&mut self, moment: &Moment, note: &Note) {
        let Moment { at, entry_id, feed, seq } = moment;
        self.row(0, &(at, entry_id, feed, seq, note));
    }

    pub(super) fn board(&mut self, board: &Board, view: &View) {
        self.row(1, &(board, view));
    }

    pub(super) fn finish(self) -> Digest {
        Digest::from_bytes(self.0.finalize().into())
    }

    fn row(&mut self, kind: u8, row: &impl serde::Serialize) {
        let bytes = postcard::to_stdvec(row).expect("plain data always encodes into a growing buffer");
        self.0.update([kind]);
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(&bytes);
    }
}
