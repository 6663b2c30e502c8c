//! Around a relay: the hole punch of libp2p, with more places to try.
//!
//! Owns where else than it was seen a node may be reached from outside. A member that is connected to its relay
//! by TCP was seen at a port of TCP, one that is by QUIC at one of UDP, and those two would dial past each other
//! for ever. Most routers leave ports as they are (RFC 4787, port preservation), so that a node that was seen at an
//! address is taken to have the ports there at which it listens. Invariant: a guess is told to members with whom a
//! hole is punched, and to nobody else.

use std::task::{Context, Poll};

use libp2p::core::{Endpoint, transport::PortUse};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::{FromSwarm, NewExternalAddrCandidate};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, ListenAddresses, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, dcutr};

use super::address;

pub(super) struct Punch {
    dcutr: dcutr::Behaviour,
    listens: ListenAddresses,
}

impl Punch {
    pub(super) fn new(me: PeerId) -> Self {
        Self { dcutr: dcutr::Behaviour::new(me), listens: ListenAddresses::default() }
    }
}

/// Where else a node may be that listens at `listens` and was seen at `seen`.
fn guesses(listens: &ListenAddresses, seen: &Multiaddr) -> Vec<Multiaddr> {
    let Some(host) = seen.iter().next().filter(|_| !address::is_relayed(seen)) else {
        return Vec::new();
    };
    let direct = listens.iter().filter(|listen| !address::is_relayed(listen));
    let translated = direct.filter_map(|listen| {
        listen.replace(0, |its| match (its, &host) {
            (Protocol::Ip4(_), Protocol::Ip4(_)) | (Protocol::Ip6(_), Protocol::Ip6(_)) => Some(host.clone()),
            _ => None,
        })
    });
    translated.collect()
}

impl NetworkBehaviour for Punch {
    type ConnectionHandler = THandler<dcutr::Behaviour>;
    type ToSwarm = dcutr::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.dcutr.handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.dcutr.handle_established_outbound_connection(id, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        self.listens.on_swarm_event(&event);
        if let FromSwarm::NewExternalAddrCandidate(seen) = event {
            for addr in &guesses(&self.listens, seen.addr) {
                let guess = NewExternalAddrCandidate { addr };
                self.dcutr.on_swarm_event(FromSwarm::NewExternalAddrCandidate(guess));
            }
        }
        self.dcutr.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.dcutr.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.dcutr.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::transport::ListenerId;
    use libp2p::swarm::behaviour::NewListenAddr;

    use super::*;

    #[test]
    fn whoever_was_seen_by_one_transport_is_guessed_to_be_there_by_the_other() {
        let address = |text: &str| text.parse::<Multiaddr>().expect("an address");
        let mut listens = ListenAddresses::default();
        let relayed = format!("/ip4/192.0.2.1/tcp/1/p2p/{}/p2p-circuit", PeerId::random());
        for text in [
            "/ip4/192.168.1.2/tcp/4311",
            "/ip4/192.168.1.2/udp/4312/quic-v1",
            "/ip6/fd00::1/tcp/4311",
            &relayed,
        ] {
            let listener_id = ListenerId::next();
            listens.on_swarm_event(&FromSwarm::NewListenAddr(NewListenAddr {
                listener_id,
                addr: &address(text),
            }));
        }
        let guessed = |seen: &str| {
            let mut guesses = guesses(&listens, &address(seen));
            guesses.sort();
            guesses
        };
        let there = ["/ip4/198.51.100.7/tcp/4311", "/ip4/198.51.100.7/udp/4312/quic-v1"].map(address);
        assert_eq!(guessed("/ip4/198.51.100.7/tcp/61001"), there);
        assert_eq!(guessed("/ip4/198.51.100.7/udp/61002/quic-v1"), there);
        assert_eq!(guessed("/ip6/2001:db8::7/tcp/9"), ["/ip6/2001:db8::7/tcp/4311"].map(address));
        assert_eq!(guessed(&relayed), []);
    }
}
