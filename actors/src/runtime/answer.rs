//! Answers to intents that were asked before: the row of the first one holds what the later ones are told.

use serde_json::{Value, json};
use xyn_store::Json;
use xyn_store::journal::AppendError;
use xyn_store::projection::{ClaimRow, Fault, IntentRow, IntentStatus, Subject};

use super::accept::Claim;
use super::{Inner, Intent, Outcome, Refusal};
use crate::actions::Failure;
use crate::governance::{Decision, Effect};
use crate::record::{self, Record};
use crate::services::{capsules, deploy, secrets, workcell, workspace};

impl Inner {
    /// What came of an earlier intent with the same key, as long as the key is remembered.
    pub(super) fn earlier(&self, claim: &Claim) -> Result<Option<Outcome>, Refusal> {
        let row = self.store.read()?.get::<ClaimRow>(&ClaimRow::key_of(&claim.key))?;
        let row = row.filter(|row| row.expires_at > self.clock.now());
        row.map(|row| self.answer_claim(claim, &row)).transpose()
    }

    /// The answer to an append that was not made: an earlier outcome of the same key, or a refusal.
    pub(crate) fn answer_append(&self, error: AppendError, intent: &Intent) -> Result<Outcome, Refusal> {
        match (error, Claim::of(intent, self.store.key())) {
            (AppendError::Claimed(row), Some(claim)) => self.answer_claim(&claim, &row),
            (error, _) => Err(error.into()),
        }
    }

    fn answer_claim(&self, claim: &Claim, earlier: &ClaimRow) -> Result<Outcome, Refusal> {
        if earlier.fingerprint != claim.fingerprint {
            return Err(Refusal::KeyReused { key: claim.shown.clone() });
        }
        let row = self.store.read()?.get::<IntentRow>(&IntentRow::key_of(earlier.intent_id))?;
        let row =
            row.ok_or_else(|| Refusal::Unavailable("the first intent with the key is missing".into()))?;
        if matches!(row.status, IntentStatus::Accepted | IntentStatus::Approved) {
            return Err(Refusal::InProgress { key: claim.shown.clone() });
        }
        self.answer_again(row)
    }

    /// What whoever asked for the intent of `row` was told, or would be told now.
    fn answer_again(&self, row: IntentRow) -> Result<Outcome, Refusal> {
        let fault = row.fault.clone();
        match (row.status, row.subject) {
            (IntentStatus::Completed, Some(subject)) => {
                let output = match &row.output {
                    Some(output) => self.store.payload(output)?.to_value(),
                    None => output_of(&subject),
                };
                Ok(Outcome { repeated: true, ..Outcome::new(row.intent_id, subject, output) })
            }
            (IntentStatus::Parked, _) => {
                let decision = Box::new(decision_of(&row.decision));
                Err(Refusal::Parked { intent_id: row.intent_id, decision })
            }
            (IntentStatus::Denied, _) => Err(Refusal::Forbidden {
                code: "not_approved",
                message: fault.map_or_else(|| "it was refused".to_owned(), |fault| fault.message),
            }),
            _ => Err(fault.map_or_else(|| Refusal::Unavailable("it has no end".into()), failed)),
        }
    }

    /// The answer to an event whose id is taken: what the first event with it was answered.
    pub(super) fn answer_taken(&self, intent: &Intent, outcome: Outcome) -> Result<Outcome, Refusal> {
        let Subject::Event(event_id) = outcome.subject else { return Ok(outcome) };
        let first = self.store.read()?.stream(record::stream_of(event_id), 0, 1)?;
        let (mut is_event, mut intent_id) = (false, intent.intent_id);
        for (offset, envelope) in first {
            for record in record::decode(offset, &envelope)? {
                match record {
                    Record::IntentAccepted(row, _) => intent_id = row.intent_id,
                    Record::Event(_) => is_event = true,
                    _ => {}
                }
            }
        }
        if is_event {
            return Ok(Outcome { intent_id, repeated: true, ..outcome });
        }
        let message = format!("`{event_id}` is the id of something else; choose another");
        Err(Refusal::Conflict { code: "id_taken", message })
    }
}

/// The output that names `subject`.
fn output_of(subject: &Subject) -> Value {
    match subject {
        Subject::Event(id) => json!({ "event_id": id }),
        Subject::Run(id) | Subject::Gate(id, _) => json!({ "run_id": id }),
        Subject::Artifact(id) => json!({ "artifact_id": id }),
        Subject::Draft(id) => json!({ "draft_id": id }),
        Subject::Blueprint(id, version) => json!({ "blueprint_id": id, "version": version }),
        Subject::Policy(id, version) => json!({ "policy_id": id, "version": version }),
        Subject::Intent(id) => json!({ "intent_id": id }),
    }
}

/// The decision that a row shows; one that cannot be read allows nothing.
pub(crate) fn decision_of(recorded: &Json) -> Decision {
    recorded.read().unwrap_or_else(|_| Decision {
        effect: Effect::Deny,
        approvals: None,
        egress: Default::default(),
        matched: None,
        reasons: Vec::new(),
        evidence: Default::default(),
    })
}

/// A failed action as the answer to a direct intent.
pub(crate) fn refusal(failure: Failure) -> Refusal {
    failed(Fault { code: failure.code, message: failure.message })
}

fn failed(fault: Fault) -> Refusal {
    let known = [workspace::of_word, capsules::of_word, deploy::of_word, secrets::of_word, workcell::of_word]
        .iter()
        .find_map(|of| of(&fault.code, &fault.message));
    if let Some(refusal) = known {
        return refusal;
    }
    match fault.code.as_str() {
        "invalid_input" => Refusal::invalid("invalid_input", "", fault.message),
        "quota_reached" => Refusal::QuotaReached { message: fault.message },
        _ => Refusal::Upstream { code: fault.code, message: fault.message },
    }
}
