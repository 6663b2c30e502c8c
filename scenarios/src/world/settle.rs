//! What must come of it when faults have stopped: nodes that can talk have the same, and then fall silent.

use std::collections::{BTreeMap, BTreeSet};

use xyn_net::wire::Known;
use xyn_store::Timestamp;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::Cut;

use super::machine::Machine;
use super::{LOOK, QUIET, World};
use crate::check::{Broken, QUIET_MESSAGES_PER_MINUTE};
use crate::fault::Fault;
use crate::node::Shelf;
use crate::tally::Happening;

impl World {
    /// Waits until all is as it must be. Answers when that was.
    pub(super) fn converge(&mut self, deadline: Timestamp) -> Option<Timestamp> {
        while self.check.violation.is_none() {
            if self.is_settled() {
                return Some(self.now);
            }
            if self.now >= deadline {
                self.complain();
                return None;
            }
            self.until(self.now.after(LOOK).min(deadline));
        }
        None
    }

    fn is_settled(&self) -> bool {
        let is_one = self.first_difference().is_none();
        let is_had = self.first_lack().is_none() && self.first_behind().is_none();
        let is_in = self.first_outsider().is_none() && self.first_unconfirmed().is_none();
        is_one && is_had && is_in && self.first_strangers().is_none()
    }

    /// After all this time something is not as it must be.
    fn complain(&mut self) {
        let within = self.scenario.settles_within;
        if let Some((node, other)) = self.first_difference() {
            self.apart(node, other);
        } else if let Some(lack) = self.first_lack() {
            self.check.lacks(self.now, lack, within);
        } else if let Some(behind) = self.first_behind() {
            self.check.behind(self.now, behind, within);
        } else if let Some((newcomer, node)) = self.first_outsider() {
            self.check.outside(self.now, (newcomer, node), within);
        } else if let Some((node, by)) = self.first_unconfirmed() {
            let within = within.to_string();
            self.check.broke(self.now, Broken::Unconfirmed { node, by, within });
        } else if let Some((node, other)) = self.first_strangers() {
            let within = within.to_string();
            self.check.broke(self.now, Broken::Unmet { node, other, within });
        }
    }

    /// Nodes that are to come to the same.
    pub(super) fn counting(&self) -> BTreeSet<usize> {
        let mut out = self.scenario.bad();
        out.extend(self.check.revoked());
        // Who was let in by one who is out, or has its key on the word of one, may be out with it: a stranger to those
        // who heard of that first.
        let counts = |node: &usize| {
            let is_in = ![*node].into_iter().chain(self.relies_on(*node)).any(|it| out.contains(&it));
            is_in && self.machines[*node].running.is_some()
        };
        (0..self.machines.len()).filter(counts).collect()
    }

    /// Who let a node in, and who confirmed its keys.
    fn relies_on(&self, node: usize) -> impl Iterator<Item = usize> {
        let joins = self.scenario.joins.iter().filter(move |join| join.node == node).map(|join| join.by);
        let confirmed = self.scenario.faults.iter().filter_map(move |planned| match planned.fault {
            Fault::Rotate { node: of, by } if of == node => Some(by),
            _ => None,
        });
        joins.chain(confirmed)
    }

    /// Nodes that are to agree, by groups that can talk to each other.
    pub(super) fn groups(&self) -> Vec<Vec<usize>> {
        let (mut left, acquainted) = (self.counting(), self.acquainted());
        let can_talk = |link: &&usize| acquainted.as_ref().is_none_or(|links| links.contains(link));
        let mut groups = Vec::new();
        while let Some(first) = left.pop_first() {
            let (mut group, mut next) = (Vec::new(), vec![first]);
            while let Some(node) = next.pop() {
                group.push(node);
                let links = self.adjacent[node].iter().filter(can_talk);
                let near = links.map(|link| self.links[*link].other(node));
                next.extend(near.filter(|other| left.remove(other)));
            }
            group.sort_unstable();
            groups.push(group);
        }
        groups
    }

