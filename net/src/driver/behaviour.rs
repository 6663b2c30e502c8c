//! What runs on a connection, and the swarm that carries it.
//!
//! Owns the choice of transports, protocols and their limits. Decides nothing about peers: that is the
//! [`Gate`]'s. Invariant: every limit of the transport has a name here.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use libp2p::core::upgrade::Version;
use libp2p::gossipsub::{
    self, IdentTopic, IdentityTransform, MessageAuthenticity, MessageId, PeerScoreParams,
    PeerScoreThresholds, TopicScoreParams, ValidationMode, WhitelistSubscriptionFilter,
};
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, behaviour::toggle::Toggle};
use libp2p::{
    StreamProtocol, Swarm, SwarmBuilder, connection_limits, identify, mdns, noise, ping, request_response,
    tcp, yamux,
};
use tokio::sync::Semaphore;
use xyn_store::Digest;
use xyn_store::trust::EnvId;

use super::StartError;
use super::codec::{Codec, READING_BYTES_MAX};
use super::gate::{Gate, Guard};
use crate::proto::join::door::{REDEEM_BYTES_MAX, STRANGERS_MAX};
use crate::wire::{self, MESSAGE_BYTES_MAX, Message};

/// Connections whose handshake is not done, each way.
pub(super) const PENDING_MAX: u32 = 64;
/// Connections that others made to this node; strangers take [`STRANGERS_MAX`] of them at most.
pub(super) const INCOMING_MAX: u32 = 384;
/// Connections in all.
pub(super) const CONNECTIONS_MAX: u32 = 512;
/// Connections with one peer: both dialled at once, and a pair from before that is not noticed to be dead.
pub(super) const CONNECTIONS_PER_PEER: u32 = 4;
/// Messages under way on one connection, each way and protocol together. An honest pair of nodes stays far
/// below: the cores ask for little at a time.
pub(super) const STREAMS_MAX: usize = 64;
/// Members of an environment up to which everybody sends news to everybody, in one hop. In a larger one news
/// travel in a mesh.
pub(super) const EXPLICIT_MAX: usize = 16;
/// How long a handshake may take.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The protocol of news.
const GOSSIP: &str = "/xyn/gossip/1";
/// The answer that says no more than that a message was heard.
const ACK_BYTES_MAX: usize = 0;

const _: () = assert!(
    STRANGERS_MAX * (CONNECTIONS_PER_PEER as usize) < INCOMING_MAX as usize,
    "a crowd at the door keeps no member out"
);

/// Messages, each on a stream of its own.
pub(super) type Exchange = request_response::Behaviour<Codec>;
/// What happens in one.
pub(super) type ExchangeEvent = request_response::Event<super::codec::Arrived, Vec<u8>>;
/// News.
pub(super) type Gossipsub = gossipsub::Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

/// Everything on the wire. The gate is last, so that nobody whom it let in is turned away afterwards.
#[derive(NetworkBehaviour)]
pub(super) struct Wire {
    limits: connection_limits::Behaviour,
    discovery: Toggle<mdns::tokio::Behaviour>,
    pub(super) gate: Gate<Members, Exchange>,
}

/// What members speak. Strangers speak join, in an [`Exchange`].
#[derive(NetworkBehaviour)]
pub(super) struct Members {
    pub(super) gossip: Gossipsub,
    sync: Exchange,
    witness: Exchange,
    /// A newcomer that did not hear its answer is a member when it asks again.
    join: Exchange,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// A protocol whose messages need no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Talk {
    Sync,
    Witness,
}

impl Talk {
    pub(super) fn protocol(self) -> &'static str {
        match self {
            Self::Sync => wire::Sync::PROTOCOL,
            Self::Witness => wire::Witness::PROTOCOL,
        }
    }
}

impl Members {
    pub(super) fn exchange(&mut self, talk: Talk) -> &mut Exchange {
        match talk {
            Talk::Sync => &mut self.sync,
            Talk::Witness => &mut self.witness,
        }
    }
}

/// The topic of an environment.
pub(super) fn topic(env: EnvId) -> IdentTopic {
    IdentTopic::new(format!("xyn/{env}"))
}

