//! What strangers and rude members get.

use libp2p::futures::{AsyncRead, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::request_response::{self, Message as Said, OutboundFailure, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{Multiaddr, StreamProtocol, SwarmBuilder, identify, noise, ping, tcp, yamux};

use xyn_store::Digest;
use xyn_store::trust::{Head, NotAdmitted, NotRedeemed, Seat, TicketId, TicketSecret};

use super::people::{checkpoint, env, feed, key, public, roster};
use super::*;
use crate::driver::address;
use crate::driver::behaviour::{GOSSIP, STRANGER_CONNECTIONS};
use crate::proto::conduct::{BYTES_BURST, BYTES_PER_SECOND, Misdeed, UNHEARD_BYTES_MAX};
use crate::proto::join::door::{self, STRANGERS_MAX};
use crate::proto::sync::CREDIT_BYTES;
use crate::wire::{self, Join, Message as _, Redeem};

const ALICE: u8 = 1;
const MALLORY: u8 = 66;

/// Writes what it is given as it is, waits for ever when that is not all, and never listens.
#[derive(Clone, Default)]
struct Rude;

impl request_response::Codec for Rude {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        std::future::pending().await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut length = [0; 4];
        libp2p::futures::AsyncReadExt::read_exact(io, &mut length).await?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        libp2p::futures::AsyncReadExt::read_exact(io, &mut bytes).await?;
        Ok(bytes)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&request).await?;
        io.flush().await?;
        // What is announced and does not come keeps the stream open; what announces nothing ends it.
        let Some(length) = request.first_chunk() else { return Ok(()) };
        match u32::from_be_bytes(*length) as usize + 4 == request.len() {
            true => Ok(()),
            false => std::future::pending().await,
        }
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }
}

/// What it speaks: one protocol; it says so, and answers when it is asked whether it is there.
#[derive(NetworkBehaviour)]
struct Tongue {
    exchange: request_response::Behaviour<Rude>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// A peer of its own making.
pub(super) struct Intruder {
    swarm: Swarm<Tongue>,
    host: libp2p::PeerId,
}

impl Intruder {
    pub(super) async fn at(host: &Node, protocol: &'static str) -> Self {
        Self::with(MALLORY, host, protocol).await
    }

    async fn with(who: u8, host: &Node, protocol: &'static str) -> Self {
        let protocols = [(StreamProtocol::new(protocol), ProtocolSupport::Full)];
        let exchange = request_response::Behaviour::new(protocols, request_response::Config::default());
        let keypair = address::keypair(&key(who));
        let identify = identify::Behaviour::new(identify::Config::new("/xyn/1".into(), keypair.public()));
        let behaviour = Tongue { exchange, identify, ping: ping::Behaviour::default() };
        let mut swarm = SwarmBuilder::with_existing_identity(keypair)
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .expect("a key")
            .with_quic()
            .with_behaviour(|_| behaviour)
            .expect("nothing can fail")
            .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
            .build();
        let (place, peer) = address::split(host.address.parse::<Multiaddr>().expect("an address"));
        swarm.dial(place).expect("nothing denies it");
        let mut intruder = Self { swarm, host: peer.expect("nodes say who they are") };
        intruder
            .happens(|event| matches!(event, SwarmEvent::ConnectionEstablished { .. }).then_some(()))
            .await;
        intruder
    }

    fn say(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
        self.write([&length, bytes].concat());
    }

    async fn say_and_is_heard(&mut self, bytes: &[u8]) -> bool {
        self.say(bytes);
        self.answer().await.is_ok()
    }

    pub(super) fn write(&mut self, bytes: Vec<u8>) {
        self.swarm.behaviour_mut().exchange.send_request(&self.host, bytes);
    }

    async fn happens<T>(&mut self, pick: impl Fn(SwarmEvent<TongueEvent>) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = pick(self.swarm.select_next_some().await) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("it happens")
    }

