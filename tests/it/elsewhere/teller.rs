//! A member that tells of its runs what it likes.
//!
//! Owns a mesh with no node behind it. Invariant: it keeps nothing, and gives nothing else.

use xyn_net::driver::{Config, Event, Mesh, Port, Reach, World};
use xyn_net::proto::join::door;
use xyn_net::proto::sync::{Proof, Refused};
use xyn_net::wire::runs::{Question, Withheld};
use xyn_net::wire::{Frame, Growth, Known, Redeem};
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::NotRedeemed;
use xyn_store::{Clock, Digest, Options, Store};

use crate::team::Mate;

/// Answers with these bytes, whatever it is asked.
struct Teller {
    key: NodeKey,
    account: Vec<u8>,
}

impl Port for Teller {
    async fn read(&self, _: FeedId, _: u64, _: u64, _: u32) -> Vec<Frame> {
        Vec::new()
    }

    async fn read_proof(&self, _: FeedId) -> Option<Proof> {
        None
    }

    async fn admit(&self, _: PublicKey, _: FeedId, _: Vec<Frame>) -> Result<Known, Refused> {
        Err(Refused::Busy)
    }

    async fn admit_proof(&self, _: PublicKey, _: FeedId, _: Proof) -> Result<Known, Refused> {
        Err(Refused::Busy)
    }

    async fn redeem(&self, _: PublicKey, _: Redeem) -> door::Decision {
        Err(NotRedeemed::Unavailable)
    }

    async fn prove(&self, _: Growth) -> Option<Vec<Digest>> {
        None
    }

    async fn vouch(&self, checkpoint: SignedCheckpoint) -> Option<Signature> {
        Some(checkpoint.witness(&self.key))
    }

    async fn tell_run(&self, _: PublicKey, _: Question) -> Result<Vec<u8>, Withheld> {
        Ok(self.account.clone())
    }

    fn notice(&self, _: Event) {}
}

/// Takes the part of `mate`, whose node is stopped, towards the node of `host`: answers with `account`.
pub(super) fn tell(mate: &Mate, host: &Mate, account: Vec<u8>) -> (Mesh, Store) {
    let store = Store::open(&mate.folder.data(), Options::default()).expect("its node is stopped");
    let reader = store.read().expect("it reads");
    let env = reader.environment().expect("it reads").expect("it is a member");
    let world = World {
        roster: reader.roster(env).expect("it reads").into(),
        feeds: [].into(),
        vouched: Vec::new(),
        contacts: Vec::new(),
        blobs: store.blobs().clone(),
    };
    drop(reader);
    let config = Config {
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        peers: host.node().mesh().to_vec(),
        discover: false,
        ..Config::at_port(0, Reach::Lan, 1)
    };
    let teller = Teller { key: NodeKey::from_secret(store.key().transport_secret()), account };
    let started = Mesh::start(config, store.key(), Clock::system(), world, teller);
    (started.expect("loopback can be listened on").0, store)
}
