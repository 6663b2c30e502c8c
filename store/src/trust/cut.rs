//! How much of a feed counts.
//!
//! Owns the comparison of cuts. Decides nothing about who may cut. Invariant: combining cuts is commutative,
//! associative and idempotent, and never gives back what one of them takes away.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// How much of a feed the roster admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cut {
    /// All of it.
    Nowhere,
    /// Everything up to and with the record that has this sequence number and hash.
    After {
        /// Sequence number of the last admitted record.
        seq: u64,
        /// Its hash.
        hash: Digest,
    },
    /// None of it: its node is no member, or was revoked before it wrote this feed.
    Everything,
}

/// A record of a feed by number and hash, which through the chain of hashes names all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head {
    /// Its sequence number.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

impl Cut {
    /// The number of the last admitted record, where there is one.
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::After { seq, .. } => Some(*seq),
            Self::Nowhere | Self::Everything => None,
        }
    }

    /// Whether a record counts. Of a record before the last admitted one only the number is compared: its
    /// hash follows from the chain.
    pub fn admits(&self, record: Head) -> bool {
        match *self {
            Self::Nowhere => true,
            Self::After { seq, hash } => record.seq < seq || record == Head { seq, hash },
            Self::Everything => false,
        }
    }

    /// What is left under both cuts. Two cuts behind different records of one number cannot both be followed;
    /// the smaller hash is taken, so that every node takes the same.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, _) | (_, Self::Everything) => Self::Everything,
            (Self::Nowhere, cut) | (cut, Self::Nowhere) => cut,
            (Self::After { seq: a, hash: first }, Self::After { seq: b, hash: second }) => {
                Self::from(Head { seq: a, hash: first }.min(Head { seq: b, hash: second }))
            }
        }
    }
}

impl From<Head> for Cut {
    fn from(Head { seq, hash }: Head) -> Self {
        Self::After { seq, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head() -> impl Strategy<Value = Head> {
        (0..4u64, 0..3u8).prop_map(|(seq, hash)| Head { seq, hash: Digest::of(&[hash]) })
    }

    fn cut() -> impl Strategy<Value = Cut> {
        prop_oneof![Just(Cut::Nowhere), head().prop_map(Cut::from), Just(Cut::Everything)]
    }

    proptest! {
        #[test]
        fn cuts_combine_in_any_order(a in cut(), b in cut(), c in cut()) {
            prop_assert_eq!(a.and(b), b.and(a));
            prop_assert_eq!(a.and(b).and(c), a.and(b.and(c)));
            prop_assert_eq!(a.and(a), a);
        }

        #[test]
        fn what_is_left_is_left_by_each_but_for_a_dispute_over_the_last_record(
            a in cut(), b in cut(), record in head(),
        ) {
            let disputed = matches!((a, b), (Cut::After { seq: x, .. }, Cut::After { seq: y, .. }) if x == y);
            let both = a.and(b);
            if both.admits(record) && !disputed {
                prop_assert!(a.admits(record) && b.admits(record));
            }
        }
    }
}
