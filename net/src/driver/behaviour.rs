//! What runs on a connection, and the swarm that carries it.
//!
//! Owns the choice of transports, protocols and their limits. Decides nothing about peers: that is the
//! [`Gate`]'s. Invariant: every limit of the transport has a name here.

use std::collections::HashSet;
use std::time::Duration;

use libp2p::core::upgrade::Version;
use libp2p::gossipsub::{
    self, IdentTopic, MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, TopicScoreParams,
    ValidationMode, WhitelistSubscriptionFilter,
};
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, behaviour::toggle::Toggle};
use libp2p::{
    StreamProtocol, Swarm, SwarmBuilder, connection_limits, identify, mdns, ping, relay, request_response,
};
use xyn_store::Digest;
use xyn_store::trust::EnvId;

use super::codec::{Codec, READING_BYTES_MAX, Room, SHARE_BYTES};
use super::gate::{Gate, Guard};
use super::news::{Gossipsub, News};
use super::punch::Punch;
use super::spare::Spare;
use super::transport::{self, MUXED_STREAMS_MAX, Roll, Transport};
use super::{Config, StartError};
use crate::proto::join::door::{REDEEM_BYTES_MAX, STRANGERS_MAX};
use crate::wire::blobs::{Answer, Ask};
use crate::wire::contacts::Contacts;
use crate::wire::runs::Runs;
use crate::wire::{self, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, Message};

/// Connections whose handshake is not done, each way.
pub(super) const PENDING_MAX: u32 = 64;
/// Connections that others made to this node; strangers take [`STRANGERS_MAX`] of them at most.
pub const INCOMING_MAX: u32 = 384;
/// Connections in all.
pub(super) const CONNECTIONS_MAX: u32 = 512;
/// Connections with one peer: both dialled at once, and a pair from before that is not noticed to be dead.
pub(super) const CONNECTIONS_PER_PEER: u32 = 4;
/// Connections that one stranger made; a second one while the first is not known to be dead.
pub(super) const STRANGER_CONNECTIONS: usize = 2;
/// Messages of one protocol under way on one connection, both ways together. An honest pair of nodes stays far
/// below: the cores ask for little at a time.
pub(super) const STREAMS_MAX: usize = 64;
/// The same of protocols in which little is said.
const QUIET_STREAMS_MAX: usize = 16;
/// The same at the door: a stranger says one thing, and one that says another as well is heard and sent away.
pub(super) const DOOR_STREAMS_MAX: usize = 2;
/// News that wait for one neighbour to take them; what is more is not sent to it. Each may be a message long.
pub(super) const NEWS_WAITING_MAX: usize = 32;
/// News that one neighbour is told of in a message, to ask for what it has not heard, and how long that message may be
/// (by itself libp2p sends more of them than it takes).
pub(super) const ANNOUNCED_MAX: usize = 4096;
const ANNOUNCED_BYTES_MAX: usize = 256 << 10;
/// Members of an environment up to which news go to everybody in one hop, where the settings say no other number.
pub const EXPLICIT_MAX: usize = 16;
/// How long a handshake may take.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Members that may be reached through this node at a time, when it relays.
pub(super) const RESERVATIONS_MAX: usize = 64;
/// Connections that go through it at a time, and of one member.
pub(super) const CIRCUITS_MAX: usize = 64;
pub(super) const CIRCUITS_PER_PEER: usize = 4;
/// How long one may last, and how much may go through it. Both ends make another one then.
pub(super) const CIRCUIT_DURATION: Duration = Duration::from_secs(3600);
pub(super) const CIRCUIT_BYTES_MAX: u64 = 4 << 30;
/// How often is asked who is on the local network. Whoever hears an answer need not ask itself, so a network
/// carries one question and an answer of each member in this time.
pub(super) const DISCOVERY_INTERVAL: Duration = Duration::from_secs(10);
/// How long an answer holds: three that get lost. One that comes after that is a discovery again.
const DISCOVERY_TTL: Duration = Duration::from_secs(35);
/// How often is asked whether a peer is still there, and how long its answer may take: a link that went silent
/// is noticed after both, and the peer is dialled where else it may be.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The protocol of news.
pub(super) const GOSSIP: &str = "/xyn/gossip/1";
/// The answer that says no more than that a message was heard.
const ACK_BYTES_MAX: usize = 0;