    /// Lets its swarm run while `node` sees to it.
    pub(super) async fn beside<T>(&mut self, node: impl Future<Output = T>) -> T {
        tokio::select! {
            found = node => found,
            () = async { loop { self.swarm.select_next_some().await; } } => unreachable!("a swarm never ends"),
        }
    }

    async fn answer(&mut self) -> Result<Vec<u8>, OutboundFailure> {
        self.happens(|event| match event {
            SwarmEvent::Behaviour(TongueEvent::Exchange(request_response::Event::Message {
                message: Said::Response { response, .. },
                ..
            })) => Some(Ok(response)),
            SwarmEvent::Behaviour(TongueEvent::Exchange(request_response::Event::OutboundFailure {
                error,
                ..
            })) => Some(Err(error)),
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn a_stranger_is_heard_at_the_door_and_nowhere_else() {
    let mut alice = node(ALICE, &roster(&[ALICE], &[])).with_records(3).start().await;
    let inner = [
        wire::Sync::PROTOCOL,
        wire::Witness::PROTOCOL,
        wire::blobs::Ask::PROTOCOL,
        GOSSIP,
        "/ipfs/id/1.0.0",
        "/ipfs/ping/1.0.0",
    ];
    for protocol in inner {
        let mut mallory = Intruder::at(&alice, protocol).await;
        mallory.say(&wire::encode(&wire::Sync::Want { feed: feed(ALICE), after: 0, credit: 1 << 20 }));
        let answer = mallory.answer().await;
        assert!(matches!(answer, Err(OutboundFailure::UnsupportedProtocols)), "{protocol}: {answer:?}");
    }
    assert!(alice.status().await.peers.is_empty());

    let mut mallory = Intruder::at(&alice, Join::PROTOCOL).await;
    let consent = Seat::Under(public(ALICE)).agree(env(), &key(MALLORY));
    let secret = TicketSecret::from_bytes([0; 16]);
    let redeem = Redeem { env: env(), ticket: TicketId([0; 8]), secret, consent };
    mallory.say(&wire::encode(&Join::Redeem(redeem)));
    let answer = wire::decode::<Join>(&mallory.answer().await.expect("the door answers"));
    assert_eq!(answer.expect("a message"), Join::Refused(NotRedeemed::Unknown));
    mallory.happens(|event| matches!(event, SwarmEvent::ConnectionClosed { .. }).then_some(())).await;

    let mut mallory = Intruder::at(&alice, Join::PROTOCOL).await;
    mallory.say(b"hello");
    let rude = alice.hear_refused(MALLORY, |_| true);
    let rude = mallory.beside(rude).await;
    assert_eq!(rude, Refusal::Door(door::Closing::Rude));
}

#[tokio::test]
async fn a_member_in_its_own_eyes_only_gets_nothing() {
    let alice = node(ALICE, &roster(&[ALICE], &[])).with_records(3).start().await;
    let mallory = node(MALLORY, &roster(&[ALICE, MALLORY], &[])).with_records(2);
    let mut mallory = mallory.dialling(&[&alice]).start().await;
    mallory.hear_connected(ALICE).await;
    mallory.mesh.signed(checkpoint(MALLORY)).await.expect("it runs");
    mallory.hear_refused(ALICE, |why| *why == Refusal::Protocol(wire::Witness::PROTOCOL)).await;
    mallory.write().await;
    // It goes and comes again with that record: what it had to say it has said twice by the second refusal.
    let disk = mallory.stop().await;
    let mallory = Start { disk, ..node(MALLORY, &roster(&[ALICE, MALLORY], &[])) };
    let mut mallory = mallory.dialling(&[&alice]).start().await;
    mallory.hear_connected(ALICE).await;
    mallory.mesh.signed(checkpoint(MALLORY)).await.expect("it runs");
    mallory.hear_refused(ALICE, |why| *why == Refusal::Protocol(wire::Witness::PROTOCOL)).await;
    let status = alice.status().await;
    assert!(status.peers.is_empty() && status.traffic.bytes_in == 0 && status.traffic.bytes_out == 0);
    assert_eq!((alice.length(MALLORY), mallory.length(ALICE)), (0, 0));
}

#[tokio::test]
async fn each_message_that_is_none_is_refused_by_name() {
    for transport in TRANSPORTS {
        let team = roster(&[ALICE, MALLORY], &[]);
        let too_long = (u32::try_from(wire::MESSAGE_BYTES_MAX).expect("1 MiB") + 1).to_be_bytes().to_vec();
        let newer = vec![0, 0, 0, 2, 2, 0];
        let slow = vec![0, 0, 0, 9, 1];
        let (badly_packed, cut) = (vec![0x80, 0, 0, 3, 1, 2, 3], vec![0, 0]);
        let cases: [(Vec<u8>, usize, &str); 5] = [
            (too_long, 1, "too_large"),
            (newer, 2, "newer"),
            (slow, 1, "slow"),
            (badly_packed, 1, "packed_wrong"),
            (cut, 1, "cut_short"),
        ];
        for (bytes, times, label) in cases {
            let mut alice = Start { transport: transport.into(), ..node(ALICE, &team) }.start().await;
            let mut mallory = Intruder::at(&alice, wire::Sync::PROTOCOL).await;
            (0..times).for_each(|_| mallory.write(bytes.clone()));
            let refused = alice.hear_refused(MALLORY, |why| why.label() != "protocol");
            let why = mallory.beside(refused).await;
            assert_eq!(why.label(), label, "{why}");
            let gone = alice.hear(|event| matches!(event, Event::Disconnected(_)).then_some(()));
            mallory.beside(gone).await;
            assert_eq!(alice.status().await.traffic.refused[label], 1);
        }
    }
}

#[tokio::test]
async fn a_member_that_asks_and_does_not_listen_is_dropped_before_its_answers_pile_up() {
    for transport in TRANSPORTS {
        let mut alice = Start {
            transport: transport.into(),
            ..node(ALICE, &roster(&[ALICE, MALLORY], &[])).with_records(3000)
        }
        .start()
        .await;
        let mut mallory = Intruder::at(&alice, wire::Sync::PROTOCOL).await;
        let want = wire::encode(&wire::Sync::Want { feed: feed(ALICE), after: 0, credit: 1 << 20 });
        let mut asked = 0;
        while mallory.say_and_is_heard(&want).await {
            asked += 1;
        }
        // On a machine that has much else to do some answers are given up meanwhile.
        assert!(asked * (CREDIT_BYTES as usize) < UNHEARD_BYTES_MAX * 4, "{asked} answers were kept");
        let why = mallory.beside(alice.hear_refused(MALLORY, |why| why.label() != "protocol")).await;
        assert_eq!(why.label(), "stall");
    }
}

#[tokio::test]
async fn a_member_that_floods_is_dropped_and_shunned() {
    for transport in TRANSPORTS {
        let mut alice = Start { transport: transport.into(), ..node(ALICE, &roster(&[ALICE, MALLORY], &[])) }
            .start()
            .await;
        let mut mallory = Intruder::at(&alice, wire::Sync::PROTOCOL).await;
        let made_up = (0..4000).map(|incarnation| {
            let head = Some(Head { seq: 1, hash: Digest::of(b"made up") });
            (FeedId { node: public(ALICE), incarnation }, Known { head, fork: None })
        });
        let feeds = wire::Bounded::new(made_up.collect()).expect("below the bound");
        let have = wire::encode(&wire::Sync::Have { feeds, ask: 0 });
        let (begun, mut said_bytes) = (std::time::Instant::now(), 0);
        while mallory.say_and_is_heard(&have).await {
            said_bytes += have.len() as u64;
        }
        let allowed = BYTES_BURST + BYTES_PER_SECOND * (begun.elapsed().as_secs() + 1) + have.len() as u64;
        assert!(said_bytes <= allowed, "{said_bytes} bytes were heard, {allowed} are allowed");
        let why = mallory.beside(alice.hear_refused(MALLORY, |why| why.label() != "protocol")).await;
        assert_eq!(why, Refusal::Misdeed(Misdeed::Flood));
        let _again = Intruder::at(&alice, wire::Sync::PROTOCOL).await;
        alice.hear_refused(MALLORY, |why| *why == Refusal::Shunned).await;
        assert_eq!(alice.status().await.traffic.refused["flood"], 1);
    }
}

#[tokio::test]
async fn one_stranger_makes_so_many_connections_and_no_more() {
    for transport in TRANSPORTS {
        let mut alice =
            Start { transport: transport.into(), ..node(ALICE, &roster(&[ALICE], &[])) }.start().await;
        let mut open = Vec::new();
        for _ in 0..=STRANGER_CONNECTIONS {
            open.push(Intruder::at(&alice, Join::PROTOCOL).await);
        }
        let why = alice.hear_refused(MALLORY, |_| true).await;
        assert_eq!(why.label(), "crowded", "{why}");
    }
}

#[tokio::test]
async fn of_a_crowd_of_strangers_so_many_stand_at_the_door_and_a_member_comes_in_all_the_same() {
    for transport in TRANSPORTS {
        let team = roster(&[ALICE, 2], &[]);
        let mut alice = Start { transport: transport.into(), ..node(ALICE, &team) }.start().await;
        let mut crowd = Vec::new();
        for who in 100..=100 + STRANGERS_MAX as u8 {
            crowd.push(Intruder::with(who, &alice, Join::PROTOCOL).await);
        }
        let is_crowd = |event| match event {
            Event::Refused { why: Refusal::Door(door::Closing::Crowded), .. } => Some(()),
            _ => None,
        };
        alice.hear(is_crowd).await;
        let _bob = node(2, &team).dialling(&[&alice]).start().await;
        alice.hear_connected(2).await;
        assert_eq!(alice.status().await.traffic.refused["door"], 1);
    }
}

#[tokio::test]
async fn a_member_that_comes_once_more_begins_anew_and_what_it_had_before_is_closed() {
    let mut alice = node(ALICE, &roster(&[ALICE, MALLORY], &[])).start().await;
    let mut first = Intruder::at(&alice, wire::Sync::PROTOCOL).await;
    first.beside(alice.hear_connected(MALLORY)).await;
    let mut second = Intruder::at(&alice, wire::Sync::PROTOCOL).await;
    first.happens(|event| matches!(event, SwarmEvent::ConnectionClosed { .. }).then_some(())).await;
    second.beside(alice.hear_connected(MALLORY)).await;
    assert_eq!(alice.status().await.peers.len(), 1);
}

#[tokio::test]
async fn another_node_at_a_member_s_address_is_refused_by_name_and_a_stranger_is_warned_of() {
    for (members, is_alarming) in [(&[ALICE, 2, 3][..], false), (&[2, 3], true)] {
        let alice = node(ALICE, &roster(&[ALICE], &[])).start().await;
        let (place, _) = address::split(alice.address.parse().expect("an address"));
        let bob = address::peer_id(public(2));
        let mut carol = node(3, &roster(members, &[]));
        carol.peers = vec![format!("{place}/p2p/{bob}")];
        let mut carol = carol.start().await;
        let why = carol.hear_refused(2, |_| true).await;
        assert_eq!((why.label(), why.is_alarming()), ("not_its_key", is_alarming), "{members:?}");
    }
}

#[tokio::test]
async fn nobody_dials_a_stranger_at_an_address_without_a_name() {
    let alice = node(ALICE, &roster(&[ALICE], &[])).start().await;
    let mut bob = node(2, &roster(&[2], &[]));
    bob.peers = vec![address::split(alice.address.parse().expect("an address")).0.to_string()];
    let mut bob = bob.start().await;
    let why = bob
        .hear(|event| match event {
            Event::Refused { why, .. } => Some(why),
            _ => None,
        })
        .await;
    assert_eq!(why, Refusal::NotAdmitted(NotAdmitted::Stranger(public(ALICE))));
}
