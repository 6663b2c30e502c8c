//! Collecting approvals from distinct eligible principals, for gates of runs and parked intents alike.
//!
//! Owns who counts and when it is enough. Refuses to wait, to tell anybody, or to decide whether approval was
//! needed. Invariant: no principal counts twice, and what was approved or rejected stays so.

use serde::{Deserialize, Serialize};
use xyn_store::Timestamp;
use xyn_store::scope::{Principal, Stage};

use super::decision::Approvals;
use super::identity::{Approver, Identity};

/// A request for approval and the answers so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// How many distinct people must approve; at least 1.
    pub min: u32,
    /// Who may answer; any person when empty.
    pub from_any_of: Vec<Approver>,
    /// Whether the requester may answer.
    pub allow_requester: bool,
    /// Who asked for the act.
    pub requester: Principal,
    /// Answers given at this instant or later are refused.
    pub expires_at: Option<Timestamp>,
    /// The answers that counted, in the order of their arrival.
    pub answers: Vec<Given>,
}

/// An answer that counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Who gave it.
    pub principal: Principal,
    /// What it says.
    pub verdict: Verdict,
    /// When it was made.
    pub at: Timestamp,
    /// What the person adds.
    pub note: Option<String>,
}

/// What a person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may happen.
    Approve,
    /// It may not happen.
    Reject,
}

/// An answer that somebody wants to give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Who, with the roles and teams of the session it is given in.
    pub identity: Identity,
    /// What it says.
    pub verdict: Verdict,
    /// When it was made: an answer given offline counts by this instant, not by its arrival.
    pub at: Timestamp,
    /// What the person adds.
    pub note: Option<String>,
}

/// Of an answer that was given on another node: when, and to which question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// When it was made, by the clock of the node in whose session it was.
    pub made_at: Timestamp,
    /// When the question was asked: one that was asked anew since is another.
    pub asked_at: Timestamp,
}

/// What an answer brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It counts, and so many more are needed.
    Recorded {
        /// How many.
        remaining: u32,
    },
    /// It was the last one needed.
    Approved,
    /// A single rejection ends it.
    Rejected,
}

/// Why an answer does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It was approved or rejected before.
    #[error("this was already decided")]
    AlreadyDecided,
    /// The answer was made too late.
    #[error("this expired at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// Only people answer.
    #[error("`{principal}` is a machine; only people approve")]
    Machine {
        /// Who.
        principal: Principal,
    },
    /// Whoever asked may not answer.
    #[error("`{principal}` asked for this and may not approve it")]
    RequesterExcluded {
        /// Who.
        principal: Principal,
    },
    /// Others may answer.
    #[error("`{principal}` is not among those who may approve this")]
    NotEligible {
        /// Who.
        principal: Principal,
    },
    /// Each principal answers once.
    #[error("`{principal}` has already answered")]
    AlreadyAnswered {
        /// Who.
        principal: Principal,
    },
}

impl Approval {
    /// A request made by `requester` about a target of `stage`, without answers.
    ///
    /// `demanded` comes from a decision or a gate; only a gate may wait for ever, see
    /// [`Approvals::deadline`].
    pub fn new(
        demanded: Approvals,
        requester: Principal,
        stage: Stage,
        expires_at: Option<Timestamp>,
    ) -> Self {
        Self {
            min: demanded.min.max(1),
            from_any_of: demanded.from_any_of,
            allow_requester: demanded.allow_requester.unwrap_or(stage == Stage::Dev),
            requester,
            expires_at,
            answers: Vec::new(),
        }
    }

    /// How it ended; none while answers are awaited.
    pub fn verdict(&self) -> Option<Verdict> {
        if self.answers.iter().any(|given| given.verdict == Verdict::Reject) {
            return Some(Verdict::Reject);
        }
        (self.remaining() == 0).then_some(Verdict::Approve)
    }

    /// How many more approvals are needed.
    pub fn remaining(&self) -> u32 {
        let approved = self.answers.iter().filter(|given| given.verdict == Verdict::Approve).count();
        self.min.saturating_sub(u32::try_from(approved).unwrap_or(u32::MAX))
    }

    /// Why `identity` may not answer at `at`; none when it may.
    pub fn refusal(&self, identity: &Identity, at: Timestamp) -> Option<Refusal> {
        let principal = identity.principal.clone();
        let eligible = self.from_any_of.is_empty() || self.from_any_of.iter().any(|a| a.includes(identity));
        if self.verdict().is_some() {
            Some(Refusal::AlreadyDecided)
        } else if let Some(deadline) = self.expires_at.filter(|deadline| at >= *deadline) {
            Some(Refusal::Expired { at: deadline })
        } else if !principal.is_person() {
            Some(Refusal::Machine { principal })
        } else if principal == self.requester && !self.allow_requester {
            Some(Refusal::RequesterExcluded { principal })
        } else if !eligible {
            Some(Refusal::NotEligible { principal })
        } else if self.answers.iter().any(|given| given.principal == principal) {
            Some(Refusal::AlreadyAnswered { principal })
        } else {
            None
        }
    }
}

/// What `answer` means. Changes nothing.
pub fn decide(approval: &Approval, answer: &Answer) -> Result<Outcome, Refusal> {
    if let Some(refusal) = approval.refusal(&answer.identity, answer.at) {
        return Err(refusal);
    }
    Ok(match (answer.verdict, approval.remaining()) {
        (Verdict::Reject, _) => Outcome::Rejected,
        (Verdict::Approve, 0 | 1) => Outcome::Approved,
        (Verdict::Approve, needed) => Outcome::Recorded { remaining: needed - 1 },
    })
}

/// Folds an answer that [`decide`] let through.
pub fn apply(approval: &mut Approval, given: Given) {
    approval.answers.push(given);
}

impl From<Answer> for Given {
    fn from(answer: Answer) -> Self {
        Self {
            principal: answer.identity.principal,
            verdict: answer.verdict,
            at: answer.at,
            note: answer.note,
        }
    }
}
