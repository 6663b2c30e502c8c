//! Joining with a ticket.
//!
//! Owns a swarm of its own that speaks join and nothing else, for as long as it takes. Invariant: the ticket's
//! secret goes to the ticket's node only.

use std::time::Duration;

use libp2p::futures::StreamExt;
use libp2p::request_response::Message;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{DialError, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId};
use xyn_store::Clock;
use xyn_store::audit::key::NodeKey;
use xyn_store::trust::{Placed, Roster, Seat, Ticket};

use super::behaviour::{self, Exchange, ExchangeEvent};
use super::{StartError, address, codec};
use crate::proto::join::guest::{Guest, Input, NotJoined, Output};
use crate::proto::sync::TICK;
use crate::wire;

/// The time between two attempts to reach the ticket's node.
const RETRY: Duration = Duration::from_secs(1);

/// Why a node was not let in.
#[derive(Debug, thiserror::Error)]
pub enum NotLetIn {
    /// The transport did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A ticket with no address that this node understands.
    #[error("the ticket names no node that can be reached")]
    Nowhere,
    /// Nobody let it in.
    #[error(transparent)]
    NotJoined(#[from] NotJoined),
}

/// Redeems a ticket: the statements to keep, and the roster they add up to. The node with this key must not
/// be a member of the environment already.
pub async fn join(key: &NodeKey, ticket: Ticket, clock: &Clock) -> Result<(Vec<Placed>, Roster), NotLetIn> {
    let peer = address::peer_id(ticket.issuer);
    let addresses = ticket.addresses.iter().filter_map(|text| address::parse(text).ok());
    let addresses: Vec<Multiaddr> = addresses.map(|address| address::split(address).0).collect();
    if addresses.is_empty() {
        return Err(NotLetIn::Nowhere);
    }
    let consent = Seat::Under(ticket.issuer).agree(ticket.env, key);
    let guest = Guest::new(key.public(), ticket, consent, clock.now());
    let swarm = behaviour::guest(address::keypair(key), codec::MESSAGE_TIMEOUT)?;
    Visit { swarm, peer, addresses, guest, clock }.run().await
}

struct Visit<'a> {
    swarm: Swarm<Exchange>,
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    guest: Guest,
    clock: &'a Clock,
}

impl Visit<'_> {
    async fn run(mut self) -> Result<(Vec<Placed>, Roster), NotLetIn> {
        let mut ticks = tokio::time::interval(TICK);
        let mut retries = tokio::time::interval(RETRY);
        loop {
            let input = tokio::select! {
                event = self.swarm.select_next_some() => happened(event),
                _ = ticks.tick() => Some(Input::Tick),
                _ = retries.tick() => {
                    self.dial();
                    None
                }
            };
            let now = self.clock.now();
            match input.and_then(|input| self.guest.handle(input, now)) {
                Some(Output::Send(message)) => {
                    self.swarm.behaviour_mut().send_request(&self.peer, Ok(wire::encode(&message)));
                }
                Some(Output::Joined { statements, roster }) => return Ok((statements, roster)),
                Some(Output::Failed(reason)) => return Err(reason.into()),
                None => {}
            }
        }
    }

    /// Does nothing while the node is connected or being dialled.
    fn dial(&mut self) {
        let options = DialOpts::peer_id(self.peer).addresses(self.addresses.clone()).build();
        if let Err(error) = self.swarm.dial(options) {
            tracing::trace!(%error, "not dialling");
        }
    }
}

fn happened(event: SwarmEvent<ExchangeEvent>) -> Option<Input> {
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, .. } => address::node(peer_id).map(Input::Connected),
        SwarmEvent::OutgoingConnectionError { error: DialError::WrongPeerId { obtained, .. }, .. } => {
            address::node(obtained).map(Input::Connected)
        }
        SwarmEvent::OutgoingConnectionError { error, .. } => {
            tracing::debug!(%error, "the ticket's node was not reached");
            None
        }
        SwarmEvent::Behaviour(ExchangeEvent::Message {
            message: Message::Response { response, .. }, ..
        }) => Some(Input::Received(response)),
        _ => None,
    }
}
