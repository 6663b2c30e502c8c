//! Admission: what becomes of frames that others send.
//!
//! Owns the verdict on each frame. Nothing is applied before its frame is verified, and a frame is taken
//! whole or not at all. Invariant: in whatever order the same frames come, the same records are admitted.

use super::board::LeftOut;
use super::change::ChangeError;
use super::draft::Draft;
use super::entry::EntryError;
use super::feed::FeedId;
use super::fork::{Proof, ProofError};
use super::frame::{Frame, FrameError};
use super::head::Effect;
use super::limit::Limit;
use super::log::Timeline;
use super::pace::{Load, Source};
use super::record::{Body, Record};
use super::rows::FeedRow;
use crate::Reader;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::projection::Changes;
use crate::trust::Cut;

/// Why a frame was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no frame of this environment, or was not signed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A record in it is not what its author could have written.
    #[error("record {seq}: {source}")]
    Change {
        /// The record.
        seq: u64,
        /// What is wrong.
        source: ChangeError,
    },
    /// Its author is no member, or was excluded before it wrote this.
    #[error("record {0} is past the cut of its feed")]
    PastCut(u64),
    /// Its author wrote two records under one number before this one.
    #[error("the feed has two records under number {0}; nothing behind it is taken")]
    Equivocation(u64),
    /// It contradicts what is kept, but not in a way that can be shown to others.
    #[error("the frame contradicts what is kept: {0}")]
    Unprovable(ProofError),
}

impl Refusal {
    /// Whether it is for something that a newer version of this program understands.
    pub fn is_newer(&self) -> bool {
        matches!(
            self,
            Self::Frame(FrameError::Newer(_))
                | Self::Change { source: ChangeError::Entry(EntryError::Newer(_)), .. }
        )
    }

    /// A word for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Frame(FrameError::Oversized(_)) => "oversized",
            Self::Frame(FrameError::Newer(_)) => "newer_frame",
            Self::Frame(FrameError::WrongEnv(_)) => "wrong_env",
            Self::Frame(FrameError::BadSignature) => "bad_signature",
            Self::Frame(_) => "malformed",
            Self::Change { source: ChangeError::ForgedActor, .. } => "forged_actor",
            Self::Change { source: ChangeError::WrongDocument { .. }, .. } => "wrong_doc",
            Self::Change { source: ChangeError::MissingDependency, .. } => "missing_dependency",
            Self::Change { source: ChangeError::Entry(EntryError::Newer(_)), .. } => "newer_entry",
            Self::Change { .. } => "undecodable_change",
            Self::PastCut(_) => "past_cut",
            Self::Equivocation(_) | Self::Unprovable(_) => "equivocation",
        }
    }
}

/// What became of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its new records are in.
    Admitted {
        /// Whose.
        feed: FeedId,
        /// The first new record.
        first: u64,
        /// The last one; also of frames that waited for this one.
        last: u64,
        /// New records that claim to be from the future. They are kept.
        from_future: u64,
        /// What became of frames that waited for this one and are not taken.
        behind: Vec<Self>,
    },
    /// Everything in it was here.
    Duplicate,
    /// Records before it are missing: it waits for them, as long as there is room.
    Gap {
        /// Whose.
        feed: FeedId,
        /// The last record that is here.
        have: u64,
    },
    /// Its author wrote more than is [taken in a minute](super::RECORDS_PER_MINUTE_MAX), or
    /// [began more feeds](super::FEEDS_PER_HOUR_MAX) than in an hour: it is to be asked for again.
    Paced(FeedId),
    /// It shows that its author wrote two records under one number; the proof is kept.
    Forked {
        /// Whose.
        feed: FeedId,
        /// The first number at which the two are seen to differ. It may be the one before the frame's first:
        /// then earlier records of the sender show how far back they differ.
        seq: u64,
    },
    /// Nothing of it is taken.
    Refused(Refusal),
}

/// What a batch of frames came to.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Rows to commit.
    pub changes: Changes,
    /// One for each frame.
    pub verdicts: Vec<Verdict>,
    /// What was admitted and shows on no board.
    pub left_out: Vec<LeftOut>,
}

