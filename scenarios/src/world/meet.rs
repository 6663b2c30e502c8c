//! Who comes to know where whom is: between what members tell each other and the plan by which a machine dials.
//!
//! An address is the number of a node. Owns what of an address is of use: that to which a link leads. Invariant: as
//! in production, a member that is here speaks for itself, and everybody else brings a rumour.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xyn_net::proto::contacts::{Contacts, Input};
use xyn_net::wire::Bounded;
use xyn_net::wire::contacts::{Address, Addresses, Contact};
use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::ContactRow;

use super::World;
use crate::network::Along;
use crate::tally::Happening;

/// The address of a node.
pub(crate) fn address(node: usize) -> Address {
    Address::new(node.to_string().as_bytes()).expect("a number is short")
}

fn addresses(nodes: impl Iterator<Item = usize>) -> Addresses {
    Bounded::new(nodes.map(address).collect()).expect("the plan of dialling keeps as many and no more")
}

fn number(address: &[u8]) -> Option<usize> {
    std::str::from_utf8(address).ok()?.parse().ok()
}

impl World {
    /// What was just started at `node` goes on with what it knew of where others are, and says where it is itself.
    pub(super) fn remember(&mut self, node: usize) {
        let (Some(_), Some(running)) = (&self.known, &self.machines[node].running) else { return };
        // What cannot be read is learned anew.
        let rows = running.shelf.located().unwrap_or_default();
        for ContactRow { node: peer, addresses } in &rows {
            let numbers = addresses.iter().filter_map(|text| number(text.as_bytes()));
            let ways: Vec<usize> = numbers.filter_map(|other| self.link_between(node, other)).collect();
            ways.into_iter().for_each(|link| self.machines[node].dialer.learn(*peer, Along(link)));
        }
        let book: Vec<Contact> = rows.iter().map(|row| self.contact(node, row.node)).collect();
        let machine = &mut self.machines[node];
        let me = machine.key.public();
        if let Some(running) = &mut machine.running {
            let roster = Arc::clone(running.shelf.roster());
            running.process.contacts = Some(Contacts::new(me, roster, book));
        }
        let here = addresses([node].into_iter());
        self.act(node, |running, now| running.process.contacts(Input::Here(here), now));
    }

    /// A member that is here says where it is.
    pub(super) fn introduced(&mut self, node: usize, Contact { node: peer, addresses }: &Contact) {
        let is_here = |it: &super::Running| it.process.neighbours.contains_key(peer);
        if !self.machines[node].running.as_deref().is_some_and(is_here) {
            return;
        }
        for link in self.ways(node, addresses) {
            self.machines[node].dialer.learn(*peer, Along(link));
        }
        let known = self.contact(node, *peer);
        self.act(node, |running, now| running.process.contacts(Input::Known(known), now));
    }

    /// A member says where another one is.
    pub(super) fn rumoured(&mut self, node: usize, Contact { node: peer, addresses }: &Contact) {
        for link in self.ways(node, addresses) {
            self.machines[node].dialer.rumour(*peer, Along(link));
        }
    }

    /// A node keeps where a member is.
    pub(super) fn locate(&mut self, node: usize, peer: PublicKey) {
        let contact = self.contact(node, peer);
        let texts = contact.addresses.iter().map(|address| String::from_utf8_lossy(address).into_owned());
        let row = ContactRow { node: peer, addresses: texts.collect() };
        self.act(node, |running, _| running.shelf.locate(&row));
    }

    /// `node` is connected with one that it called, along this link.
    pub(super) fn met(&mut self, node: usize, link: usize) {
        let Some(known) = &self.known else { return };
        let [a, b] = self.links[link].ends;
        let is_new = !known.contains(&[a, b]) && !known.contains(&[b, a]) && self.introduced.insert(link);
        let peer = self.people.key(self.links[link].other(node)).public();
        self.machines[node].dialer.learn(peer, Along(link));
        if is_new {
            self.check.happened(node, Happening::Introduced);
        }
    }

    /// The first two that must have come to know each other and are not connected.
    pub(super) fn first_strangers(&self) -> Option<(usize, usize)> {
        let unmet = |link: &usize| self.links[*link].up != [true; 2];
        let link = self.acquainted()?.into_iter().find(unmet)?;
        let [a, b] = self.links[link].ends;
        Some((a, b))
    }

    /// The links whose ends must come to know each other, with nobody's help but that of nodes that count: whoever
    /// knows two tells each of the other. None where all know their neighbours anyway.
    pub(super) fn acquainted(&self) -> Option<BTreeSet<usize>> {
        let (known, counting) = (self.known.as_ref()?, self.counting());
        let counts = |link: &usize| self.links[*link].ends.iter().all(|end| counting.contains(end));
        let (mut met, mut left): (BTreeSet<usize>, BTreeSet<usize>) =
            (0..self.links.len()).filter(counts).partition(|link| {
                let [a, b] = self.links[*link].ends;
                known.contains(&[a, b]) || known.contains(&[b, a])
            });
        loop {
            let mut friends: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
            for [a, b] in met.iter().map(|link| self.links[*link].ends) {
                friends.entry(a).or_default().insert(b);
                friends.entry(b).or_default().insert(a);
            }
            let of = |node: usize| friends.get(&node).into_iter().flatten();
            let share = |link: &usize| {
                let [a, b] = self.links[*link].ends;
                of(a).any(|friend| friends.get(&b).is_some_and(|others| others.contains(friend)))
            };
            let new: Vec<usize> = left.extract_if(.., |link| share(link)).collect();
            if new.is_empty() {
                return Some(met);
            }
            met.extend(new);
        }
    }

    /// All that a node knows at first hand of where another is.
    fn contact(&self, node: usize, peer: PublicKey) -> Contact {
        let ways = self.machines[node].dialer.learned(peer).iter();
        Contact { node: peer, addresses: addresses(ways.map(|Along(link)| self.links[*link].other(node))) }
    }

    /// The links of `node` to these addresses.
    fn ways(&self, node: usize, addresses: &Addresses) -> Vec<usize> {
        let numbers = addresses.iter().filter_map(|address| number(address));
        numbers.filter_map(|other| self.link_between(node, other)).collect()
    }
}
