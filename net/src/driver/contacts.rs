//! Where members are, between the wire and the plan of dialling.
//!
//! Owns what of an address is believed, by who says it: a member that is here speaks for itself, everybody else
//! brings a rumour. Invariant: only members are dialled, only as far as this node reaches, and on this machine
//! only for whoever is on it too.

use libp2p::core::ConnectedPoint;
use libp2p::{Multiaddr, PeerId};
use xyn_store::audit::signature::PublicKey;

use super::address;
use super::behaviour::Talk;
use super::port::{Event, Port, Refusal};
use super::task::Task;
use crate::proto::contacts::{Input, Output};
use crate::proto::dial::Dialer;
use crate::wire::contacts::{ADDRESSES_MAX, Address, Contact};
use crate::wire::{self, Bounded};

/// What was known before a restart. An address that is none is nothing that a start should fail for.
pub(super) fn remembered(
    dialer: &mut Dialer<Multiaddr>,
    contacts: Vec<(PublicKey, Vec<String>)>,
) -> Vec<Contact> {
    for (node, addresses) in &contacts {
        let readable = addresses.iter().filter_map(|text| address::parse(text).ok());
        readable.for_each(|it| dialer.learn(*node, address::split(it).0));
    }
    contacts.iter().map(|(node, _)| contact(dialer, *node)).collect()
}

/// All that is known of a member at first hand.
fn contact(dialer: &Dialer<Multiaddr>, node: PublicKey) -> Contact {
    let addresses = dialer.learned(node).iter().filter_map(|address| Address::new(address.as_ref()));
    Contact {
        node,
        addresses: Bounded::new(addresses.collect()).expect("the plan keeps as many and no more"),
    }
}

impl<P: Port> Task<P> {
    pub(super) fn contacts(&mut self, input: Input) {
        let now = self.clock.now();
        for output in self.contacts.handle(input, now) {
            match output {
                Output::Send { peer, message } => self.tell(Talk::Contacts, peer, wire::encode(&message)),
                Output::Keep(Contact { node, .. }) => {
                    let addresses = self.dialer.learned(node).iter().map(Multiaddr::to_string).collect();
                    self.port.notice(Event::Located { node, addresses });
                }
                Output::Introduced(contact) => self.introduced(&contact),
                Output::Try { peer, contact } => self.rumoured(peer, contact),
                Output::Drop { peer, reason } => self.drop_peer(peer, Refusal::Misdeed(reason)),
            }
        }
    }

    /// A member answered a call: that address is worth keeping, with what it says itself next.
    pub(super) fn answered(&mut self, node: PublicKey, endpoint: &ConnectedPoint) {
        if let ConnectedPoint::Dialer { address, .. } = endpoint {
            self.dialer.learn(node, address::split(address.clone()).0);
        }
    }

    /// This node listens somewhere else than before. Its members tell it: what libp2p pushes over QUIC is lost where
    /// the stream closes before it is taken up.
    pub(super) fn moved(&mut self) {
        let listens = self.swarm.listeners().map(|address| address::split(address.clone()).0);
        let mut listens: Vec<Multiaddr> = listens.collect();
        // Of too many those count most at which a node is reached that nobody can dial.
        listens.sort_by_key(|address| !address::is_relayed(address));
        let told = listens.iter().filter_map(|address| Address::new(address.as_ref())).take(ADDRESSES_MAX);
        self.contacts(Input::Here(Bounded::new(told.collect()).expect("no more are taken")));
    }

    /// A member that is here says where it listens.
    fn introduced(&mut self, Contact { node, addresses }: &Contact) {
        let Some(at) = self.neighbours.get(node).map(|neighbour| neighbour.address.clone()) else { return };
        for address in addresses.iter().filter_map(|bytes| Multiaddr::try_from(bytes.to_vec()).ok()) {
            if self.is_of_use(&address, Some(&at)) {
                self.dialer.learn(*node, address::split(address).0);
            }
        }
        self.contacts(Input::Known(contact(&self.dialer, *node)));
    }

    /// Somebody on the local network says it is a member.
    pub(super) fn discovered(&mut self, peer: PeerId, address: Multiaddr) {
        let guard = &self.swarm.behaviour().gate.guard;
        let member = address::node(peer).filter(|node| guard.roster.member(*node).is_some());
        if let Some(node) = member.filter(|_| peer != self.me && self.is_of_use(&address, None)) {
            self.dialer.rumour(node, address::split(address).0);
        }
    }

    /// A member says where another one is.
    fn rumoured(&mut self, peer: PublicKey, contact: Contact) {
        let at = self.neighbours.get(&peer).map(|neighbour| neighbour.address.clone());
        for bytes in contact.addresses.iter() {
            let Ok(address) = Multiaddr::try_from(bytes.to_vec()) else { continue };
            if self.is_of_use(&address, at.as_ref()) {
                self.dialer.rumour(contact.node, address::split(address).0);
            }
        }
    }

    /// Whether it makes sense to dial what somebody at `teller` says: of this machine only its neighbours here
    /// can say something.
    fn is_of_use(&self, address: &Multiaddr, teller: Option<&Multiaddr>) -> bool {
        let is_near = !address::is_here(address) || teller.is_some_and(address::is_here);
        is_near && self.swarm.behaviour().gate.guard.reaches(address)
    }
}
