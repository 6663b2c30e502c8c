//! What happened lately, for people who look for a fault.
//!
//! Owns a ring for each member, and one for everybody else: whoever comes with ever new keys pushes no member
//! out of sight. Keeps no message, only that there was one. Invariant: the newest [`TRACED_PER_PEER`] of a ring
//! are kept, and there are no more rings than members, and one.

use std::collections::{BTreeMap, VecDeque};

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;

use super::port::Refusal;

/// Happenings that are kept of one member, and of everybody else together.
pub const TRACED_PER_PEER: usize = 64;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// When.
    pub at: Timestamp,
    /// With whom; unknown before the handshake.
    pub peer: Option<PublicKey>,
    /// What.
    pub what: Happening,
}

/// What happens on a mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The first connection to a member stands.
    Connected {
        /// Where it is, as the transport sees it.
        address: String,
    },
    /// The last one is gone.
    Disconnected,
    /// It was dialled, and did not answer.
    NotReached {
        /// Why, as the transport says it.
        why: String,
    },
    /// It, or something it did, was refused.
    Refused(Refusal),
    /// A message went to it.
    Sent {
        /// In which protocol.
        protocol: &'static str,
        /// Its length.
        size_bytes: usize,
    },
    /// A message came from it.
    Received {
        /// In which protocol.
        protocol: &'static str,
        /// Its length.
        size_bytes: usize,
    },
}

/// The rings of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    members: BTreeMap<PublicKey, VecDeque<Traced>>,
    others: VecDeque<Traced>,
}

impl Trace {
    pub(super) fn keep(&mut self, traced: Traced, is_member: bool) {
        let ring = match traced.peer.filter(|_| is_member) {
            Some(peer) => self.members.entry(peer).or_default(),
            None => &mut self.others,
        };
        if ring.len() == TRACED_PER_PEER {
            ring.pop_front();
        }
        ring.push_back(traced);
    }

    /// Forgets those who are no members any more.
    pub(super) fn retain(&mut self, is_member: impl Fn(PublicKey) -> bool) {
        self.members.retain(|peer, _| is_member(*peer));
    }

    /// What happened with `peer`, or with everybody, the oldest first.
    pub(super) fn of(&self, peer: Option<PublicKey>) -> Vec<Traced> {
        let all = self.members.values().flatten().chain(&self.others);
        let mut wanted: Vec<Traced> =
            all.filter(|it| peer.is_none_or(|peer| it.peer == Some(peer))).cloned().collect();
        wanted.sort_by_key(|traced| traced.at);
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ALICE: PublicKey = PublicKey::from_bytes([1; 32]);

    fn traced(peer: PublicKey, second: u64) -> Traced {
        let at = Timestamp::EPOCH.after(Duration::from_secs(second));
        Traced { at, peer: Some(peer), what: Happening::Disconnected }
    }

    #[test]
    fn strangers_push_no_member_out_of_sight_and_all_is_bounded() {
        let mut trace = Trace::default();
        trace.keep(traced(ALICE, 0), true);
        let strangers = 3 * TRACED_PER_PEER as u64;
        for second in 1..=strangers {
            let key = std::array::from_fn(|at| second.to_be_bytes()[at % 8]);
            trace.keep(traced(PublicKey::from_bytes(key), second), false);
        }
        assert_eq!(trace.of(None).len(), TRACED_PER_PEER + 1);
        assert_eq!(trace.of(Some(ALICE)), [traced(ALICE, 0)]);
        assert_eq!(
            trace.of(None).last().map(|it| it.at),
            Some(traced(ALICE, strangers).at),
            "the newest stay"
        );
        (1..=strangers).for_each(|second| trace.keep(traced(ALICE, second), true));
        assert_eq!(trace.of(Some(ALICE)).len(), TRACED_PER_PEER);
    }

    #[test]
    fn who_is_no_member_any_more_is_forgotten() {
        let mut trace = Trace::default();
        trace.keep(traced(ALICE, 0), true);
        trace.retain(|_| false);
        assert_eq!(trace.of(None), []);
    }
}
