//! What the cores ask for, done.
//!
//! Owns the way from a core's outputs to peers and to the node. Invariant: whatever a core asks of the node
//! comes back to it as the input that answers it, or ends the connection that waits for it.

use std::sync::Arc;

use libp2p::gossipsub::{MessageAcceptance, MessageId, PublishError};
use libp2p::request_response::{OutboundRequestId, ResponseChannel};
use xyn_store::Digest;
use xyn_store::audit::signature::PublicKey;

use super::address;
use super::behaviour::{self, Talk};
use super::heard::FAREWELL;
use super::port::{Event, Port, Refusal};
use super::task::{Done, Task};
use crate::proto::conduct::{MESSAGE_OVERHEAD_BYTES, Misdeed, UNHEARD_BYTES_MAX};
use crate::proto::gossip::{self, Verdict};
use crate::proto::join::door;
use crate::proto::sync;
use crate::proto::witness;
use crate::wire::{self, Frame};

/// Where the answer to a stranger goes.
pub(super) type Reply = ResponseChannel<Vec<u8>>;

impl<P: Port> Task<P> {
    pub(super) fn sync(&mut self, input: sync::Input) {
        let now = self.clock.now();
        for output in self.sync.handle(input, now) {
            let port = Arc::clone(&self.port);
            match output {
                sync::Output::Send { peer, message } => self.send_sync(peer, &message),
                sync::Output::Read { peer, feed, after, to, credit } => drop(self.jobs.spawn(async move {
                    let frames = port.read(feed, after, to, credit).await;
                    Done::Sync(sync::Input::Read { peer, feed, after, frames })
                })),
                sync::Output::ReadProof { peer, feed } => drop(self.jobs.spawn(async move {
                    let proof = port.read_proof(feed).await;
                    proof.map_or(Done::Unable(peer), |proof| {
                        Done::Sync(sync::Input::ReadProof { peer, feed, proof })
                    })
                })),
                sync::Output::Admit { peer, feed, frames } => drop(self.jobs.spawn(async move {
                    let result = port.admit(peer, feed, frames).await;
                    Done::Sync(sync::Input::Admitted { peer, feed, result })
                })),
                sync::Output::AdmitProof { peer, feed, proof } => drop(self.jobs.spawn(async move {
                    let result = port.admit_proof(peer, feed, proof).await;
                    Done::Sync(sync::Input::Admitted { peer, feed, result })
                })),
                sync::Output::Drop { peer, reason } => self.drop_peer(peer, Refusal::Misdeed(reason)),
            }
        }
    }

    fn send_sync(&mut self, peer: PublicKey, message: &wire::Sync) {
        if let wire::Sync::Frames { frames, .. } = message {
            self.traffic.records_out += frames.iter().map(Frame::count).sum::<u64>();
        }
        self.tell(Talk::Sync, peer, wire::encode(message));
    }

    /// Sends a message to a peer that is there. To one who left nothing is sent: the cores start over with it.
    /// One who asks and does not listen is dropped before its answers fill this node.
    pub(super) fn tell(&mut self, talk: Talk, node: PublicKey, bytes: Vec<u8>) {
        let Some(neighbour) = self.neighbours.get_mut(&node) else {
            return;
        };
        let size = bytes.len();
        if neighbour.unheard_bytes + size + MESSAGE_OVERHEAD_BYTES > UNHEARD_BYTES_MAX {
            return self.drop_peer(node, Refusal::Misdeed(Misdeed::Stall));
        }
        self.traffic.bytes_out += size as u64;
        let exchange = self.swarm.behaviour_mut().gate.members.exchange(talk);
        let id = exchange.send_request(&address::peer_id(node), Ok(bytes));
        neighbour.unheard.insert((talk, id), size + MESSAGE_OVERHEAD_BYTES);
        neighbour.unheard_bytes += size + MESSAGE_OVERHEAD_BYTES;
    }

    /// A message arrived, or was given up.
    pub(super) fn told(&mut self, talk: Talk, node: PublicKey, id: OutboundRequestId) {
        if let Some(neighbour) = self.neighbours.get_mut(&node) {
            let size = neighbour.unheard.remove(&(talk, id)).unwrap_or_default();
            neighbour.unheard_bytes -= size;
        }
    }

