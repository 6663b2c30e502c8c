//! A node's replica of the timeline: the records that are here, and how much of them counts by what they say of who
//! belongs.
//!
//! Owns what follows from what: when statements or proofs of forks came, the roster is read anew, every feed is brought
//! to its cut, what the root said is said here too, and frames that were refused because of who wrote them are judged
//! again. Commits nothing and waits for nothing: each call answers the rows to commit, before the next one is made.
//! Whoever uses it throws it away when the store or a commit fails, and opens it again. Invariant: once it is
//! [settled](Replica::is_settled), every feed is cut as the roster says that its own records add up to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::admit::{Admission, Refusal, Verdict};
use super::feed::FeedId;
use super::fork::Proof;
use super::frame::Frame;
use super::log::{Saying, Timeline, WriteError, Written};
use super::pace::Pace;
use super::recut::{Recut, STEP};
use crate::Reader;
use crate::audit::key::NodeKey;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::projection::Changes;
use crate::trust::{EnvId, Roster, SignedStatement};

/// A timeline and the roster that it is held against.
pub struct Replica {
    timeline: Timeline,
    roster: Arc<Roster>,
    /// The roster that feeds are being brought to, where they are on their way.
    next: Option<Arc<Roster>>,
    /// What the root said and this node is to say too.
    unsaid: VecDeque<SignedStatement>,
}

/// Frames from others, and what became of each so far.
#[derive(Clone, Debug)]
pub struct Hearing<F> {
    /// The frames.
    pub frames: Vec<F>,
    verdicts: BTreeMap<usize, Verdict>,
    /// By whom they were judged last.
    roster: Option<Arc<Roster>>,
}

impl Replica {
    /// Opens the replica of the node that writes `own`. It goes on at the `pace` of one that was thrown away, and from
    /// the `roster` that was known then.
    pub fn open(reader: &Reader, own: FeedId, roster: Arc<Roster>, pace: Pace) -> Result<Self, StoreError> {
        let timeline = Timeline::open(reader, roster.env().root(), own)?.paced(pace);
        Ok(Self { timeline, roster, next: None, unsaid: VecDeque::new() })
    }

    /// What is known of each feed.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The same, to write to the node's own feed.
    pub fn timeline_mut(&mut self) -> &mut Timeline {
        &mut self.timeline
    }

    /// Who belongs.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Whether nothing is left to do before frames are judged or something is written.
    pub fn is_settled(&self) -> bool {
        !self.timeline.is_stale && self.next.is_none() && self.unsaid.is_empty()
    }

    /// Does one step of what is left: called again until it is settled. `read` answers who belongs, and what the root
    /// said that is to be said here too: where there is nothing but records, [`Reader::members`].
    pub fn settle(
        &mut self,
        reader: &Reader,
        key: &NodeKey,
        now: Timestamp,
        read: impl FnOnce(&Reader) -> Result<(Roster, Vec<SignedStatement>), StoreError>,
    ) -> Result<Written, StoreError> {
        if std::mem::take(&mut self.timeline.is_stale) {
            let (next, unsaid) = read(reader)?;
            (self.next, self.unsaid) = (Some(Arc::new(next)), unsaid.into());
        }
        // By one step: so that nobody waits for a long feed.
        let Some(next) = self.next.take() else { return self.repeat(key, now) };
        let Recut { mut changes, is_done } = self.timeline.recut(reader, |feed| next.cut(*feed), STEP)?;
        if next.is_out(self.timeline.own().node) {
            changes.extend(self.timeline.silence());
        }
        if !is_done {
            self.next = Some(next);
        } else if self.roster != next {
            self.roster = next;
        }
        Ok(Written { changes, ..Written::default() })
    }

    /// Says the next of what the root said also in this node's feed, each by itself: where one does not fit, those before
    /// it did. What it cannot say now, it says when who belongs changes next.
    fn repeat(&mut self, key: &NodeKey, now: Timestamp) -> Result<Written, StoreError> {
        let Some(word) = self.unsaid.pop_front() else { return Ok(Written::default()) };
        let said = self.timeline.say(key, now, vec![Saying::Statement(word.as_bytes().to_vec())]);
        // The root is heard wherever its words stand: nothing new follows from them here.
        self.timeline.is_stale = false;
        said.or_else(|error| match error {
            WriteError::Store(error) => Err(error),
            error => {
                tracing::warn!(%error, words = self.unsaid.len() + 1, "what the root said is not said again here");
                self.unsaid.clear();
                Ok(Written::default())
            }
        })
    }

    /// Judges what is open of a hearing: all frames at first, and later those again that were refused because of who
    /// wrote them, where the roster cuts their feed elsewhere now. Answers which frames these are, and what they came
    /// to.
    pub fn judge<F: AsRef<[u8]>>(
        &mut self,
        reader: &Reader,
        hearing: &mut Hearing<F>,
        now: Timestamp,
    ) -> Result<(Vec<usize>, Admission), StoreError> {
        let open: Vec<usize> = hearing.open(&self.roster).collect();
        let frames: Vec<&F> = open.iter().map(|frame| &hearing.frames[*frame]).collect();
        let admission = self.timeline.admit(reader, &frames, now, |feed| self.roster.cut(*feed))?;
        hearing.verdicts.extend(open.iter().copied().zip(admission.verdicts.iter().cloned()));
        hearing.roster = Some(Arc::clone(&self.roster));
        Ok((open, admission))
    }

    /// Judges a proof that another node found.
    pub fn judge_proof(
        &mut self,
        reader: &Reader,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<(Changes, Verdict), StoreError> {
        self.timeline.admit_proof(reader, proof, now, |feed| self.roster.cut(*feed))
    }
}

impl Reader {
    /// Who belongs to `env` by what is here, and what the root said that whoever writes `own` is
    /// [to say too](Roster::unsaid).
    pub fn members(&self, env: EnvId, own: FeedId) -> Result<(Roster, Vec<SignedStatement>), StoreError> {
        let statements = self.statements(env)?;
        let roster = Roster::fold(env, &statements, self.fork_cuts()?);
        let unsaid = roster.unsaid(&statements, own).into_iter().cloned().collect();
        Ok((roster, unsaid))
    }
}

impl<F: AsRef<[u8]>> Hearing<F> {
    /// Frames that nobody judged yet, in the order in which they are to be.
    pub fn of(frames: Vec<F>) -> Self {
        Self { frames, verdicts: BTreeMap::new(), roster: None }
    }

    /// Whether there is something to judge for `replica`, as it knows who belongs. No frame is judged more often than
    /// the roster cuts its feed elsewhere, and only what was just judged moves that.
    pub fn is_open(&self, replica: &Replica) -> bool {
        self.open(&replica.roster).next().is_some()
    }

    /// A verdict for each frame.
    pub fn into_verdicts(self) -> Vec<Verdict> {
        self.verdicts.into_values().collect()
    }

    fn open(&self, roster: &Roster) -> impl Iterator<Item = usize> {
        let is_moved = |frame: usize| {
            let cuts = |feed| self.roster.as_ref().map(|before| (before.cut(feed), roster.cut(feed)));
            let span = Frame::span(self.frames[frame].as_ref());
            span.and_then(|(feed, ..)| cuts(feed)).is_some_and(|(before, now)| before != now)
        };
        (0..self.frames.len()).filter(move |frame| match self.verdicts.get(frame) {
            None => true,
            Some(Verdict::Refused(Refusal::PastCut(_))) => is_moved(*frame),
            Some(_) => false,
        })
    }
}
