//! Given a request, when people answer, then who counts and how it ends.

use xyn_store::Timestamp;
use xyn_store::scope::{Principal, Stage};

use super::super::approval::*;
use super::super::{Approvals, Identity, Role};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_micros(secs * 1_000_000)
}

fn person(name: &str, roles: &[Role]) -> Identity {
    Identity { principal: Principal::new(name), roles: roles.to_vec(), teams: Vec::new() }
}

fn answer(identity: Identity, verdict: Verdict, secs: i64) -> Answer {
    Answer { identity, verdict, at: at(secs), note: None }
}

fn request(min: u32, approvers: &[&str], stage: Stage) -> Approval {
    let from_any_of = approvers.iter().map(|a| a.parse().expect("an approver")).collect();
    let demanded = Approvals { min, from_any_of, allow_requester: None, expires_in_s: Some(100) };
    let deadline = demanded.deadline(at(0));
    Approval::new(demanded, Principal::new("ann@x"), stage, Some(deadline))
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
    let answers =
        || ["ann@x", "bob@x", "cid@x"].map(|n| answer(person(n, &[]), Verdict::Approve, 1)).to_vec();
    let excluded = Refusal::RequesterExcluded { principal: Principal::new("ann@x") };
    let recorded = Outcome::Recorded { remaining: 1 };
    for stage in [Stage::Staging, Stage::Prod] {
        let outcomes = play(request(2, &[], stage), answers());
        assert_eq!(outcomes, [Err(excluded.clone()), Ok(recorded), Ok(Outcome::Approved)]);
    }
    let outcomes = play(request(2, &[], Stage::Dev), answers());
    assert_eq!(outcomes, [Ok(recorded), Ok(Outcome::Approved), Err(Refusal::AlreadyDecided)]);
}

#[test]
fn the_rule_overrides_the_default_of_the_stage_about_the_requester() {
    for (stage, allowed) in [(Stage::Dev, false), (Stage::Prod, true)] {
        let demanded = Approvals { allow_requester: Some(allowed), ..Approvals::default() };
        let approval = Approval::new(demanded, Principal::new("ann@x"), stage, None);
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
    let again = Err(Refusal::AlreadyAnswered { principal: Principal::new("cid@x") });
    let expected = [
        Err(Refusal::NotEligible { principal: Principal::new("bob@x") }),
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
        Err(Refusal::Machine { principal: Principal::new("run:0197") }),
        Err(Refusal::Expired { at: at(100) }),
        Ok(Outcome::Rejected),
        Err(Refusal::AlreadyDecided),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn the_local_operator_has_every_role() {
    let approval = request(1, &["role:OwnerAdmin"], Stage::Prod);
    let outcome = decide(&approval, &answer(Identity::local_operator(), Verdict::Approve, 1));
    assert_eq!(outcome, Ok(Outcome::Approved));
}

#[test]
fn a_request_survives_postcard() {
    let mut approval = request(2, &["team:qa"], Stage::Prod);
    apply(&mut approval, answer(person("bob@x", &[]), Verdict::Approve, 1).into());
    let bytes = postcard::to_stdvec(&approval).expect("encodes");
    assert_eq!(postcard::from_bytes::<Approval>(&bytes).expect("decodes"), approval);
}