const _: () = assert!(
    STRANGERS_MAX * STRANGER_CONNECTIONS < INCOMING_MAX as usize,
    "a crowd at the door keeps no member out"
);
const _: () = assert!(
    // Sync and blobs; witness, contacts and runs; the door; news, identify and ping each way.
    2 * STREAMS_MAX + 3 * QUIET_STREAMS_MAX + DOOR_STREAMS_MAX + 8 < MUXED_STREAMS_MAX,
    "no protocol's messages make a connection of honest nodes close"
);

const _: () = assert!(
    // A digest, its tag and its length each, and the topic.
    ANNOUNCED_MAX * (Digest::BYTES + 2) + 256 <= ANNOUNCED_BYTES_MAX,
    "what an honest node announces is read"
);
const _: () = assert!(
    // libp2p counts with a message what was read of the next one.
    FRAME_BYTES_MAX + (16 << 10) <= MESSAGE_BYTES_MAX && ANNOUNCED_BYTES_MAX < FRAME_BYTES_MAX,
    "what an honest node says is a message"
);

/// Messages, each on a stream of its own.
pub(super) type Exchange = request_response::Behaviour<Codec>;
/// What happens in one.
pub(super) type ExchangeEvent = request_response::Event<super::codec::Arrived, Vec<u8>>;

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
    pub(super) news: News,
    sync: Exchange,
    witness: Exchange,
    contacts: Exchange,
    runs: Exchange,
    /// A newcomer that did not hear its answer is a member when it asks again.
    join: Exchange,
    pub(super) blobs: Exchange,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    /// Carries others' connections.
    relay: Toggle<relay::Behaviour>,
    /// Reaches others through members that do, is reached so where the settings name some, and then tries to
    /// do without.
    through: relay::client::Behaviour,
    punch: Punch,
}

/// A protocol whose messages need no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Talk {
    Sync,
    Witness,
    Contacts,
    Runs,
}

impl Talk {
    pub(super) fn protocol(self) -> &'static str {
        match self {
            Self::Sync => wire::Sync::PROTOCOL,
            Self::Witness => wire::Witness::PROTOCOL,
            Self::Contacts => Contacts::PROTOCOL,
            Self::Runs => Runs::PROTOCOL,
        }
    }
}

