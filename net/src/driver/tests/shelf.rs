//! A node's world in memory.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::watch;
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{Invitation, NotRedeemed};
use xyn_store::{Digest, Timestamp};

use super::people::{key, member, newcomer};
use super::runs;
use crate::driver::{Event, Port};
use crate::proto::join::door;
use crate::proto::sync::tests::disk::Disk;
use crate::proto::sync::{Proof, Refused};
use crate::wire;
use crate::wire::runs::{Part, Question, Withheld};
use crate::wire::{Frame, Growth, Known, Payload, Redeem};

pub(super) struct Shelf {
    pub(super) who: u8,
    pub(super) disk: Arc<Mutex<Disk>>,
    /// Counts what was admitted, so that a test can wait for it.
    pub(super) changed: watch::Sender<u64>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) invitation: Mutex<Option<Invitation>>,
    pub(super) lies: bool,
    /// It dies over the first records that it is asked for.
    pub(super) panics: bool,
}

impl Shelf {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("no test panics with the disk in its hand")
    }

    fn admitted(&self, result: Result<Known, Refused>) -> Result<Known, Refused> {
        self.changed.send_modify(|count| *count += 1);
        result
    }
}

impl Port for Shelf {
    async fn read(&self, feed: FeedId, after: u64, to: u64, credit: u32) -> Vec<Frame> {
        assert!(!self.panics, "a node that is broken on purpose");
        let mut frames = self.disk().read(feed, after, to, credit);
        if self.lies {
            for frame in &mut frames {
                let mut bytes = frame.bytes.to_vec();
                bytes.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);
                frame.bytes = Payload::new(&bytes).expect("as long as before");
            }
        }
        frames
    }

    async fn read_proof(&self, feed: FeedId) -> Option<Proof> {
        self.disk().proof(feed)
    }

    async fn admit(&self, _: PublicKey, feed: FeedId, frames: Vec<Frame>) -> Result<Known, Refused> {
        let result = self.disk().admit(feed, &frames);
        self.admitted(result)
    }

    async fn admit_proof(&self, _: PublicKey, feed: FeedId, proof: Proof) -> Result<Known, Refused> {
        let result = self.disk().admit_proof(feed, &proof);
        self.admitted(result)
    }

    async fn redeem(&self, peer: PublicKey, request: Redeem) -> door::Decision {
        let invitation = self.invitation.lock().expect("nobody panics here");
        let invitation = invitation.as_ref().ok_or(NotRedeemed::Unknown)?;
        invitation.check(request.env, &request.secret, peer, Timestamp::EPOCH)?;
        Ok(vec![member(self.who), newcomer(self.who, peer, request.consent)])
    }

    async fn prove(&self, _: Growth) -> Option<Vec<Digest>> {
        None
    }

    async fn vouch(&self, checkpoint: SignedCheckpoint) -> Option<Signature> {
        Some(checkpoint.witness(&key(self.who)))
    }

    async fn tell_run(&self, peer: PublicKey, question: Question) -> Result<Vec<u8>, Withheld> {
        match question.part {
            Part::Whole => Err(Withheld::Denied),
            Part::Steps { limit, .. } => Ok(wire::encode(&runs::account(peer, limit))),
            Part::Step(_) => Ok(b"no account".to_vec()),
        }
    }

    fn notice(&self, event: Event) {
        let told = self.events.try_send(event);
        assert!(!matches!(told, Err(TrySendError::Full(_))), "a test hears fewer events than this");
    }
}
