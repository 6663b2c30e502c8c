//! Whom to dial, where, and when again.
//!
//! Owns the plan of reconnecting: soon after a connection broke, ever more patiently while nobody answers, at
//! once when this node's network changed, and never all in step. Dials nobody itself; time and the seed of its
//! dice are arguments. Invariant: what is remembered of a node is bounded, a node is dialled once at a time, and
//! no rumour displaces what is known.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;

use crate::proto::dice;
use crate::wire::contacts::ADDRESSES_MAX;

/// Addresses at which others say that a node is; a newer one takes the place of the oldest.
pub const RUMOURS_MAX: usize = 8;
/// The time between the first two attempts, and the least between any two that a rumour brings about.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// How long a connection must have lasted to count as good: whoever lets nobody in hangs up at once.
pub const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// The most time between two attempts.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// The same where one of the addresses is on the local network: an attempt costs little there, and people wait.
pub const BACKOFF_NEAR_MAX: Duration = Duration::from_secs(8);

/// Where a node may answer, as the transport says it.
pub trait Place: Clone + Ord {
    /// Whether it is on this machine or on its local network.
    fn is_local(&self) -> bool;
}

/// Somebody to dial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whom<A> {
    /// A member, wherever it is.
    Node(PublicKey),
    /// Whoever answers at an address from the settings.
    At(A),
}

/// The plan of one node.
#[derive(Clone, Debug)]
pub struct Dialer<A> {
    targets: BTreeMap<Whom<A>, Target<A>>,
    random: u64,
}

#[derive(Clone, Debug)]
struct Target<A> {
    /// From the settings.
    fixed: Vec<A>,
    /// From the settings as well, which do not say who is there: it is whoever answered.
    places: Vec<A>,
    /// Where it answered, and what it said of itself; the newest last.
    learned: Vec<A>,
    /// What others say, the newest last.
    rumoured: Vec<A>,
    /// Where somebody else answered. Of several addresses the first to answer ends an attempt, so these are left
    /// out while there are others.
    taken: Vec<A>,
    failures: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Due,
    Waits { since: Timestamp, until: Timestamp },
    Dialled,
    Connected(Timestamp),
}

impl<A> Default for Target<A> {
    fn default() -> Self {
        Self {
            fixed: Vec::new(),
            places: Vec::new(),
            learned: Vec::new(),
            rumoured: Vec::new(),
            taken: Vec::new(),
            failures: 0,
            stage: Stage::Due,
        }
    }
}

