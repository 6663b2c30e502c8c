//! Who comes, who goes, and who is dialled.
//!
//! Owns the life of connections. Invariant: the cores are told that a peer came and that it left, in turns: one
//! that comes once more without having left is taken to have left before.

use std::collections::btree_map::Entry;

use libp2p::core::ConnectedPoint;
use libp2p::core::transport::TransportError;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionDenied, ConnectionId, DialError, ListenError};
use libp2p::{Multiaddr, PeerId, connection_limits};
use xyn_store::audit::signature::PublicKey;

use super::address;
use super::gate::{Side, Way};
use super::handshake::BadHandshake;
use super::port::{Event, Port, Refusal};
use super::task::{Neighbour, Task};
use crate::proto::blobs;
use crate::proto::contacts;
use crate::proto::dial::Whom;
use crate::proto::gossip;
use crate::proto::join::door;
use crate::proto::runs;
use crate::proto::sync;
use crate::proto::witness;

impl<P: Port> Task<P> {
    pub(super) fn established(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
        first: bool,
    ) {
        let now = self.clock.now();
        let dialled = self.dialling.remove(&id);
        let Some((node, side)) = address::node(peer).zip(self.swarm.behaviour().gate.side(id)) else {
            // It is gone already.
            return dialled.into_iter().for_each(|whom| self.dialer.failed(&whom, now));
        };
        match side {
            Side::Stranger if first => self.door(door::Input::Connected(node)),
            Side::Stranger => {}
            Side::Member => {
                let way = if endpoint.is_dialer() { Way::Out } else { Way::In };
                if self.neighbours.get(&node).is_some_and(|it| it.comes_anew(way, now)) {
                    self.leave_behind(peer, id);
                    self.left(node);
                }
                if self.guard_mut().seats.came(node) {
                    // Whose seat it took leaves now.
                    self.close_misplaced();
                }
                self.dialer.connected(node, dialled.as_ref(), now);
                self.answered(node, endpoint);
                match self.neighbours.entry(node) {
                    Entry::Vacant(seat) => {
                        seat.insert(Neighbour::new(leads_to(endpoint), way, now));
                        self.came(node);
                    }
                    Entry::Occupied(_) => self.compare_again(node),
                }
            }
        }
    }

    /// Closes the older connections of a peer that does not know of them any more: it was started again, or
    /// its network changed. They would swallow half of what it is told until their silence is noticed.
    fn leave_behind(&mut self, peer: PeerId, newest: ConnectionId) {
        let older = self.swarm.behaviour().gate.connections(peer).filter(|id| *id != newest);
        for id in older.collect::<Vec<_>>() {
            self.swarm.close_connection(id);
        }
    }

    /// One of several connections is new, or gone with what was under way on it.
    fn compare_again(&mut self, node: PublicKey) {
        self.sync(sync::Input::Gap(node));
    }

    fn came(&mut self, node: PublicKey) {
        self.choose_explicit();
        self.port.notice(Event::Connected(node));
        self.sync(sync::Input::Connected(node));
        self.witness(witness::Input::Connected(node));
        self.blobs(blobs::Input::Connected(node));
        self.contacts(contacts::Input::Connected(node));
        self.runs(runs::Input::Connected(node));
    }

    fn left(&mut self, node: PublicKey) {
        if self.neighbours.remove(&node).is_some() {
            let peer = address::peer_id(node);
            self.swarm.behaviour_mut().gate.members.news.gossip.remove_explicit_peer(&peer);
            self.sync(sync::Input::Disconnected(node));
            self.gossip(gossip::Input::Disconnected(node));
            self.witness(witness::Input::Disconnected(node));
            self.blobs(blobs::Input::Disconnected(node));
            self.contacts(contacts::Input::Disconnected(node));
            self.runs(runs::Input::Disconnected(node));
            let now = self.clock.now();
            self.dialer.disconnected(node, now);
            self.port.notice(Event::Disconnected(node));
        }
    }

    /// One of several connections is gone. Whoever looks is shown one that is still there.
    pub(super) fn closed_one(&mut self, peer: PeerId) {
        let Some(node) = address::node(peer) else { return };
        if let Some(neighbour) = self.neighbours.get_mut(&node)
            && let Some((way, remote)) = self.swarm.behaviour().gate.newest(peer)
        {
            neighbour.goes_on(address::split(remote.clone()).0, way);
        }
        self.compare_again(node);
    }

    pub(super) fn closed(&mut self, peer: PeerId) {
        let Some(node) = address::node(peer) else { return };
        self.replies.remove(&node);
        self.leaving.remove(&node);
        self.door(door::Input::Disconnected(node));
        self.left(node);
    }

