//! The ways to another node: QUIC and TCP, by number or by name, and through a member that relays.
//!
//! Owns the transports. Knows no peer. Invariant: every connection is encrypted and proves the key at its other
//! end, also one that goes through a relay.

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, Swarm};
use libp2p::{PeerId, Transport as _, dns, noise, quic, relay, tcp, yamux};

use super::{StartError, address};

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
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let either = through.or_transport(direct(keypair)?).map(|either, _| either.into_inner());
    Ok((either.boxed(), client))
}

fn numbered(keypair: &Keypair) -> Result<Transport, StartError> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).map_err(StartError::Noise)?)
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = quic::tokio::Transport::new(quic::Config::new(keypair))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
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
