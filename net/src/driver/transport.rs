//! The ways to another node: QUIC and TCP, by number or by name, and through a member that relays.
//!
//! Owns the transports, and how much of what nobody has read yet each connection may hold ([`super::most`]).
//! Invariant: every connection is encrypted and proves the key at its other end, also one that goes through a relay;
//! and of each error can be told what went wrong ([`handshake`]).

use std::sync::{Arc, PoisonError, RwLock};

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::futures::io::BufReader;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, Swarm};
use libp2p::{PeerId, Transport as _, dns, noise, quic, relay, tcp};
use xyn_store::Timestamp;
use xyn_store::trust::{NotAdmitted, Roster};

use super::muxer::Yamux;
use super::{StartError, address, handshake};

/// Streams of one connection, both ways together: all that the protocols may have under way, and room for those
/// whose end the other side has not seen yet. A connection with more is closed.
pub(super) const MUXED_STREAMS_MAX: usize = 192;
/// The same of a connection to a stranger: it has one thing to say, and a member that this node does not know of yet
/// tries each protocol before it hears that.
pub(super) const STRANGER_STREAMS_MAX: usize = 16;
/// Bytes under way on one connection beyond what each stream may send at once: enough for one that is in bulk.
pub(super) const BULK_BYTES: usize = 8 << 20;
/// Bytes of one connection over QUIC that wait unread, of all streams together. Whose it is shows too late to give a
/// stranger less.
pub(super) const QUIC_BYTES_MAX: usize = 8 << 20;

/// Bytes that are read at once of a connection over TCP: noise asks for 8 KiB at a time, and each would be a call of
/// the system.
pub(super) const READ_BYTES: usize = 64 << 10;

/// Connections that are ready to be used.
pub(super) type Transport = Boxed<(PeerId, StreamMuxerBox)>;

/// Who belongs, as far as the transport has to know it.
#[derive(Clone)]
pub(super) struct Roll(Arc<RwLock<Option<Arc<Roster>>>>);

impl Roll {
    /// That of an environment.
    pub(super) fn of(roster: Arc<Roster>) -> Self {
        Self(Arc::new(RwLock::new(Some(roster))))
    }

    /// That of a node which knows nobody yet, and speaks with whom it dials.
    pub(super) fn unknown() -> Self {
        Self(Arc::default())
    }

    /// There are other members.
    pub(super) fn change(&self, roster: Arc<Roster>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(roster);
    }

    /// The streams of a connection to `peer`.
    fn streams(&self, peer: &PeerId) -> Yamux {
        let roster = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let admitted = |node| roster.as_ref().map(|roster| roster.admit(node, Timestamp::EPOCH));
        match address::node(*peer).and_then(admitted) {
            Some(Err(NotAdmitted::Stranger(_))) => Yamux::stranger(),
            _ => Yamux::new(),
        }
    }
}

/// QUIC and TCP, with names looked up as the machine does.
pub(super) fn direct(keypair: &Keypair, roll: &Roll) -> Result<Transport, StartError> {
    match dns::tokio::Transport::system(numbered(keypair, roll)?) {
        Ok(named) => Ok(named.boxed()),
        Err(error) => {
            tracing::warn!(%error, "this machine looks up no names: peers are reached by number only");
            numbered(keypair, roll)
        }
    }
}

/// The same, and through relays; with what speaks to these.
pub(super) fn relayed(
    keypair: &Keypair,
    roll: &Roll,
) -> Result<(Transport, relay::client::Behaviour), StartError> {
    let (through, client) = relay::client::new(keypair.public().to_peer_id());
    let of_peer = roll.clone();
    let through = through
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).map_err(StartError::Noise)?)
        .multiplex_ext(move |peer, _| of_peer.streams(peer))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .map_err(handshake::kept);
    let both = through.or_transport(direct(keypair, roll)?).map(|either, _| either.into_inner());
    Ok((both.map_err(|either| either.into_inner()).boxed(), client))
}

fn numbered(keypair: &Keypair, roll: &Roll) -> Result<Transport, StartError> {
    let of_peer = roll.clone();
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .map(|socket, _| BufReader::with_capacity(READ_BYTES, socket))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).map_err(StartError::Noise)?)
        .multiplex_ext(move |peer, _| of_peer.streams(peer))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .map_err(handshake::kept);
    let mut quic = quic::Config::new(keypair);
    quic.max_concurrent_stream_limit = MUXED_STREAMS_MAX as u32;
    quic.max_stream_data = BULK_BYTES as u32;
    quic.max_connection_data = QUIC_BYTES_MAX as u32;
    let quic = quic::tokio::Transport::new(quic)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .map_err(handshake::kept);
    let both = quic.or_transport(tcp).map(|either, _| either.into_inner());
    Ok(both.map_err(|either| either.into_inner()).boxed())
}

/// One address is enough: a machine may have no IPv6.
pub(super) fn listen<B: NetworkBehaviour>(
    swarm: &mut Swarm<B>,
    addresses: &[String],
) -> Result<(), StartError> {
    let mut failed = None;
    let mut listening = false;
    for text in addresses {
        match swarm.listen_on(address::parse(text)?) {
            Ok(_) => listening = true,
            Err(source) => {
                tracing::warn!(address = %text, error = %source, "cannot listen");
                failed = Some(StartError::Listen { address: text.clone(), source: source.into() });
            }
        }
    }
    failed.filter(|_| !listening).map_or(Ok(()), Err)
}