impl Timeline {
    /// Judges `frames` from others, in one batch. `cuts` is what the roster says of feeds not seen before.
    pub fn admit(
        &mut self,
        reader: &Reader,
        frames: &[impl AsRef<[u8]>],
        now: Timestamp,
        cuts: impl Fn(&FeedId) -> Cut,
    ) -> Result<Admission, StoreError> {
        let mut draft = Draft::new(self.env, reader);
        let mut admission = Admission::default();
        for bytes in frames.iter().map(AsRef::as_ref) {
            let digest = Digest::of(bytes);
            if self.memo.knows(&digest) {
                admission.verdicts.push(Verdict::Duplicate);
                continue;
            }
            let verdict = match Frame::open(&self.env, bytes) {
                Err(error) => Verdict::Refused(error.into()),
                Ok(frame) => {
                    let cut = cuts(&frame.place.feed);
                    self.judge(&mut draft, frame, bytes.len(), now, cut)?
                }
            };
            if matches!(verdict, Verdict::Admitted { .. } | Verdict::Duplicate) {
                self.memo.remember(digest);
            }
            admission.verdicts.push(verdict);
        }
        (admission.changes, admission.left_out) = self.finish(draft)?;
        Ok(admission)
    }

    fn judge(
        &mut self,
        draft: &mut Draft<'_>,
        frame: Frame,
        bytes: usize,
        now: Timestamp,
        cut: Cut,
    ) -> Result<Verdict, StoreError> {
        let mut row = self.row(&frame.place.feed, cut);
        let (feed, first) = (row.feed, frame.place.seq);
        let past_limit = (first > row.limit.grounds).then(|| Verdict::Refused(refusal_past(&row, first)));
        if first > row.head.seq + 1 {
            return Ok(past_limit.unwrap_or_else(|| {
                self.waiting.keep(frame, bytes);
                Verdict::Gap { feed, have: row.head.seq }
            }));
        }
        // Also behind the limit: it may be of another branch than what stands there, and then it shows the fork.
        if !agrees(draft, &frame, &row)? {
            return self.contradiction(draft, &frame, cut, now);
        }
        if let Some(refused) = past_limit {
            return Ok(refused);
        }
        let have = row.head.seq;
        if frame.last().seq <= have {
            return Ok(Verdict::Duplicate);
        }
        if !self.keeps_pace(&frame, have, cut, now) {
            return Ok(Verdict::Paced(feed));
        }
        let mut from_future = match take(draft, &mut row, &frame, cut, &mut self.is_stale) {
            Ok(records) => flag(self, records, now),
            Err(refusal) => return Ok(Verdict::Refused(refusal)),
        };
        self.keep(draft, row);
        let mut behind = Vec::new();
        while let Some(next) = self.waiting.take(&feed, row.head.seq) {
            if !agrees(draft, &next, &row)? {
                behind.push(self.contradiction(draft, &next, cut, now)?);
                row = self.row(&feed, cut);
                continue;
            }
            // What was just taken may have moved the limit.
            if next.place.seq > row.limit.grounds {
                behind.push(Verdict::Refused(refusal_past(&row, next.place.seq)));
                continue;
            }
            if !self.keeps_pace(&next, row.head.seq, cut, now) {
                behind.push(Verdict::Paced(feed));
                break;
            }
            match take(draft, &mut row, &next, cut, &mut self.is_stale) {
                Ok(records) => {
                    from_future += flag(self, records, now);
                    self.keep(draft, row);
                }
                Err(refusal) => behind.push(Verdict::Refused(refusal)),
            }
        }
        Ok(Verdict::Admitted { feed, first: have + 1, last: row.head.seq, from_future, behind })
    }

    /// Whether its author may have what is new in `frame` taken now.
    fn keeps_pace(&self, frame: &Frame, have: u64, cut: Cut, now: Timestamp) -> bool {
        let new = frame.records.iter().filter(|record| record.seq > have);
        let mut load = Load { feeds: self.begins(&frame.place.feed, cut), ..Load::default() };
        for record in new {
            load.bytes += record.payload.len() as u64;
            match &record.content.body {
                Body::Board { change, .. } => load.add_change(&change.0),
                Body::Entry { .. } => load.records += 1,
                Body::Statement(bytes) => load.add_statement(&bytes.0),
            }
        }
        self.pace.take(Source::Others(frame.place.feed.node), load, now)
    }

