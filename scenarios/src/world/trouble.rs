//! Faults as they begin and end.

use std::time::Duration;

use xyn_store::StoreError;
use xyn_store::audit::key::NodeKey;
use xyn_store::simulation::Failure;
use xyn_store::timeline::Saying;

use super::World;
use super::machine::Folder;
use super::queue::Event;
use crate::check::{Broken, Word};
use crate::fault::{Fault, Planned, Unsynced};
use crate::tally::Happening;

/// How long the power waits for a commit to cut.
const FUSE: Duration = Duration::from_secs(5);

impl World {
    /// Puts the schedule on the calendar.
    pub(super) fn plan(&mut self) {
        for (index, planned) in self.scenario.faults.iter().enumerate() {
            self.queue.push(self.dawn.after(planned.at.0), Event::Begin(index));
        }
    }

    pub(super) fn begin(&mut self, index: usize) {
        if self.is_calm {
            return;
        }
        let Planned { lasts, every, fault, .. } = self.scenario.faults[index].clone();
        self.trace.note(self.now, 5, index, &[]);
        self.open_faults.insert(index);
        if let Some(lasts) = lasts {
            self.queue.push(self.now.after(lasts.0), Event::End(index));
        }
        if let Some(every) = every {
            self.queue.push(self.now.after(every.0), Event::Begin(index));
        }
        match fault {
            Fault::Part { .. } => self.block(&fault, true),
            Fault::Stop { node } => {
                self.machines[node].off += 1;
                self.stop(node);
            }
            Fault::Crash { node, unsynced } => self.unplug(node, unsynced),
            Fault::Disk { node, fails } => self.fail_disk(node, Some(fails.into())),
            Fault::Slow { .. } | Fault::Storm { .. } => self.forecast(),
            Fault::SetClock { node, by, back } => self.machines[node].set_clock(by.0, back),
            Fault::Swap { node } => self.swap(node),
            Fault::Rotate { node, by } => {
                self.rotations.insert(node, by);
            }
            Fault::Revoke { node, by, own } => self.revoke(node, by, own),
            Fault::Turn { node, into, .. } => {
                self.machines[node].manner = Some(into);
                self.queue.push(self.now, Event::Mischief(node));
            }
        }
    }

    pub(super) fn end(&mut self, index: usize) {
        if !self.open_faults.remove(&index) {
            return;
        }
        self.trace.note(self.now, 6, index, &[]);
        let fault = self.scenario.faults[index].fault.clone();
        match fault {
            Fault::Part { .. } => self.block(&fault, false),
            Fault::Stop { node } => self.on_again(node),
            Fault::Crash { node, .. } => {
                self.power_gone(node);
                self.on_again(node);
            }
            Fault::Disk { node, .. } => self.fail_disk(node, None),
            Fault::Slow { .. } | Fault::Storm { .. } => self.forecast(),
            Fault::SetClock { .. }
            | Fault::Swap { .. }
            | Fault::Rotate { .. }
            | Fault::Revoke { .. }
            | Fault::Turn { .. } => {}
        }
    }

    /// Faults stop: what was going on ends, and nothing new begins.
    pub(super) fn calm(&mut self) {
        self.is_calm = true;
        let open: Vec<usize> = self.open_faults.iter().copied().collect();
        open.into_iter().for_each(|index| self.end(index));
        (0..self.machines.len())
            .for_each(|node| self.act(node, |running, now| drop(running.shelf.settle(now))));
    }

    pub(super) fn on_again(&mut self, node: usize) {
        self.machines[node].off -= 1;
        self.start(node);
    }

    /// Starts a node and lets it find its neighbours.
    pub(super) fn start(&mut self, node: usize) {
        if self.is_stranger(node) {
            return self.knock(node);
        }
        match self.open(node) {
            Ok(false) => {}
            Ok(true) => {
                let machine = &self.machines[node];
                let life = machine.life;
                if let Some(running) = &machine.running {
                    self.check.started(self.now, node, &running.shelf, &machine.sure);
                }
                let tick = Duration::from_micros(self.dice.below(1_000_000));
                self.queue.push(self.now.after(tick), Event::Tick { node, life });
                self.plan_dials(node);
            }
            // A disk that fails is looked at again; one that works must open.
            Err(error) => {
                let is_failing = self.open_faults.iter().any(|index| {
                    matches!(self.scenario.faults[*index].fault, Fault::Disk { node: of, .. } if of == node)
                });
                match is_failing {
                    true => self.queue.push(self.now.after(FUSE), Event::Power { node, life: u32::MAX }),
                    false => self.check.broke(self.now, Broken::Unopened { node, error: error.to_string() }),
                }
            }
        }
    }

    fn open(&mut self, node: usize) -> Result<bool, StoreError> {
        if self.machines[node].off == 0 {
            self.settle_key(node)?;
        }
        let (env, certificates) = (self.people.env(), self.people.papers(node));
        self.machines[node].start(env, &certificates, self.now)
    }

    /// Ends a node in order.
    pub(super) fn stop(&mut self, node: usize) {
        if self.machines[node].stop() {
            self.machines[node].chest.close_all();
            self.leave(node);
            self.check.happened(node, Happening::Stopped);
        }
    }

