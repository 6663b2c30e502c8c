//! The records of a node: the real timeline over a base that can fail.
//!
//! Owns the way from frames to verdicts and commits, as the node does it for the mesh. After any failure the
//! timeline is thrown away and opened again. Invariant: what it answers for is committed.

#[cfg(test)]
pub(crate) mod flaws;
pub(crate) mod keys;
mod ledger;
pub(crate) mod paper;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xyn_net::proto::sync::{Proof, Refused};
use xyn_net::records;
use xyn_net::wire::{Frame, Known, Payload};
use xyn_store::audit::key::NodeKey;
use xyn_store::ids::EntryId;
use xyn_store::projection::Changes;
use xyn_store::simulation::Base;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::{Saying, Timeline, Written, fork};
use xyn_store::trust::{EnvId, Placed, Roster, SignedStatement};
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
    timeline: Option<Timeline>,
    roster: Arc<Roster>,
    /// Whether every feed is known to be cut as the roster and the forks say.
    is_cut: bool,
    notes: Vec<Note>,
    /// What the root said and this node is to say too.
    unsaid: Vec<SignedStatement>,
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
    ) -> Result<Self, (StoreError, Box<dyn Base>)> {
        let none = Arc::new(Roster::fold(env, &[], BTreeMap::new()));
        let mut shelf = Self {
            key,
            env,
            own,
            certificates,
            base,
            timeline: None,
            roster: none,
            is_cut: false,
            notes: Vec::new(),
            unsaid: Vec::new(),
            remarks: Vec::new(),
            leaves: Vec::new(),
            signed: 0,
            #[cfg(test)]
            flaws: flaws::Flaws::default(),
        };
        match shelf.reopen() {
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
        self.timeline.as_ref()
    }

    /// What two nodes compare.
    pub(crate) fn digest(&self) -> Result<Digest, StoreError> {
        self.base.read()?.timeline_digest()
    }

    /// What changed since this was asked last.
    pub(crate) fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// What was remarkable about what others sent since this was asked last.
    pub(crate) fn remarks(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.remarks)
    }

    /// Records that are kept and do not count.
    pub(crate) fn excluded(&self) -> Result<u64, StoreError> {
        Ok(self.base.read()?.excluded(None, EXCLUDED_MAX)?.items.len() as u64)
    }

    /// How far each feed is known.
    pub(crate) fn feeds(&self) -> Result<BTreeMap<FeedId, Known>, StoreError> {
        let reader = self.base.read()?;
        let rows = self.timeline.iter().flat_map(Timeline::feeds);
        rows.map(|row| Ok((row.feed, records::known_of(&reader, row)?))).collect()
    }

    /// Opens the timeline again after a failure, if that can be done now.
    pub(crate) fn tend(&mut self) {
        if self.timeline.is_none() {
            // The next second brings another attempt.
            let _ = self.reopen();
        }
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let reader = self.base.read()?;
        self.timeline = Some(Timeline::open(&reader, self.env.root(), self.own)?);
        drop(reader);
        self.is_cut = false;
        self.recut()?;
        // A commit that failed may be durable all the same: nobody was told of it.
        let feeds = self.feeds()?.into_iter();
        self.notes.extend(feeds.map(|(feed, known)| Note::Feed { feed, known, is_answer: false }));
        Ok(())
    }

    fn commit(&mut self, changes: Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let committed = self.base.commit(changes);
        if committed.is_err() {
            self.timeline = None;
        }
        committed
    }

    /// Runs `work` on a timeline that agrees with the base. Whatever fails leaves it to be opened again.
    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Timeline, &Reader, &Roster) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.timeline.is_none() {
            self.reopen()?;
        }
        let reader = self.base.read()?;
        let mut timeline = self.timeline.take().expect("it was just opened");
        let done = work(&mut timeline, &reader, &self.roster)?;
        self.timeline = Some(timeline);
        Ok(done)
    }

    fn known(&self, feed: FeedId) -> Result<Known, StoreError> {
        match self.timeline.as_ref().and_then(|timeline| timeline.feed(&feed)) {
            Some(row) => records::known_of(&self.base.read()?, row),
            None => Ok(Known::default()),
        }
    }

    fn tell(&mut self, feed: FeedId, is_answer: bool) -> Result<Known, StoreError> {
        let known = self.known(feed)?;
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

    /// Verifies and keeps frames, as [`Port::admit`](xyn_net::driver::Port::admit).
    pub(crate) fn admit(&mut self, feed: FeedId, frames: &[Frame], now: Timestamp) -> Result<Known, Refused> {
        if !records::are_as_said(feed, frames) {
            return Err(Refused::False);
        }
        let bytes: Vec<&[u8]> = frames.iter().map(|frame| &*frame.bytes).collect();
        #[cfg(test)]
        let bytes = self.flaws.believed(&bytes);
        let busy = |_| Refused::Busy;
        let admission = self
            .with(|timeline, reader, roster| timeline.admit(reader, &bytes, now, |feed| roster.cut(*feed)))
            .map_err(busy)?;
        let first = frames.first().map_or(0, |frame| frame.from);
        let verdict = records::answer(feed, first, &admission.verdicts);
        self.remarks.extend(admission.verdicts.iter().filter_map(Happening::judged));
        let moves_roster = !admission.proofs.is_empty() || admission.has_statements;
        self.is_cut &= admission.proofs.is_empty();
        self.commit(admission.changes).map_err(busy)?;
        if moves_roster {
            self.recut().map_err(busy)?;
        }
        let known = self.tell(feed, verdict.is_ok()).map_err(busy)?;
        verdict.map(|()| known)
    }

    /// Verifies and keeps the proof of a fork, as [`Port::admit_proof`](xyn_net::driver::Port::admit_proof).
    pub(crate) fn admit_proof(
        &mut self,
        feed: FeedId,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<Known, Refused> {
        let proof = fork::Proof::open(&self.env.root(), proof).map_err(|_| Refused::False)?;
        if proof.feed != feed {
            return Err(Refused::False);
        }
        let busy = |_| Refused::Busy;
        let (changes, verdict) = self
            .with(|timeline, reader, roster| {
                timeline.admit_proof(reader, &proof, now, |feed| roster.cut(*feed))
            })
            .map_err(busy)?;
        records::answer(feed, 0, &[verdict])?;
        self.is_cut = false;
        self.commit(changes).map_err(busy)?;
        self.recut().map_err(busy)?;
        self.tell(feed, true).map_err(busy)
    }

    /// Writes to the node's own feed. None when nothing was signed.
    pub(crate) fn say(&mut self, now: Timestamp, sayings: Vec<Saying>) -> Option<Attempt> {
        let moves_roster = sayings.iter().any(|saying| matches!(saying, Saying::Statement(_)));
        let key = Arc::clone(&self.key);
        let written = self.with(|timeline, _, _| Ok(timeline.say(&key, now, sayings))).ok()?.ok()?;
        Some(self.keep(written, moves_roster))
    }

    /// Edits a board.
    pub(crate) fn edit(&mut self, now: Timestamp, board: &Board, edits: &[Edit]) -> Option<Attempt> {
        let key = Arc::clone(&self.key);
        let edit = self.with(|timeline, reader, _| Ok(timeline.edit(reader, &key, now, board, edits)));
        Some(self.keep(edit.ok()?.ok()?, false))
    }

    fn keep(&mut self, Written { changes, frames, .. }: Written, moves_roster: bool) -> Attempt {
        #[cfg(test)]
        if self.flaws.is_hasty {
            self.timeline = None;
            return Attempt { frames, is_kept: true };
        }
        let is_kept = self.commit(changes).is_ok();
        if is_kept && moves_roster {
            // What fails here is done again when the timeline is opened.
            let _ = self.recut();
        }
        if is_kept {
            let _ = self.tell(self.own, false);
        }
        Attempt { frames, is_kept }
    }

    /// Brings members and cuts to what the records say. What fails is done when the timeline is opened again.
    fn recut(&mut self) -> Result<(), StoreError> {
        let done = self.try_recut();
        if done.is_err() {
            self.timeline = None;
        }
        done
    }

    fn try_recut(&mut self) -> Result<(), StoreError> {
        let reader = self.base.read()?;
        let statements = self.heard(&reader)?;
        let roster = Roster::fold(self.env, self.certificates.iter().chain(&statements), reader.fork_cuts()?);
        drop(reader);
        self.unsaid = self.owed(&roster, &statements);
        if roster == *self.roster && self.is_cut {
            return Ok(());
        }
        let before: Vec<(FeedId, Known)> = self.feeds()?.into_iter().collect();
        let is_out = roster.is_out(self.own.node);
        self.is_cut = false;
        #[cfg(test)]
        let disowns = self.flaws.disowns;
        let cut = |feed: &FeedId| {
            #[cfg(test)]
            if disowns && flaws::is_given_up(&roster, feed) {
                return flaws::nothing();
            }
            roster.cut(*feed)
        };
        while !self.is_cut {
            let step = self.with(|timeline, reader, _| {
                let mut step = timeline.recut(reader, cut)?;
                if is_out {
                    step.changes.extend(timeline.silence());
                }
                Ok(step)
            })?;
            self.commit(step.changes)?;
            self.is_cut = step.is_done;
        }
        // Not before it is durable: until then all of it is to be done again.
        if roster != *self.roster {
            self.roster = Arc::new(roster);
            self.notes.push(Note::Roster(Arc::clone(&self.roster)));
        }
        for (feed, known) in before {
            if self.known(feed)? != known {
                self.tell(feed, false)?;
            }
        }
        Ok(())
    }
}
