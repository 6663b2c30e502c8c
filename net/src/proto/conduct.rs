//! How a peer behaves: what it may send and leave untaken, and what it has done.
//!
//! Owns the limits on everything a peer sends or does not take, the score of its misdeeds and the list of those who were
//! dropped. Closes no connection: it says when to. Invariant: whoever is dropped is dropped for a reason with
//! a name.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;

use super::held::Held;
use crate::wire::InvalidMessage;

/// Messages a peer may send unasked, at once. Each want of a peer that catches up is one.
pub const MESSAGES_BURST: u64 = 4096;
/// Messages a peer may send unasked each second, over time.
pub const MESSAGES_PER_SECOND: u64 = 1024;
/// Bytes a peer may send unasked, at once.
pub const BYTES_BURST: u64 = 4 << 20;
/// Bytes a peer may send unasked each second, over time.
pub const BYTES_PER_SECOND: u64 = 1 << 20;
/// How many times these a peer may pass on before it is one who floods: it hands on what several others send, each
/// within its own limits, with its own beside.
pub const PASSED_ON_TIMES: u64 = 4;
/// Bytes of messages to one peer that it has not taken yet. One that leaves more is dropped, unless that is news: news
/// that a slow peer does not take are not kept for it.
pub const UNHEARD_BYTES_MAX: usize = 8 << 20;
/// What a message costs besides its bytes while it is under way.
pub const MESSAGE_OVERHEAD_BYTES: usize = 512;
/// The score at which a peer is dropped.
pub const SCORE_MAX: u32 = 100;
/// How fast a score is forgotten.
pub const FORGIVEN_PER_MINUTE: u32 = 10;
/// For how long a dropped peer is not talked to.
pub const SHUNNED_FOR: Duration = Duration::from_secs(600);
/// Dropped peers that are remembered.
pub const SHUNNED_MAX: usize = 1024;
/// Peers who left and whose conduct is remembered.
pub const LEFT_MAX: usize = 1024;

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Misdeed {
    /// It sent records, proofs or signatures that are proved false.
    #[error("it lied")]
    Lie,
    /// It sent a chunk that is not what its name says.
    #[error("it sent a false chunk")]
    FalseChunk,
    /// It has a blob by a manifest that is not the blob's, or is none.
    #[error("it sent a false manifest")]
    FalseManifest,
    /// It sent more than its limits allow.
    #[error("it flooded")]
    Flood,
    /// It did not answer in time.
    #[error("it stalled")]
    Stall,
    /// It sent what nobody asked for.
    #[error("it sent what nobody asked for")]
    Unasked,
    /// It sent bytes that are no message.
    #[error("it sent a malformed message")]
    Malformed,
    /// It sent a message, or records, of a newer version.
    #[error("it speaks a newer version than this program; upgrade this one")]
    Newer,
    /// It did not have what it said it has.
    #[error("it did not have what it announced")]
    Empty,
}

impl Misdeed {
    /// What it adds to the score. An honest peer on a bad line stalls and answers late, and lacks what was
    /// cut meanwhile.
    pub fn weight(self) -> u32 {
        match self {
            Self::Lie | Self::FalseChunk | Self::FalseManifest | Self::Flood => SCORE_MAX,
            Self::Malformed | Self::Newer => 50,
            Self::Stall => 34,
            Self::Unasked | Self::Empty => 5,
        }
    }
}

impl From<InvalidMessage> for Misdeed {
    fn from(invalid: InvalidMessage) -> Self {
        match invalid {
            InvalidMessage::Newer(_) => Self::Newer,
            InvalidMessage::TooLarge { .. } | InvalidMessage::Malformed(_) => Self::Malformed,
        }
    }
}

/// The conduct of one peer.
#[derive(Clone, Debug)]
pub struct Conduct {
    score: u32,
    forgiven_at: Timestamp,
    messages: Allowance,
    bytes: Allowance,
    /// Of what it passes on.
    passed_messages: Allowance,
    passed_bytes: Allowance,
}

/// What becomes of something that a peer passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It is looked at.
    On,
    /// It is more than is looked at, and that need not be the doing of who passed it on.
    Over,
}

impl Conduct {
    /// That of a peer who just came.
    pub fn new(now: Timestamp) -> Self {
        Self {
            score: 0,
            forgiven_at: now,
            messages: Allowance::new(MESSAGES_BURST, MESSAGES_PER_SECOND, now),
            bytes: Allowance::new(BYTES_BURST, BYTES_PER_SECOND, now),
            passed_messages: Allowance::new(
                PASSED_ON_TIMES * MESSAGES_BURST,
                PASSED_ON_TIMES * MESSAGES_PER_SECOND,
                now,
            ),
            passed_bytes: Allowance::new(
                PASSED_ON_TIMES * BYTES_BURST,
                PASSED_ON_TIMES * BYTES_PER_SECOND,
                now,
            ),
        }
    }

