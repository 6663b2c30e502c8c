//! What is heard on the wire, as inputs of the cores.
//!
//! Owns the reading of the swarm's events. Invariant: a message that is none is refused by name, whoever sent
//! it.

use std::time::Duration;

use libp2p::core::upgrade::NegotiationError;
use libp2p::request_response::{InboundFailure, Message, OutboundFailure};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{StreamProtocol, gossipsub, identify, mdns, ping};
use xyn_store::audit::signature::PublicKey;

use super::address;
use super::behaviour::{ExchangeEvent, GOSSIP, MembersEvent, Talk, WireEvent};
use super::codec::Arrived;
use super::news::Tiding;
use super::port::{Event, Port, Refusal};
use super::task::Task;
use crate::proto::contacts;
use crate::proto::gossip;
use crate::proto::join::door;
use crate::proto::runs;
use crate::proto::sync;
use crate::proto::witness;

/// How long a stranger has to read its answer and leave: what is under way on a connection is lost when the
/// other end closes it.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

impl<P: Port> Task<P> {
    pub(super) fn happened(&mut self, event: SwarmEvent<WireEvent>) {
        match event {
            SwarmEvent::Behaviour(WireEvent::Gate(Either::Left(event))) => self.heard(event),
            SwarmEvent::Behaviour(WireEvent::Gate(Either::Right(event))) => self.at_the_door(event),
            SwarmEvent::Behaviour(WireEvent::Discovery(mdns::Event::Discovered(found))) => {
                found.into_iter().for_each(|(peer, address)| self.discovered(peer, address));
                self.dial();
            }
            SwarmEvent::ConnectionEstablished {
                peer_id, connection_id, endpoint, num_established, ..
            } => {
                self.established(peer_id, connection_id, &endpoint, num_established.get() == 1);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, cause, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, "disconnected");
                self.closed(peer_id);
            }
            SwarmEvent::ConnectionClosed { peer_id, .. } => self.closed_one(peer_id),
            SwarmEvent::IncomingConnectionError { peer_id, send_back_addr, error, .. } => {
                self.not_let_in(peer_id, &send_back_addr, error);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.not_reached(connection_id, peer_id, error);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                // Whoever relays tells others where they are reached through it.
                if self.is_relay {
                    self.swarm.add_external_address(address.clone());
                }
                self.port.notice(Event::Listening(self.reachable_at(&address)));
                self.dialer.hurry();
                self.moved();
            }
            SwarmEvent::ExpiredListenAddr { .. } => self.moved(),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "a listener failed"),
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                // A relay that is gone is asked again when it is back.
                self.circuits.retain(|_, listener| *listener != listener_id);
                if let Err(error) = reason {
                    tracing::warn!(%error, "a listener closed");
                }
            }
            _ => {}
        }
    }

    fn heard(&mut self, event: MembersEvent) {
        match event {
            MembersEvent::Sync(event) => self.exchanged(Talk::Sync, event),
            MembersEvent::Witness(event) => self.exchanged(Talk::Witness, event),
            MembersEvent::Contacts(event) => self.exchanged(Talk::Contacts, event),
            MembersEvent::Runs(event) => self.exchanged(Talk::Runs, event),
            MembersEvent::Join(event) => {
                if let ExchangeEvent::Message { peer, message: Message::Request { .. }, .. } = &event {
                    address::node(*peer).into_iter().for_each(|node| self.door(door::Input::Connected(node)));
                }
                self.at_the_door(event);
            }
            MembersEvent::Blobs(event) => self.traded(event),
            MembersEvent::News(Tiding::Happened(gossipsub::Event::Message {
                propagation_source,
                message,
                ..
            })) => {
                let here =
                    address::node(propagation_source).filter(|node| self.neighbours.contains_key(node));
                // Who is gone cannot be asked for more; its news come from others.
                if let Some(peer) = here {
                    self.traffic.bytes_in += message.data.len() as u64;
                    self.gossip(gossip::Input::Heard { peer, bytes: message.data });
                }
            }
            // Anti-entropy brings what news do not.
            MembersEvent::News(Tiding::Happened(gossipsub::Event::SlowPeer { peer_id, .. })) => {
                self.refuse(address::node(peer_id), Refusal::NewsUnsent);
            }
            MembersEvent::News(Tiding::Happened(event)) => tracing::trace!(?event, "news travel"),
            MembersEvent::News(Tiding::Said(peer)) => {
                let here = address::node(peer).filter(|node| self.neighbours.contains_key(node));
                here.into_iter().for_each(|node| self.gossip(gossip::Input::Said(node)));
            }
            MembersEvent::News(Tiding::Faulty { peer, connection, why }) => {
                if let Some(node) = address::node(peer) {
                    self.misspoke(node, connection, why);
                }
            }
            // Gossip itself says nothing of it: its streams are taken for negotiated as they are opened.
            MembersEvent::Identify(identify::Event::Received { peer_id, info, .. })
                if !info.protocols.contains(&StreamProtocol::new(GOSSIP)) =>
            {
                self.refuse(address::node(peer_id), Refusal::Protocol(GOSSIP));
            }
            MembersEvent::Identify(event) => tracing::trace!(?event, "what a peer speaks"),
            MembersEvent::Relay(event) => tracing::debug!(?event, "this node relays"),
            MembersEvent::Through(event) => tracing::debug!(?event, "through a relay"),
            MembersEvent::Punch(event) => tracing::debug!(?event, "a way around a relay"),
            MembersEvent::Ping(ping::Event { peer, connection, result }) => {
                let neighbour = address::node(peer).and_then(|node| self.neighbours.get_mut(&node));
                match (neighbour, result) {
                    (Some(neighbour), Ok(time)) => neighbour.round_trip = Some(time),
                    (None, Ok(_)) => {}
                    // There may be another connection, which is alive.
                    (_, Err(error)) => {
                        self.refuse(address::node(peer), Refusal::Silent(error.to_string()));
                        self.swarm.close_connection(connection);
                    }
                }
            }
        }
    }

    fn exchanged(&mut self, talk: Talk, event: ExchangeEvent) {
        match event {
            ExchangeEvent::Message {
                peer,
                connection_id,
                message: Message::Request { request, channel, .. },
            } => {
                let Some(node) = address::node(peer) else { return };
                self.received(talk, node, connection_id, request);
                // It may have been dropped for what it said.
                let exchange = self.swarm.behaviour_mut().gate.members.exchange(talk);
                let _ = exchange.send_response(channel, Vec::new());
            }
            ExchangeEvent::Message { peer, message: Message::Response { request_id, .. }, .. } => {
                address::node(peer).into_iter().for_each(|node| self.told(talk, node, request_id));
            }
            ExchangeEvent::OutboundFailure { peer, request_id, error, .. } => {
                let Some(node) = address::node(peer) else { return };
                self.told(talk, node, request_id);
                if is_not_spoken(&error) {
                    self.refuse(Some(node), Refusal::Protocol(talk.protocol()));
                } else {
                    // The cores count on no single message.
                    tracing::debug!(%peer, %error, "a message was not delivered");
                }
            }
            ExchangeEvent::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a message was not confirmed");
            }
            ExchangeEvent::ResponseSent { .. } => {}
        }
    }

    fn received(&mut self, talk: Talk, peer: PublicKey, connection: ConnectionId, arrived: Arrived) {
        let bytes = match arrived {
            Ok(bytes) => bytes,
            Err(fault) => return self.misspoke(peer, connection, Refusal::Frame(fault)),
        };
        self.traffic.bytes_in += bytes.len() as u64;
        match talk {
            Talk::Sync => self.sync(sync::Input::Received { peer, bytes }),
            Talk::Witness => self.witness(witness::Input::Received { peer, bytes }),
            Talk::Contacts => self.contacts(contacts::Input::Received { peer, bytes }),
            Talk::Runs => self.runs(runs::Input::Received { peer, bytes }),
        }
    }

    /// Only what can never fit is held against the peer. The rest may be a bad line: the connection starts
    /// over.
    pub(super) fn misspoke(&mut self, peer: PublicKey, connection: ConnectionId, why: Refusal) {
        if why.is_misdeed() {
            self.drop_peer(peer, why);
        } else {
            self.refuse(Some(peer), why);
            self.swarm.close_connection(connection);
        }
    }

    fn at_the_door(&mut self, event: ExchangeEvent) {
        match event {
            ExchangeEvent::Message {
                peer,
                connection_id,
                message: Message::Request { request, channel, .. },
            } => {
                let Some(peer) = address::node(peer) else { return };
                match request {
                    Ok(bytes) => {
                        self.replies.insert(peer, channel);
                        self.door(door::Input::Received { peer, bytes });
                    }
                    Err(fault) => self.misspoke(peer, connection_id, Refusal::Frame(fault)),
                }
            }
            ExchangeEvent::ResponseSent { peer, .. } => {
                let end = self.clock.now().after(FAREWELL);
                address::node(peer).map(|node| self.leaving.insert(node, end));
            }
            ExchangeEvent::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a stranger did not hear its answer");
                if !matches!(error, InboundFailure::ConnectionClosed) {
                    let _ = self.swarm.disconnect_peer_id(peer);
                }
            }
            // This node shows no ticket here.
            ExchangeEvent::Message { .. } | ExchangeEvent::OutboundFailure { .. } => {}
        }
    }
}

/// Whether a peer does not have a protocol. A stream that negotiates while it is written to says so late.
pub(super) fn is_not_spoken(error: &OutboundFailure) -> bool {
    match error {
        OutboundFailure::UnsupportedProtocols => true,
        OutboundFailure::Io(error) => error.get_ref().is_some_and(|inner| inner.is::<NegotiationError>()),
        _ => false,
    }
}