    fn unplug(&mut self, node: usize, unsynced: Unsynced) {
        let machine = &mut self.machines[node];
        machine.off += 1;
        machine.unsynced = unsynced;
        let life = machine.life;
        if let Some(running) = machine.running.as_mut() {
            running.shelf.base().unplug(&mut self.dice);
            self.queue.push(self.now.after(FUSE), Event::Power { node, life });
        } else {
            self.power_gone(node);
        }
    }

    pub(super) fn power(&mut self, node: usize, life: u32) {
        if life == u32::MAX {
            self.start(node);
        } else if self.machines[node].life == life {
            self.power_gone(node);
        }
    }

    /// The process ends in the middle of whatever it did.
    pub(super) fn power_gone(&mut self, node: usize) {
        if !self.machines[node].stop() {
            return;
        }
        self.trace.note(self.now, 7, node, &[]);
        self.check.happened(node, Happening::PowerCuts);
        let machine = &mut self.machines[node];
        let survival = machine.unsynced.into();
        let replugged = machine.base.as_mut().map_or(Ok(()), |base| base.replug(survival, &mut self.dice));
        machine.chest.lose_power(survival, &mut self.dice);
        if let Err(error) = replugged {
            self.check.broke(self.now, Broken::Unopened { node, error: error.to_string() });
        }
        self.vanish(node);
    }

    /// The disk of a machine fails, or works again: with all that is on it, also another copy of its folder.
    fn fail_disk(&mut self, node: usize, failure: Option<Failure>) {
        let machine = &mut self.machines[node];
        machine.chest().fail(failure);
        match (&mut machine.running, &mut machine.base) {
            (Some(running), _) => running.shelf.base().fail(failure),
            (None, Some(base)) => base.fail(failure),
            (None, None) => {}
        }
        if let Some(copy) = &mut machine.copy {
            copy.chest.fail(failure);
            copy.base.fail(failure);
        }
    }

    fn block(&mut self, fault: &Fault, is_begun: bool) {
        let Fault::Part { one, other, one_way } = fault else { return };
        for link in 0..self.links.len() {
            let state = &mut self.links[link];
            let is_other =
                |node: &usize| if other.is_empty() { !one.contains(node) } else { other.contains(node) };
            let crosses = |from: usize, to: usize| one.contains(&from) && is_other(&to);
            let [a, b] = state.ends;
            let ways =
                [crosses(a, b) || !one_way && crosses(b, a), crosses(b, a) || !one_way && crosses(a, b)];
            for (way, blocked) in ways.into_iter().zip(&mut state.blocked) {
                match is_begun {
                    true => *blocked += u32::from(way),
                    false => *blocked -= u32::from(way),
                }
            }
            if is_begun && ways != [false; 2] {
                self.starve(link);
            }
        }
    }

    /// Gives every link the weather that the open faults make.
    fn forecast(&mut self) {
        for link in &mut self.links {
            link.weather = self.scenario.weather;
            link.delay = [Duration::ZERO; 2];
            for index in &self.open_faults {
                match &self.scenario.faults[*index].fault {
                    Fault::Storm { nodes, weather }
                        if nodes.is_empty() || link.ends.iter().any(|end| nodes.contains(end)) =>
                    {
                        link.weather = *weather;
                    }
                    Fault::Slow { node, by } if link.ends.contains(node) => {
                        let end = link.end(*node);
                        link.delay[end] += by.0;
                    }
                    _ => {}
                }
            }
        }
    }

    /// The other copy of a node's folder goes on in its place.
    fn swap(&mut self, node: usize) {
        self.stop(node);
        let machine = &mut self.machines[node];
        let Some(base) = machine.base.take() else { return };
        let first = machine.copy.is_none();
        let copied = if first { base.copied() } else { Err(StoreError::Unavailable(String::new())) };
        let chest = machine.chest.clone();
        let here = Folder { base, chest, incarnation: machine.incarnation, sure: machine.sure.clone() };
        let there = match machine.copy.take() {
            Some(copy) => copy,
            None => match copied {
                Ok(base) => {
                    let incarnation = machine.dice.roll();
                    let (chest, sure) = (here.chest.clone(), here.sure.clone());
                    Folder { base, chest, incarnation, sure }
                }
                Err(error) => {
                    machine.base = Some(here.base);
                    return self.check.broke(self.now, Broken::Unopened { node, error: error.to_string() });
                }
            },
        };
        machine.copy = Some(here);
        machine.base = Some(there.base);
        machine.chest = there.chest;
        machine.incarnation = there.incarnation;
        machine.sure = there.sure;
        self.start(node);
    }

    fn revoke(&mut self, node: usize, by: usize, own: bool) {
        let Some(running) = &self.machines[by].running else { return };
        let Some(last) = running.shelf.last_of(self.people.keys(node)[0].public()) else { return };
        let ends = last.iter().map(|(feed, head)| (*feed, head.seq)).collect();
        let issuer: &NodeKey = if own { self.people.key(by) } else { self.people.root() };
        let statement = self.people.revocation(issuer, node, last, self.now);
        self.check.ends(Word::Revoked { node, last: ends, is_roots: !own }, statement.clone());
        self.say(by, vec![Saying::Statement(statement)]);
    }
}
