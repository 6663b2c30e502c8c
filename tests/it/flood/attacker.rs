//! Peers that keep to no rule but the transport's: whoever holds a key can write one.
//!
//! Owns their sockets, on libp2p as it comes, with none of the program's limits. Invariant: an attacker lives as
//! long as the test lets it, whatever becomes of its connection.

use std::io;
use std::time::Duration;

use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, MessageId, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Event, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{Multiaddr, StreamProtocol, SwarmBuilder, noise, ping, tcp, yamux};
use xyn_store::Digest;
use xyn_store::audit::key::NodeKey;

/// News as large as may be, and larger.
const NEWS_BYTES_MAX: usize = 2 << 20;
/// How long an attacker stays where it is not wanted.
const STAY: Duration = Duration::from_secs(3600);
/// How soon it comes back: each time costs the node a handshake, and a slow machine has other things to do.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Writes what it is given as it is, waits for ever when that is not all, and never listens.
#[derive(Clone, Default)]
struct Rude;

impl request_response::Codec for Rude {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = ();

    async fn read_request<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        std::future::pending().await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<()>
    where
        T: AsyncRead + Unpin + Send,
    {
        io.read_exact(&mut [0; 4]).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&request).await?;
        io.flush().await?;
        let announced = request.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize + 4);
        if announced == request.len() { Ok(()) } else { std::future::pending().await }
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, _: &mut T, (): ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        std::future::pending().await
    }
}

/// What writes, and seems alive.
#[derive(NetworkBehaviour)]
struct Writer {
    exchange: request_response::Behaviour<Rude>,
    ping: ping::Behaviour,
}

/// Connects to `host` and writes `streams`, each on a stream of its own of this protocol.
pub(super) async fn write(key: NodeKey, host: String, protocol: &'static str, streams: Vec<Vec<u8>>) {
    let protocols = [(StreamProtocol::new(protocol), ProtocolSupport::Full)];
    let config = request_response::Config::default()
        .with_request_timeout(STAY)
        .with_max_concurrent_streams(streams.len().max(1));
    let exchange = request_response::Behaviour::new(protocols, config);
    let mut swarm = dial(&key, &host, Writer { exchange, ping: ping::Behaviour::default() });
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                for bytes in &streams {
                    swarm.behaviour_mut().exchange.send_request(&peer_id, bytes.clone());
                }
            }
            event => insist(&mut swarm, &host, &event).await,
        }
    }
}

/// Connects to `host` and says `messages`, each when the one before was heard.
pub(crate) async fn say(key: NodeKey, host: String, protocol: &'static str, messages: Vec<Vec<u8>>) {
    let protocols = [(StreamProtocol::new(protocol), ProtocolSupport::Full)];
    let exchange: request_response::Behaviour<Rude> =
        request_response::Behaviour::new(protocols, request_response::Config::default());
    let mut swarm = dial(&key, &host, exchange);
    let mut left = messages.iter();
    loop {
        let peer = match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                left = messages.iter();
                peer_id
            }
            SwarmEvent::Behaviour(Event::Message { peer, message: Message::Response { .. }, .. }) => peer,
            event => {
                insist(&mut swarm, &host, &event).await;
                continue;
            }
        };
        if let Some(message) = left.next() {
            swarm.behaviour_mut().send_request(&peer, super::whole(message));
        }
    }
}

/// Connects to `host` and publishes `news` as soon as it listens to them.
pub(crate) async fn gossip(key: NodeKey, host: String, topic: String, news: Vec<Vec<u8>>) {
    let config = gossipsub::ConfigBuilder::default()
        .protocol_id("/xyn/gossip/1", gossipsub::Version::V1_1)
        .validation_mode(ValidationMode::Anonymous)
        .message_id_fn(|message| MessageId::new(Digest::of(&message.data).as_bytes()))
        .max_transmit_size(NEWS_BYTES_MAX)
        .build()
        .expect("the settings are constants");
    let gossip: gossipsub::Behaviour =
        gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config).expect("the settings fit");
    let (mut swarm, topic) = (dial(&key, &host, gossip), IdentTopic::new(topic));
    swarm.behaviour_mut().subscribe(&topic).expect("nothing forbids it");
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(gossipsub::Event::Subscribed { .. }) => {
                for bytes in &news {
                    // Its own limits are not what is tried.
                    let _ = swarm.behaviour_mut().publish(topic.clone(), bytes.clone());
                }
            }
            event => insist(&mut swarm, &host, &event).await,
        }
    }
}

pub(super) fn dial<B: NetworkBehaviour>(key: &NodeKey, host: &str, behaviour: B) -> Swarm<B> {
    let keypair = Keypair::ed25519_from_bytes(key.transport_secret()).expect("32 bytes are a secret");
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .expect("a key")
        .with_quic()
        .with_behaviour(|_| behaviour)
        .expect("nothing can fail")
        .with_swarm_config(|config| config.with_idle_connection_timeout(STAY))
        .build();
    swarm.dial(host.parse::<Multiaddr>().expect("an address")).expect("nothing denies it");
    swarm
}

/// Comes back, whenever it was sent away.
async fn insist<B: NetworkBehaviour>(swarm: &mut Swarm<B>, host: &str, event: &SwarmEvent<B::ToSwarm>) {
    if let SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } = event {
        tokio::time::sleep(AGAIN_AFTER).await;
        // It may be on its way already.
        let _ = swarm.dial(host.parse::<Multiaddr>().expect("an address"));
    }
}
