//! Who and where a node is, as the transport says it.
//!
//! Owns the way between keys and peer ids, and what a multiaddr tells. Resolves no name. Invariant: a peer id
//! has a key here only when it is the one peer id of that Ed25519 key.

use std::net::IpAddr;

use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;

use crate::proto::dial::Place;

/// What the one peer id of an Ed25519 key begins with: an identity multihash of 36 bytes, which are a protobuf
/// of the key's type and its 32 bytes.
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// A text that is no multiaddr.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no address of a node, such as /ip6/fd00::1/udp/4311/quic-v1")]
pub struct InvalidAddress(String);

/// The node's key, as the transport takes it.
pub(super) fn keypair(key: &NodeKey) -> Keypair {
    Keypair::ed25519_from_bytes(key.transport_secret()).expect("32 bytes are an ed25519 secret")
}

/// The peer id of `node`.
pub(super) fn peer_id(node: PublicKey) -> PeerId {
    let bytes = [PREFIX.as_slice(), node.as_bytes()].concat();
    PeerId::from_bytes(&bytes).expect("an identity multihash of at most 42 bytes is a peer id")
}

/// The key of a peer; none when its id is not that of an Ed25519 key.
pub(super) fn node(peer: PeerId) -> Option<PublicKey> {
    let bytes = peer.to_bytes();
    let key = bytes.strip_prefix(&PREFIX)?.try_into().ok()?;
    Some(PublicKey::from_bytes(key))
}

/// `address`, saying also who is expected there.
pub fn named(address: &str, node: PublicKey) -> String {
    format!("{address}/p2p/{}", peer_id(node))
}

pub(super) fn parse(text: &str) -> Result<Multiaddr, InvalidAddress> {
    text.parse().map_err(|_| InvalidAddress(text.to_owned()))
}

/// What an address begins with: the machine.
pub(super) fn host(address: &Multiaddr) -> Multiaddr {
    address.iter().take(1).collect()
}

/// The address without the peer id at its end, and that.
pub(super) fn split(mut address: Multiaddr) -> (Multiaddr, Option<PeerId>) {
    let last = address.iter().last();
    let Some(Protocol::P2p(peer)) = last else {
        return (address, None);
    };
    address.pop();
    (address, Some(peer))
}

/// The relay that is named, and where it is.
pub(super) fn relay(text: &str) -> Result<(PublicKey, Multiaddr), InvalidAddress> {
    let (address, peer) = split(parse(text)?);
    let node = peer.and_then(node).ok_or_else(|| InvalidAddress(text.to_owned()))?;
    Ok((node, address))
}

/// Where the relay at `address` lets this node be reached.
pub(super) fn circuit(address: &Multiaddr, relay: PublicKey) -> Multiaddr {
    address.clone().with(Protocol::P2p(peer_id(relay))).with(Protocol::P2pCircuit)
}

/// Whether an address leads through a relay.
pub(super) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// Where a connection came from that came in at `local`. Of one that a relay brings only the relay is known.
pub(super) fn came_from<'a>(local: &'a Multiaddr, remote: &'a Multiaddr) -> &'a Multiaddr {
    if is_relayed(local) { local } else { remote }
}

impl Place for Multiaddr {
    fn is_local(&self) -> bool {
        is_local(self)
    }
}

/// Whether an address is on this machine or on its local network.
pub(super) fn is_local(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => is_local_ip(ip.into()),
        Some(Protocol::Ip6(ip)) => is_local_ip(ip.to_canonical()),
        _ => false,
    }
}

/// Whether an address is on this machine. Whoever is reached through a relay that is may be anywhere.
pub(super) fn is_here(address: &Multiaddr) -> bool {
    match address.iter().next() {
        _ if is_relayed(address) => false,
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.to_canonical().is_loopback(),
        _ => false,
    }
}

fn is_local_ip(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xyn_store::Digest;

    #[test]
    fn a_key_and_its_peer_id_name_each_other() {
        let key = NodeKey::from_secret([7; 32]);
        let peer = peer_id(key.public());
        assert_eq!(keypair(&key).public().to_peer_id(), peer);
        assert_eq!(node(peer), Some(key.public()));
    }

    #[test]
    fn a_peer_id_that_is_not_its_key_s_has_no_key() {
        assert_eq!(node(PeerId::random()), None);
        let other = Keypair::ed25519_from_bytes([7; 32]).expect("32 bytes").public().encode_protobuf();
        let hashed = [&[0x12, 0x20], Digest::of(&other).as_bytes().as_slice()].concat();
        assert_eq!(node(PeerId::from_bytes(&hashed).expect("a peer id of the long kind")), None);
    }

    #[test]
    fn an_address_and_the_node_at_it_are_told_apart() {
        let peer = keypair(&NodeKey::from_secret([7; 32])).public().to_peer_id();
        let plain = parse("/ip6/::1/tcp/4311").expect("an address");
        let full = parse(&format!("/ip6/::1/tcp/4311/p2p/{peer}")).expect("an address");
        assert_eq!(split(full), (plain.clone(), Some(peer)));
        assert_eq!(split(plain.clone()), (plain, None));
        assert!(parse("example.org:4311").is_err());
    }

    #[test]
    fn the_local_network_is_what_no_router_forwards() {
        let local = ["::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1"].map(|ip| format!("/ip6/{ip}/tcp/1"));
        let global = ["2001:db8::1", "::ffff:8.8.8.8", "::"].map(|ip| format!("/ip6/{ip}/tcp/1"));
        let is_local = |text: &String| is_local(&parse(text).expect("an address"));
        assert!(local.iter().all(is_local));
        assert!(!global.iter().any(is_local));
        assert!(is_local(&"/ip4/192.168.1.7/udp/1/quic-v1".into()));
        assert!(!is_local(&"/ip4/1.1.1.1/udp/1/quic-v1".into()));
        assert!(!is_local(&"/dns4/example.org/tcp/1".into()));
    }
}
