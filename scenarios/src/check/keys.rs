//! What must hold of keys that were given up, and of those that were revoked.
//!
//! Judges by what was said and by who has it, not by the roster that a node makes of it.

use std::collections::BTreeMap;

use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::{Digest, Timestamp};

use super::{Broken, Check};
use crate::node::Shelf;

/// A word after which no more counts of some key, with the last record of each feed that does.
pub(crate) enum Word {
    /// A node gave up its key for the next one.
    Retired { node: usize, old: PublicKey, last: BTreeMap<FeedId, u64>, is_roots: bool },
    /// A member was revoked, whichever keys it has or takes.
    Revoked { node: usize, last: BTreeMap<FeedId, u64> },
}

/// A word, and the record that it stands in.
struct Said {
    word: Word,
    feed: FeedId,
    seq: u64,
    hash: Digest,
}

/// Every word that ended a key.
#[derive(Default)]
pub(crate) struct Keys(Vec<Said>);

impl Word {
    fn node(&self) -> usize {
        match self {
            Self::Retired { node, .. } | Self::Revoked { node, .. } => *node,
        }
    }

    fn last(&self) -> &BTreeMap<FeedId, u64> {
        match self {
            Self::Retired { last, .. } | Self::Revoked { last, .. } => last,
        }
    }

    /// Whether it ends `key`, which is one of `node`.
    fn is_about(&self, key: PublicKey, node: Option<usize>) -> bool {
        match self {
            Self::Retired { old, .. } => *old == key,
            Self::Revoked { node: revoked, .. } => node == Some(*revoked),
        }
    }
}

impl Check {
    /// A node takes another key.
    pub(crate) fn renamed(&mut self, node: usize, key: PublicKey) {
        self.numbers.insert(key, node);
    }

    /// Somebody said, durably and as the last record of the feed `said`, that a key ends.
    pub(crate) fn ends(&mut self, word: Word, said: FeedId) {
        if let Some((seq, hash)) = self.books.last(&said) {
            self.keys.0.push(Said { word, feed: said, seq, hash });
        }
    }

    fn is_revoked(&self, node: Option<usize>) -> bool {
        self.keys.0.iter().any(|said| matches!(said.word, Word::Revoked { node: it, .. } if Some(it) == node))
    }

    /// The words that this node has, and has to follow: the root's, and those of members whom nobody revoked.
    fn words_at(&self, shelf: &Shelf) -> Vec<&Word> {
        let Some(timeline) = shelf.timeline() else { return Vec::new() };
        let has = |said: &&Said| {
            let is_heard = match &said.word {
                Word::Retired { is_roots: false, .. } => {
                    !self.is_revoked(self.numbers.get(&said.feed.node).copied())
                }
                Word::Retired { .. } | Word::Revoked { .. } => true,
            };
            is_heard
                && timeline.feed(&said.feed).is_some_and(|row| row.head.seq >= said.seq)
                && self.books.is_signed(&said.feed, said.seq, said.hash)
        };
        self.keys.0.iter().filter(has).map(|said| &said.word).collect()
    }

    /// Nothing counts at `node` that was signed with a key after the end of which it knows.
    pub(crate) fn nothing_outlived(&mut self, now: Timestamp, node: usize, shelf: &Shelf) {
        if self.keys.0.is_empty() || !self.is_honest(node) {
            return;
        }
        let found = self.words_at(shelf).into_iter().find_map(|word| {
            let author = |feed: &FeedId| self.numbers.get(&feed.node).copied();
            let rows = shelf.timeline()?.feeds();
            let mut ended = rows.filter(|row| word.is_about(row.feed.node, author(&row.feed)));
            ended.find_map(|row| {
                let last = word.last().get(&row.feed).copied().unwrap_or_default();
                let seq = row.head.seq.min(row.limit.counts);
                (seq > last).then_some(Broken::Outlived { node, author: word.node(), seq, last })
            })
        });
        found.into_iter().for_each(|broken| self.broke(now, broken));
    }

    /// What was written under a key before it was given up stays.
    pub(crate) fn nothing_disowned(&mut self, now: Timestamp, node: usize, shelf: &Shelf) {
        let found = self.words_at(shelf).into_iter().find_map(|word| {
            let Word::Retired { node: author, last, .. } = word else { return None };
            if self.is_revoked(Some(*author)) {
                return None;
            }
            last.iter().find_map(|(feed, &last)| {
                // The last word itself is all that was written behind it.
                let written = self.books.acknowledged.get(feed).map_or(0, |seq| seq.saturating_sub(1));
                let last = last.max(written);
                let row = shelf.timeline().and_then(|timeline| timeline.feed(feed));
                let seq = row.map_or(0, |row| row.head.seq.min(row.limit.counts));
                (seq < last).then_some(Broken::Disowned { node, author: *author, seq, last })
            })
        });
        found.into_iter().for_each(|broken| self.broke(now, broken));
    }

    /// `node` is connected with node `other`. One whose key is given up may not know that it goes by another now.
    pub(crate) fn talks(&mut self, now: Timestamp, node: usize, shelf: &Shelf, other: usize) {
        if self.keys.0.is_empty() || !self.is_honest(node) {
            return;
        }
        let puts_out = |word: &Word| matches!(word, Word::Revoked { node: revoked, .. } if *revoked == other);
        if self.words_at(shelf).into_iter().any(puts_out) {
            self.broke(now, Broken::Admitted { node, other });
        }
    }
}
