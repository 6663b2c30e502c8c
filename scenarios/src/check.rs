//! What must hold, all along and at the end.
//!
//! Owns the books: everything that was ever signed by its author, what was acknowledged, who closed on whom; and
//! the comparison of what nodes hold with what the books say. Changes nothing in the world. Invariant: every
//! violation names the node, the time and the step, so that it can be looked at again.

mod books;
mod broken;
mod content;
mod end;
mod keys;
#[cfg(test)]
mod tests;
mod tickets;
mod traffic;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use xyn_net::proto::conduct::UNHEARD_BYTES_MAX;
use xyn_net::proto::gossip::VALIDATING_MAX;
use xyn_net::proto::held::Held;
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::simulation::Dice;
use xyn_store::timeline::board::BOARDS_OPEN_MAX;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::{MEMO_FRAMES_MAX, WAITING_FRAMES_MAX, WAITING_MAX_BYTES};
use xyn_store::trust::{Cut, EnvId, Head, Place, TicketId};

use crate::node::Shelf;
use crate::node::chest::ROOM_BYTES;
use crate::node::shelf::{Attempt, Note};
use crate::tally::{Happening, Tally};
use crate::world::Running;
pub(crate) use books::Books;
pub use broken::{Broken, Violation};
use keys::Keys;
pub(crate) use keys::Word;
pub use traffic::Traffic;
use words::Words;

/// Messages that a side of a connection sends in a minute of quiet: summaries, and then some.
pub const QUIET_MESSAGES_PER_MINUTE: u64 = 6;

/// Up to how many nodes every feed of every node is read back at the end; of more, those of the first.
const READ_BACK_MAX: usize = 16;

/// The laws, and the books to judge by.
pub(crate) struct Check {
    env: EnvId,
    numbers: BTreeMap<PublicKey, usize>,
    bad: BTreeSet<usize>,
    dawn: Timestamp,
    pub(crate) books: Books,
    pub(crate) traffic: Traffic,
    pub(crate) step: u64,
    /// The first law that was broken.
    pub(crate) violation: Option<Violation>,
    pub(crate) entries: u64,
    pub(crate) words: Words,
    /// Which keys ended.
    keys: Keys,
    /// Who came in on each ticket.
    tickets: BTreeMap<TicketId, PublicKey>,
    /// Members whose folder was copied: what one copy did the other does not know.
    cloned: BTreeSet<usize>,
    /// Records that somebody signed with a key which its node had given up.
    pub(crate) stolen: BTreeSet<(FeedId, u64)>,
    /// What happened at honest nodes.
    pub(crate) tally: Tally,
}

impl Check {
    pub(crate) fn new(
        env: EnvId,
        numbers: BTreeMap<PublicKey, usize>,
        (bad, cloned): (BTreeSet<usize>, BTreeSet<usize>),
        dawn: Timestamp,
    ) -> Self {
        Self {
            env,
            numbers,
            bad,
            dawn,
            books: Books::default(),
            traffic: Traffic::default(),
            step: 0,
            violation: None,
            entries: 0,
            words: Words::default(),
            keys: Keys::default(),
            tickets: BTreeMap::new(),
            cloned,
            stolen: BTreeSet::new(),
            tally: Tally::new(),
        }
    }

    pub(crate) fn broke(&mut self, now: Timestamp, broken: Broken) {
        let at_micros = now.since(self.dawn).as_micros() as u64;
        self.violation.get_or_insert(Violation { at_micros, step: self.step, broken });
    }

    /// Something happened at `node`.
    pub(crate) fn happened(&mut self, node: usize, what: Happening) {
        if self.is_honest(node) {
            *self.tally.entry(what).or_default() += 1;
        }
    }

    /// All that was expected happened.
    pub(crate) fn expects(&mut self, now: Timestamp, expected: &Tally) {
        for (what, &least) in expected {
            let times = self.tally.get(what).copied().unwrap_or_default();
            if times < least {
                self.broke(now, Broken::Toothless { what: what.name(), times, least });
            }
        }
    }

    fn author(&self, feed: &FeedId) -> usize {
        self.numbers.get(&feed.node).copied().unwrap_or(usize::MAX)
    }

    fn is_honest(&self, node: usize) -> bool {
        !self.bad.contains(&node)
    }

    /// An author signed something.
    pub(crate) fn wrote(&mut self, now: Timestamp, node: usize, feed: FeedId, attempt: &Attempt) {
        self.entries += u64::from(attempt.is_kept);
        if !attempt.is_kept {
            self.happened(node, Happening::FailedWrites);
        }
        let is_acknowledged = attempt.is_kept && self.is_honest(node);
        let before = self.books.acknowledged.get(&feed).copied();
        let statements = self.books.wrote(&self.env, feed, &attempt.frames, is_acknowledged);
        // What was answered for stays under what is written next.
        if let Some((before, last)) = before.zip(self.books.acknowledged.get(&feed).copied())
            && !self.books.leads_to(last, &Place { feed, record: before })
        {
            self.broke(now, Broken::Lost { node, author: node, seq: before.seq });
        }
        self.keys.stand(statements);
    }

