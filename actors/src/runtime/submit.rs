//! How an intent becomes a fact: session, schema, key, policy, record, service.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use xyn_store::ids::{IntentId, StreamId};
use xyn_store::journal::AppendError;
use xyn_store::projection::{ClaimRow, IntentRow, IntentStatus, Subject};
use xyn_store::scope::Stage;
use xyn_store::{Digest, Json, Timestamp};

use super::{Accepted, Inner, Intent, Outcome, Recording, Refusal, Runtime};
use crate::actions::{self, Action, Code, Context, Effects, Failure};
use crate::blueprint::Plan;
use crate::governance::{self, Decision, Effect, Identity};
use crate::record::{self, EventView, Record};
use crate::services;

/// How long an idempotency key is remembered.
pub(crate) const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

impl Runtime {
    /// Has `intent` carried out. Returns when its facts are durable.
    pub async fn submit(&self, intent: Intent) -> Result<Outcome, Refusal> {
        self.0.submit(intent).await
    }
}

impl Inner {
    pub(crate) async fn submit(self: &Arc<Self>, intent: Intent) -> Result<Outcome, Refusal> {
        let node = self.node().filter(|_| !self.is_stopping());
        let node = node.ok_or_else(|| Refusal::Unavailable("the node is not running".into()))?;
        if intent.session.is_some_and(|session| !node.has_session(session)) {
            let message = "the session is closed".to_owned();
            return Err(Refusal::Forbidden { code: "session_closed", message });
        }
        let unknown = || Refusal::NotFound { kind: "action", id: intent.action.clone() };
        let action = self.registry.get(&intent.action).ok_or_else(unknown)?.clone();
        if let Some(wrong) = action.input.validate(&intent.input).into_iter().next() {
            return Err(Refusal::invalid("invalid_input", wrong.path, wrong.message));
        }
        let claim = intent.idempotency_key.as_ref().map(|key| Claim::of(key, &intent));
        let _held = match &claim {
            Some(claim) => {
                let held = self.progress.take(&claim.key);
                Some(held.ok_or_else(|| Refusal::InProgress { key: claim.shown.clone() })?)
            }
            None => None,
        };
        if let Some(claim) = &claim
            && let Some(outcome) = self.earlier(claim)?
        {
            return Ok(outcome);
        }
        let now = self.clock.now();
        if intent.action == actions::EMIT {
            self.backlog.admit(*self.journal.head().borrow(), now, &self.env.limits)?;
        }
        let stage = intent.stage.unwrap_or(self.env.stage);
        let decision = self.decide(&intent.identity, &intent.action, stage, now);
        let row = |status| row(&intent, stage, now, status, &decision);
        match decision.effect {
            Effect::Allow => {
                self.metrics.intents_accepted.increment();
                let accept = Accept::new(row(IntentStatus::Accepted), claim, now);
                self.carry_out(intent, &action, accept, &decision).await
            }
            Effect::Deny => {
                self.metrics.intents_denied.increment();
                let row = row(IntentStatus::Denied);
                self.record_intent(&intent, 0, Record::IntentDenied(Box::new(row)), now).await?;
                Err(Refusal::Denied(Box::new(decision)))
            }
            Effect::RequireApproval => {
                self.metrics.intents_parked.increment();
                services::approvals::park(self, &intent, row(IntentStatus::Parked), &action, &decision, now)
                    .await?;
                Err(Refusal::Parked { intent_id: intent.intent_id, decision: Box::new(decision) })
            }
        }
    }

    /// Has the run that an event triggers started, as `intent`, whose ids are derived from `key`.
    pub(super) async fn submit_triggered(
        self: &Arc<Self>,
        intent: &Intent,
        at: Timestamp,
        key: String,
        plan: Arc<Plan>,
        event: &EventView,
    ) -> Result<Outcome, Refusal> {
        let decision = self.decide(&intent.identity, &intent.action, self.env.stage, at);
        let row = |status| row(intent, self.env.stage, at, status, &decision);
        if decision.effect != Effect::Allow {
            // Nobody waits for the answer of an event, so what would be parked is denied.
            self.metrics.intents_denied.increment();
            let row = row(IntentStatus::Denied);
            self.record_intent(intent, 0, Record::IntentDenied(Box::new(row)), at).await?;
            return Err(Refusal::Denied(Box::new(decision)));
        }
        self.metrics.intents_accepted.increment();
        let accept = Accept { seed: Some(key), ..Accept::new(row(IntentStatus::Accepted), None, at) };
        services::runs::start_triggered(self, intent, accept, plan, event).await
    }