/// The swarm of a node in an environment.
pub(super) fn mesh(
    keypair: Keypair,
    env: EnvId,
    guard: Guard,
    discover: bool,
    timeout: Duration,
) -> Result<Swarm<Wire>, StartError> {
    let discovery = match discover {
        true => Some(mdns::tokio::Behaviour::new(mdns::Config::default(), keypair.public().to_peer_id())),
        false => None,
    };
    let budget = Arc::new(Semaphore::new(READING_BYTES_MAX));
    let talk = |protocol, max| exchange(protocol, (max, ACK_BYTES_MAX), timeout, &budget);
    let members = Members {
        gossip: gossip(env),
        sync: talk(wire::Sync::PROTOCOL, wire::Sync::BYTES_MAX),
        witness: talk(wire::Witness::PROTOCOL, wire::Witness::BYTES_MAX),
        join: door(timeout, &budget),
        identify: identify::Behaviour::new(
            identify::Config::new("/xyn/1".into(), keypair.public())
                .with_agent_version(concat!("xyn/", env!("CARGO_PKG_VERSION")).into())
                .with_push_listen_addr_updates(true)
                .with_cache_size(0),
        ),
        ping: ping::Behaviour::default(),
    };
    let wire = Wire {
        limits: connection_limits::Behaviour::new(limits()),
        discovery: discovery.transpose().map_err(StartError::Discovery)?.into(),
        gate: Gate::new(guard, members, door(timeout, &budget)),
    };
    swarm(keypair, wire)
}

/// The swarm of a node that has a ticket: it speaks join and nothing else.
pub(super) fn guest(keypair: Keypair, timeout: Duration) -> Result<Swarm<Exchange>, StartError> {
    swarm(keypair, door(timeout, &Arc::new(Semaphore::new(READING_BYTES_MAX))))
}

fn door(timeout: Duration, budget: &Arc<Semaphore>) -> Exchange {
    exchange(wire::Join::PROTOCOL, (REDEEM_BYTES_MAX, wire::Join::BYTES_MAX), timeout, budget)
}

fn exchange(
    protocol: &'static str,
    (request_bytes_max, response_bytes_max): (usize, usize),
    timeout: Duration,
    budget: &Arc<Semaphore>,
) -> Exchange {
    let codec = Codec { request_bytes_max, response_bytes_max, timeout, budget: Arc::clone(budget) };
    // The codec's own limit comes first, so that a slow peer is told from one that is gone.
    let config = request_response::Config::default()
        .with_request_timeout(timeout.saturating_mul(2))
        .with_max_concurrent_streams(STREAMS_MAX);
    let protocols = [(StreamProtocol::new(protocol), request_response::ProtocolSupport::Full)];
    Exchange::with_codec(codec, protocols, config)
}

fn gossip(env: EnvId) -> Gossipsub {
    let config = gossipsub::ConfigBuilder::default()
        .protocol_id(GOSSIP, gossipsub::Version::V1_1)
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::new(Digest::of(&message.data).as_bytes()))
        .max_transmit_size(MESSAGE_BYTES_MAX)
        .build()
        .expect("the settings are constants");
    let topic = topic(env);
    let known = WhitelistSubscriptionFilter(HashSet::from([topic.hash()]));
    // Records are signed: whoever forwards them need not sign as well.
    let mut gossip = Gossipsub::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, known)
        .expect("the settings are constants");
    let scored = gossip.with_peer_score(scores(&topic), PeerScoreThresholds::default());
    scored.expect("the settings are constants");
    gossip.subscribe(&topic).expect("the filter knows the topic");
    gossip
}

/// A quiet member is a good one, and a whole team may sit behind one address: what costs are false messages.
fn scores(topic: &IdentTopic) -> PeerScoreParams {
    let of_topic = TopicScoreParams {
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -100.0,
        ..TopicScoreParams::default()
    };
    PeerScoreParams {
        topics: [(topic.hash(), of_topic)].into(),
        ip_colocation_factor_weight: 0.0,
        ..PeerScoreParams::default()
    }
}

fn limits() -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_MAX))
        .with_max_pending_outgoing(Some(PENDING_MAX))
        .with_max_established_incoming(Some(INCOMING_MAX))
        .with_max_established(Some(CONNECTIONS_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER))
}

fn swarm<B: NetworkBehaviour>(keypair: Keypair, behaviour: B) -> Result<Swarm<B>, StartError> {
    let builder = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(StartError::Noise)?
        .with_quic()
        .with_behaviour(|_| behaviour)
        .expect("making the behaviour cannot fail: it is here already");
    let built = builder
        .with_swarm_config(|config| {
            config
                .with_smart_dial()
                // A stream costs no round trip of its own: each speaks one protocol, its dialler first.
                .with_substream_upgrade_protocol_override(Version::V1Lazy)
                // Members stay connected, and the door closes on strangers by itself.
                .with_idle_connection_timeout(Duration::from_secs(u64::MAX))
        })
        .with_connection_timeout(HANDSHAKE_TIMEOUT);
    Ok(built.build())
}
