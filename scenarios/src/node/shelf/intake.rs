//! What others hand in, judged.
//!
//! Owns what goes into one batch, and the answer to whoever handed it in. Invariant: what is answered is durable.

use xyn_net::proto::sync::{Proof, Refused};
use xyn_net::records;
use xyn_net::wire::{Frame, Known, News};
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::admit::{Refusal, Verdict};
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::{Hearing, fork};
use xyn_store::{Digest, StoreError, Timestamp};

use super::{Note, Shelf};
use crate::node::Done;
use crate::tally::Happening;

/// Records of one feed that came in.
#[derive(Clone, Debug)]
pub(crate) enum Intake {
    Pulled { peer: PublicKey, feed: FeedId, frames: Vec<Frame> },
    News { id: Digest, news: News },
}

impl Intake {
    fn frames(&self) -> (FeedId, &[Frame]) {
        match self {
            Self::Pulled { feed, frames, .. } => (*feed, frames),
            Self::News { news, .. } => (news.feed, std::slice::from_ref(&news.frame)),
        }
    }

    fn is_as_said(&self) -> bool {
        let (feed, frames) = self.frames();
        records::are_as_said(feed, frames)
    }

    fn done(self, result: Result<Known, Refused>) -> Done {
        match self {
            Self::Pulled { peer, feed, .. } => Done::Admitted { peer, feed, result },
            Self::News { id, news } => Done::Heard { id, news, result },
        }
    }
}

impl Shelf {
    /// Verifies and keeps what was handed in, in one batch: for each what
    /// [`Port::admit`](xyn_net::driver::Port::admit) answers.
    pub(crate) fn admit(&mut self, intake: Vec<Intake>, now: Timestamp) -> Vec<Done> {
        let frames = intake.iter().filter(|it| it.is_as_said()).flat_map(|it| it.frames().1);
        let verdicts = self.judge(frames.map(|frame| &*frame.bytes).collect(), now);
        let mut verdicts = verdicts.map(Vec::into_iter);
        let mut answer = |it: &Intake| {
            let (feed, frames) = it.frames();
            if !it.is_as_said() {
                return Err(Refused::False);
            }
            let judged = verdicts.as_mut().map_err(|_| Refused::Busy)?;
            let verdicts: Vec<Verdict> = judged.take(frames.len()).collect();
            self.notes.extend(verdicts.iter().filter_map(|verdict| match verdict {
                Verdict::Refused(Refusal::PastCut(seq)) => Some(Note::PastCut { feed, seq: *seq }),
                _ => None,
            }));
            let first = frames.first().map_or(0, |frame| frame.from);
            let verdict = records::answer(feed, first, &verdicts);
            let known = self.tell(feed, verdict.is_ok()).map_err(|_| Refused::Busy)?;
            verdict.map(|()| known)
        };
        let answers: Vec<_> = intake.iter().map(&mut answer).collect();
        intake.into_iter().zip(answers).map(|(it, result)| it.done(result)).collect()
    }

    /// A verdict on each frame, once it is durable.
    fn judge(&mut self, frames: Vec<&[u8]>, now: Timestamp) -> Result<Vec<Verdict>, StoreError> {
        #[cfg(test)]
        let frames = self.flaws.believed(&frames);
        let (mut hearing, mut is_again) = (Hearing::of(frames), false);
        self.settle(now)?;
        while self.replica.as_ref().is_some_and(|replica| hearing.is_open(replica)) {
            #[cfg(test)]
            if self.flaws.is_final && is_again {
                break;
            }
            let (judged, admission) =
                self.with(|replica, reader, _| replica.judge(reader, &mut hearing, now))?;
            self.commit(admission.changes)?;
            self.settle(now)?;
            if is_again {
                self.remarks.extend(judged.iter().map(|_| Happening::JudgedAgain));
            }
            is_again = true;
        }
        let verdicts = hearing.into_verdicts();
        self.remarks.extend(verdicts.iter().filter_map(Happening::judged));
        Ok(verdicts)
    }

    /// Verifies and keeps the proof of a fork, as [`Port::admit_proof`](xyn_net::driver::Port::admit_proof).
    pub(crate) fn admit_proof(
        &mut self,
        feed: FeedId,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<Known, Refused> {
        let proof = records::proof(self.env.root(), feed, proof)?;
        let verdict = self.judge_proof(&proof, now).map_err(|_| Refused::Busy)?;
        records::answer(feed, 0, &[verdict])?;
        self.tell(feed, true).map_err(|_| Refused::Busy)
    }

    fn judge_proof(&mut self, proof: &fork::Proof, now: Timestamp) -> Result<Verdict, StoreError> {
        self.settle(now)?;
        let (changes, verdict) = self.with(|replica, reader, _| replica.judge_proof(reader, proof, now))?;
        self.commit(changes)?;
        self.settle(now)?;
        Ok(verdict)
    }
}
