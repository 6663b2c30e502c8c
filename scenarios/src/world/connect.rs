//! Connections: who finds whom, and how each side learns that the other is gone.

use xyn_store::audit::signature::PublicKey;

use super::World;
use super::queue::Event;
use crate::network::KEEP_ALIVE;
use crate::node::Closing;

impl World {
    /// Puts an attempt to connect on the calendar, if none is there.
    pub(super) fn dial_later(&mut self, link: usize) {
        let link_state = &mut self.links[link];
        if !std::mem::replace(&mut link_state.is_dialled, true) {
            let wait = link_state.backoff(&mut self.dice);
            self.queue.push(self.now.after(wait), Event::Dial(link));
        }
    }

    pub(super) fn dial_all(&mut self, node: usize) {
        for link in self.adjacent[node].clone() {
            self.links[link].attempts = 0;
            self.dial_later(link);
        }
    }

    pub(super) fn dial(&mut self, link: usize) {
        let state = &mut self.links[link];
        state.is_dialled = false;
        let ends = state.ends;
        if state.up == [true; 2] {
            return;
        }
        if let Some((guest, host)) = self.guest_and_host(ends) {
            return match self.links[link].is_open() && self.machines[host].running.is_some() {
                true => self.meet(link, guest, host),
                false => self.dial_later(link),
            };
        }
        if ends.iter().any(|node| self.machines[*node].running.is_none()) {
            return;
        }
        let state = &self.links[link];
        if !state.is_open() || !self.admits(ends[0], ends[1]) || !self.admits(ends[1], ends[0]) {
            return self.dial_later(link);
        }
        self.begin_session(link);
        for (node, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            let peer = self.people.key(other).public();
            self.act(node, |running, now| running.process.connected(peer, now));
        }
    }

    /// Both sides are connected anew.
    pub(super) fn begin_session(&mut self, link: usize) {
        // A side that still believes in an old connection learns that it is gone.
        self.drop_sides(link);
        let state = &mut self.links[link];
        state.session += 1;
        state.attempts = 0;
        state.up = [true; 2];
        state.reset();
        let (ends, session) = (state.ends, state.session);
        self.trace.note(self.now, 1, ends[0], &[&(ends[1] as u32).to_be_bytes(), &session.to_be_bytes()]);
    }

    /// Whether a node talks to another one now.
    fn admits(&self, node: usize, other: usize) -> bool {
        let peer = self.people.key(other).public();
        let machine = &self.machines[node];
        let now = machine.clock(self.now);
        machine.running.as_ref().is_some_and(|running| {
            running.shelf.roster().admit(peer, now).is_ok() && !running.process.shunned.contains(peer, now)
        })
    }

    /// Both sides that believe in a connection learn that it is gone.
    pub(super) fn drop_sides(&mut self, link: usize) {
        let up = std::mem::take(&mut self.links[link].up);
        let ends = self.links[link].ends;
        for end in [0, 1] {
            if up[end] {
                let peer = self.people.key(ends[1 - end]).public();
                self.act(ends[end], |running, now| running.process.disconnected(peer, now));
            }
        }
    }

    /// A node closes a connection; the other side is told.
    pub(super) fn close(&mut self, node: usize, peer: PublicKey, why: Closing) {
        let Some(other) = self.people.number(peer) else { return };
        let Some(link) = self.link_between(node, other) else { return };
        if self.links[link].up == [false; 2] {
            return;
        }
        self.trace.note(self.now, 2, node, &[&(other as u32).to_be_bytes()]);
        self.check.closed(self.now, node, other, why);
        self.drop_sides(link);
        self.dial_later(link);
    }

    /// A process is gone without a word: its neighbours find out by waiting.
    pub(super) fn vanish(&mut self, node: usize) {
        for link in self.adjacent[node].clone() {
            let state = &mut self.links[link];
            let end = state.end(node);
            state.up[end] = false;
            if state.up[1 - end] {
                let event = Event::GiveUp { link, session: state.session, end: 1 - end };
                self.queue.push(self.now.after(KEEP_ALIVE), event);
            }
        }
    }

    /// A process says goodbye.
    pub(super) fn leave(&mut self, node: usize) {
        for link in self.adjacent[node].clone() {
            let end = self.links[link].end(node);
            self.links[link].up[end] = false;
            self.drop_sides(link);
        }
    }

    /// Both sides of a blocked connection will give it up.
    pub(super) fn starve(&mut self, link: usize) {
        let session = self.links[link].session;
        for end in [0, 1] {
            self.queue.push(self.now.after(KEEP_ALIVE), Event::GiveUp { link, session, end });
        }
    }

    pub(super) fn give_up(&mut self, link: usize, session: u32, end: usize) {
        let state = &self.links[link];
        let is_silent = !state.is_open() || !state.up[1 - end];
        if state.session != session || !state.up[end] || !is_silent {
            return;
        }
        self.drop_sides(link);
        self.dial_later(link);
    }

    pub(super) fn link_between(&self, a: usize, b: usize) -> Option<usize> {
        self.adjacent[a].iter().copied().find(|link| self.links[*link].other(a) == b)
    }
}