    /// Counts a message that nobody asked for against the peer's limits.
    pub fn receive(&mut self, bytes: usize, now: Timestamp) -> Result<(), Misdeed> {
        let fits = self.messages.spend(1, now) && self.bytes.spend(bytes as u64, now);
        if fits { Ok(()) } else { Err(Misdeed::Flood) }
    }

    /// Counts a message of which the peer may not be the author.
    pub fn pass_on(&mut self, bytes: usize, now: Timestamp) -> Result<Passed, Misdeed> {
        let is_borne = self.passed_messages.spend(1, now) && self.passed_bytes.spend(bytes as u64, now);
        match self.receive(bytes, now) {
            Ok(()) => Ok(Passed::On),
            Err(_) if is_borne => Ok(Passed::Over),
            Err(flood) => Err(flood),
        }
    }

    /// Counts a misdeed; true when it was the last one.
    pub fn blame(&mut self, misdeed: Misdeed, now: Timestamp) -> bool {
        self.forgive(now);
        self.score = self.score.saturating_add(misdeed.weight());
        self.score >= SCORE_MAX
    }

    fn forgive(&mut self, now: Timestamp) {
        let minutes = now.since(self.forgiven_at).as_secs() / 60;
        self.forgiven_at = self.forgiven_at.after(Duration::from_secs(minutes * 60));
        let forgiven = u32::try_from(minutes).unwrap_or(u32::MAX).saturating_mul(FORGIVEN_PER_MINUTE);
        self.score = self.score.saturating_sub(forgiven);
    }

    /// Whether it is that of one who just came.
    fn is_rested(&mut self, now: Timestamp) -> bool {
        self.forgive(now);
        let allowances =
            [&mut self.messages, &mut self.bytes, &mut self.passed_messages, &mut self.passed_bytes];
        self.score == 0 && allowances.into_iter().all(|allowance| allowance.is_full(now))
    }
}

/// The conduct of those who left, for when they come back: whoever disconnects after a flood of its allowance, or
/// before the last misdeed, goes on where it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Left(BTreeMap<PublicKey, Conduct>);

impl Left {
    /// Remembers what there is to remember. Of too many one is forgotten who left with the most to spare.
    pub(super) fn keep(&mut self, peer: PublicKey, conduct: Conduct, now: Timestamp) {
        self.0.retain(|_, it| !it.is_rested(now));
        if conduct.clone().is_rested(now) {
            return;
        }
        self.0.insert(peer, conduct);
        if self.0.len() > LEFT_MAX {
            let mildest = self.0.iter().min_by_key(|(_, it)| (it.score, Reverse(it.bytes.left)));
            mildest.map(|(peer, _)| *peer).map(|peer| self.0.remove(&peer));
        }
    }

    /// How many are remembered.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The conduct with which a peer comes.
    pub(super) fn take(&mut self, peer: PublicKey, now: Timestamp) -> Conduct {
        self.0.remove(&peer).unwrap_or_else(|| Conduct::new(now))
    }
}

/// What those who left may be given yet, so that whoever comes back is given no more.
#[derive(Clone, Debug, Default)]
pub(super) struct Spent(BTreeMap<PublicKey, Allowance>);

impl Spent {
    /// Remembers what there is to remember.
    pub(super) fn keep(&mut self, peer: PublicKey, left: Allowance, now: Timestamp) {
        self.0.retain(|_, it| !it.is_full(now));
        if self.0.len() < LEFT_MAX {
            self.0.insert(peer, left);
        }
    }

    /// What a peer that comes has left; none where it has all of it.
    pub(super) fn take(&mut self, peer: PublicKey) -> Option<Allowance> {
        self.0.remove(&peer)
    }

    /// How many are remembered.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// Peers that were dropped, by whichever protocol: one list for a whole node, asked before a connection is
/// used.
#[derive(Clone, Debug, Default)]
pub struct Shunned(BTreeMap<PublicKey, Timestamp>);

impl Shunned {
    /// Remembers that `peer` was dropped. Of too many the one that was dropped first is forgotten.
    pub fn shun(&mut self, peer: PublicKey, now: Timestamp) {
        self.0.retain(|_, until| now < *until);
        self.0.insert(peer, now.after(SHUNNED_FOR));
        if self.0.len() > SHUNNED_MAX {
            let soonest = self.0.iter().min_by_key(|(_, until)| **until).map(|(peer, _)| *peer);
            soonest.map(|peer| self.0.remove(&peer));
        }
    }

    /// What it holds that has a limit.
    pub fn held(&self) -> Held {
        Held::new("peers that are shunned", self.0.len(), SHUNNED_MAX)
    }

    /// Whether not to talk to `peer` yet.
    pub fn contains(&self, peer: PublicKey, now: Timestamp) -> bool {
        self.0.get(&peer).is_some_and(|until| now < *until)
    }
}

/// So much at once, and so much each second.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    /// In millionths.
    left: u64,
    burst: u64,
    per_second: u64,
    at: Timestamp,
}