    pub(super) fn gossip(&mut self, input: gossip::Input) {
        let now = self.clock.now();
        for output in self.gossip.handle(input, now) {
            match output {
                gossip::Output::Publish { bytes, records } => self.publish(bytes, records),
                gossip::Output::Admit { peer, id, news } => {
                    let port = Arc::clone(&self.port);
                    self.jobs.spawn(async move {
                        let result = port.admit(peer, news.feed, vec![news.frame.clone()]).await;
                        Done::News { id, news, result }
                    });
                }
                gossip::Output::Report { id, peer, verdict } => self.report(id, peer, verdict),
                gossip::Output::Gap(peer) => self.sync(sync::Input::Gap(peer)),
                gossip::Output::Drop { peer, reason } => self.drop_peer(peer, Refusal::Misdeed(reason)),
            }
        }
    }

    fn publish(&mut self, bytes: Vec<u8>, records: u64) {
        let size = bytes.len() as u64;
        let gate = &mut self.swarm.behaviour_mut().gate;
        let topic = behaviour::topic(gate.guard.roster.env());
        match gate.members.news.gossip.publish(topic, bytes) {
            Ok(_) => {
                self.traffic.bytes_out += size;
                self.traffic.records_out += records;
            }
            // Alone: whoever comes later asks for it.
            Err(PublishError::NoPeersSubscribedToTopic) => {}
            // Anti-entropy brings what news do not.
            Err(error) => tracing::debug!(%error, "news were not published"),
        }
    }

    fn report(&mut self, id: Digest, peer: PublicKey, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        let gossip = &mut self.swarm.behaviour_mut().gate.members.news.gossip;
        let (id, peer) = (MessageId::new(id.as_bytes()), address::peer_id(peer));
        gossip.report_message_validation_result(&id, &peer, acceptance);
    }

    pub(super) fn witness(&mut self, input: witness::Input) {
        let now = self.clock.now();
        for output in self.witness.handle(input, now) {
            let port = Arc::clone(&self.port);
            match output {
                witness::Output::Send { peer, message } => {
                    self.tell(Talk::Witness, peer, wire::encode(&message));
                }
                witness::Output::Prove { peer, growth } => drop(self.jobs.spawn(async move {
                    let hashes = port.prove(growth).await;
                    hashes.map_or(Done::Unable(peer), |hashes| {
                        Done::Witness(witness::Input::Proved { peer, growth, hashes })
                    })
                })),
                witness::Output::Vouch { peer, checkpoint } => drop(self.jobs.spawn(async move {
                    let signature = port.vouch(checkpoint).await;
                    signature.map_or(Done::Unable(peer), |signature| {
                        Done::Witness(witness::Input::Vouched { peer, checkpoint, signature })
                    })
                })),
                witness::Output::Keep { witness, checkpoint, signature } => {
                    port.notice(Event::Witnessed { witness, checkpoint, signature });
                }
                witness::Output::Alarm { peer, before, now, why } => {
                    tracing::error!(%peer, %why, "a member rewrote its log");
                    port.notice(Event::Alarm { peer, before, now, why });
                }
                witness::Output::Drop { peer, reason } => self.drop_peer(peer, Refusal::Misdeed(reason)),
            }
        }
    }

    pub(super) fn door(&mut self, input: door::Input) {
        let now = self.clock.now();
        for output in self.door.handle(input, now) {
            match output {
                door::Output::Send { peer, message } => match self.replies.remove(&peer) {
                    Some(reply) => {
                        let door = &mut self.swarm.behaviour_mut().gate.strangers;
                        // It may have left meanwhile.
                        let _ = door.send_response(reply, wire::encode(&message));
                        self.leaving.insert(peer, now.after(FAREWELL));
                    }
                    // The door has done with it, and nobody else would ever close the connection.
                    None => self.disconnect(peer),
                },
                door::Output::Redeem { peer, request } => {
                    let port = Arc::clone(&self.port);
                    self.jobs.spawn(async move {
                        let decision = port.redeem(peer, request).await;
                        Done::Door(door::Input::Decided { peer, decision })
                    });
                }
                // The connection is closed when the answer has gone out.
                door::Output::Close { peer, reason: door::Closing::Answered } => {
                    tracing::debug!(%peer, "a stranger was answered");
                }
                door::Output::Close { peer, reason } => {
                    self.refuse(Some(peer), Refusal::Door(reason));
                    self.disconnect(peer);
                }
            }
        }
    }
}
