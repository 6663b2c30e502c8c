//! The records of a node: the real replica of the timeline over a base that can fail.
//!
//! Owns the commits, one behind the other, and the notes of what changed by them. What follows from what the replica
//! says; after any failure it is thrown away and opened again. Invariant: what it answers for is committed.

#[cfg(test)]
pub(crate) mod flaws;
pub(crate) mod intake;
pub(crate) mod keys;
mod ledger;
pub(crate) mod paper;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xyn_net::proto::sync::Proof;
use xyn_net::records;
use xyn_net::wire::{Frame, Known, Payload};
use xyn_store::audit::key::NodeKey;
use xyn_store::ids::EntryId;
use xyn_store::projection::Changes;
use xyn_store::simulation::Base;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::{Pace, Replica, Saying, Timeline, WriteError, Written};
use xyn_store::trust::{EnvId, Placed, Roster};
use xyn_store::{Digest, Reader, StoreError, Timestamp};

use crate::tally::Happening;

/// Records that do not count, as far as they are counted.
const EXCLUDED_MAX: usize = 1000;

/// Something that changed and that others are told of.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// Members or cuts.
    Roster(Arc<Roster>),
    /// A feed, durably.
    Feed {
        feed: FeedId,
        known: Known,
        /// Whether the core hears of it in the answer to what it asked.
        is_answer: bool,
    },
    /// A record was refused as past the cut of its feed.
    PastCut { feed: FeedId, seq: u64 },
}

/// Something written to the node's own feed.
pub(crate) struct Attempt {
    /// What was signed.
    pub(crate) frames: Vec<Vec<u8>>,
    /// Whether it is kept, for sure.
    pub(crate) is_kept: bool,
}

/// The records of a running node.
pub(crate) struct Shelf {
    key: Arc<NodeKey>,
    env: EnvId,
    own: FeedId,
    certificates: Arc<Vec<Placed>>,
    base: Box<dyn Base>,
    /// None after a failure, until it was opened again.
    replica: Option<Replica>,
    /// Of all replicas that are opened here, one after the other.
    pace: Pace,
    /// Who belongs, durably.
    roster: Arc<Roster>,
    notes: Vec<Note>,
    /// What was written since this was asked last.
    attempts: Vec<Attempt>,
    /// What was remarkable since this was asked last.
    remarks: Vec<Happening>,
    /// The leaves of the node's log, as far as they were read.
    leaves: Vec<Digest>,
    /// How many of them were signed last.
    signed: usize,
    /// How it is broken on purpose.
    #[cfg(test)]
    pub(crate) flaws: flaws::Flaws,
}

impl Shelf {
    /// Opens the records of `own` in `base`. `certificates` are known from the start.
    pub(crate) fn open(
        base: Box<dyn Base>,
        key: Arc<NodeKey>,
        env: EnvId,
        own: FeedId,
        certificates: Arc<Vec<Placed>>,
        now: Timestamp,
    ) -> Result<Self, (StoreError, Box<dyn Base>)> {
        let none = Arc::new(Roster::fold(env, &[], BTreeMap::new()));
        let mut shelf = Self {
            key,
            env,
            own,
            certificates,
            base,
            replica: None,
            pace: Pace::default(),
            roster: none,
            notes: Vec::new(),
            attempts: Vec::new(),
            remarks: Vec::new(),
            leaves: Vec::new(),
            signed: 0,
            #[cfg(test)]
            flaws: flaws::Flaws::default(),
        };
        match shelf.settle(now) {
            Ok(()) => Ok(shelf),
            Err(error) => Err((error, shelf.base)),
        }
    }

    pub(crate) fn into_base(self) -> Box<dyn Base> {
        self.base
    }

    pub(crate) fn base(&mut self) -> &mut dyn Base {
        &mut *self.base
    }

    #[cfg(test)]
    pub(crate) fn pretend(&mut self, roster: Arc<Roster>) {
        self.roster = roster;
    }

    pub(crate) fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    pub(crate) fn timeline(&self) -> Option<&Timeline> {
        self.replica.as_ref().map(Replica::timeline)
    }

    /// What two nodes compare.
    pub(crate) fn digest(&self) -> Result<Digest, StoreError> {
        self.base.read()?.timeline_digest()
    }

