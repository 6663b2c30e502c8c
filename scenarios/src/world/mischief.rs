//! What bad nodes do: they are members with keys that sign, and keep to nothing else.

mod forgery;

use std::sync::Arc;
use std::time::Duration;

use xyn_net::wire::blobs::{Answer, Ask};
use xyn_net::wire::contacts::Contacts;
use xyn_net::wire::{self, Bounded, Frame, MESSAGE_BYTES_MAX, News, Payload};
use xyn_store::Digest;
use xyn_store::blobs::Manifest;
use xyn_store::simulation::Dice;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::frame::Frame as Sealed;

use super::World;
use super::machine::Machine;
use super::meet::address;
use super::queue::{Event, Parcel};
use crate::fault::Manner;
use crate::node::Talk;
#[cfg(test)]
pub(crate) use forgery::record;

/// How often a bad node is up to something.
const PERIOD: Duration = Duration::from_secs(2);
/// Messages that a flooder sends to each neighbour at a time.
const FLOOD: u64 = 5000;
/// Messages that a replayer remembers.
const REMEMBERED: usize = 256;
/// Addresses that a liar makes up are below this.
const SOMEWHERE: u64 = 16;

/// What a node of its manner says instead; none when it keeps silent.
pub(super) fn twisted(machine: &mut Machine, talk: Talk, bytes: &Arc<[u8]>) -> Option<Arc<[u8]>> {
    match (machine.manner, talk) {
        (None, _) => Some(Arc::clone(bytes)),
        (Some(Manner::Mute), Talk::Join) => None,
        (Some(Manner::Liar), Talk::News) => Some(spoiled(bytes, &mut machine.dice)),
        (Some(manner @ (Manner::Liar | Manner::Mute | Manner::Braggart)), Talk::Sync) => {
            let message = wire::decode::<wire::Sync>(bytes).ok()?;
            let said = twist(manner, message, &mut machine.dice)?;
            Some(wire::encode(&said).into())
        }
        (Some(manner @ (Manner::Liar | Manner::Mute | Manner::Braggart)), Talk::Answer(_)) => {
            twist_answer(manner, bytes, &mut machine.dice)
        }
        (Some(Manner::Liar), Talk::Contacts) => elsewhere(bytes, &mut machine.dice),
        _ => Some(Arc::clone(bytes)),
    }
}

/// Everybody is said to be somewhere else.
fn elsewhere(bytes: &[u8], dice: &mut Dice) -> Option<Arc<[u8]>> {
    let Contacts(contacts) = wire::decode(bytes).ok()?;
    let mut contacts = contacts.into_inner();
    for contact in &mut contacts {
        contact.addresses = Bounded::new(vec![address(dice.below(SOMEWHERE) as usize)])?;
    }
    Some(wire::encode(&Contacts(Bounded::new(contacts)?)).into())
}

/// What is said instead of an answer about content.
fn twist_answer(manner: Manner, bytes: &Arc<[u8]>, dice: &mut Dice) -> Option<Arc<[u8]>> {
    let said = match (manner, Answer::read(bytes.to_vec()).ok()?) {
        (Manner::Mute, _) => return None,
        (Manner::Braggart, Answer::Chunks(_)) => Answer::Chunks(Payload::new(&[])?),
        (Manner::Liar, answer) => match (dice.below(4), answer) {
            // It does not end where an answer must.
            (0, Answer::Chunks(_)) => return Some(vec![1; MESSAGE_BYTES_MAX + 1].into()),
            (_, Answer::Chunks(parcel)) => Answer::Chunks(Payload::new(&spoiled(&parcel, dice))?),
            (0, Answer::Manifest { name, page, .. }) => Answer::Manifest { name, length: u32::MAX, page },
            (1, Answer::Manifest { page, .. }) => curtailed(&page)?,
            (_, answer) => answer,
        },
        (_, answer) => answer,
    };
    Some(wire::encode(&said).into())
}

/// A list of chunks without the last.
fn curtailed(page: &[u8]) -> Option<Answer> {
    let manifest = Manifest::decode(page).ok()?;
    let (_, parts) = manifest.parts().split_last()?;
    let bytes = Manifest::new(manifest.object(), parts.to_vec()).encode();
    let (name, length) = (Digest::of(&bytes), u32::try_from(bytes.len()).ok()?);
    Some(Answer::Manifest { name, length, page: Payload::new(&bytes)? })
}

fn twist(manner: Manner, message: wire::Sync, dice: &mut Dice) -> Option<wire::Sync> {
    match (manner, message) {
        (Manner::Liar, wire::Sync::Frames { feed, after, frames }) => {
            let mut frames = frames.into_inner();
            for frame in &mut frames {
                frame.bytes = Payload::new(&spoiled(&frame.bytes, dice))?;
            }
            Some(wire::Sync::Frames { feed, after, frames: Bounded::new(frames)? })
        }
        (Manner::Mute, wire::Sync::Frames { .. } | wire::Sync::Proof { .. }) => None,
        (Manner::Braggart, wire::Sync::Have { feeds, ask }) => {
            let mut feeds = feeds.into_inner();
            for known in feeds.iter_mut().filter_map(|(_, known)| known.head.as_mut()) {
                known.seq += 1 + dice.below(1 << 40);
            }
            Some(wire::Sync::Have { feeds: Bounded::new(feeds)?, ask })
        }
        (_, message) => Some(message),
    }
}

