//! How far a feed counts, and how far it is kept.
//!
//! Owns what follows from a roster's cut and from a fork. Invariant: both limits are the same on every node
//! that knows the same cut and the same fork, however much of the feed it holds.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::trust::Cut;

/// Records behind a cut that are kept all the same: what admitted authors built on may be among them.
pub const BEHIND_CUT_MAX: u64 = 256;

/// The limits of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Limit {
    /// The last record that counts.
    pub counts: u64,
    /// The last record that is a ground for the work of others. Frames that begin behind it are not taken, only compared
    /// with what is here.
    pub grounds: u64,
}

impl Limit {
    /// The whole feed counts.
    pub const NONE: Self = Self { counts: u64::MAX, grounds: u64::MAX };

    /// What follows from the roster's `cut` and from a `fork`, the first number at which the feed has two
    /// records. `found` is the hash of the record that is here under the number of the cut.
    ///
    /// Behind a fork nothing is a ground for others: which of the branches a node holds would decide what it
    /// sees. And where the record at the cut is not the one that was admitted, the feed ends before it.
    pub fn new(cut: Cut, fork: Option<u64>, found: Option<Digest>) -> Self {
        let by_roster = match cut {
            Cut::Nowhere => Self::NONE,
            Cut::After { seq, hash } if found.is_some_and(|found| found != hash) => Self::NONE.before(seq),
            Cut::After { seq, .. } => Self { counts: seq, grounds: seq.saturating_add(BEHIND_CUT_MAX) },
            Cut::Everything => Self { counts: 0, grounds: 0 },
        };
        fork.map_or(by_roster, |seq| by_roster.before(seq))
    }

    /// This limit, but not further than the record before `seq`.
    fn before(self, seq: u64) -> Self {
        let last = seq.saturating_sub(1);
        Self { counts: self.counts.min(last), grounds: self.grounds.min(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_of_cut_and_fork_counts() {
        let last = Digest::of(b"last");
        let after = |seq| Cut::After { seq, hash: last };
        assert_eq!(Limit::new(Cut::Nowhere, None, None), Limit::NONE);
        let five = Limit { counts: 5, grounds: 5 + BEHIND_CUT_MAX };
        assert_eq!(Limit::new(after(5), None, None), five);
        assert_eq!(Limit::new(after(5), None, Some(last)), five);
        assert_eq!(Limit::new(after(5), Some(4), None), Limit { counts: 3, grounds: 3 });
        assert_eq!(Limit::new(after(5), Some(100), None), Limit { counts: 5, grounds: 99 });
        assert_eq!(Limit::new(Cut::Everything, Some(100), None), Limit { counts: 0, grounds: 0 });
    }

    #[test]
    fn where_another_record_was_admitted_the_feed_ends_before_it() {
        let cut = Cut::After { seq: 5, hash: Digest::of(b"theirs") };
        let ours = Some(Digest::of(b"ours"));
        assert_eq!(Limit::new(cut, None, ours), Limit { counts: 4, grounds: 4 });
    }
}
