//! Connections: who finds whom, and how each side learns that the other is gone.

use xyn_net::proto::dial::Whom;
use xyn_store::audit::signature::PublicKey;

use super::World;
use super::queue::Event;
use crate::network::{Along, KEEP_ALIVE};
use crate::node::Closing;
use crate::tally::Happening;

impl World {
    /// What was just started at `node` is to find its neighbours.
    pub(super) fn plan_dials(&mut self, node: usize) {
        let (known, running) = (self.known.as_ref(), &self.machines[node].running);
        // Its settings name the keys that the others had at first.
        let heir = |key| running.as_ref().map_or(key, |running| running.shelf.roster().heir(key));
        let ways = self.adjacent[node].iter().filter_map(|link| {
            let other = self.links[*link].other(node);
            let is_known = known.is_none_or(|known| known.contains(&[node, other]));
            is_known.then(|| (heir(self.people.keys(other)[0].public()), Along(*link)))
        });
        let ways: Vec<_> = ways.collect();
        self.machines[node].plan_dials(ways.into_iter());
        self.remember(node);
    }

    /// A node dials those it misses, when it is time.
    pub(super) fn dial(&mut self, node: usize) {
        for (peer, ways) in self.machines[node].due(self.now) {
            if !self.call(node, peer, &ways) {
                let machine = &mut self.machines[node];
                let clock = machine.clock(self.now);
                machine.dialer.failed(&Whom::Node(peer), clock);
            }
        }
    }

    /// Whether `node` comes to be connected with `peer`. Whoever answers first along one of `ways` decides.
    fn call(&mut self, node: usize, peer: PublicKey, ways: &[Along]) -> bool {
        let answers = |way: &&Along| {
            let link = &self.links[way.0];
            link.is_open() && self.machines[link.other(node)].running.is_some()
        };
        let Some(&way) = ways.iter().find(answers) else {
            if ways.iter().any(|way| !self.links[way.0].is_open()) {
                self.check.happened(node, Happening::CallsBlocked);
            }
            return false;
        };
        let other = self.links[way.0].other(node);
        if self.people.key(other).public() != peer {
            self.machines[node].dialer.taken(&Whom::Node(peer), way);
            return false;
        }
        self.reach(node, way.0)
    }

    /// Whether `node` comes to be connected along a link.
    fn reach(&mut self, node: usize, link: usize) -> bool {
        let (ends, is_open) = (self.links[link].ends, self.links[link].is_open());
        if let Some((guest, host)) = self.guest_and_host(ends) {
            let comes_in = is_open && guest == node && self.machines[host].running.is_some();
            if comes_in {
                self.meet(link, guest, host);
            }
            return comes_in;
        }
        if !is_open || !self.admits(ends[0], ends[1]) || !self.admits(ends[1], ends[0]) {
            return false;
        }
        for [node, other] in [ends, [ends[1], ends[0]]] {
            if let Some(running) = &self.machines[node].running {
                self.check.talks(self.now, node, &running.shelf, other);
            }
        }
        self.begin_session(link);
        self.met(node, link);
        for (node, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            let peer = self.people.key(other).public();
            self.act(node, |running, now| running.process.connected(peer, now));
        }
        true
    }

    /// Both sides are connected anew.
    pub(super) fn begin_session(&mut self, link: usize) {
        // A side that still believes in an old connection learns that it is gone.
        self.drop_sides(link);
        let state = &mut self.links[link];
        state.session += 1;
        state.up = [true; 2];
        state.reset();
        let (ends, session) = (state.ends, state.session);
        for (node, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            let (peer, machine) = (self.people.key(other).public(), &mut self.machines[node]);
            let clock = machine.clock(self.now);
            machine.dialer.connected(peer, None, clock);
        }
        self.trace.note(self.now, 1, ends[0], &[&(ends[1] as u32).to_be_bytes(), &session.to_be_bytes()]);
    }

    /// Whether a node talks to another one now.
    fn admits(&self, node: usize, other: usize) -> bool {
        let (peer, machine) = (self.people.key(other).public(), &self.machines[node]);
        let now = machine.clock(self.now);
        machine.running.as_ref().is_some_and(|running| running.admits(peer, now))
    }

    /// Both sides that believe in a connection learn that it is gone.
    pub(super) fn drop_sides(&mut self, link: usize) {
        let up = std::mem::take(&mut self.links[link].up);
        let ends = self.links[link].ends;
        for end in [0, 1] {
            if up[end] {
                let peer = self.people.key(ends[1 - end]).public();
                self.misses(ends[end], peer);
                self.act(ends[end], |running, now| running.process.disconnected(peer, now));
            }
        }
    }

    /// A node is to find somebody again who is gone.
    pub(super) fn misses(&mut self, node: usize, peer: PublicKey) {
        let machine = &mut self.machines[node];
        let clock = machine.clock(self.now);
        machine.dialer.disconnected(peer, clock);
    }

    /// A node closes a connection; the other side is told.
    pub(super) fn close(&mut self, node: usize, peer: PublicKey, why: Closing) {
        let Some(other) = self.people.bearer(peer) else { return };
        let Some(link) = self.link_between(node, other) else { return };
        if self.links[link].up == [false; 2] {
            return;
        }
        self.trace.note(self.now, 2, node, &[&(other as u32).to_be_bytes()]);
        self.check.closed(self.now, node, other, why);
        self.drop_sides(link);
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
    }

    pub(super) fn link_between(&self, a: usize, b: usize) -> Option<usize> {
        self.adjacent[a].iter().copied().find(|link| self.links[*link].other(a) == b)
    }
}
