//! What processes ask for, done: messages and jobs.

use std::sync::Arc;
use std::time::Duration;

use xyn_net::proto::join::guest;
use xyn_store::Timestamp;

use super::World;
use super::machine::Running;
use super::queue::{Event, Parcel};
use crate::fault::Manner;
use crate::node::shelf::Note;
use crate::node::{Done, Effect, Job, Seen, Talk, trade};
use crate::tally::Happening;
use crate::world::mischief;

/// The least and the most time that a job of the records takes.
const JOB_MICROS: (u64, u64) = (100, 3000);
/// How long the first records that are handed in wait for others, to be judged in one batch: as in a node.
const WINDOW: Duration = Duration::from_millis(20);
/// How long until whoever asked learns that a question or its answer did not come through.
const STREAM_BREAKS: Duration = Duration::from_secs(2);

impl World {
    /// Lets a running node do something, and carries out what follows.
    pub(crate) fn act(&mut self, node: usize, work: impl FnOnce(&mut Running, Timestamp)) {
        let machine = &mut self.machines[node];
        let (clock, own) = (machine.clock(self.now), machine.feed());
        let Some(running) = machine.running.as_mut() else {
            return;
        };
        work(running, clock);
        // On the books before anybody can hear of it; and published, as a node does it, before it is looked at who belongs
        // now.
        for attempt in running.shelf.attempts() {
            self.check.wrote(self.now, node, own, &attempt);
            if attempt.is_kept {
                running.process.wrote(own, &attempt.frames, clock);
            }
        }
        loop {
            let notes = running.shelf.notes();
            if notes.is_empty() {
                break;
            }
            self.check.noted(self.now, node, &running.shelf, &notes, &mut machine.sure);
            for note in &notes {
                if let Note::Roster(roster) = note {
                    machine.dialer.succeed(|peer| roster.heir(peer));
                    machine.dialer.retain(|peer| roster.belongs(peer));
                }
            }
            running.process.noted(&notes, &running.shelf, clock);
        }
        running.shelf.remarks().into_iter().for_each(|what| self.check.happened(node, what));
        let effects = running.process.effects();
        let has_power = running.shelf.base().has_power();
        for effect in effects {
            self.perform(node, effect);
        }
        if !has_power {
            self.power_gone(node);
        }
    }

