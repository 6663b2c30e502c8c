//! How an intent becomes a fact: session, schema, key, policy, record, service.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use xyn_store::ids::{self, IntentId, StreamId};
use xyn_store::projection::{ClaimRow, IntentRow, IntentStatus, Subject};
use xyn_store::scope::Stage;
use xyn_store::{Digest, Json, Timestamp};

use super::{Accepted, Inner, Intent, Outcome, Recording, Refusal, Runtime};
use crate::actions::{Action, Code, Context, Failure};
use crate::governance::{self, Decision, Effect, Identity};
use crate::record::{self, Record};
use crate::run::Work;
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
        let stage = intent.stage.unwrap_or(self.env.stage);
        let decision = self.decide(&intent.identity, &intent.action, stage, now);
        let row = |status| row(&intent, stage, now, status, &decision);
        match decision.effect {
            Effect::Allow => {
                self.metrics.intents_accepted.increment();
                let accepted = Accept { row: row(IntentStatus::Accepted), claim, now };
                self.carry_out(intent, &action, accepted, &decision).await
            }
            Effect::Deny => {
                self.metrics.intents_denied.increment();
                let row = row(IntentStatus::Denied);
                self.record_alone(&intent, Record::IntentDenied(Box::new(row.clone())), row, now).await?;
                Err(Refusal::Denied(Box::new(decision)))
            }
            Effect::RequireApproval => {
                self.metrics.intents_parked.increment();
                services::approvals::park(self, &intent, row(IntentStatus::Parked), &action, &decision, now).await?;
                Err(Refusal::Parked { intent_id: intent.intent_id, decision: Box::new(decision) })
            }
        }
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
                let context = context(&intent, &accept, decision);
                let effects = run(&intent.input, &context).map_err(refusal)?;
                let (subject, stream) = match (effects.events.first(), effects.artifacts.first()) {
                    (Some(event), _) => (Subject::Event(event.id), None),
                    (None, Some(artifact)) => {
                        let stream = StreamId::from(uuid::Uuid::from(artifact.id));
                        (Subject::Artifact(artifact.id), Some(stream))
                    }
                    (None, None) => (Subject::Intent(intent.intent_id), None),
                };
                let output = effects.output.clone();
                let mut recording = Recording::default();
                let now = accept.now;
                let attribution = intent.attribution();
                let accepted = recording.accept(accept.by(subject.clone()));
                let mut records = vec![accepted];
                match &subject {
                    // The intent stands in the event's own stream, before the event.
                    Subject::Event(id) => recording.entry(record::stream_of(*id), 0, now, &attribution, &records),
                    _ => {}
                }
                let mut effects = recording.effects_behind(effects, matches!(subject, Subject::Event(_)), now, &attribution);
                records.append(&mut effects);
                if let Some(stream) = stream {
                    recording.entry(stream, 0, now, &attribution, &records);
                }
                match recording.commit(self).await {
                    Ok(_) => Ok(done(&intent, subject, output)),
                    Err(error) => self.repeated_or(error.into(), &intent, &subject),
                }
            }
            Code::Outside(outside) => {
                let context = context(&intent, &accept, decision);
                services::outside::call(self, &intent, accept, outside, context).await
            }
        }
    }
}
