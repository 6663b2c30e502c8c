//! The calendar of a world.
//!
//! Invariant: of two events at one time the one that was put there first comes first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use xyn_store::Timestamp;

use crate::node::chest::Step;
use crate::node::{Job, Talk};

/// What happens next.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A message arrives.
    Arrive { link: usize, session: u32, end: usize, parcel: Parcel },
    /// One side of a connection on which nothing comes gives it up.
    GiveUp { link: usize, session: u32, end: usize },
    /// A second passed at a node.
    Tick { node: usize, life: u32 },
    /// A job of a node is done.
    Job { node: usize, life: u32, job: Job },
    /// Somebody works.
    Work { index: usize, node: usize },
    /// Somebody gives out a ticket.
    Invite(usize),
    /// Somebody comes with it.
    Come(usize),
    /// Somebody who was not let in tries again.
    Knock(usize),
    /// A fault begins.
    Begin(usize),
    /// A fault is over.
    End(usize),
    /// The power of a node comes back, or is cut at last.
    Power { node: usize, life: u32 },
    /// A bad node is up to something.
    Mischief(usize),
    /// It is time to say something about the capsule on trial.
    Tell(Step),
    /// Time to look around.
    Sample,
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) talk: Talk,
    pub(crate) bytes: Arc<[u8]>,
    /// Whether it is the same message a second time.
    pub(crate) is_copy: bool,
    /// Whether a bad node says again what it heard.
    pub(crate) is_replay: bool,
    /// Which of its sender's messages on this link it is; none where it is a stream that broke.
    pub(crate) number: Option<u64>,
}

impl Parcel {
    /// A message as it is said.
    pub(crate) fn of(talk: Talk, bytes: Arc<[u8]>) -> Self {
        Self { talk, bytes, is_copy: false, is_replay: false, number: None }
    }
}

struct Entry {
    at: Timestamp,
    order: u64,
    event: Event,
}

/// Events in their order.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Entry>,
    order: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Timestamp, event: Event) {
        self.order += 1;
        self.heap.push(Entry { at, order: self.order, event });
    }

    /// The next event, if it comes no later than `end`.
    pub(crate) fn pop(&mut self, end: Timestamp) -> Option<(Timestamp, Event)> {
        self.heap.peek().filter(|entry| entry.at <= end)?;
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

impl Ord for Entry {
    /// The heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
