//! Newcomers: tickets that are given out and shown at the door, and what becomes of those who show them.

use std::time::Duration;

use xyn_net::proto::join::{door, guest};
use xyn_net::proto::sync::TICK;
use xyn_net::wire::{self, Redeem};
use xyn_store::audit::signature::PublicKey;
use xyn_store::scope::Principal;
use xyn_store::trust::{Invitation, NotRedeemed, Placed, Role, Ticket, TicketId, TicketSecret};

use super::World;
use super::queue::Event;
use crate::network::KEEP_ALIVE;
use crate::node::Talk;
use crate::node::shelf::paper;

/// How long until somebody tries again what did not work.
const AGAIN: Duration = Duration::from_secs(10);

impl World {
    /// Puts those on the calendar who come later.
    pub(super) fn plan_joins(&mut self) {
        for (index, join) in self.scenario.joins.iter().enumerate() {
            self.machines[join.node].off += 1;
            let at = self.dawn.after(join.at.0);
            self.queue.push(at, Event::Invite(index));
            self.queue.push(at.after(join.after.0), Event::Come(index));
        }
    }

    /// A member gives out a ticket, unless it is somebody else's that is shown.
    pub(super) fn invite(&mut self, index: usize) {
        let join = self.scenario.joins[index].clone();
        if join.ticket_of.is_some() {
            return;
        }
        let (env, issuer) = (self.people.env(), self.people.key(join.by).public());
        let dice = &mut self.machines[join.node].dice;
        let id = TicketId(dice.roll().to_be_bytes());
        let mut secret = [0; 16];
        secret.fill_with(|| dice.roll() as u8);
        let secret = TicketSecret::from_bytes(secret);
        let expires = self.machines[join.by].clock(self.now).after(join.good_for.0);
        let ticket = Ticket { id, env, issuer, addresses: Vec::new(), secret, expires };
        let principal = Principal::new(format!("person-{}@sim", join.node));
        let invitation = Invitation::of(&ticket, principal, Role::User);
        let mut is_kept = false;
        self.act(join.by, |running, _| is_kept = running.shelf.invite(&invitation));
        if is_kept {
            self.tickets.insert(join.node, ticket);
        } else {
            self.queue.push(self.now.after(AGAIN), Event::Invite(index));
        }
    }

    /// Somebody comes with a ticket, as soon as there is one.
    pub(super) fn come(&mut self, index: usize) {
        let join = &self.scenario.joins[index];
        let node = join.node;
        let Some(ticket) = self.tickets.get(&join.ticket_of.unwrap_or(node)) else {
            return self.queue.push(self.now.after(AGAIN), Event::Come(index));
        };
        self.machines[node].ticket = Some(ticket.clone());
        self.on_again(node);
    }

    /// Whether a node is one that comes later and was not let in yet.
    pub(super) fn is_stranger(&self, node: usize) -> bool {
        self.scenario.joins.iter().any(|join| join.node == node) && !self.machines[node].belongs()
    }

    /// A stranger that is switched on looks for the node that gave out its ticket.
    pub(super) fn knock(&mut self, node: usize) {
        if let Some(life) = self.machines[node].knock(self.now) {
            self.queue.push(self.now.after(TICK), Event::Tick { node, life });
            self.plan_dials(node);
        }
    }

    /// The end of a link that has a ticket of the other, and the other.
    pub(super) fn guest_and_host(&self, ends: [usize; 2]) -> Option<(usize, usize)> {
        let issuer = |node: usize| self.machines[node].guest.is_some().then(|| self.issuer(node)).flatten();
        let [a, b] = ends;
        [(a, b), (b, a)].into_iter().find(|(guest, host)| issuer(*guest) == Some(*host))
    }

    fn issuer(&self, node: usize) -> Option<usize> {
        self.people.number(self.machines[node].ticket.as_ref()?.issuer)
    }

    /// A guest stands at the door.
    pub(super) fn meet(&mut self, link: usize, guest: usize, host: usize) {
        self.begin_session(link);
        let [guest_key, host_key] = [guest, host].map(|node| self.people.key(node).public());
        self.act(host, |running, now| running.process.door(door::Input::Connected(guest_key), now));
        self.visit(guest, guest::Input::Connected(host_key));
    }