    /// Asks the policies in force.
    pub(crate) fn decide(&self, who: &Identity, action: &str, stage: Stage, now: Timestamp) -> Decision {
        let context = governance::Context::of_action(who.clone(), &self.env.env_id, action, stage, now);
        self.catalog.load().policies().evaluate(&context)
    }

    /// Carries out an allowed intent.
    pub(crate) async fn carry_out(
        self: &Arc<Self>,
        intent: Intent,
        action: &Action,
        accept: Accept,
        decision: &Decision,
    ) -> Result<Outcome, Refusal> {
        match &action.run {
            Code::Service => services::serve(self, &intent, accept).await,
            Code::Inside(run) => {
                let effects = run(&intent.input, &accept.context(&intent, decision)).map_err(refusal)?;
                self.record_effects(intent, effects, accept).await
            }
            Code::Outside(outside) => {
                let context = accept.context(&intent, decision);
                services::outside::call(self, &intent, accept, outside, context).await
            }
        }
    }

    /// Records what an inside action wants, in the stream of the first thing it made.
    async fn record_effects(
        &self,
        intent: Intent,
        mut effects: Effects,
        accept: Accept,
    ) -> Result<Outcome, Refusal> {
        let (now, attribution) = (accept.now, intent.attribution());
        let output = std::mem::take(&mut effects.output);
        let first_event = (!effects.events.is_empty()).then(|| effects.events.remove(0));
        let (subject, stream) = match (&first_event, effects.artifacts.first()) {
            (Some(event), _) => (Subject::Event(event.id), record::stream_of(event.id)),
            (None, Some(artifact)) => (Subject::Artifact(artifact.id), stream(artifact.id)),
            (None, None) => (Subject::Intent(intent.intent_id), stream(intent.intent_id)),
        };
        let mut recording = Recording::default();
        let mut records = vec![recording.accept(accept.by(subject.clone()))];
        records.extend(first_event.map(|event| record::event(event, None, now)));
        records.extend(recording.effects(effects, None, now, &attribution));
        recording.entry(stream, 0, now, &attribution, &records);
        match recording.commit(self).await {
            Ok(_) => Ok(Outcome::new(intent.intent_id, subject, output)),
            // The sender chose the event's id: a second event with it is the first one.
            Err(AppendError::Conflict { .. }) if matches!(subject, Subject::Event(_)) => {
                Ok(Outcome { repeated: true, ..Outcome::new(intent.intent_id, subject, output) })
            }
            Err(error) => self.answer_append(error, &intent),
        }
    }

    /// The answer to an append that was not made: an earlier outcome of the same key, or a refusal.
    pub(crate) fn answer_append(&self, error: AppendError, intent: &Intent) -> Result<Outcome, Refusal> {
        match (error, &intent.idempotency_key) {
            (AppendError::Claimed(row), Some(key)) => Claim::of(key, intent).outcome(*row),
            (error, _) => Err(error.into()),
        }
    }

    /// What came of an earlier intent with the same key.
    fn earlier(&self, claim: &Claim) -> Result<Option<Outcome>, Refusal> {
        let row = self.store.read()?.get::<ClaimRow>(&ClaimRow::key_of(&claim.key))?;
        let row = row.filter(|row| row.expires_at > self.clock.now());
        row.map(|row| claim.outcome(row)).transpose()
    }

    /// Records something about an intent in a stream of its own.
    pub(crate) async fn record_intent(
        &self,
        intent: &Intent,
        expected: u64,
        record: Record,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut recording = Recording::default();
        recording.entry(stream(intent.intent_id), expected, now, &intent.attribution(), &[record]);
        recording.commit(self).await?;
        Ok(())
    }
}

/// What carrying out an allowed intent begins with.
pub(crate) struct Accept {
    row: IntentRow,
    claim: Option<Claim>,
    /// What ids are derived from, when it is neither the key nor the intent.
    seed: Option<String>,
    /// When it was decided.
    pub(crate) now: Timestamp,
}

