//! The version vector and its summary.
//!
//! Owns how far each feed is known here, and what it takes for another's word to be news. Invariant: equal
//! vectors have equal summaries, and different ones do not.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use xyn_store::Digest;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::Head;

use crate::wire::{BUCKETS, Known, Summary};

/// How far each feed is known.
#[derive(Clone, Debug)]
pub(super) struct Vector {
    feeds: BTreeMap<FeedId, Known>,
    /// Each made when it is asked for: a vector changes more often, and in fewer places, than it is told.
    summary: [OnceCell<[u8; 16]>; BUCKETS],
}

impl Vector {
    pub(super) fn new(mut feeds: BTreeMap<FeedId, Known>) -> Self {
        feeds.retain(|_, known| *known != Known::default());
        Self { feeds, summary: Default::default() }
    }

    pub(super) fn feeds(&self) -> &BTreeMap<FeedId, Known> {
        &self.feeds
    }

    pub(super) fn get(&self, feed: FeedId) -> Known {
        self.feeds.get(&feed).copied().unwrap_or_default()
    }

    /// Nothing of a feed is known the same whether it was heard of or not.
    pub(super) fn set(&mut self, feed: FeedId, known: Known) {
        self.summary[bucket(feed)].take();
        match known == Known::default() {
            true => self.feeds.remove(&feed),
            false => self.feeds.insert(feed, known),
        };
    }

    pub(super) fn summary(&self) -> Summary {
        Summary(std::array::from_fn(|bucket| *self.summary[bucket].get_or_init(|| self.sum_up(bucket))))
    }

    fn sum_up(&self, bucket: usize) -> [u8; 16] {
        let entries: Vec<_> = self.bucket(bucket).collect();
        let bytes = postcard::to_stdvec(&entries).expect("plain data always encodes into a growing buffer");
        let mut half = [0; 16];
        half.copy_from_slice(&Digest::of(&bytes).as_bytes()[..16]);
        half
    }

    /// A sixteenth of the feeds: those whose node's key begins with this digit.
    fn bucket(&self, digit: usize) -> impl Iterator<Item = (FeedId, Known)> {
        let mut least = [0; 32];
        least[0] = (digit << 4) as u8;
        let first = FeedId { node: PublicKey::from_bytes(least), incarnation: 0 };
        let from = self.feeds.range(first..).take_while(move |(feed, _)| bucket(**feed) == digit);
        from.map(|(feed, known)| (*feed, *known))
    }

    /// The buckets in which `theirs` differs, a bit each.
    pub(super) fn differs(&self, theirs: &Summary) -> u16 {
        let mine = self.summary();
        let differing = (0..BUCKETS).filter(|bucket| mine.0[*bucket] != theirs.0[*bucket]);
        differing.fold(0, |mask, bucket| mask | 1 << bucket)
    }

    /// What is here in the buckets of `mask`.
    pub(super) fn within(&self, mask: u16) -> Vec<(FeedId, Known)> {
        (0..BUCKETS).filter(|bucket| mask & 1 << bucket != 0).flat_map(|bucket| self.bucket(bucket)).collect()
    }
}

impl Known {
    /// Sequence number of the last record; 0 when there is none.
    pub fn seq(&self) -> u64 {
        self.head.map_or(0, |head| head.seq)
    }

    /// The same once the records up to `to` are here, whatever the last one is.
    pub(super) fn come_to(self, to: u64) -> Self {
        let hash = Digest::from_bytes([0; 32]);
        Self { head: Some(Head { seq: to, hash }), ..self }
    }

    /// The last record that can count here: nothing behind a fork does.
    pub(super) fn reach(&self) -> u64 {
        self.fork.map_or(u64::MAX, |fork| fork.saturating_sub(1))
    }

    /// Whether `theirs` is a fork that is not known here, or an earlier one.
    pub(super) fn lacks_fork(&self, theirs: Self) -> bool {
        theirs.fork.is_some_and(|fork| self.fork.is_none_or(|mine| fork < mine))
    }

    /// Whether `theirs` has records that can count and are not here, or ends otherwise: then the feed forked
    /// further back than either knows.
    pub(super) fn lacks_records(&self, theirs: Self) -> bool {
        let ends_otherwise = theirs.seq() == self.seq() && theirs.head != self.head;
        self.seq() < self.reach().min(theirs.seq()) || ends_otherwise
    }
}

/// The first hexadecimal digit of the node's key, so that a bucket is one stretch of the vector.
fn bucket(feed: FeedId) -> usize {
    usize::from(feed.node.as_bytes()[0] >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    fn feeds() -> impl Strategy<Value = BTreeMap<FeedId, Known>> {
        let feed = (any::<[u8; 2]>(), 0..2u64).prop_map(|(key, incarnation)| {
            let node = PublicKey::from_bytes(std::array::from_fn(|at| key[at % 2]));
            FeedId { node, incarnation }
        });
        let known = (0..3u64, any::<bool>()).prop_map(|(seq, forked)| Known {
            head: (seq > 0).then(|| Head { seq, hash: Digest::of(b"record") }),
            fork: forked.then_some(seq + 1),
        });
        btree_map(feed, known, 0..40)
    }

    proptest! {
        #[test]
        fn a_summary_differs_where_and_only_where_vectors_do(a in feeds(), b in feeds()) {
            let (mine, theirs) = (Vector::new(a.clone()), Vector::new(b.clone()));
            let mask = mine.differs(&theirs.summary());
            for digit in 0..BUCKETS {
                let of = |feeds: &BTreeMap<FeedId, Known>| -> Vec<_> {
                    let here = |(feed, known): &(FeedId, Known)| {
                        bucket(*feed) == digit && *known != Known::default()
                    };
                    feeds.clone().into_iter().filter(here).collect()
                };
                prop_assert_eq!(of(&a) != of(&b), mask & 1 << digit != 0);
                prop_assert_eq!(mine.within(1 << digit), of(&a));
            }
        }

        #[test]
        fn a_feed_of_which_nothing_is_here_makes_no_difference(a in feeds(), heard_of in feeds()) {
            let (mut vector, before) = (Vector::new(a.clone()), Vector::new(a.clone()));
            let new: Vec<FeedId> = heard_of.into_keys().filter(|feed| !a.contains_key(feed)).collect();
            new.into_iter().for_each(|feed| vector.set(feed, Known::default()));
            prop_assert_eq!(vector.differs(&before.summary()), 0);
            prop_assert_eq!(vector.feeds(), before.feeds());
        }

        #[test]
        fn a_vector_that_changed_sums_up_as_one_made_anew(a in feeds(), b in feeds()) {
            let mut vector = Vector::new(a.clone());
            let mut all = a;
            for (feed, known) in b {
                vector.summary();
                vector.set(feed, Known::default());
                vector.set(feed, known);
                all.insert(feed, known);
            }
            prop_assert_eq!(vector.summary(), Vector::new(all).summary());
        }
    }
}