    /// How many feeds are begun with what comes of `feed`. Those that a cut names are few already.
    fn begins(&self, feed: &FeedId, cut: Cut) -> u64 {
        u64::from(cut == Cut::Nowhere && !self.feeds.contains_key(feed))
    }

    pub(super) fn keep(&mut self, draft: &mut Draft<'_>, row: FeedRow) {
        draft.changes.put(&row);
        self.feeds.insert(row.feed, row);
    }

    /// `frame` gives a record that is kept another hash.
    fn contradiction(
        &mut self,
        draft: &mut Draft<'_>,
        frame: &Frame,
        cut: Cut,
        now: Timestamp,
    ) -> Result<Verdict, StoreError> {
        let feed = frame.place.feed;
        let earliest = frame.place.seq.saturating_sub(1).max(1);
        let mut differs = earliest;
        while draft.hash(&feed, differs)? == frame.hash_at(differs) {
            differs += 1;
        }
        if let Some(known) = self.row(&feed, cut).fork.filter(|known| *known <= differs) {
            return Ok(Verdict::Refused(Refusal::Equivocation(known)));
        }
        let Some(ours) = draft.signed_from(&feed, differs)? else {
            return Err(StoreError::Inconsistent(format!("record {differs} of a feed was never signed")));
        };
        let proof = match Proof::new(&self.env, ours, frame.encode()) {
            Ok(proof) => proof,
            Err(error) => return Ok(Verdict::Refused(Refusal::Unprovable(error))),
        };
        self.keep_fork(draft, &proof, cut, now)
    }
}

/// Why a frame is refused that begins with record `first`, behind the limit of its feed.
fn refusal_past(row: &FeedRow, first: u64) -> Refusal {
    let fork = row.fork.filter(|fork| *fork <= first);
    fork.map_or(Refusal::PastCut(first), Refusal::Equivocation)
}

/// Takes the new records of `frame`, which follows, or none of them.
fn take<'f>(
    draft: &mut Draft<'_>,
    row: &mut FeedRow,
    frame: &'f Frame,
    cut: Cut,
    is_stale: &mut bool,
) -> Result<&'f [Record], Refusal> {
    let known = (row.head.seq + 1).saturating_sub(frame.place.seq) as usize;
    let new = frame.records.get(known..).unwrap_or_default();
    let mut head = row.head;
    let mut effects: Vec<Effect> = Vec::with_capacity(new.len());
    for record in new {
        match head.advance(record) {
            Ok(effect) => effects.push(effect),
            Err(source) => return Err(Refusal::Change { seq: record.seq, source }),
        }
    }
    // Where the cut names another record than comes, the feed ends before it, as where that one was here already.
    if let Cut::After { seq, hash } = cut
        && let Some(other) = new.iter().find(|record| record.seq == seq && record.hash != hash)
    {
        row.limit = Limit::new(cut, row.fork, Some(other.hash));
    }
    for (record, effect) in new.iter().zip(&effects) {
        draft.put(record, effect, row.limit);
        // Also where the proof of a fork came first: by the record before, the roster tells where it cuts.
        *is_stale |= matches!(effect, Effect::Statement) || row.fork == Some(record.seq + 1);
    }
    if !new.is_empty() {
        draft.sign(&row.feed, head.seq, frame.signature);
    }
    row.head = head;
    Ok(new)
}

/// Whether `frame`, which leaves no gap, says of the records that are here what they are. Of those that both
/// have, the last speaks for all before it.
fn agrees(draft: &Draft<'_>, frame: &Frame, row: &FeedRow) -> Result<bool, StoreError> {
    let common = frame.last().seq.min(row.head.seq);
    Ok(common == 0 || draft.hash(&row.feed, common)? == frame.hash_at(common))
}

/// Tells the clock of `records`; counts those from the future.
fn flag(timeline: &mut Timeline, records: &[Record], now: Timestamp) -> u64 {
    let is_future = |record: &&Record| !timeline.clock.observe(record.content.hlc, now);
    records.iter().filter(is_future).count() as u64
}