    /// What changed since this was asked last.
    pub(crate) fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// What was written since this was asked last, in its order.
    pub(crate) fn attempts(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.attempts)
    }

    /// What was remarkable about what others sent since this was asked last.
    pub(crate) fn remarks(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.remarks)
    }

    /// Records that are kept and do not count.
    pub(crate) fn excluded(&self) -> Result<Vec<(FeedId, u64)>, StoreError> {
        let excluded = self.base.read()?.excluded(None, EXCLUDED_MAX)?.items;
        Ok(excluded.into_iter().map(|record| (record.feed, record.seq)).collect())
    }

    /// How far each feed is known.
    pub(crate) fn feeds(&self) -> Result<BTreeMap<FeedId, Known>, StoreError> {
        let reader = self.base.read()?;
        let rows = self.timeline().into_iter().flat_map(Timeline::feeds);
        rows.map(|row| Ok((row.feed, records::known_of(&reader, row)?))).collect()
    }

    fn commit(&mut self, changes: Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let committed = self.base.commit(changes);
        if committed.is_err() {
            self.replica = None;
        }
        committed
    }

    /// Runs `work` on a replica that agrees with the base. Whatever fails leaves it to be opened again.
    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Replica, &Reader, &Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (open, reader) = (self.replica.take(), self.base.read()?);
        let mut replica = match open {
            Some(replica) => replica,
            None => Replica::open(&reader, self.own, Arc::clone(&self.roster), self.pace.clone())?,
        };
        let done = work(&mut replica, &reader, self)?;
        self.replica = Some(replica);
        Ok(done)
    }

    /// Opens the replica where there is none, commits what it comes to, step by step, and tells what changed. A commit
    /// that failed may be durable all the same: of a replica that was opened, all is told.
    pub(crate) fn settle(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let before = match &self.replica {
            Some(replica) if replica.is_settled() => return Ok(()),
            _ => self.feeds()?,
        };
        while !self.replica.as_ref().is_some_and(Replica::is_settled) {
            let Written { changes, frames, .. } = self.with(|replica, reader, shelf| {
                replica.settle(reader, &shelf.key, now, |reader| shelf.members(reader))
            })?;
            let committed = self.commit(changes);
            if !frames.is_empty() {
                self.attempts.push(Attempt { frames, is_kept: committed.is_ok() });
            }
            committed?;
            let roster = self.replica.as_ref().map_or(&self.roster, Replica::roster);
            // Not before it is durable: until then all of it is to be done again.
            if !Arc::ptr_eq(roster, &self.roster) {
                self.roster = Arc::clone(roster);
                self.notes.push(Note::Roster(Arc::clone(&self.roster)));
            }
        }
        let after = self.feeds().inspect_err(|_| self.replica = None)?.into_iter();
        let changed = after.filter(|(feed, known)| before.get(feed) != Some(known));
        self.notes.extend(changed.map(|(feed, known)| Note::Feed { feed, known, is_answer: false }));
        Ok(())
    }

    fn tell(&mut self, feed: FeedId, is_answer: bool) -> Result<Known, StoreError> {
        let (reader, row) = (self.base.read()?, self.timeline().and_then(|timeline| timeline.feed(&feed)));
        let known = row.map(|row| records::known_of(&reader, row)).transpose()?.unwrap_or_default();
        self.notes.push(Note::Feed { feed, known, is_answer });
        Ok(known)
    }

    /// Frames of a feed, as [`Port::read`](xyn_net::driver::Port::read).
    pub(crate) fn read(&self, feed: FeedId, after: u64, to: u64, credit: u32) -> Vec<Frame> {
        let read =
            |reader: Reader| records::frames(&reader, self.env.root(), &feed, after, to, credit as usize);
        self.base.read().and_then(read).unwrap_or_default()
    }

    /// Whether a moment that counts names the content `digest`.
    pub(crate) fn names(&self, digest: &Digest) -> bool {
        let namers = self.base.read().and_then(|reader| reader.namers(&BTreeSet::from([*digest])));
        namers.is_ok_and(|namers| !namers.is_empty())
    }

    /// Whether a moment that counts offers the capsule `digest`.
    pub(crate) fn offers(&self, digest: &Digest) -> bool {
        let offers = self.base.read().and_then(|reader| reader.offers_of(digest, 1));
        offers.is_ok_and(|offers| !offers.is_empty())
    }

    /// Whether the moment `id` is here, and counts.
    pub(crate) fn shows(&self, id: EntryId) -> bool {
        self.base.read().and_then(|reader| reader.entry(id)).is_ok_and(|entry| entry.is_some())
    }

    pub(crate) fn read_proof(&self, feed: FeedId) -> Option<Proof> {
        let reader = self.base.read().ok()?;
        let proof = reader.fork(&feed).ok()??;
        Payload::new(&proof.encode())
    }

    /// Writes to the node's own feed. Answers whether it is kept, for sure.
    pub(crate) fn say(&mut self, now: Timestamp, sayings: Vec<Saying>) -> bool {
        self.write(now, Changes::new(), |timeline, _, key| timeline.say(key, now, sayings))
    }

    /// Edits a board.
    pub(crate) fn edit(&mut self, now: Timestamp, board: &Board, edits: &[Edit]) -> bool {
        self.write(now, Changes::new(), |timeline, reader, key| timeline.edit(reader, key, now, board, edits))
    }

    /// Keeps what `write` writes, and in the same commit these `changes`.
    fn write(
        &mut self,
        now: Timestamp,
        changes: Changes,
        write: impl FnOnce(&mut Timeline, &Reader, &NodeKey) -> Result<Written, WriteError>,
    ) -> bool {
        let write = |replica: &mut Replica, reader: &Reader, shelf: &Self| match write(
            replica.timeline_mut(),
            reader,
            &shelf.key,
        ) {
            Err(WriteError::Store(error)) => Err(error),
            written => Ok(written.ok()),
        };
        let Ok(Some(mut written)) = self.settle(now).and_then(|()| self.with(write)) else { return false };
        written.changes.extend(changes);
        let is_kept = self.keep(written.changes);
        self.attempts.push(Attempt { frames: written.frames, is_kept });
        if is_kept && self.settle(now).is_ok() {
            let _ = self.tell(self.own, false);
        }
        is_kept
    }

    fn keep(&mut self, changes: Changes) -> bool {
        #[cfg(test)]
        if self.flaws.is_hasty {
            self.replica = None;
            return true;
        }
        self.commit(changes).is_ok()
    }
}
