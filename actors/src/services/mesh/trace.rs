//! What happened lately between this node and others: who came, who left, who was refused, and why.
//!
//! Owns a bounded memory of it, for people who look for what is wrong. Keeps nothing on disk: what must last is
//! in the journal. Invariant: it never holds more than [`TRACE_MAX`] lines, nor more sightings than the
//! environment has members.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use xyn_net::driver::Event;
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;

/// Lines that are kept; the oldest go first.
pub const TRACE_MAX: usize = 1000;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counts lines since the node came up, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// The node it is about; none when it is this one, or when nobody knows.
    pub node: Option<PublicKey>,
    /// The name under which it is counted, where it was refused.
    pub reason: Option<&'static str>,
    /// It in words; empty when there is nothing to add.
    pub message: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// This node is reachable at an address.
    Listening,
    /// A member came.
    Connected,
    /// A member left.
    Disconnected,
    /// Somebody was refused.
    Refused,
    /// A member vouched for this node's log.
    Witnessed,
    /// A member's log is not what it was.
    Alarm,
}

/// The memory.
#[derive(Debug)]
pub struct Trace {
    kept: Mutex<Kept>,
    /// The number of the last line.
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    seen: BTreeMap<PublicKey, Timestamp>,
}

impl Default for Trace {
    fn default() -> Self {
        Self { kept: Mutex::default(), last: watch::Sender::new(0) }
    }
}

impl Trace {
    /// Takes note of what the mesh told at `at`.
    pub fn note(&self, at: Timestamp, event: &Event) {
        let (what, node, reason, message) = match event {
            Event::Listening(address) => (What::Listening, None, None, address.clone()),
            Event::Connected(node) => (What::Connected, Some(*node), None, String::new()),
            Event::Disconnected(node) => (What::Disconnected, Some(*node), None, String::new()),
            Event::Refused { peer, why } => (What::Refused, *peer, Some(why.label()), why.to_string()),
            Event::Witnessed { witness, checkpoint, .. } => {
                let message = format!("vouches for {} entries", checkpoint.checkpoint.size);
                (What::Witnessed, Some(*witness), None, message)
            }
            // Where somebody is changes nothing that is worth a line.
            Event::Located { .. } => return,
            Event::Alarm { peer, why, .. } => (What::Alarm, Some(*peer), None, why.to_string()),
        };
        self.push(at, what, node, reason, message);
    }

    /// Takes note of records that `peer` sent and nobody takes.
    pub fn refused(&self, at: Timestamp, peer: PublicKey, reason: &'static str, message: String) {
        self.push(at, What::Refused, Some(peer), Some(reason), message);
    }

    fn push(
        &self,
        at: Timestamp,
        what: What,
        node: Option<PublicKey>,
        reason: Option<&'static str>,
        message: String,
    ) {
        let mut kept = self.kept();
        if let (What::Connected | What::Disconnected, Some(node)) = (what, node) {
            kept.seen.insert(node, at);
        }
        if kept.lines.len() == TRACE_MAX {
            kept.lines.pop_front();
        }
        let seq = *self.last.borrow() + 1;
        kept.lines.push_back(Line { seq, at, what, node, reason, message });
        // Told while the lock is held, so that numbers are given out once.
        self.last.send_replace(seq);
    }

    /// The newest `limit` lines before number `before`, newest first.
    pub fn before(&self, before: u64, limit: usize) -> Vec<Line> {
        let kept = self.kept();
        kept.lines.iter().rev().filter(|line| line.seq < before).take(limit).cloned().collect()
    }

    /// The oldest `limit` lines behind number `after`, oldest first.
    pub fn after(&self, after: u64, limit: usize) -> Vec<Line> {
        let kept = self.kept();
        kept.lines.iter().filter(|line| line.seq > after).take(limit).cloned().collect()
    }

    /// When `node` came or left last, since this node came up.
    pub fn seen(&self, node: PublicKey) -> Option<Timestamp> {
        self.kept().seen.get(&node).copied()
    }

    /// Changes with each line, and holds its number.
    pub fn last(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A line is pushed whole or not at all, so a panic elsewhere leaves nothing half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use xyn_net::driver::Refusal;

    use super::*;

    const ALICE: PublicKey = PublicKey::from_bytes([1; 32]);
    const BOB: PublicKey = PublicKey::from_bytes([2; 32]);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn lines_are_read_from_either_end() {
        let trace = Trace::default();
        trace.note(at(1), &Event::Connected(ALICE));
        trace.note(at(2), &Event::Refused { peer: None, why: Refusal::Far });
        trace.note(at(3), &Event::Disconnected(ALICE));
        let seqs = |lines: Vec<Line>| lines.iter().map(|line| line.seq).collect::<Vec<_>>();
        assert_eq!(seqs(trace.before(u64::MAX, 2)), [3, 2]);
        assert_eq!(seqs(trace.before(2, 2)), [1]);
        assert_eq!(seqs(trace.after(0, 2)), [1, 2]);
        assert_eq!(seqs(trace.after(3, 2)), [0; 0]);
        assert_eq!(*trace.last().borrow(), 3);
        let refused = &trace.after(1, 1)[0];
        assert_eq!(
            (refused.reason, refused.message.as_str()),
            (Some("far"), "it is not on the local network")
        );
    }

    #[test]
    fn the_oldest_lines_are_forgotten_and_when_somebody_was_here_is_not() {
        let trace = Trace::default();
        trace.note(at(1), &Event::Connected(ALICE));
        trace.note(at(2), &Event::Disconnected(ALICE));
        (0..TRACE_MAX)
            .for_each(|_| trace.note(at(3), &Event::Refused { peer: Some(BOB), why: Refusal::Shunned }));
        let lines = trace.after(0, usize::MAX);
        assert_eq!((lines.len(), lines[0].seq), (TRACE_MAX, 3));
        assert_eq!((trace.seen(ALICE), trace.seen(BOB)), (Some(at(2)), None));
    }
}