    /// What a node has of each feed of which anything can count.
    fn feeds(&self, node: usize) -> Option<BTreeMap<FeedId, Known>> {
        let running = self.machines[node].running.as_ref()?;
        let roster = running.shelf.roster();
        let feeds = running.process.sync.feeds().iter();
        // Nobody asks for what is excluded from its first record on, so who heard of it differs.
        let countable = feeds.filter(|(feed, _)| roster.cut(**feed) != Cut::Everything);
        Some(countable.map(|(feed, known)| (*feed, *known)).collect())
    }

    fn first_difference(&self) -> Option<(usize, usize)> {
        self.groups().into_iter().find_map(|group| {
            let first = group[0];
            let expected = self.feeds(first);
            let other = group.into_iter().find(|node| self.feeds(*node) != expected)?;
            Some((first, other))
        })
    }

    /// Compares what nodes with the same records show, with each other and with the books.
    pub(super) fn agree(&mut self) {
        let feeds = |(node, machine): (usize, &Machine)| {
            let incarnation = machine.incarnation;
            let keys = self.people.keys(node).iter().map(|key| key.public());
            keys.map(|key| (FeedId { node: key, incarnation }, node)).collect::<Vec<_>>()
        };
        let folders: BTreeMap<FeedId, usize> = self.machines.iter().enumerate().flat_map(feeds).collect();
        for group in self.groups() {
            group.iter().for_each(|node| self.verify_content(*node));
            for node in &group {
                if let Some(running) = &self.machines[*node].running {
                    self.check.attested(self.now, *node, &running.shelf);
                }
            }
            let shelf = |node: usize| self.machines[node].running.as_ref().map(|it| (node, &it.shelf));
            let shelves: Vec<(usize, &Shelf)> = group.iter().filter_map(|node| shelf(*node)).collect();
            let here = |(_, node): &(&FeedId, &usize)| group.contains(node);
            let own = folders.iter().filter(here).map(|(feed, node)| (*feed, *node)).collect();
            self.check.agreed(self.now, &shelves, &own);
        }
    }

    /// Leaves nodes alone that agree, and listens.
    pub(super) fn rest(&mut self) {
        let bad = self.scenario.bad();
        let sides = 2 * self.links.len() as u64;
        let before = self.check.traffic.sync_messages;
        self.until(self.now.after(QUIET.0));
        // Bad nodes make others talk.
        if bad.is_empty() && self.check.violation.is_none() {
            let limit = sides.max(1) * QUIET_MESSAGES_PER_MINUTE * QUIET.0.as_secs() / 60;
            let messages = self.check.traffic.sync_messages - before;
            self.check.quiet(self.now, messages, limit, QUIET);
        }
        // A bad node that is talked to again may have brought something.
        self.converge(self.now.after(self.scenario.settles_within.0));
    }

    /// Counts what shows in the end only, and compares what happened with what was expected.
    pub(super) fn take_stock(&mut self) {
        let excluded =
            |node: &usize| Some((*node, self.machines[*node].running.as_ref()?.shelf.excluded().ok()?));
        let excluded: Vec<(usize, Vec<(FeedId, u64)>)> =
            self.counting().iter().filter_map(excluded).collect();
        for (node, records) in excluded {
            for (feed, seq) in records {
                self.check.happened(node, Happening::Excluded);
                self.check.does_not_count(node, feed, seq);
            }
        }
        let copies = self.check.books.further_feeds() as u64;
        if copies > 0 {
            self.check.tally.insert(Happening::Copies, copies);
        }
        self.check.expects(self.now, &self.scenario.expect);
    }

    fn apart(&mut self, node: usize, other: usize) {
        if let Some((one, two)) = self.feeds(node).zip(self.feeds(other)) {
            self.check.apart(self.now, (node, &one), (other, &two), self.scenario.settles_within);
        }
    }
}
