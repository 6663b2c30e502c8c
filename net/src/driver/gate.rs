//! Who may talk to this node, and in which protocols.
//!
//! Owns the side of each connection, chosen before its first stream: members get the protocols of members,
//! a stranger who comes gets the door, and whoever the roster or this node's memory of misdeeds excludes gets
//! no connection. Invariant: all connections of a peer are on one side, and a side's protocols do not exist on
//! the connections of the other: what a peer sends there is not read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::{Endpoint, transport::PortUse};
use libp2p::swarm::behaviour::{ConnectionEstablished, FromSwarm};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::{NotAdmitted, Roster};
use xyn_store::{Clock, Timestamp};

use super::address;
use super::behaviour::STRANGER_CONNECTIONS;
use super::port::{Reach, Refusal};
use crate::proto::conduct::Shunned;
use crate::proto::seats::Seats;

/// What the peer on a connection is to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The roster admits it.
    Member,
    /// Nobody knows it; it may show a ticket.
    Stranger,
}

/// How a connection came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

/// What decides about peers.
pub(super) struct Guard {
    pub(super) roster: Arc<Roster>,
    pub(super) seats: Seats,
    pub(super) shunned: Shunned,
    pub(super) reach: Reach,
    pub(super) clock: Clock,
}

impl Guard {
    /// On which side a peer belongs now.
    pub(super) fn judge(&self, peer: PeerId, way: Way) -> Result<(PublicKey, Side), Refusal> {
        let now = self.clock.now();
        let no_key = || Refusal::NotItsKey { found: peer.to_string(), is_member: false };
        let node = address::node(peer).ok_or_else(no_key)?;
        match self.seats.admit(&self.roster, node, now) {
            _ if self.shunned.contains(node, now) => Err(Refusal::Shunned),
            Ok(_) => Ok((node, Side::Member)),
            Err(NotAdmitted::Stranger(_)) if way == Way::In => Ok((node, Side::Stranger)),
            Err(reason) => Err(Refusal::NotAdmitted(reason)),
        }
    }

    /// Whether the roster admits a peer.
    pub(super) fn is_member(&self, peer: PeerId) -> bool {
        address::node(peer).is_some_and(|node| self.roster.admit(node, self.clock.now()).is_ok())
    }

    /// Whether to dial `node`.
    pub(super) fn wants(&self, node: PublicKey, now: Timestamp) -> bool {
        self.roster.admit(node, now).is_ok() && !self.shunned.contains(node, now)
    }

    /// Whether a peer may be this far away.
    pub(super) fn reaches(&self, address: &Multiaddr) -> bool {
        self.reach == Reach::Anywhere || address::is_local(address)
    }
}

/// The protocols of members, those of strangers, and the guard between them.
pub(super) struct Gate<M, S> {
    pub(super) guard: Guard,
    pub(super) members: M,
    pub(super) strangers: S,
    open: BTreeMap<ConnectionId, Open>,
}

struct Open {
    peer: PeerId,
    way: Way,
    side: Side,
    /// Where its other end is.
    place: Multiaddr,
}

impl<M: NetworkBehaviour, S: NetworkBehaviour> Gate<M, S> {
    pub(super) fn new(guard: Guard, members: M, strangers: S) -> Self {
        Self { guard, members, strangers, open: BTreeMap::new() }
    }

    /// The side of an open connection.
    pub(super) fn side(&self, connection: ConnectionId) -> Option<Side> {
        self.open.get(&connection).map(|open| open.side)
    }

    /// The open connections of a peer.
    pub(super) fn connections(&self, peer: PeerId) -> impl Iterator<Item = ConnectionId> {
        self.open.iter().filter(move |(_, open)| open.peer == peer).map(|(id, _)| *id)
    }

    /// How the newest open connection of a peer came to be, and where it leads.
    pub(super) fn newest(&self, peer: PeerId) -> Option<(Way, &Multiaddr)> {
        let newest = self.open.values().rfind(|open| open.peer == peer)?;
        Some((newest.way, &newest.place))
    }

    /// The peers who are not on the side on which they belong any more, each with the reason.
    pub(super) fn misplaced(&self) -> BTreeMap<PeerId, Refusal> {
        let judged = self.open.values().filter_map(|open| {
            let refusal = match self.guard.judge(open.peer, open.way) {
                Ok((_, side)) if side == open.side => return None,
                Ok(_) => Refusal::OtherSide,
                Err(refusal) => refusal,
            };
            Some((open.peer, refusal))
        });
        judged.collect()
    }

    fn enter(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        way: Way,
        [remote, place]: [&Multiaddr; 2],
    ) -> Result<Side, ConnectionDenied> {
        if !self.guard.reaches(remote) {
            return Err(ConnectionDenied::new(Refusal::Far));
        }
        let (_, side) = self.guard.judge(peer, way).map_err(ConnectionDenied::new)?;
        let others = self.open.values().filter(|open| open.peer == peer);
        if others.clone().any(|open| open.side != side) {
            return Err(ConnectionDenied::new(Refusal::OtherSide));
        }
        if side == Side::Stranger && others.count() >= STRANGER_CONNECTIONS {
            let crowded = format!("a stranger makes {STRANGER_CONNECTIONS} at most");
            return Err(ConnectionDenied::new(Refusal::Crowded(crowded)));
        }
        self.open.insert(connection, Open { peer, way, side, place: place.clone() });
        Ok(side)
    }

    fn tell_side(&mut self, connection: ConnectionId, event: FromSwarm) {
        match self.side(connection) {
            Some(Side::Member) => self.members.on_swarm_event(event),
            Some(Side::Stranger) => self.strangers.on_swarm_event(event),
            None => {}
        }
    }