    /// A guest does what follows from `input`.
    pub(super) fn visit(&mut self, node: usize, input: guest::Input) {
        let host = self.issuer(node);
        let machine = &mut self.machines[node];
        let clock = machine.clock(self.now);
        let output = machine.guest.as_mut().and_then(|guest| guest.handle(input, clock));
        match (output, host) {
            (Some(guest::Output::Send(message)), Some(host)) => {
                self.send(node, host, Talk::Join, wire::encode(&message).into());
            }
            (Some(guest::Output::Joined { statements, .. }), _) => self.joined(node, &statements),
            (Some(guest::Output::Failed(why)), Some(host)) => self.stays_out(node, host, &why),
            _ => {}
        }
    }

    fn joined(&mut self, node: usize, statements: &[Placed]) {
        let env = self.people.env();
        let machine = &mut self.machines[node];
        machine.guest = None;
        let kept = machine.base.as_mut().map(|base| paper::join(&mut **base, env, statements));
        self.leave(node);
        match kept {
            Some(Ok(())) => self.start(node),
            // The same key may ask again.
            _ => self.queue.push(self.now.after(AGAIN), Event::Knock(node)),
        }
    }

    fn stays_out(&mut self, node: usize, host: usize, why: &guest::NotJoined) {
        self.machines[node].guest = None;
        self.leave(node);
        match why {
            guest::NotJoined::Refused(reason) if *reason != NotRedeemed::Unavailable => {
                self.machines[node].ticket = None;
                let is_shared = self.scenario.joins.iter().any(|join| join.ticket_of == Some(node));
                let own =
                    self.scenario.joins.iter().any(|join| join.node == node && join.ticket_of.is_none());
                self.check.refused(self.now, (node, host), *reason, own && !is_shared);
            }
            _ => self.queue.push(self.now.after(AGAIN), Event::Knock(node)),
        }
    }

    /// The job of a door: a ticket is looked at, and whoever shows a good one is let in.
    pub(super) fn redeem(&mut self, node: usize, peer: PublicKey, request: &Redeem) {
        let decision = self.decide(node, peer, request);
        self.act(node, |running, now| running.process.door(door::Input::Decided { peer, decision }, now));
    }

    fn decide(&mut self, node: usize, peer: PublicKey, request: &Redeem) -> door::Decision {
        let clock = self.machines[node].clock(self.now);
        let invitation = self.machines[node]
            .running
            .as_ref()
            .ok_or(NotRedeemed::Unavailable)?
            .shelf
            .invitation(peer, request, clock)?;
        if invitation.redeemed_by().is_none() {
            let is_late = invitation.expires <= clock;
            if !self.write(node, |shelf, now| shelf.let_in(now, peer, invitation, request)) {
                return Err(NotRedeemed::Unavailable);
            }
            self.check.let_in(self.now, node, (request.ticket, peer), is_late);
        }
        self.machines[node].running.as_ref().ok_or(NotRedeemed::Unavailable)?.shelf.statements()
    }

    /// A door closes behind an answer: the guest finds out by what it is told, or by waiting.
    pub(super) fn farewell(&mut self, node: usize, peer: PublicKey) {
        let Some(link) = self.people.bearer(peer).and_then(|other| self.link_between(node, other)) else {
            return;
        };
        let state = &mut self.links[link];
        let end = state.end(node);
        state.up[end] = false;
        let event = Event::GiveUp { link, session: state.session, end: 1 - end };
        self.queue.push(self.now.after(KEEP_ALIVE), event);
        self.misses(node, peer);
    }

    /// The first that has a ticket of a node that is honest and runs, and was not answered.
    pub(super) fn first_outsider(&self) -> Option<(usize, usize)> {
        let (counting, bad) = (self.counting(), self.scenario.bad());
        let revoked: Vec<usize> = self.check.revoked().collect();
        let waits = |node: usize| {
            let machine = &self.machines[node];
            let host = self
                .issuer(node)
                .filter(|host| counting.contains(host) && !self.scenario.is_cloned(*host))
                // A ticket names a key: whoever took another one since cannot be found by it.
                .filter(|host| self.people.keys(*host).len() == 1)?;
            let is_out = bad.contains(&node) || revoked.contains(&node);
            (machine.running.is_none() && machine.off == 0 && !is_out).then_some((node, host))
        };
        self.scenario.joins.iter().find_map(|join| waits(join.node))
    }
}