impl Accept {
    fn new(row: IntentRow, claim: Option<Claim>, now: Timestamp) -> Self {
        Self { row, claim, seed: None, now }
    }

    /// The acceptance of an intent that was parked, as `row` shows it.
    pub(crate) fn of_parked(row: IntentRow, now: Timestamp) -> Self {
        Self { row, claim: None, seed: None, now }
    }

    /// The record of the acceptance, which brings about `subject`.
    pub(crate) fn by(self, subject: Subject) -> Accepted {
        let claim = self.claim.map(|claim| ClaimRow {
            key: claim.key,
            fingerprint: claim.fingerprint,
            subject: subject.clone(),
            expires_at: self.now.after(KEY_LIFETIME),
        });
        Accepted { row: IntentRow { subject: Some(subject), ..self.row }, claim }
    }

    /// Stage of the target.
    pub(crate) fn stage(&self) -> Stage {
        self.row.stage
    }

    /// What ids of new things are derived from: the key, or the intent itself.
    pub(crate) fn seed(&self) -> String {
        let key = self.seed.as_ref().or(self.claim.as_ref().map(|claim| &claim.key));
        key.cloned().unwrap_or_else(|| self.row.intent_id.to_string())
    }

    fn context(&self, intent: &Intent, decision: &Decision) -> Context {
        Context {
            attribution: intent.attribution(),
            step: None,
            seed: self.seed(),
            idempotency_key: intent.idempotency_key.clone().unwrap_or_else(|| intent.intent_id.to_string()),
            stage: self.row.stage,
            depth: 0,
            egress: decision.egress,
            now: self.now,
        }
    }
}

/// An idempotency key and what it was given for.
pub(crate) struct Claim {
    /// Principal and key: two principals may choose the same.
    key: String,
    shown: String,
    fingerprint: Digest,
    intent_id: IntentId,
}

impl Claim {
    pub(crate) fn of(key: &str, intent: &Intent) -> Self {
        let input = intent.input.to_string();
        let stage = intent.stage.map_or("", |stage| stage.as_str());
        let parts = [intent.action.as_bytes(), b"\0", stage.as_bytes(), b"\0", input.as_bytes()];
        Self {
            key: format!("{}\n{key}", intent.identity.principal),
            shown: key.to_owned(),
            fingerprint: Digest::of_parts(&parts),
            intent_id: intent.intent_id,
        }
    }

    /// The answer to a later intent, when `row` is what the first one left.
    fn outcome(&self, row: ClaimRow) -> Result<Outcome, Refusal> {
        if row.fingerprint != self.fingerprint {
            return Err(Refusal::KeyReused { key: self.shown.clone() });
        }
        let output = output_of(&row.subject);
        Ok(Outcome { repeated: true, ..Outcome::new(self.intent_id, row.subject, output) })
    }
}

/// The output that names `subject`.
pub(crate) fn output_of(subject: &Subject) -> Value {
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

/// The stream of what has `id`.
pub(crate) fn stream(id: impl Into<uuid::Uuid>) -> StreamId {
    StreamId::from(id.into())
}

fn row(
    intent: &Intent,
    stage: Stage,
    now: Timestamp,
    status: IntentStatus,
    decision: &Decision,
) -> IntentRow {
    IntentRow {
        intent_id: intent.intent_id,
        action: intent.action.clone(),
        stage,
        actor: intent.identity.principal.clone(),
        correlation_id: intent.correlation_id.clone(),
        at: now,
        status,
        decision: recorded(decision),
        subject: None,
        input: None,
        asked: None,
        approvals: Vec::new(),
    }
}

/// What is recorded of a decision: its effect, the rule, and for anything but a plain yes the reasons.
fn recorded(decision: &Decision) -> Json {
    let rule = decision.matched.as_ref().map(ToString::to_string);
    let reasons = (decision.effect != Effect::Allow).then(|| decision.to_string());
    Json::from(&json!({ "effect": decision.effect, "rule": rule, "reasons": reasons }))
}

/// A failed action as the answer to a direct intent.
pub(crate) fn refusal(failure: Failure) -> Refusal {
    match failure.code.as_str() {
        "invalid_input" => Refusal::invalid("invalid_input", "", failure.message),
        _ => Refusal::Upstream { code: failure.code, message: failure.message },
    }
}
