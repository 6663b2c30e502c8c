//! Who is where: members tell each other how the others are reached.
//!
//! Owns what is known at first hand (where this node listens, where a member answered, and what it said of itself),
//! to whom that is told and how often. What others tell is tried and never told further: whoever answers must show
//! the key that was dialled, so a liar brings about a failed attempt and nothing else. Invariant: whatever is
//! remembered is of a member, or of one whose certificate may be on its way, of whom each peer may name [`EARLY_MAX`].

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::Roster;

use super::conduct::{Conduct, LEFT_MAX, Left, Misdeed};
use super::held::Held;
use crate::wire::contacts::{self as said, Addresses, CONTACTS_MAX, Contact};
use crate::wire::{self, Bounded};

/// The shortest time between two messages that tell where the same member is, besides those to who just came.
pub const SPREAD_SOONEST: Duration = Duration::from_secs(5);
/// Nodes nobody here knows yet that are remembered because one peer named them.
pub const EARLY_MAX: usize = 64;

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// A member is connected.
    Connected(PublicKey),
    /// It is gone.
    Disconnected(PublicKey),
    /// It sent a message.
    Received {
        /// Who.
        peer: PublicKey,
        /// [`wire::contacts::Contacts`].
        bytes: Vec<u8>,
    },
    /// Where this node listens now.
    Here(Addresses),
    /// Where a member is, at first hand: all that is known of it.
    Known(Contact),
    /// Other members.
    Roster(Arc<Roster>),
    /// Time passed.
    Tick,
}

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message.
    Send {
        /// To whom.
        peer: PublicKey,
        /// What.
        message: said::Contacts,
    },
    /// Remember over a restart where a member is.
    Keep(Contact),
    /// A peer says where it listens itself.
    Introduced(Contact),
    /// A member may be there.
    Try {
        /// Who says so.
        peer: PublicKey,
        /// Who may be where.
        contact: Contact,
    },
    /// Close the connection, shun the peer and say why in the log.
    Drop {
        /// Whose.
        peer: PublicKey,
        /// Why.
        reason: Misdeed,
    },
}

/// What one node knows of where others are.
#[derive(Clone, Debug)]
pub struct Contacts {
    me: PublicKey,
    roster: Arc<Roster>,
    book: BTreeMap<PublicKey, Page>,
    peers: BTreeMap<PublicKey, Peer>,
    left: Left,
}

/// What is known of a member at first hand.
#[derive(Clone, Debug)]
struct Page {
    addresses: Addresses,
    /// Whether the others have not heard it yet.
    is_news: bool,
    /// When it was told to everybody.
    told: Option<Timestamp>,
}

/// A connected member.
#[derive(Clone, Debug)]
struct Peer {
    conduct: Conduct,
    /// Nodes it named that are no members here yet.
    early: BTreeMap<PublicKey, Addresses>,
}

impl Contacts {
    /// The contacts of node `me`, which knew of `book` when it stopped.
    pub fn new(me: PublicKey, roster: Arc<Roster>, book: impl IntoIterator<Item = Contact>) -> Self {
        let page = |it: Contact| (it.node, Page { addresses: it.addresses, is_news: false, told: None });
        let book = book.into_iter().filter(|it| it.node == me || roster.belongs(it.node)).map(page).collect();
        Self { me, roster, book, peers: BTreeMap::new(), left: Left::default() }
    }

