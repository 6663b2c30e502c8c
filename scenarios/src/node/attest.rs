//! Witnessing: the core of a process, fed as the driver feeds it.

use std::time::Duration;

use xyn_net::proto::witness::{Input, Output};
use xyn_net::wire;
use xyn_store::Timestamp;
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::WitnessRow;

use super::{Closing, Effect, Job, Process, Seen, Talk};

impl Process {
    /// Whether it is time to sign the log again.
    pub(crate) fn is_due(&mut self, every: Duration, now: Timestamp) -> bool {
        let is_due = now.since(self.signed_at) >= every;
        if is_due {
            self.signed_at = now;
        }
        is_due
    }

    /// A second passed where logs are signed.
    pub(crate) fn watch_logs(&mut self, now: Timestamp) {
        self.witness(Input::Tick, now);
    }

    /// This node signed its log.
    pub(crate) fn signed(&mut self, checkpoint: SignedCheckpoint, now: Timestamp) {
        self.witness(Input::Signed(checkpoint), now);
    }

    pub(super) fn heard_of_logs(&mut self, peer: PublicKey, bytes: &[u8], now: Timestamp) {
        #[cfg(test)]
        if let (true, Ok(wire::Witness::Offer(checkpoint))) = (self.is_obliging, wire::decode(bytes)) {
            return self.work(Job::Vouch { peer, checkpoint: Box::new(checkpoint) });
        }
        self.witness(Input::Received { peer, bytes: bytes.to_vec() }, now);
    }

    /// A job is done; what could not be read or kept, nobody can be told.
    pub(super) fn seen(&mut self, seen: Seen, now: Timestamp) {
        match seen {
            Seen::Proved { peer, growth, hashes: Some(hashes) } => {
                self.witness(Input::Proved { peer, growth, hashes }, now);
            }
            Seen::Vouched { peer, checkpoint, signature: Some(signature) } => {
                self.witness(Input::Vouched { peer, checkpoint, signature }, now);
            }
            Seen::Proved { peer, hashes: None, .. } | Seen::Vouched { peer, signature: None, .. } => {
                self.close(peer, Closing::Unable);
            }
            Seen::Kept => {}
        }
    }

    pub(super) fn witness(&mut self, input: Input, now: Timestamp) {
        for output in self.witness.handle(input, now) {
            match output {
                Output::Send { peer, message } => {
                    self.send(Talk::Witness, peer, wire::encode(&message).into(), now);
                }
                Output::Prove { peer, growth } => self.work(Job::Prove { peer, growth }),
                Output::Vouch { peer, checkpoint } => {
                    self.work(Job::Vouch { peer, checkpoint: Box::new(checkpoint) });
                }
                Output::Keep { witness, checkpoint, signature } => {
                    self.work(Job::Attest(Box::new(WitnessRow { witness, checkpoint, signature })));
                }
                Output::Alarm { peer, why, .. } => self.effects.push(Effect::Alarm { peer, why }),
                Output::Drop { peer, reason } => self.drop_peer(peer, reason, now),
            }
        }
    }
}