    /// A node's records changed, durably.
    pub(crate) fn noted(
        &mut self,
        now: Timestamp,
        node: usize,
        shelf: &Shelf,
        notes: &[Note],
        sure: &mut BTreeMap<FeedId, u64>,
    ) {
        for note in notes {
            let feed = match note {
                Note::Feed { feed, .. } => feed,
                Note::PastCut { feed, seq } => {
                    self.refused_past_cut(now, node, shelf, feed, *seq);
                    continue;
                }
                Note::Roster(_) => continue,
            };
            let Some(row) = shelf.timeline().and_then(|timeline| timeline.feed(feed)) else { continue };
            let (seq, author) = (row.head.seq, self.author(feed));
            sure.insert(*feed, seq);
            self.keys.lasts(&self.books, *feed, Head { seq, hash: row.head.hash });
            if !self.is_honest(node) {
                continue;
            }
            if seq > 0 && !self.books.is_signed(feed, seq, row.head.hash) {
                self.broke(now, Broken::Unauthorised { node, author, seq });
            }
            if let Some(seq) = row.fork.filter(|_| self.is_honest(author)) {
                self.broke(now, Broken::Accused { node, author, seq });
            }
            let cut = last_admitted(shelf.roster().cut(*feed));
            let seq = row.head.seq.min(row.limit.counts);
            if seq > cut {
                self.broke(now, Broken::PastCut { node, author, seq, cut });
            }
        }
        self.nothing_outlived(now, node, shelf);
    }

    /// Whatever a node refuses as past a cut is past the one that it knows of when it says so.
    fn refused_past_cut(&mut self, now: Timestamp, node: usize, shelf: &Shelf, feed: &FeedId, seq: u64) {
        self.does_not_count(node, *feed, seq);
        if self.is_honest(node) && seq < last_admitted(shelf.roster().cut(*feed)) {
            self.broke(now, Broken::Misjudged { node, author: self.author(feed), seq });
        }
    }

    /// A record came to `node` and does not count there.
    pub(crate) fn does_not_count(&mut self, node: usize, feed: FeedId, seq: u64) {
        if self.stolen.contains(&(feed, seq)) {
            self.happened(node, Happening::Thefts);
        }
    }

    /// A node was started over records of which it answered for `sure`.
    pub(crate) fn started(
        &mut self,
        now: Timestamp,
        node: usize,
        shelf: &Shelf,
        sure: &BTreeMap<FeedId, u64>,
    ) {
        for (feed, &seq) in sure {
            let has = shelf.timeline().and_then(|timeline| timeline.feed(feed)).map_or(0, |row| row.head.seq);
            if has < seq {
                self.broke(now, Broken::Lost { node, author: self.author(feed), seq });
            }
        }
    }

    /// Everything that a node holds is within its limit.
    pub(crate) fn bounds(&mut self, now: Timestamp, node: usize, running: &Running) {
        let Running { shelf, process, chest, .. } = running;
        let held = |what, size, limit| Held { what, size, limit };
        let unheard = process.neighbours.values().copied().max().unwrap_or_default();
        let of_records = shelf.timeline().into_iter().flat_map(|timeline| {
            [
                held("bytes of frames that wait", timeline.waiting_bytes(), WAITING_MAX_BYTES),
                held("frames of one author that wait", timeline.waiting_frames(), WAITING_FRAMES_MAX),
                held("frames known to be verified", timeline.remembered_frames(), MEMO_FRAMES_MAX),
                held("boards kept open", timeline.open_boards(), BOARDS_OPEN_MAX),
            ]
        });
        let of_process = [
            held("bytes that one peer has not taken", unheard, UNHEARD_BYTES_MAX),
            held("messages kept for forwarding", process.unjudged(), VALIDATING_MAX),
            held("bytes of content", chest.used_bytes(), ROOM_BYTES),
        ];
        for Held { what, size, limit } in of_records.chain(of_process).chain(process.held()) {
            if size > limit {
                self.broke(now, Broken::Overflow { node, what, size, limit });
            }
        }
    }

    /// An entry that somebody may talk about.
    pub(crate) fn some_entry(&self, dice: &mut Dice) -> Option<xyn_store::ids::EntryId> {
        self.books.some_entry(dice)
    }
}

/// The last record that a cut admits.
fn last_admitted(cut: Cut) -> u64 {
    match cut {
        Cut::Nowhere => u64::MAX,
        Cut::After { seq, .. } => seq,
        Cut::Everything => 0,
    }
}