fn spoiled(bytes: &[u8], dice: &mut Dice) -> Arc<[u8]> {
    let mut bytes = bytes.to_vec();
    let at = dice.below(bytes.len().max(1) as u64) as usize;
    bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8));
    bytes.into()
}

/// A replayer listens.
pub(super) fn remember(machine: &mut Machine, parcel: &Parcel) {
    if machine.manner == Some(Manner::Replayer) {
        let at = machine.dice.below(REMEMBERED as u64) as usize;
        match machine.heard.get_mut(at) {
            Some(place) => *place = parcel.clone(),
            None => machine.heard.push(parcel.clone()),
        }
    }
}

impl World {
    /// A bad node does what it does, and will again.
    pub(super) fn mischief(&mut self, node: usize) {
        // One that is only broken stays so.
        if self.is_calm && self.scenario.bad().contains(&node) {
            return;
        }
        self.queue.push(self.now.after(PERIOD), Event::Mischief(node));
        if self.machines[node].running.is_none() {
            return;
        }
        match self.machines[node].manner {
            Some(Manner::Forger) => self.forge(node),
            // At once: whoever refused the one talks to it no more.
            Some(Manner::Impostor) => [true, false].into_iter().for_each(|is_board| {
                self.impersonate(node, is_board);
            }),
            Some(Manner::Equivocator) => self.equivocate(node),
            Some(Manner::Replayer) => self.replay(node),
            Some(Manner::Flooder) => self.flood(node),
            Some(Manner::Babbler) => self.babble(node),
            Some(Manner::Defiant) => self.defy(node),
            Some(Manner::Thief) => self.steal(node),
            Some(Manner::Rewriter) => self.act(node, |running, _| running.shelf.rewrite()),
            Some(Manner::Liar | Manner::Braggart | Manner::Mute) | None => {}
        }
    }

    fn neighbours_of(&self, node: usize) -> Vec<usize> {
        let links = self.adjacent[node].iter().map(|link| &self.links[*link]);
        links.filter(|link| link.up[link.end(node)]).map(|link| link.other(node)).collect()
    }

    fn replay(&mut self, node: usize) {
        for other in self.neighbours_of(node) {
            let machine = &mut self.machines[node];
            if machine.heard.is_empty() {
                return;
            }
            let at = machine.dice.below(machine.heard.len() as u64) as usize;
            let Parcel { talk, bytes, .. } = machine.heard[at].clone();
            self.transmit(node, other, Parcel { is_replay: true, ..Parcel::of(talk, bytes) });
        }
    }

    /// Messages that mean something, far too many of them.
    fn flood(&mut self, node: usize) {
        for other in self.neighbours_of(node) {
            for number in 0..FLOOD {
                let made_up = Digest::of(&self.machines[node].dice.roll().to_be_bytes());
                let (talk, bytes) = if number % 2 == 0 {
                    let half = *made_up.as_bytes().first_chunk().expect("a digest is longer");
                    (Talk::Sync, wire::encode(&wire::Sync::Summary(wire::Summary([half; 16]))))
                } else {
                    let ask = Ask::Manifest { root: made_up, object: made_up, from: 0, credit: 1 };
                    (Talk::Ask(number), wire::encode(&ask))
                };
                self.transmit(node, other, Parcel::of(talk, bytes.into()));
            }
        }
    }

    fn babble(&mut self, node: usize) {
        let has_contacts = self.known.is_some();
        for other in self.neighbours_of(node) {
            let dice = &mut self.machines[node].dice;
            let length = dice.below(300) as usize;
            let bytes: Vec<u8> = (0..length).map(|_| dice.roll() as u8).collect();
            let number = dice.below(8);
            let talks = [Talk::News, Talk::Sync, Talk::Ask(number), Talk::Answer(number), Talk::Contacts];
            let spoken = if has_contacts { talks.len() } else { talks.len() - 1 };
            let talk = talks[dice.below(spoken as u64) as usize];
            self.transmit(node, other, Parcel::of(talk, bytes.into()));
        }
    }

    /// Sends a frame as news to those neighbours that are `chosen`.
    pub(crate) fn spread(&mut self, node: usize, feed: FeedId, bytes: &[u8], chosen: impl Fn(usize) -> bool) {
        let Some((_, from, to)) = Sealed::span(bytes) else { return };
        let Some(payload) = Payload::new(bytes) else { return };
        let news: Arc<[u8]> = wire::encode(&News { feed, frame: Frame { from, to, bytes: payload } }).into();
        for other in self.neighbours_of(node).into_iter().filter(|other| chosen(*other)) {
            self.transmit(node, other, Parcel::of(Talk::News, Arc::clone(&news)));
        }
    }
}