impl<A: Place> Dialer<A> {
    /// A plan whose dice begin at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { targets: BTreeMap::new(), random: seed }
    }

    /// An address from the settings, which is never forgotten.
    pub fn fix(&mut self, whom: Option<PublicKey>, address: A) {
        match whom {
            Some(node) => self.targets.entry(Whom::Node(node)).or_default().fixed.push(address),
            None => self.place(address),
        }
    }

    fn place(&mut self, address: A) {
        let target = self.targets.entry(Whom::At(address.clone())).or_default();
        target.places = vec![address];
    }

    /// An address at which a node answered, or is as it says itself.
    pub fn learn(&mut self, node: PublicKey, address: A) {
        let target = self.targets.entry(Whom::Node(node)).or_default();
        target.rumoured.retain(|rumoured| *rumoured != address);
        if !target.learned.contains(&address) {
            keep(&mut target.learned, address, ADDRESSES_MAX);
        }
    }

    /// Where a node is, at first hand.
    pub fn learned(&self, node: PublicKey) -> &[A] {
        self.targets.get(&Whom::Node(node)).map_or(&[], |target| &target.learned)
    }

    /// Somebody else says that a node is there now: it is tried soon.
    pub fn rumour(&mut self, node: PublicKey, address: A) {
        let target = self.targets.entry(Whom::Node(node)).or_default();
        if !target.addresses().any(|known| *known == address) {
            keep(&mut target.rumoured, address, RUMOURS_MAX);
        }
        if let Stage::Waits { since, until } = &mut target.stage {
            *until = since.after(BACKOFF_FIRST).min(*until);
        }
    }

    /// This node's own network changed: what was in vain before may not be now.
    pub fn hurry(&mut self) {
        for target in self.targets.values_mut() {
            if matches!(target.stage, Stage::Waits { .. }) {
                (target.stage, target.failures) = (Stage::Due, 0);
            }
        }
    }

    /// Looks for whoever took over from a node where that one was.
    pub fn succeed(&mut self, heir: impl Fn(PublicKey) -> PublicKey) {
        let has_heir = |whom: &Whom<A>| matches!(whom, Whom::Node(node) if heir(*node) != *node);
        let left: Vec<_> = self.targets.extract_if(.., |whom, _| has_heir(whom)).collect();
        for (whom, Target { fixed, places, learned, .. }) in left {
            let Whom::Node(old) = whom else { continue };
            let target = self.targets.entry(Whom::Node(heir(old))).or_default();
            target.fixed.extend(fixed);
            target.places.extend(places);
            learned.into_iter().for_each(|address| self.learn(heir(old), address));
        }
    }

    /// Forgets what was found out about nodes that are not `wanted` any more. Where one of them answered, somebody
    /// else may answer next.
    pub fn retain(&mut self, wanted: impl Fn(PublicKey) -> bool) {
        let mut places = Vec::new();
        self.targets.retain(|whom, target| match whom {
            Whom::Node(node) if !wanted(*node) => {
                places.append(&mut target.places);
                !target.fixed.is_empty()
            }
            _ => true,
        });
        places.into_iter().for_each(|address| self.place(address));
    }

    /// Whom to dial now, and where. Each is [`failed`](Self::failed) or [`connected`](Self::connected) next.
    pub fn due(&mut self, now: Timestamp, wanted: impl Fn(PublicKey) -> bool) -> Vec<(Whom<A>, Vec<A>)> {
        let is_wanted =
            |whom: &Whom<A>| matches!(whom, Whom::At(_)) || matches!(whom, Whom::Node(n) if wanted(*n));
        let due = self.targets.iter_mut().filter(|(whom, it)| it.is_due(now) && is_wanted(whom));
        let dialled = due.map(|(whom, target)| {
            target.stage = Stage::Dialled;
            (whom.clone(), target.candidates())
        });
        dialled.collect()
    }

    /// Somebody else answered at an address of `whom`, which is a place of whoever answers there.
    pub fn taken(&mut self, whom: &Whom<A>, address: A) {
        let Some(target) = self.targets.get_mut(whom) else { return };
        if let (Whom::Node(_), Some(at)) = (whom, target.places.iter().position(|place| *place == address)) {
            target.places.swap_remove(at);
            self.place(address);
        } else if !target.taken.contains(&address) {
            target.taken.push(address);
        }
    }

    /// Nobody answered, or somebody else, or not as it should. One who came by itself meanwhile is here.
    pub fn failed(&mut self, whom: &Whom<A>, now: Timestamp) {
        let jitter = dice::roll(&mut self.random);
        if let Some(target) = self.targets.get_mut(whom)
            && !matches!(target.stage, Stage::Connected(_))
        {
            target.wait(jitter, now);
        }
    }

    /// `node` is connected, through `dialled` or because it dialled.
    pub fn connected(&mut self, node: PublicKey, dialled: Option<&Whom<A>>, now: Timestamp) {
        if let Some(at) = dialled.filter(|whom| matches!(whom, Whom::At(_)))
            && let Some(target) = self.targets.remove(at)
        {
            self.targets.entry(Whom::Node(node)).or_default().places.extend(target.places);
        }
        self.targets.entry(Whom::Node(node)).or_default().stage = Stage::Connected(now);
    }

    /// The last connection to `node` is gone.
    pub fn disconnected(&mut self, node: PublicKey, now: Timestamp) {
        let jitter = dice::roll(&mut self.random);
        if let Some(target) = self.targets.get_mut(&Whom::Node(node)) {
            if let Stage::Connected(since) = target.stage
                && now.since(since) >= SETTLED_AFTER
            {
                target.failures = 0;
            }
            target.wait(jitter, now);
        }
    }
}

/// Keeps what is new, instead of the oldest where there is no room.
fn keep<A>(list: &mut Vec<A>, address: A, max: usize) {
    if list.len() == max {
        list.remove(0);
    }
    list.push(address);
}

impl<A: Place> Target<A> {
    fn addresses(&self) -> impl Iterator<Item = &A> {
        self.fixed.iter().chain(&self.places).chain(&self.learned).chain(&self.rumoured)
    }

    /// Where it is dialled: not where somebody else is, unless there is nowhere else.
    fn candidates(&mut self) -> Vec<A> {
        let Self { fixed, places, learned, rumoured, taken, .. } = self;
        let known = || fixed.iter().chain(&*places).chain(&*learned).chain(&*rumoured);
        taken.retain(|address| known().any(|known| known == address));
        let free: Vec<_> = known().filter(|address| !taken.contains(address)).cloned().collect();
        if !free.is_empty() {
            return free;
        }
        taken.clear();
        known().cloned().collect()
    }

    /// Half of the backoff at least, so that two nodes that lost each other do not dial in step.
    fn wait(&mut self, jitter: u64, now: Timestamp) {
        let max = if self.addresses().any(A::is_local) { BACKOFF_NEAR_MAX } else { BACKOFF_MAX };
        let half = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(16)).min(max) / 2;
        let more = half.mul_f64(jitter as f64 / u64::MAX as f64);
        self.stage = Stage::Waits { since: now, until: now.after(half + more) };
        self.failures = self.failures.saturating_add(1);
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let is_time = match self.stage {
            Stage::Due => true,
            Stage::Waits { until, .. } => until <= now,
            Stage::Dialled | Stage::Connected(_) => false,
        };
        is_time && self.addresses().next().is_some()
    }
}