impl Members {
    pub(super) fn exchange(&mut self, talk: Talk) -> &mut Exchange {
        match talk {
            Talk::Sync => &mut self.sync,
            Talk::Witness => &mut self.witness,
            Talk::Contacts => &mut self.contacts,
            Talk::Runs => &mut self.runs,
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
    roll: &Roll,
    spare: &Spare,
    settings: &Config,
) -> Result<Swarm<Wire>, StartError> {
    let (me, timeout) = (keypair.public().to_peer_id(), settings.message_timeout);
    let discovery = match settings.discover {
        true => Some(mdns::tokio::Behaviour::new(discovery(), me)),
        false => None,
    };
    let (transport, through) = transport::relayed(&keypair, roll)?;
    let room = Room::new(READING_BYTES_MAX, SHARE_BYTES);
    let talk =
        |protocol, max, streams| exchange(protocol, (max, ACK_BYTES_MAX), timeout, streams, room.too());
    let members = Members {
        news: News::new(gossip(env), topic(env).hash(), timeout),
        sync: talk(wire::Sync::PROTOCOL, wire::Sync::BYTES_MAX, STREAMS_MAX),
        witness: talk(wire::Witness::PROTOCOL, wire::Witness::BYTES_MAX, QUIET_STREAMS_MAX),
        contacts: talk(Contacts::PROTOCOL, Contacts::BYTES_MAX, QUIET_STREAMS_MAX),
        runs: talk(Runs::PROTOCOL, Runs::BYTES_MAX, QUIET_STREAMS_MAX),
        join: door(timeout, room.too()),
        blobs: blobs(timeout, spare.clone()),
        identify: identify::Behaviour::new(
            identify::Config::new("/xyn/1".into(), keypair.public())
                .with_agent_version(concat!("xyn/", env!("CARGO_PKG_VERSION")).into())
                .with_cache_size(0),
        ),
        ping: ping::Behaviour::new(
            ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT),
        ),
        relay: settings.is_relay.then(|| relay::Behaviour::new(me, circuits())).into(),
        punch: Punch::new(me),
        through,
    };
    let wire = Wire {
        limits: connection_limits::Behaviour::new(limits(settings.incoming_max)),
        discovery: discovery.transpose().map_err(StartError::Discovery)?.into(),
        gate: Gate::new(guard, members, door(timeout, room.too())),
    };
    Ok(swarm(keypair, transport, wire))
}

/// The swarm of a node that has a ticket: it speaks join and nothing else.
pub(super) fn guest(keypair: Keypair, timeout: Duration) -> Result<Swarm<Exchange>, StartError> {
    let transport = transport::direct(&keypair, &Roll::unknown())?;
    Ok(swarm(keypair, transport, door(timeout, Room::new(READING_BYTES_MAX, READING_BYTES_MAX))))
}

/// Blobs have room of their own: many large answers that come slowly keep no other message waiting. What comes was
/// asked for, so that one source may have all of it.
fn blobs(timeout: Duration, spare: Spare) -> Exchange {
    let room = Room::new(READING_BYTES_MAX, READING_BYTES_MAX).with(spare);
    exchange(Ask::PROTOCOL, (Ask::BYTES_MAX, Answer::BYTES_MAX), timeout, STREAMS_MAX, room)
}

fn door(timeout: Duration, room: Room) -> Exchange {
    let bytes_max = (REDEEM_BYTES_MAX, wire::Join::BYTES_MAX);
    exchange(wire::Join::PROTOCOL, bytes_max, timeout, DOOR_STREAMS_MAX, room)
}

fn exchange(
    protocol: &'static str,
    (request_bytes_max, response_bytes_max): (usize, usize),
    timeout: Duration,
    streams_max: usize,
    room: Room,
) -> Exchange {
    // Only what may be long is worth the work.
    let packs = [wire::Sync::PROTOCOL, Runs::PROTOCOL].contains(&protocol);
    let codec = Codec { request_bytes_max, response_bytes_max, timeout, packs, room };
    // The codec's own limit comes first, so that a slow peer is told from one that is gone.
    let config = request_response::Config::default()
        .with_request_timeout(timeout.saturating_mul(2))
        .with_max_concurrent_streams(streams_max);
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
        .max_control_messages_sent(ANNOUNCED_MAX)
        .max_control_message_size(ANNOUNCED_BYTES_MAX)
        .connection_handler_queue_len(NEWS_WAITING_MAX)
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

fn limits(incoming_max: u32) -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_MAX))
        .with_max_pending_outgoing(Some(PENDING_MAX))
        .with_max_established_incoming(Some(incoming_max))
        .with_max_established(Some(CONNECTIONS_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER))
}

fn discovery() -> mdns::Config {
    mdns::Config { ttl: DISCOVERY_TTL, query_interval: DISCOVERY_INTERVAL, ..mdns::Config::default() }
}

/// Relaying is for members, so what keeps strangers of the open internet at bay does not apply.
fn circuits() -> relay::Config {
    relay::Config {
        max_reservations: RESERVATIONS_MAX,
        max_circuits: CIRCUITS_MAX,
        max_circuits_per_peer: CIRCUITS_PER_PEER,
        max_circuit_duration: CIRCUIT_DURATION,
        max_circuit_bytes: CIRCUIT_BYTES_MAX,
        ..relay::Config::default()
    }
}

fn swarm<B: NetworkBehaviour>(keypair: Keypair, transport: Transport, behaviour: B) -> Swarm<B> {
    let builder = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_other_transport(|_| transport)
        .expect("making the transport cannot fail: it is here already")
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
    built.build()
}