impl Allowance {
    pub(super) fn new(burst: u64, per_second: u64, now: Timestamp) -> Self {
        Self { left: burst * 1_000_000, burst, per_second, at: now }
    }

    /// Whether `amount` is left, which is then spent.
    pub(super) fn spend(&mut self, amount: u64, now: Timestamp) -> bool {
        self.earn(now);
        match self.left.checked_sub(amount.saturating_mul(1_000_000)) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn earn(&mut self, now: Timestamp) {
        let micros = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        self.at = self.at.max(now);
        let earned = micros.saturating_mul(self.per_second);
        self.left = self.left.saturating_add(earned).min(self.burst * 1_000_000);
    }

    pub(super) fn is_full(&mut self, now: Timestamp) -> bool {
        self.earn(now);
        self.left == self.burst * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_peer_may_burst_and_then_keep_its_pace() {
        let mut conduct = Conduct::new(at(0));
        assert!((0..MESSAGES_BURST).all(|_| conduct.receive(0, at(0)).is_ok()));
        assert_eq!(conduct.receive(0, at(0)), Err(Misdeed::Flood));
        assert!((0..MESSAGES_PER_SECOND).all(|_| conduct.receive(0, at(1)).is_ok()));
        assert_eq!(conduct.receive(0, at(1)), Err(Misdeed::Flood));
        assert_eq!(Conduct::new(at(0)).receive(usize::MAX, at(0)), Err(Misdeed::Flood));
    }

    #[test]
    fn a_lie_ends_it_and_small_faults_are_forgiven_with_time() {
        assert!(Conduct::new(at(0)).blame(Misdeed::Lie, at(0)));
        let mut conduct = Conduct::new(at(0));
        assert_eq!([0, 1, 2].map(|second| conduct.blame(Misdeed::Stall, at(second))), [false, false, true]);
        let mut patient = Conduct::new(at(0));
        assert!((0..100).all(|stall| !patient.blame(Misdeed::Stall, at(stall * 300))));
    }

    #[test]
    fn whoever_comes_back_goes_on_with_what_it_had_left() {
        let (mut left, peer) = (Left::default(), PublicKey::from_bytes([1; 32]));
        let mut conduct = left.take(peer, at(0));
        assert!(
            conduct.receive(BYTES_BURST as usize, at(0)).is_ok() && !conduct.blame(Misdeed::Stall, at(0))
        );
        left.keep(peer, conduct, at(0));
        let mut again = left.take(peer, at(0));
        assert_eq!(again.receive(1, at(0)), Err(Misdeed::Flood));
        assert!(!again.blame(Misdeed::Stall, at(0)));
        left.keep(peer, again, at(0));
        assert!(left.take(peer, at(1)).blame(Misdeed::Stall, at(1)));
        left.keep(peer, Conduct::new(at(0)), at(0));
        assert!(left.0.is_empty(), "there is nothing to remember");
    }

    #[test]
    fn of_those_who_left_only_so_many_are_remembered_and_nobody_for_ever() {
        let mut left = Left::default();
        for n in 0..=LEFT_MAX {
            let mut conduct = Conduct::new(at(0));
            conduct.receive(n + 1, at(0)).expect("within the burst");
            left.keep(
                PublicKey::from_bytes(std::array::from_fn(|at| n.to_be_bytes()[at % 8])),
                conduct,
                at(0),
            );
        }
        assert_eq!(left.0.len(), LEFT_MAX);
        assert!(!left.0.contains_key(&PublicKey::from_bytes([0; 32])), "the mildest one is forgotten");
        left.keep(PublicKey::from_bytes([1; 32]), Conduct::new(at(60)), at(60));
        assert!(left.0.is_empty());
    }

    #[test]
    fn the_dropped_are_shunned_for_a_while_and_only_so_many_are_remembered() {
        let mut shunned = Shunned::default();
        let peer = |n: usize| PublicKey::from_bytes(std::array::from_fn(|at| n.to_be_bytes()[at % 8]));
        (0..=SHUNNED_MAX).for_each(|n| shunned.shun(peer(n), at(0).after(Duration::from_micros(n as u64))));
        assert!(!shunned.contains(peer(0), at(1)) && shunned.contains(peer(1), at(1)));
        assert!(shunned.contains(peer(SHUNNED_MAX), at(600)));
        assert!(!shunned.contains(peer(SHUNNED_MAX), at(601)));
        shunned.shun(peer(0), at(601));
        assert_eq!(shunned.0.len(), 1);
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let mut conduct = Conduct::new(at(100));
        assert!((0..MESSAGES_BURST).all(|_| conduct.receive(0, at(100)).is_ok()));
        assert_eq!(conduct.receive(0, at(0)), Err(Misdeed::Flood));
        assert_eq!(conduct.receive(0, at(100)), Err(Misdeed::Flood));
    }
}