    /// All that must be done because of `input`.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        match input {
            Input::Connected(peer) => {
                let conduct = self.left.take(peer, now);
                self.peers.insert(peer, Peer { conduct, early: BTreeMap::new() });
                tell(peer, self.book.iter().map(contact))
            }
            Input::Disconnected(peer) => {
                if let Some(state) = self.peers.remove(&peer) {
                    self.left.keep(peer, state.conduct, now);
                }
                Vec::new()
            }
            Input::Received { peer, bytes } => self.received(peer, &bytes, now),
            Input::Here(addresses) => {
                self.learn(Contact { node: self.me, addresses });
                self.spread(now)
            }
            Input::Known(contact) => {
                self.learn(contact);
                self.spread(now)
            }
            Input::Roster(roster) => self.roster(roster),
            Input::Tick => self.spread(now),
        }
    }

    /// What it holds that has a limit.
    pub fn held(&self) -> [Held; 2] {
        let early = self.peers.values().map(|peer| peer.early.len());
        [
            Held::most("nodes that are no members and one peer named", early, EARLY_MAX),
            Held::new("peers of contacts that left", self.left.count(), LEFT_MAX),
        ]
    }

    fn learn(&mut self, Contact { node, addresses }: Contact) {
        if node != self.me && !self.roster.belongs(node) {
            return;
        }
        let told = match self.book.get(&node) {
            Some(page) if page.addresses == addresses => return,
            Some(page) => page.told,
            None => None,
        };
        self.book.insert(node, Page { addresses, is_news: true, told });
    }

    fn received(&mut self, peer: PublicKey, bytes: &[u8], now: Timestamp) -> Vec<Output> {
        let Some(state) = self.peers.get_mut(&peer) else {
            return Vec::new();
        };
        let fits = state.conduct.receive(bytes.len(), now);
        let contacts = match fits.and_then(|()| Ok(wire::decode::<said::Contacts>(bytes)?)) {
            Ok(said::Contacts(contacts)) => contacts.into_inner(),
            Err(misdeed) if state.conduct.blame(misdeed, now) => {
                self.peers.remove(&peer);
                return vec![Output::Drop { peer, reason: misdeed }];
            }
            Err(_) => return Vec::new(),
        };
        let mut out = Vec::new();
        for contact in contacts {
            if contact.node == self.me {
                continue;
            }
            if contact.node == peer {
                out.push(Output::Introduced(contact));
            } else if self.roster.belongs(contact.node) {
                out.push(Output::Try { peer, contact });
            } else if state.early.len() < EARLY_MAX || state.early.contains_key(&contact.node) {
                state.early.insert(contact.node, contact.addresses);
            }
        }
        out
    }

    /// A newcomer's address may be here before its certificate is.
    fn roster(&mut self, roster: Arc<Roster>) -> Vec<Output> {
        self.roster = roster;
        self.book.retain(|node, _| *node == self.me || self.roster.belongs(*node));
        let mut out = Vec::new();
        for (peer, state) in &mut self.peers {
            let come = state.early.extract_if(.., |node, _| self.roster.belongs(*node));
            out.extend(
                come.map(|(node, addresses)| Output::Try {
                    peer: *peer,
                    contact: Contact { node, addresses },
                }),
            );
        }
        out
    }

    /// Tells everybody what is new. A member that moves all the time is told of now and then.
    fn spread(&mut self, now: Timestamp) -> Vec<Output> {
        let is_due = |page: &Page| page.told.is_none_or(|told| now.since(told) >= SPREAD_SOONEST);
        let mut news = Vec::new();
        for (node, page) in self.book.iter_mut().filter(|(_, page)| page.is_news && is_due(page)) {
            (page.is_news, page.told) = (false, Some(now));
            news.push(Contact { node: *node, addresses: page.addresses.clone() });
        }
        let told = self.peers.keys().flat_map(|peer| tell(*peer, news.iter().cloned()));
        let told: Vec<Output> = told.collect();
        news.retain(|contact| contact.node != self.me);
        news.into_iter().map(Output::Keep).chain(told).collect()
    }
}

fn contact((node, page): (&PublicKey, &Page)) -> Contact {
    Contact { node: *node, addresses: page.addresses.clone() }
}

/// The messages that tell `peer` of all the others among `contacts`.
fn tell(peer: PublicKey, contacts: impl Iterator<Item = Contact>) -> Vec<Output> {
    let others: Vec<Contact> = contacts.filter(|contact| contact.node != peer).collect();
    let messages = others.chunks(CONTACTS_MAX).filter_map(|some| Bounded::new(some.to_vec()));
    messages.map(|some| Output::Send { peer, message: said::Contacts(some) }).collect()
}
