//! How far a feed has come, and what its next record means.
//!
//! Owns every check of a record that needs no more than its feed's own past. Invariant: whether a record is
//! admitted is a function of the records before it in its feed, so every node says the same of it.

use serde::{Deserialize, Serialize};

use super::board::{self, Board};
use super::change::ChangeError;
use super::document::EntryHead;
use super::entry::Note;
use super::feed::FeedId;
use super::hlc::Hlc;
use super::record::{Body, NO_RECORD, Place, Record};
use crate::audit::signature::PublicKey;
use crate::digest::Digest;
use crate::ids::EntryId;

/// The end of a feed as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedHead {
    /// The last record; 0 when there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
    /// Its time.
    pub hlc: Hlc,
    /// Where its entry documents end.
    pub(super) entries: EntryHead,
}

/// What an admitted record does to the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Adds a moment.
    Entry(EntryId, Box<Note>),
    /// Changes a board.
    Board(Board),
    /// Says who belongs: that is for the roster to judge.
    Statement,
}

impl Default for FeedHead {
    fn default() -> Self {
        Self { seq: 0, hash: NO_RECORD, hlc: Hlc::default(), entries: EntryHead::default() }
    }
}

impl FeedHead {
    /// Where the next record of `feed` stands.
    pub(super) fn place(&self, env: PublicKey, feed: FeedId) -> Place {
        Place { env, feed, seq: self.seq + 1, prev: self.hash }
    }

    /// Goes on to `record`, the next of the feed, and says what it does. An error leaves the head where it
    /// was.
    pub(super) fn advance(&mut self, record: &Record) -> Result<Effect, ChangeError> {
        let mut entries = self.entries;
        let effect = match &record.content.body {
            Body::Entry { document, change } => {
                let (behind, entry_id, note) = entries.read(&record.feed, *document, &change.0)?;
                entries = behind;
                Effect::Entry(entry_id, Box::new(note))
            }
            Body::Board { board, change } => {
                board::check(board, &record.feed, &change.0)?;
                Effect::Board(board.clone())
            }
            Body::Statement(_) => Effect::Statement,
        };
        *self = Self { seq: record.seq, hash: record.hash, hlc: record.content.hlc, entries };
        Ok(effect)
    }
}