    fn tell_both(&mut self, event: FromSwarm) {
        self.members.on_swarm_event(event);
        self.strangers.on_swarm_event(event);
    }
}

impl<M: NetworkBehaviour, S: NetworkBehaviour> NetworkBehaviour for Gate<M, S> {
    type ConnectionHandler = Either<THandler<M>, THandler<S>>;
    type ToSwarm = Either<M::ToSwarm, S::ToSwarm>;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        // Before the handshake, which costs more than this.
        if self.guard.reaches(remote) { Ok(()) } else { Err(ConnectionDenied::new(Refusal::Far)) }
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        match self.enter(id, peer, Way::In, [remote, address::came_from(local, remote)])? {
            Side::Member => {
                self.members.handle_established_inbound_connection(id, peer, local, remote).map(Either::Left)
            }
            Side::Stranger => self
                .strangers
                .handle_established_inbound_connection(id, peer, local, remote)
                .map(Either::Right),
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        match self.enter(id, peer, Way::Out, [address; 2])? {
            Side::Member => self
                .members
                .handle_established_outbound_connection(id, peer, address, role, port)
                .map(Either::Left),
            Side::Stranger => self
                .strangers
                .handle_established_outbound_connection(id, peer, address, role, port)
                .map(Either::Right),
        }
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { connection_id, .. }) => {
                self.tell_side(connection_id, event);
            }
            FromSwarm::AddressChange(change) => self.tell_side(change.connection_id, event),
            FromSwarm::ConnectionClosed(closed) => {
                self.tell_side(closed.connection_id, event);
                self.open.remove(&closed.connection_id);
            }
            // Another behaviour may have denied what was let in here.
            FromSwarm::DialFailure(failure) => {
                self.open.remove(&failure.connection_id);
                self.tell_both(event);
            }
            FromSwarm::ListenFailure(failure) => {
                self.open.remove(&failure.connection_id);
                self.tell_both(event);
            }
            _ => self.tell_both(event),
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {
            Either::Left(event) => self.members.on_connection_handler_event(peer, id, event),
            Either::Right(event) => self.strangers.on_connection_handler_event(peer, id, event),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Poll::Ready(event) = self.members.poll(cx) {
            return Poll::Ready(event.map_out(Either::Left).map_in(Either::Left));
        }
        self.strangers.poll(cx).map(|event| event.map_out(Either::Right).map_in(Either::Right))
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::ConnectedPoint;
    use libp2p::swarm::behaviour::ConnectionClosed;
    use libp2p::swarm::dummy;
    use xyn_store::audit::key::NodeKey;
    use xyn_store::trust::EnvId;

    use super::*;

    #[test]
    fn on_the_local_network_nobody_comes_in_from_afar_neither_before_a_handshake_nor_behind_it() {
        let key = NodeKey::from_secret([1; 32]).public();
        let address = |text: &str| text.parse::<Multiaddr>().expect("an address");
        let is_refused = |reach, remote: &str| {
            let roster = Arc::new(Roster::fold(EnvId::rooted_in(key), &[], BTreeMap::new()));
            let (seats, shunned, clock) = (Seats::default(), Shunned::default(), Clock::system());
            let guard = Guard { roster, seats, shunned, reach, clock };
            let mut gate = Gate::new(guard, dummy::Behaviour, dummy::Behaviour);
            let (id, here) = (ConnectionId::new_unchecked(1), address("/ip4/192.168.1.2/tcp/4311"));
            let (peer, remote) = (address::peer_id(key), address(remote));
            let before = gate.handle_pending_inbound_connection(id, &here, &remote).err();
            let behind = gate.handle_established_inbound_connection(id, peer, &here, &remote).err();
            let is_far = |denied: ConnectionDenied| matches!(denied.downcast(), Ok(Refusal::Far));
            [before, behind].map(|denied| denied.is_some_and(is_far))
        };
        assert_eq!(is_refused(Reach::Lan, "/ip4/203.0.113.7/tcp/4311"), [true; 2]);
        assert_eq!(is_refused(Reach::Lan, "/ip4/192.168.1.3/tcp/4311"), [false; 2]);
        assert_eq!(is_refused(Reach::Anywhere, "/ip4/203.0.113.7/tcp/4311"), [false; 2]);
    }

    #[test]
    fn a_peer_is_where_the_newest_of_its_open_connections_leads() {
        let keys = [1, 2].map(|seed| NodeKey::from_secret([seed; 32]).public());
        let roster = Arc::new(Roster::fold(EnvId::rooted_in(keys[0]), &[], BTreeMap::new()));
        let (seats, shunned, clock) = (Seats::default(), Shunned::default(), Clock::system());
        let guard = Guard { roster, seats, shunned, reach: Reach::Anywhere, clock };
        let mut gate = Gate::new(guard, dummy::Behaviour, dummy::Behaviour);
        let peer = address::peer_id(keys[1]);
        let at =
            |port: u16| -> Multiaddr { format!("/ip4/192.0.2.7/tcp/{port}").parse().expect("an address") };
        let id = |port: u16| ConnectionId::new_unchecked(port.into());
        for port in [1, 2] {
            gate.handle_established_inbound_connection(id(port), peer, &at(0), &at(port)).expect("comes in");
        }
        assert_eq!(gate.newest(peer), Some((Way::In, &at(2))));
        let endpoint = ConnectedPoint::Listener { local_addr: at(0), send_back_addr: at(2) };
        gate.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: peer,
            connection_id: id(2),
            endpoint: &endpoint,
            cause: None,
            remaining_established: 1,
        }));
        assert_eq!(gate.newest(peer), Some((Way::In, &at(1))));
        assert_eq!(gate.newest(address::peer_id(keys[0])), None);
    }
}