    pub(super) fn not_let_in(&mut self, peer: Option<PeerId>, from: &Multiaddr, error: ListenError) {
        let node = peer.and_then(address::node);
        match error {
            ListenError::Denied { cause } => self.refuse(node, refusal(cause)),
            ListenError::Transport(TransportError::Other(error)) => {
                let why = BadHandshake::of(&error);
                self.refuse(node, Refusal::Handshake { from: address::host(from).to_string(), why });
            }
            error => tracing::debug!(?peer, %error, "a connection was given up"),
        }
    }

    pub(super) fn not_reached(&mut self, id: ConnectionId, peer: Option<PeerId>, error: DialError) {
        let whom = self.dialling.remove(&id);
        let node = peer.and_then(address::node);
        match error {
            DialError::Denied { cause } => self.refuse(node, refusal(cause)),
            DialError::WrongPeerId { obtained, address } => {
                if let Some(whom) = &whom {
                    self.dialer.taken(whom, address::split(address).0);
                }
                let is_member = self.swarm.behaviour().gate.guard.is_member(obtained);
                self.refuse(node, Refusal::NotItsKey { found: obtained.to_string(), is_member });
            }
            error => tracing::debug!(?whom, %error, "nobody was reached"),
        }
        if let Some(whom) = whom {
            let now = self.clock.now();
            self.dialer.failed(&whom, now);
        }
    }

    /// Dials whoever is due, where it may be reached.
    pub(super) fn dial(&mut self) {
        let now = self.clock.now();
        let guard = &self.swarm.behaviour().gate.guard;
        let due = self.dialer.due(now, |node| guard.wants(node, now));
        for (whom, mut addresses) in due {
            addresses.retain(|address| self.swarm.behaviour().gate.guard.reaches(address));
            let Some(options) = options(&whom, addresses) else {
                // Whoever is due is somewhere: nowhere near.
                let node = if let Whom::Node(node) = &whom { Some(*node) } else { None };
                self.refuse(node, Refusal::Far);
                self.dialer.failed(&whom, now);
                continue;
            };
            let id = options.connection_id();
            self.dialling.insert(id, whom);
            if let Err(error) = self.swarm.dial(options) {
                self.not_reached(id, None, error);
            }
        }
    }

    /// Asks those relays that are connected to let this node be reached through them.
    pub(super) fn reserve(&mut self) {
        let roster = &self.swarm.behaviour().gate.guard.roster;
        let named = self.relays.iter().map(|(relay, address)| (roster.heir(*relay), address));
        let here: Vec<_> = named.filter(|(relay, _)| self.neighbours.contains_key(relay)).collect();
        for (relay, address) in here {
            let Entry::Vacant(missing) = self.circuits.entry(relay) else {
                continue;
            };
            match self.swarm.listen_on(address::circuit(address, relay)) {
                Ok(listener) => drop(missing.insert(listener)),
                Err(error) => tracing::warn!(%relay, %error, "cannot be reached through a relay"),
            }
        }
    }

    pub(super) fn disconnect(&mut self, node: PublicKey) {
        // It may be gone already.
        let _ = self.swarm.disconnect_peer_id(address::peer_id(node));
    }

    /// Drops a peer for what it did. One who is on its way out already is not blamed again.
    pub(super) fn drop_peer(&mut self, peer: PublicKey, why: Refusal) {
        let now = self.clock.now();
        let shunned = &mut self.guard_mut().shunned;
        if !shunned.contains(peer, now) {
            shunned.shun(peer, now);
            self.refuse(Some(peer), why);
            self.disconnect(peer);
        }
    }
}

/// Where the other end of a connection is.
fn leads_to(endpoint: &ConnectedPoint) -> Multiaddr {
    let address = match endpoint {
        ConnectedPoint::Dialer { address, .. } => address,
        ConnectedPoint::Listener { local_addr, send_back_addr } => {
            address::came_from(local_addr, send_back_addr)
        }
    };
    address::split(address.clone()).0
}

/// How to dial somebody; none when there is nowhere to.
fn options(whom: &Whom<Multiaddr>, addresses: Vec<Multiaddr>) -> Option<DialOpts> {
    match whom {
        _ if addresses.is_empty() => None,
        Whom::Node(node) => Some(DialOpts::peer_id(address::peer_id(*node)).addresses(addresses).build()),
        Whom::At(address) => Some(DialOpts::unknown_peer_id().address(address.clone()).build()),
    }
}

/// Why a behaviour denied a connection.
fn refusal(cause: ConnectionDenied) -> Refusal {
    let crowded = |cause: ConnectionDenied| match cause.downcast::<connection_limits::Exceeded>() {
        Ok(exceeded) => Refusal::Crowded(exceeded.to_string()),
        Err(cause) => Refusal::Crowded(cause.to_string()),
    };
    cause.downcast::<Refusal>().unwrap_or_else(crowded)
}
