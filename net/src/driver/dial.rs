//! Whom to dial, where, and when again.
//!
//! Owns the plan of reconnecting: soon after a connection broke, ever more patiently while nobody answers,
//! and never all at once. Dials nobody itself; time and the seed of its dice are arguments. Invariant: what is
//! remembered of a node is bounded, and a node is dialled once at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::Multiaddr;
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;

/// Addresses that are remembered of a node, besides those from the settings.
pub(super) const ADDRESSES_MAX: usize = 8;
/// The time between the first two attempts.
pub(super) const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// How long a connection must have lasted to count as good: whoever lets nobody in hangs up at once.
pub(super) const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// The most time between two attempts.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Somebody to dial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whom {
    /// A member, wherever it is.
    Node(PublicKey),
    /// Whoever answers at an address from the settings.
    At(Multiaddr),
}

/// The plan of one node.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    targets: BTreeMap<Whom, Target>,
    random: u64,
}

#[derive(Clone, Debug, Default)]
struct Target {
    /// From the settings.
    fixed: Vec<Multiaddr>,
    /// Found out, the newest last.
    learned: Vec<Multiaddr>,
    failures: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Due,
    Waits(Timestamp),
    Dialled,
    Connected(Timestamp),
}

impl Dialer {
    /// A plan whose dice begin at `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self { targets: BTreeMap::new(), random: seed }
    }

    /// An address from the settings, which is never forgotten.
    pub(super) fn fix(&mut self, whom: Option<PublicKey>, address: Multiaddr) {
        let whom = whom.map_or_else(|| Whom::At(address.clone()), Whom::Node);
        self.targets.entry(whom).or_default().fixed.push(address);
    }

    /// An address at which a node may be. One that is new is tried at once.
    pub(super) fn learn(&mut self, node: PublicKey, address: Multiaddr) {
        let target = self.targets.entry(Whom::Node(node)).or_default();
        if target.fixed.contains(&address) || target.learned.contains(&address) {
            return;
        }
        if target.learned.len() == ADDRESSES_MAX {
            target.learned.remove(0);
        }
        target.learned.push(address);
        if matches!(target.stage, Stage::Waits(_)) {
            target.stage = Stage::Due;
        }
    }

    /// Looks for whoever took over from a node where that one was.
    pub(super) fn succeed(&mut self, heir: impl Fn(PublicKey) -> PublicKey) {
        let has_heir = |whom: &Whom| matches!(whom, Whom::Node(node) if heir(*node) != *node);
        let left: Vec<_> = self.targets.extract_if(.., |whom, _| has_heir(whom)).collect();
        for (whom, Target { fixed, learned, .. }) in left {
            let Whom::Node(old) = whom else { continue };
            let target = self.targets.entry(Whom::Node(heir(old))).or_default();
            target.fixed.extend(fixed);
            learned.into_iter().for_each(|address| self.learn(heir(old), address));
        }
    }

    /// Forgets what was found out about nodes that are not `wanted` any more.
    pub(super) fn retain(&mut self, wanted: impl Fn(PublicKey) -> bool) {
        self.targets.retain(|whom, target| match whom {
            Whom::Node(node) => !target.fixed.is_empty() || wanted(*node),
            Whom::At(_) => true,
        });
    }

    /// Whom to dial now, and where. Each is [`failed`](Self::failed) or [`connected`](Self::connected) next.
    pub(super) fn due(
        &mut self,
        now: Timestamp,
        wanted: impl Fn(PublicKey) -> bool,
    ) -> Vec<(Whom, Vec<Multiaddr>)> {
        let is_wanted =
            |whom: &Whom| matches!(whom, Whom::At(_)) || matches!(whom, Whom::Node(n) if wanted(*n));
        let due = self.targets.iter_mut().filter(|(whom, it)| it.is_due(now) && is_wanted(whom));
        let dialled = due.map(|(whom, target)| {
            target.stage = Stage::Dialled;
            (whom.clone(), target.fixed.iter().chain(&target.learned).cloned().collect())
        });
        dialled.collect()
    }

    /// Nobody answered, or somebody else, or not as it should.
    pub(super) fn failed(&mut self, whom: &Whom, now: Timestamp) {
        let jitter = self.roll();
        if let Some(target) = self.targets.get_mut(whom) {
            target.wait(jitter, now);
        }
    }

    /// `node` is connected, through `dialled` or because it dialled.
    pub(super) fn connected(&mut self, node: PublicKey, dialled: Option<&Whom>, now: Timestamp) {
        if let Some(at) = dialled.filter(|whom| matches!(whom, Whom::At(_)))
            && let Some(target) = self.targets.remove(at)
        {
            self.targets.entry(Whom::Node(node)).or_default().fixed.extend(target.fixed);
        }
        self.targets.entry(Whom::Node(node)).or_default().stage = Stage::Connected(now);
    }

    /// The last connection to `node` is gone.
    pub(super) fn disconnected(&mut self, node: PublicKey, now: Timestamp) {
        let jitter = self.roll();
        if let Some(target) = self.targets.get_mut(&Whom::Node(node)) {
            if let Stage::Connected(since) = target.stage
                && now.since(since) >= SETTLED_AFTER
            {
                target.failures = 0;
            }
            target.wait(jitter, now);
        }
    }

    /// SplitMix64.
    fn roll(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Target {
    /// Half of the backoff at least, so that two nodes that lost each other do not dial in step.
    fn wait(&mut self, jitter: u64, now: Timestamp) {
        let half = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX) / 2;
        let more = half.mul_f64(jitter as f64 / u64::MAX as f64);
        self.stage = Stage::Waits(now.after(half + more));
        self.failures = self.failures.saturating_add(1);
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let is_time = match self.stage {
            Stage::Due => true,
            Stage::Waits(until) => until <= now,
            Stage::Dialled | Stage::Connected(_) => false,
        };
        is_time && !(self.fixed.is_empty() && self.learned.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: PublicKey = PublicKey::from_bytes([1; 32]);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.after(Duration::from_secs(seconds))
    }

    fn address(port: usize) -> Multiaddr {
        format!("/ip6/::1/tcp/{port}").parse().expect("an address")
    }

    fn due(dialer: &mut Dialer, now: Timestamp) -> Vec<(Whom, Vec<Multiaddr>)> {
        dialer.due(now, |_| true)
    }

    #[test]
    fn whoever_does_not_answer_is_dialled_ever_less_often_but_never_given_up() {
        let mut dialer = Dialer::new(1);
        dialer.fix(Some(ALICE), address(1));
        let mut now = at(0);
        for attempt in 0..12 {
            assert_eq!(due(&mut dialer, now), [(Whom::Node(ALICE), vec![address(1)])]);
            assert_eq!(due(&mut dialer, now.after(BACKOFF_MAX)), [], "it is being dialled");
            dialer.failed(&Whom::Node(ALICE), now);
            let backoff = BACKOFF_FIRST.saturating_mul(1 << attempt).min(BACKOFF_MAX);
            assert_eq!(due(&mut dialer, now.after(backoff / 2 - Duration::from_micros(1))), []);
            now = now.after(backoff);
        }
    }

    #[test]
    fn a_connection_that_broke_is_made_again_soon_and_nobody_connected_is_dialled() {
        let mut dialer = Dialer::new(1);
        dialer.fix(None, address(1));
        assert_eq!(due(&mut dialer, at(0)), [(Whom::At(address(1)), vec![address(1)])]);
        dialer.connected(ALICE, Some(&Whom::At(address(1))), at(0));
        assert_eq!(due(&mut dialer, at(100)), []);
        dialer.disconnected(ALICE, at(100));
        assert_eq!(due(&mut dialer, at(101)), [(Whom::Node(ALICE), vec![address(1)])], "now it has a name");
    }

    #[test]
    fn whoever_hangs_up_at_once_is_dialled_ever_less_often() {
        let mut dialer = Dialer::new(1);
        dialer.fix(Some(ALICE), address(1));
        for hung_up in 0..10 {
            dialer.connected(ALICE, None, at(hung_up * 100));
            dialer.disconnected(ALICE, at(hung_up * 100 + 1));
        }
        assert_eq!(due(&mut dialer, at(901).after(BACKOFF_MAX / 2)), []);
        dialer.connected(ALICE, None, at(1000));
        dialer.disconnected(ALICE, at(1000).after(SETTLED_AFTER));
        assert_eq!(due(&mut dialer, at(1001).after(SETTLED_AFTER)).len(), 1);
    }

    #[test]
    fn two_plans_with_different_seeds_do_not_dial_in_step() {
        let waits = |seed| {
            let mut dialer = Dialer::new(seed);
            dialer.connected(ALICE, None, at(0));
            dialer.disconnected(ALICE, at(0));
            dialer.targets[&Whom::Node(ALICE)].stage
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }

    #[test]
    fn what_is_learned_of_a_node_is_bounded_tried_at_once_and_forgotten_with_the_node() {
        let mut dialer = Dialer::new(1);
        dialer.fix(Some(ALICE), address(99));
        due(&mut dialer, at(0));
        dialer.failed(&Whom::Node(ALICE), at(0));
        (0..ADDRESSES_MAX + 3).for_each(|port| dialer.learn(ALICE, address(port)));
        let [(_, addresses)] = due(&mut dialer, at(0)).try_into().expect("one");
        assert_eq!(addresses.len(), ADDRESSES_MAX + 1);
        assert!(addresses.contains(&address(99)) && !addresses.contains(&address(2)));

        let heir = PublicKey::from_bytes([3; 32]);
        let mut followed = dialer.clone();
        followed.succeed(|_| heir);
        let [(whom, there)] = due(&mut followed, at(0)).try_into().expect("one");
        assert_eq!((whom, there), (Whom::Node(heir), addresses));

        let bob = PublicKey::from_bytes([2; 32]);
        dialer.learn(bob, address(7));
        assert_eq!(dialer.due(at(0), |node| node != bob), [], "it is no member yet");
        dialer.retain(|_| false);
        assert_eq!(dialer.targets.len(), 1, "what the settings say is not forgotten");
    }
}
