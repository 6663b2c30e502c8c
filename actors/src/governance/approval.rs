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
    /// A request for what a decision demands, made by `requester` at `now` about a target of `stage`.
    pub fn new(demanded: Approvals, requester: Principal, stage: Stage, now: Timestamp) -> Self {
        let lifetime = demanded.expires_in_s.map(std::time::Duration::from_secs);
        Self {
            min: demanded.min.max(1),
            from_any_of: demanded.from_any_of,
            allow_requester: demanded.allow_requester.unwrap_or(stage == Stage::Dev),
            requester,
            expires_at: lifetime.map(|lifetime| now.after(lifetime)),
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
        let approved = self
            .answers
            .iter()
            .filter(|given| given.verdict == Verdict::Approve)
            .count();
        self.min
            .saturating_sub(u32::try_from(approved).unwrap_or(u32::MAX))
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
        (Verdict::Approve, needed) => Outcome::Recorded {
            remaining: needed - 1,
        },
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

#[cfg(test)]
mod tests {
    use super::super::identity::Role;
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000)
    }

    fn person(name: &str, roles: &[Role]) -> Identity {
        Identity {
            principal: Principal::new(name),
            roles: roles.to_vec(),
            teams: Vec::new(),
        }
    }

    fn answer(identity: Identity, verdict: Verdict, secs: i64) -> Answer {
        Answer {
            identity,
            verdict,
            at: at(secs),
            note: None,
        }
    }

    fn request(min: u32, approvers: &[&str], stage: Stage) -> Approval {
        let from_any_of = approvers
            .iter()
            .map(|a| a.parse().expect("an approver"))
            .collect();
        let demanded = Approvals {
            min,
            from_any_of,
            allow_requester: None,
            expires_in_s: Some(100),
        };
        Approval::new(demanded, Principal::new("ann@x"), stage, at(0))
    }

    /// Gives `answers` one after the other and tells what became of each.
    fn play(mut approval: Approval, answers: Vec<Answer>) -> Vec<Result<Outcome, Refusal>> {
        let mut give = |answer: Answer| {
            let outcome = decide(&approval, &answer);
            if outcome.is_ok() {
                apply(&mut approval, answer.into());
            }
            outcome
        };
        answers.into_iter().map(&mut give).collect()
    }

    #[test]
    fn two_approvers_one_of_them_the_requester() {
        let answers = || {
            ["ann@x", "bob@x", "cid@x"]
                .map(|n| answer(person(n, &[]), Verdict::Approve, 1))
                .to_vec()
        };
        let excluded = Refusal::RequesterExcluded {
            principal: Principal::new("ann@x"),
        };
        let recorded = Outcome::Recorded { remaining: 1 };
        for stage in [Stage::Staging, Stage::Prod] {
            let outcomes = play(request(2, &[], stage), answers());
            assert_eq!(
                outcomes,
                [Err(excluded.clone()), Ok(recorded), Ok(Outcome::Approved)]
            );
        }
        let outcomes = play(request(2, &[], Stage::Dev), answers());
        assert_eq!(
            outcomes,
            [Ok(recorded), Ok(Outcome::Approved), Err(Refusal::AlreadyDecided)]
        );
    }

    #[test]
    fn the_rule_overrides_the_default_of_the_stage_about_the_requester() {
        for (stage, allowed) in [(Stage::Dev, false), (Stage::Prod, true)] {
            let demanded = Approvals {
                allow_requester: Some(allowed),
                ..Approvals::default()
            };
            let approval = Approval::new(demanded, Principal::new("ann@x"), stage, at(0));
            let outcome = decide(&approval, &answer(person("ann@x", &[]), Verdict::Approve, 1));
            assert_eq!(outcome.is_ok(), allowed);
        }
    }

    #[test]
    fn nobody_counts_twice_and_only_the_eligible_count() {
        let owner = |name| person(name, &[Role::OwnerAdmin]);
        let outcomes = play(
            request(2, &["role:OwnerAdmin", "principal:eve@x"], Stage::Prod),
            vec![
                answer(person("bob@x", &[Role::User]), Verdict::Approve, 1),
                answer(owner("cid@x"), Verdict::Approve, 1),
                answer(owner("cid@x"), Verdict::Approve, 2),
                answer(owner("cid@x"), Verdict::Reject, 2),
                answer(person("eve@x", &[]), Verdict::Approve, 3),
            ],
        );
        let again = Err(Refusal::AlreadyAnswered {
            principal: Principal::new("cid@x"),
        });
        let expected = [
            Err(Refusal::NotEligible {
                principal: Principal::new("bob@x"),
            }),
            Ok(Outcome::Recorded { remaining: 1 }),
            again.clone(),
            again,
            Ok(Outcome::Approved),
        ];
        assert_eq!(outcomes, expected);
    }

    #[test]
    fn machines_late_answers_and_answers_after_a_rejection_are_refused() {
        let mut run = person("run:0197", &[Role::Operator]);
        run.teams.push("ops".to_owned());
        let outcomes = play(
            request(1, &[], Stage::Prod),
            vec![
                answer(run, Verdict::Approve, 1),
                answer(person("bob@x", &[]), Verdict::Approve, 100),
                answer(person("bob@x", &[]), Verdict::Reject, 99),
                answer(person("cid@x", &[]), Verdict::Approve, 99),
            ],
        );
        let expected = [
            Err(Refusal::Machine {
                principal: Principal::new("run:0197"),
            }),
            Err(Refusal::Expired { at: at(100) }),
            Ok(Outcome::Rejected),
            Err(Refusal::AlreadyDecided),
        ];
        assert_eq!(outcomes, expected);
    }

    #[test]
    fn the_local_operator_has_every_role() {
        let approval = request(1, &["role:OwnerAdmin"], Stage::Prod);
        let outcome = decide(
            &approval,
            &answer(Identity::local_operator(), Verdict::Approve, 1),
        );
        assert_eq!(outcome, Ok(Outcome::Approved));
    }

    #[test]
    fn a_request_survives_postcard() {
        let mut approval = request(2, &["team:qa"], Stage::Prod);
        apply(
            &mut approval,
            answer(person("bob@x", &[]), Verdict::Approve, 1).into(),
        );
        let bytes = postcard::to_stdvec(&approval).expect("encodes");
        assert_eq!(
            postcard::from_bytes::<Approval>(&bytes).expect("decodes"),
            approval
        );
    }
}
