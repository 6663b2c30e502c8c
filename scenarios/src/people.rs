//! Who is who: keys from the seed, and what the root said before anything began.
//!
//! Owns the environment's root, the key of each machine and the certificates that all know from the start.
//! Invariant: the same seed gives the same keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use xyn_store::Timestamp;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::scope::Principal;
use xyn_store::simulation::Dice;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{Certificate, Claim, EnvId, Head, Placed, Revocation, Role, Seat, Statement};

/// The virtual time at which every world begins.
pub(crate) fn dawn() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000)
}

/// Purpose of the dice that make keys.
const KEYS: u64 = 1;
/// Purpose of those that make the further keys of the machine with this number.
const SUCCESSORS: u64 = 1 << 33;

/// Everybody's keys, and what the root says of them.
pub(crate) struct People {
    root: NodeKey,
    /// The keys of each machine, the newest last.
    keys: Vec<Vec<Arc<NodeKey>>>,
    seed: u64,
    numbers: BTreeMap<PublicKey, usize>,
    /// That all of them belong; the root said so on paper.
    pub(crate) certificates: Arc<Vec<Placed>>,
}

impl People {
    /// `count` machines, of which those in `strangers` do not belong yet.
    pub(crate) fn new(seed: u64, count: usize, strangers: &[usize]) -> Self {
        let mut dice = Dice::of(seed, KEYS);
        let mut key = || NodeKey::from_secret(std::array::from_fn(|_| dice.roll() as u8));
        let root = key();
        let keys: Vec<_> = (0..count).map(|_| vec![Arc::new(key())]).collect();
        let members = (0..count).filter(|number| !strangers.contains(number));
        let certificates = members.map(|number| certificate(&root, &keys[number][0], number)).collect();
        let numbers = keys.iter().enumerate().map(|(number, keys)| (keys[0].public(), number)).collect();
        Self { root, keys, seed, numbers, certificates: Arc::new(certificates) }
    }

    pub(crate) fn env(&self) -> EnvId {
        EnvId::rooted_in(self.root.public())
    }

    /// The key that a machine has now.
    pub(crate) fn key(&self, number: usize) -> &Arc<NodeKey> {
        self.keys[number].last().expect("a machine has a key from the start")
    }

    /// The keys that a machine had and has, the newest last.
    pub(crate) fn keys(&self, number: usize) -> &[Arc<NodeKey>] {
        &self.keys[number]
    }

    /// The key that a machine takes next.
    pub(crate) fn next(&self, number: usize) -> Arc<NodeKey> {
        let mut dice = Dice::of(self.seed, SUCCESSORS + number as u64);
        let mut key = || NodeKey::from_secret(std::array::from_fn(|_| dice.roll() as u8));
        let before = self.keys[number].len() - 1;
        (0..before).for_each(|_| drop(key()));
        Arc::new(key())
    }

    /// A machine goes by another key from now on.
    pub(crate) fn take_over(&mut self, number: usize, key: Arc<NodeKey>) {
        self.numbers.insert(key.public(), number);
        self.keys[number].push(key);
    }

    pub(crate) fn root(&self) -> &NodeKey {
        &self.root
    }

    /// Whose key it is, or was.
    pub(crate) fn number(&self, key: PublicKey) -> Option<usize> {
        self.numbers.get(&key).copied()
    }

    /// Who goes by this key.
    pub(crate) fn bearer(&self, key: PublicKey) -> Option<usize> {
        self.number(key).filter(|number| self.key(*number).public() == key)
    }

    /// What `number` knows of who belongs before it ever ran.
    pub(crate) fn papers(&self, number: usize) -> Arc<Vec<Placed>> {
        let key = self.keys[number][0].public();
        let is_member = |placed: &Placed| matches!(&placed.statement.statement().claim, Claim::Certificate(it) if it.node == key);
        match self.certificates.iter().any(is_member) {
            true => Arc::clone(&self.certificates),
            false => Arc::default(),
        }
    }

    /// The word of `issuer` that `number` no longer belongs, with whatever keys follow its first.
    pub(crate) fn revocation(
        &self,
        issuer: &NodeKey,
        number: usize,
        last: BTreeMap<FeedId, Head>,
        at: Timestamp,
    ) -> Vec<u8> {
        let revocation = Revocation { node: self.keys[number][0].public(), last, reason: "left".into() };
        said(self.env(), issuer, Claim::Revocation(revocation), at).statement.as_bytes().to_vec()
    }
}

fn certificate(root: &NodeKey, key: &NodeKey, number: usize) -> Placed {
    let (env, seat) = (EnvId::rooted_in(root.public()), Seat::Under(root.public()));
    let consent = seat.agree(env, key);
    let principal = Principal::new(format!("person-{number}@sim"));
    let certificate =
        Certificate { node: key.public(), seat, principal, role: Role::User, expires: None, consent };
    said(env, root, Claim::Certificate(certificate), dawn())
}

fn said(env: EnvId, issuer: &NodeKey, claim: Claim, at: Timestamp) -> Placed {
    let statement = Statement { env, issuer: issuer.public(), issued_at: at, claim };
    Placed { statement: statement.sign(issuer).expect("nobody says what others refuse"), place: None }
}
