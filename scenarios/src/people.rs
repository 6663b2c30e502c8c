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

/// Everybody's keys, and what the root says of them.
pub(crate) struct People {
    root: NodeKey,
    keys: Vec<Arc<NodeKey>>,
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
        let keys: Vec<_> = (0..count).map(|_| Arc::new(key())).collect();
        let members = (0..count).filter(|number| !strangers.contains(number));
        let certificates = members.map(|number| certificate(&root, &keys[number], number)).collect();
        let numbers = keys.iter().enumerate().map(|(number, key)| (key.public(), number)).collect();
        Self { root, keys, numbers, certificates: Arc::new(certificates) }
    }

    pub(crate) fn env(&self) -> EnvId {
        EnvId::rooted_in(self.root.public())
    }

    pub(crate) fn key(&self, number: usize) -> &Arc<NodeKey> {
        &self.keys[number]
    }

    pub(crate) fn number(&self, key: PublicKey) -> Option<usize> {
        self.numbers.get(&key).copied()
    }

    /// What `number` knows of who belongs before it ever ran.
    pub(crate) fn papers(&self, number: usize) -> Arc<Vec<Placed>> {
        let key = self.keys[number].public();
        let is_member = |placed: &Placed| matches!(&placed.statement.statement().claim, Claim::Certificate(it) if it.node == key);
        match self.certificates.iter().any(is_member) {
            true => Arc::clone(&self.certificates),
            false => Arc::default(),
        }
    }

    /// The root's word, in whoever's feed, that `number` no longer belongs.
    pub(crate) fn revocation(&self, number: usize, last: BTreeMap<FeedId, Head>, at: Timestamp) -> Vec<u8> {
        let revocation = Revocation { node: self.keys[number].public(), last, reason: "left".into() };
        said(&self.root, Claim::Revocation(revocation), at).statement.as_bytes().to_vec()
    }
}

fn certificate(root: &NodeKey, key: &NodeKey, number: usize) -> Placed {
    let (env, seat) = (EnvId::rooted_in(root.public()), Seat::Under(root.public()));
    let consent = seat.agree(env, key);
    let principal = Principal::new(format!("person-{number}@sim"));
    let certificate =
        Certificate { node: key.public(), seat, principal, role: Role::User, expires: None, consent };
    said(root, Claim::Certificate(certificate), dawn())
}

fn said(root: &NodeKey, claim: Claim, at: Timestamp) -> Placed {
    let env = EnvId::rooted_in(root.public());
    let statement = Statement { env, issuer: root.public(), issued_at: at, claim };
    Placed { statement: statement.sign(root).expect("the root says nothing that others refuse"), place: None }
}
