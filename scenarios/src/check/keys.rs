//! What must hold of keys that were given up, and of those that were revoked.
//!
//! Judges by what was said and by who has it, not by the roster that a node makes of it.

use std::collections::{BTreeMap, BTreeSet};

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{Head, Place};

use super::{Books, Broken, Check};
use crate::node::Shelf;

/// A word after which no more counts of some key, with the last record of each feed that does.
pub(crate) enum Word {
    /// A node gave up its key for the next one.
    Retired { node: usize, old: PublicKey, last: BTreeMap<FeedId, u64>, is_roots: bool },
    /// A member was revoked, whichever keys it has or takes.
    Revoked { node: usize, last: BTreeMap<FeedId, u64>, is_roots: bool },
}

/// A word, and the records that it stands in, whether they were kept or not.
struct Said {
    word: Word,
    bytes: Vec<u8>,
    places: BTreeSet<Place>,
    /// Whether somebody keeps one of them.
    lasts: bool,
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

    /// Whether it counts whoever carries it.
    fn is_roots(&self) -> bool {
        match self {
            Self::Retired { is_roots, .. } | Self::Revoked { is_roots, .. } => *is_roots,
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

impl Keys {
    /// Whatever stands at these places was said.
    pub(super) fn stand(&mut self, statements: Vec<(Vec<u8>, Place)>) {
        for (bytes, place) in statements {
            self.0.iter_mut().filter(|said| said.bytes == bytes).for_each(|said| {
                said.places.insert(place);
            });
        }
    }

    /// Somebody keeps `feed` up to the record `head`.
    pub(super) fn lasts(&mut self, books: &Books, feed: FeedId, head: Head) {
        for said in self.0.iter_mut().filter(|said| !said.lasts) {
            let mut here = said.places.iter().filter(|place| place.feed == feed);
            said.lasts = here.any(|place| books.leads_to(head, place));
        }
    }

    fn lasting(&self) -> impl Iterator<Item = &Said> {
        self.0.iter().filter(|said| said.lasts)
    }
}

impl Check {
    /// A node takes another key.
    pub(crate) fn renamed(&mut self, node: usize, key: PublicKey) {
        self.numbers.insert(key, node);
    }

    /// Somebody is about to say in `bytes` that a key ends. Whether that will last only shows later.
    pub(crate) fn ends(&mut self, word: Word, bytes: Vec<u8>) {
        self.keys.0.push(Said { word, bytes, places: BTreeSet::new(), lasts: false });
    }

    /// Members of whom somebody said, durably, that they no longer belong. They may never hear of it.
    pub(crate) fn revoked(&self) -> impl Iterator<Item = usize> {
        self.keys.lasting().filter(|said| !self.is_void(said)).filter_map(|said| match said.word {
            Word::Revoked { node, .. } => Some(node),
            Word::Retired { .. } => None,
        })
    }

    /// Whether a member's word stands only behind the last record that the root lets count of it.
    fn is_void(&self, said: &Said) -> bool {
        let roots = || self.keys.lasting().map(|said| &said.word).filter(|word| word.is_roots());
        let is_cut = |place: &Place| {
            let author = self.numbers.get(&place.feed.node).copied();
            let cuts = |word: &Word| {
                let last = word.last().get(&place.feed).copied().unwrap_or_default();
                matches!(word, Word::Revoked { node, .. } if Some(*node) == author) && last < place.record.seq
            };
            roots().any(cuts)
        };
        !said.word.is_roots() && said.places.iter().all(is_cut)
    }

    fn is_revoked(&self, node: Option<usize>) -> bool {
        self.revoked().any(|it| Some(it) == node)
    }

    /// The words that this node has, and has to follow: the root's, whoever says them, and those of members whom
    /// nobody revoked. Of a feed that forked it may have other records under the same numbers.
    fn words_at(&self, shelf: &Shelf) -> Vec<&Word> {
        let Some(timeline) = shelf.timeline() else { return Vec::new() };
        let has = |place: &&Place| {
            let row = timeline.feed(&place.feed);
            row.is_some_and(|row| self.books.leads_to(Head { seq: row.head.seq, hash: row.head.hash }, place))
        };
        let is_heard = |said: &&Said| {
            let mut places = said.places.iter().filter(has);
            places.any(|place| {
                said.word.is_roots() || !self.is_revoked(self.numbers.get(&place.feed.node).copied())
            })
        };
        self.keys.lasting().filter(is_heard).map(|said| &said.word).collect()
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
                let written = self.books.acknowledged.get(feed).map_or(0, |last| last.seq.saturating_sub(1));
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
