//! The version vector and its summary.
//!
//! Owns how far each feed is known here, and what it takes for another's word to be news. Invariant: equal
//! vectors have equal summaries, and different ones do not.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use xyn_store::Digest;
use xyn_store::timeline::feed::FeedId;

use crate::wire::{BUCKETS, Known, Summary};

/// How far each feed is known.
#[derive(Clone, Debug)]
pub(super) struct Vector {
    feeds: BTreeMap<FeedId, Known>,
    /// Made when it is asked for: a vector changes more often than it is told.
    summary: OnceCell<Summary>,
}

impl Vector {
    pub(super) fn new(feeds: BTreeMap<FeedId, Known>) -> Self {
        Self { feeds, summary: OnceCell::new() }
    }

    pub(super) fn feeds(&self) -> &BTreeMap<FeedId, Known> {
        &self.feeds
    }

    pub(super) fn get(&self, feed: FeedId) -> Known {
        self.feeds.get(&feed).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, feed: FeedId, known: Known) {
        self.summary.take();
        self.feeds.insert(feed, known);
    }

    /// Whether `theirs` is more than is here, or something else.
    pub(super) fn lacks(&self, feed: FeedId, theirs: Known) -> bool {
        let mine = self.get(feed);
        mine.lacks_fork(theirs) || mine.lacks_records(theirs)
    }

    pub(super) fn summary(&self) -> Summary {
        *self.summary.get_or_init(|| {
            let mut buckets: [Vec<u8>; BUCKETS] = Default::default();
            for entry in &self.feeds {
                let bytes =
                    postcard::to_stdvec(&entry).expect("plain data always encodes into a growing buffer");
                buckets[bucket(*entry.0)].extend(bytes);
            }
            Summary(buckets.map(|bytes| half(Digest::of(&bytes))))
        })
    }

    /// The buckets in which `theirs` differs, a bit each.
    pub(super) fn differs(&self, theirs: &Summary) -> u16 {
        let mine = self.summary();
        let differing = (0..BUCKETS).filter(|bucket| mine.0[*bucket] != theirs.0[*bucket]);
        differing.fold(0, |mask, bucket| mask | 1 << bucket)
    }

    /// What is here in the buckets of `mask`.
    pub(super) fn within(&self, mask: u16) -> Vec<(FeedId, Known)> {
        let wanted = |feed: &FeedId| mask & 1 << bucket(*feed) != 0;
        self.feeds.iter().filter(|(feed, _)| wanted(feed)).map(|(feed, known)| (*feed, *known)).collect()
    }
}

impl Known {
    /// Sequence number of the last record; 0 when there is none.
    pub fn seq(&self) -> u64 {
        self.head.map_or(0, |head| head.seq)
    }

    /// The last record that can count here: nothing behind a fork does.
    pub(super) fn reach(&self) -> u64 {
        self.fork.map_or(u64::MAX, |fork| fork.saturating_sub(1))
    }

    /// Whether `theirs` is a fork that is not known here, or an earlier one.
    pub(super) fn lacks_fork(&self, theirs: Self) -> bool {
        theirs.fork.is_some_and(|fork| self.fork.is_none_or(|mine| fork < mine))
    }

    /// Whether `theirs` has records that can count and are not here.
    pub(super) fn lacks_records(&self, theirs: Self) -> bool {
        let another = theirs.seq() == self.seq() && theirs.head != self.head;
        self.seq() < self.reach().min(theirs.seq()) || another && self.fork.is_none() && theirs.fork.is_none()
    }
}

fn bucket(feed: FeedId) -> usize {
    usize::from(feed.node.as_bytes()[0]) % BUCKETS
}

fn half(digest: Digest) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest.as_bytes()[..16]);
    half
}
