//! The ways to another node: QUIC and TCP, by number or by name, and through a member that relays.
//!
//! Owns the transports. Knows no peer. Invariant: every connection is encrypted and proves the key at its other
//! end, also one that goes through a relay.

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::futures::io::BufReader;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, Swarm};
use libp2p::{PeerId, Transport as _, dns, noise, quic, relay, tcp};

use super::muxer::Yamux;
use super::{StartError, address};

// What a peer can make this node hold by sending what is not read yet. Each stream over TCP may have 256 KiB
// in it before anybody reads, and those that are read fast grow by `BULK_BYTES` together: 56 MiB on one
// connection, 16 MiB over QUIC. A member has two connections at most that live, one each way, while both dial
// at once (an older one is closed when another comes): 112 MiB. Of what it may open, the protocols take fewer
// streams than these (`behaviour::STREAMS_MAX` and below); the others are reset with what is in them. A
// stranger has two (`STRANGER_CONNECTIONS`) with two streams at the door each: 1 MiB, and 64 MiB for all who may
// stand there (`STRANGERS_MAX`). Beside that each connection over TCP reads into `READ_BYTES`.

/// Streams of one connection, both ways together: all that the protocols may have under way, and room for those
/// whose end the other side has not seen yet. A connection with more is closed.
pub(super) const MUXED_STREAMS_MAX: usize = 192;
/// Bytes under way on one connection beyond what each stream may send at once: enough for one that is in bulk.
pub(super) const BULK_BYTES: usize = 8 << 20;
/// Bytes of one connection over QUIC that wait unread, of all streams together.
const QUIC_BYTES_MAX: u32 = 16 << 20;

/// Bytes that are read at once of a connection over TCP: noise asks for 8 KiB at a time, and each would be a call of
/// the system.
const READ_BYTES: usize = 64 << 10;

/// Connections that are ready to be used.
pub(super) type Transport = Boxed<(PeerId, StreamMuxerBox)>;

/// QUIC and TCP, with names looked up as the machine does.
pub(super) fn direct(keypair: &Keypair) -> Result<Transport, StartError> {
    match dns::tokio::Transport::system(numbered(keypair)?) {
        Ok(named) => Ok(named.boxed()),
        Err(error) => {
            tracing::warn!(%error, "this machine looks up no names: peers are reached by number only");
            numbered(keypair)
        }
    }
}

/// The same, and through relays; with what speaks to these.
pub(super) fn relayed(keypair: &Keypair) -> Result<(Transport, relay::client::Behaviour), StartError> {
    let (through, client) = relay::client::new(keypair.public().to_peer_id());
    let through = through
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).map_err(StartError::Noise)?)
        .multiplex(Yamux::new())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let either = through.or_transport(direct(keypair)?).map(|either, _| either.into_inner());
    Ok((either.boxed(), client))
}

fn numbered(keypair: &Keypair) -> Result<Transport, StartError> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .map(|socket, _| BufReader::with_capacity(READ_BYTES, socket))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).map_err(StartError::Noise)?)
        .multiplex(Yamux::new())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let mut quic = quic::Config::new(keypair);
    quic.max_concurrent_stream_limit = MUXED_STREAMS_MAX as u32;
    quic.max_stream_data = BULK_BYTES as u32;
    quic.max_connection_data = QUIC_BYTES_MAX;
    let quic = quic::tokio::Transport::new(quic).map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    Ok(quic.or_transport(tcp).map(|either, _| either.into_inner()).boxed())
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