    fn perform(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Send { peer, talk, bytes } => {
                if let Some(running) = &self.machines[node].running {
                    self.check.asks(self.now, node, &running.chest, talk, &bytes);
                }
                if let Some(other) = self.people.bearer(peer) {
                    self.send(node, other, talk, bytes);
                }
            }
            Effect::Shut(object) => self.machines[node].chest().close(&object),
            Effect::Work(job) => self.work_on(node, job, Duration::ZERO),
            Effect::HandIn(records) => {
                let Some(running) = &mut self.machines[node].running else { return };
                running.intake.push(records);
                if running.intake.len() == 1 {
                    self.work_on(node, Job::Judge, WINDOW);
                }
            }
            Effect::Alarm { peer, why } => {
                if let Some(other) = self.people.number(peer) {
                    self.check.alarm(self.now, node, other, why);
                }
            }
            Effect::Located(peer) => self.locate(node, peer),
            Effect::Introduced(contact) => self.introduced(node, &contact),
            Effect::Rumoured(contact) => self.rumoured(node, &contact),
            Effect::Farewell(peer) => self.farewell(node, peer),
            Effect::Close { peer, why } => self.close(node, peer, why),
        }
    }

    /// Has a job done that is taken up after so long.
    fn work_on(&mut self, node: usize, job: Job, after: Duration) {
        let takes = JOB_MICROS.0 + self.dice.below(JOB_MICROS.1 - JOB_MICROS.0);
        let life = self.machines[node].life;
        let at = self.now.after(after + Duration::from_micros(takes));
        self.queue.push(at, Event::Job { node, life, job });
    }

    /// Puts a message on the way, as the sender's manner has it.
    pub(super) fn send(&mut self, node: usize, other: usize, talk: Talk, bytes: Arc<[u8]>) {
        match mischief::twisted(&mut self.machines[node], talk, &bytes) {
            Some(said) => {
                if self.machines[node].manner == Some(Manner::Braggart) && said != bytes {
                    self.check.happened(other, Happening::Boasts);
                }
                self.transmit(node, other, Parcel::of(talk, said));
            }
            None => self.told(node, other, talk, bytes.len()),
        }
    }

    pub(super) fn transmit(&mut self, node: usize, other: usize, parcel: Parcel) {
        let Some(link) = self.link_between(node, other) else { return };
        let state = &mut self.links[link];
        let end = state.end(node);
        if !state.up[end] {
            return;
        }
        let (talk, length) = (parcel.talk, parcel.bytes.len());
        self.check.sent(node, talk, length);
        let session = state.session;
        let passage = state.carry(end, length, self.now, &mut self.dice);
        let is_open = state.is_open();
        self.check.carried(other, &passage);
        if passage.arrivals.is_empty() {
            self.told(node, other, talk, length);
            // Where nothing passes at all, silence is all there is.
            if is_open {
                self.broken(link, session, end, talk);
            }
        }
        for (copy, at) in passage.arrivals.into_iter().enumerate() {
            let number = Some(passage.number);
            let parcel = Parcel { is_copy: copy > 0, number, ..parcel.clone() };
            self.queue.push(at, Event::Arrive { link, session, end: 1 - end, parcel });
        }
    }

    /// The stream on which `end` sent something broke: whoever asked learns of it.
    fn broken(&mut self, link: usize, session: u32, end: usize, talk: Talk) {
        let (end, number) = match talk {
            Talk::Ask(number) => (end, number),
            Talk::Answer(number) => (1 - end, number),
            Talk::Sync | Talk::News | Talk::Join | Talk::Witness | Talk::Contacts => return,
        };
        let parcel = Parcel { is_copy: true, ..Parcel::of(Talk::Answer(number), Arc::new([])) };
        self.queue.push(self.now.after(STREAM_BREAKS), Event::Arrive { link, session, end, parcel });
    }

    pub(super) fn arrive(&mut self, link: usize, session: u32, end: usize, parcel: Parcel) {
        let state = &mut self.links[link];
        let (node, other) = (state.ends[end], state.ends[1 - end]);
        let is_of_session = state.session == session;
        let is_up = is_of_session && state.up[end];
        if let Some(number) = parcel.number {
            let is_overtaken = state.is_overtaken(end, number);
            self.check.arrived(node, is_up, is_overtaken);
        }
        if !is_of_session {
            return;
        }
        if !parcel.is_copy {
            self.told(other, node, parcel.talk, parcel.bytes.len());
        }
        if !is_up {
            return;
        }
        let kind = match parcel.talk {
            Talk::Sync => 3,
            Talk::News => 4,
            Talk::Ask(_) => 8,
            Talk::Answer(_) => 9,
            Talk::Join => 10,
            Talk::Witness => 11,
            Talk::Contacts => 12,
        };
        self.trace.note(self.now, kind, node, &[&(other as u32).to_be_bytes(), &parcel.bytes]);
        let peer = self.people.key(other).public();
        mischief::remember(&mut self.machines[node], &parcel);
        if parcel.talk == Talk::Join && self.machines[node].guest.is_some() {
            return self.visit(node, guest::Input::Received(parcel.bytes.to_vec()));
        }
        let mut is_passed_over = false;
        self.act(node, |running, now| {
            is_passed_over = running.process.received(parcel.talk, peer, &parcel.bytes, now);
        });
        if parcel.is_replay && is_passed_over {
            self.check.happened(node, Happening::Replays);
        }
    }

    /// A message from `node` was taken by `other`, or lost.
    fn told(&mut self, node: usize, other: usize, talk: Talk, bytes: usize) {
        let peer = self.people.key(other).public();
        if let Talk::Answer(_) = talk {
            self.act(node, |running, now| running.process.served(peer, now));
        } else if let (Talk::Sync | Talk::News | Talk::Witness | Talk::Contacts, Some(running)) =
            (talk, &mut self.machines[node].running)
        {
            running.process.told(peer, bytes);
        }
    }

    pub(super) fn job(&mut self, node: usize, life: u32, job: Job) {
        if self.machines[node].life != life {
            return;
        }
        if let Job::Redeem { peer, request } = job {
            return self.redeem(node, peer, &request);
        }
        let mut done = Vec::new();
        self.act(node, |running, now| done = carry_out(running, job, now));
        // What changed was told before what was asked is answered, as the node does it.
        for done in done {
            if let Done::Seen(Seen::Vouched { checkpoint, signature: Some(_), .. }) = &done {
                self.check.vouched(self.now, node, checkpoint);
            }
            if self.machines[node].life == life {
                self.act(node, |running, now| running.process.done(done, now));
            }
        }
    }
}

fn carry_out(running: &mut Running, job: Job, now: Timestamp) -> Vec<Done> {
    let shelf = &mut running.shelf;
    vec![match job {
        Job::Judge => return shelf.admit(std::mem::take(&mut running.intake), now),
        Job::Content(errand) => Done::Content(trade::run(errand, &mut running.chest)),
        Job::Read { peer, feed, after, to, credit } => {
            Done::Read { peer, feed, after, frames: shelf.read(feed, after, to, credit) }
        }
        Job::ReadProof { peer, feed } => Done::ReadProof { peer, feed, proof: shelf.read_proof(feed) },
        Job::AdmitProof { peer, feed, proof } => {
            Done::Admitted { peer, feed, result: shelf.admit_proof(feed, &proof, now) }
        }
        Job::Prove { peer, growth } => Done::Seen(Seen::Proved { peer, growth, hashes: shelf.prove(growth) }),
        Job::Vouch { peer, checkpoint } => {
            Done::Seen(Seen::Vouched { peer, checkpoint: *checkpoint, signature: shelf.vouch(*checkpoint) })
        }
        Job::Attest(row) => {
            shelf.attest(&row);
            Done::Seen(Seen::Kept)
        }
        // Whoever is let in is entered in the books: the world does that.
        Job::Redeem { .. } => return Vec::new(),
    }]
}
