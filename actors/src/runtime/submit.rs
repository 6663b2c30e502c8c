//! How an intent becomes a fact: session, schema, key, policy, record, service.

use std::sync::Arc;

use xyn_store::Timestamp;
use xyn_store::ids::StreamId;
use xyn_store::journal::AppendError;
use xyn_store::projection::{Fault, Subject};
use xyn_store::scope::Stage;

use super::accept::Claim;
use super::{Accept, Inner, Intent, Origin, Outcome, Recording, Refusal, Runtime, refusal};
use crate::actions::{self, Action, Code, Effects, Spec};
use crate::blueprint::Plan;
use crate::governance::{self, Decision, Effect, Identity};
use crate::record::{self, EventView, Record};
use crate::services;

impl Runtime {
    /// Has `intent` carried out. Returns when its facts are durable.
    ///
    /// An idempotency key remembers what was accepted or parked: a second intent with it is answered like the first.
    /// What was refused at once (an input that does not fit, a policy that denies, a service that finds nothing to act
    /// on) is not remembered: the same key may ask again.
    pub async fn submit(&self, intent: Intent) -> Result<Outcome, Refusal> {
        self.0.submit(intent, Origin::Here).await
    }

    /// The stage by which policies judge `intent`.
    pub fn stage_of(&self, intent: &Intent) -> Stage {
        self.0.stage_of(intent)
    }
}

impl Inner {
    /// Has `intent`, which comes from `origin`, carried out.
    pub(crate) async fn submit(self: &Arc<Self>, intent: Intent, origin: Origin) -> Result<Outcome, Refusal> {
        let sessions = self.sessions()?;
        if let Some(session) = intent.session {
            sessions.admits(session, &intent.identity.principal, self.clock.now())?;
        }
        let unknown = || Refusal::NotFound { kind: "action", id: intent.action.clone() };
        let action = self.registry.get(&intent.action).ok_or_else(unknown)?.clone();
        if let Some(wrong) = action.input.validate(&intent.input).into_iter().next() {
            return Err(Refusal::invalid("invalid_input", wrong.path, wrong.message));
        }
        let claim = Claim::of(&intent, self.store.key());
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
            let catalog = self.catalog.load();
            let name = intent.input["event_name"].as_str().unwrap_or_default();
            catalog.listeners(name).try_for_each(|active| self.admit_run(&active.plan))?;
        }
        let stage = self.stage_of(&intent);
        let decision = self.decide(&intent.identity, &action.spec, stage, now);
        services::deploy::preflight(self, &intent, &decision).await?;
        let accept = Accept::new(&intent, stage, &decision, claim, now).from(origin);
        match (decision.effect, origin) {
            // Nobody waits for the answer to a word from elsewhere, so what would be parked is denied.
            (Effect::Deny, _) | (Effect::RequireApproval, Origin::Elsewhere(_)) => {
                self.metrics.intents_denied.increment();
                self.record_denied(&intent, accept).await?;
                Err(Refusal::Denied(Box::new(decision)))
            }
            (Effect::RequireApproval, Origin::Here) => {
                self.metrics.intents_parked.increment();
                services::approvals::park(self, &intent, accept, &action, decision).await
            }
            (Effect::Allow, _) | (Effect::RequireApproval, Origin::Cleared) => {
                self.metrics.intents_accepted.increment();
                self.carry_out(intent, &action, accept, &decision).await
            }
        }
    }

    /// Refuses what is prepared for `intent`, whose action is `action`, as the intent itself would be refused. What is
    /// only read may be prepared for one that would wait for approval; what `has_effect` may not, as there is no
    /// intent that could wait. That it was denied is counted, and recorded where it `is_news`: whoever asks again and
    /// again must not fill the journal.
    pub(crate) async fn permit(
        &self,
        intent: &Intent,
        action: &Spec,
        has_effect: bool,
        is_news: impl FnOnce() -> bool,
    ) -> Result<(), Refusal> {
        let now = self.clock.now();
        if let Some(session) = intent.session {
            self.sessions()?.admits(session, &intent.identity.principal, now)?;
        }
        let stage = self.stage_of(intent);
        let decision = self.decide(&intent.identity, action, stage, now);
        match decision.effect {
            Effect::Allow => Ok(()),
            Effect::RequireApproval if !has_effect => Ok(()),
            Effect::RequireApproval | Effect::Deny => {
                self.metrics.intents_denied.increment();
                if is_news() {
                    self.record_denied(intent, Accept::new(intent, stage, &decision, None, now)).await?;
                }
                Err(Refusal::Denied(Box::new(decision)))
            }
        }
    }

    /// The stage by which `intent` is judged: that of a target which its input names, whatever else was said of it.
    fn stage_of(&self, intent: &Intent) -> Stage {
        let named = Some(&intent.input).filter(|_| services::deploy::is_of(&intent.action));
        named.and_then(services::deploy::stage).or(intent.stage).unwrap_or(self.env.stage)
    }

    /// Refuses a run of `plan`, or what would start one, while too many stand in line before it.
    pub(crate) fn admit_run(&self, plan: &Plan) -> Result<(), Refusal> {
        let limit = self.env.limits.run_line;
        if !self.supervisor().is_full(&plan.id, limit) {
            return Ok(());
        }
        let message = format!(
            "{limit} runs stand in line before another of `{}` (`limits.run_line`); try again later",
            plan.id
        );
        Err(Refusal::Overloaded { message })
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
        let unknown = || Refusal::NotFound { kind: "action", id: intent.action.clone() };
        let action = self.registry.get(&intent.action).ok_or_else(unknown)?;
        let decision = self.decide(&intent.identity, &action.spec, self.env.stage, at);
        let accept = Accept::new(intent, self.env.stage, &decision, None, at).seeded(key);
        if decision.effect != Effect::Allow {
            // Nobody waits for the answer of an event, so what would be parked is denied.
            self.metrics.intents_denied.increment();
            self.record_denied(intent, accept).await?;
            return Err(Refusal::Denied(Box::new(decision)));
        }
        self.metrics.intents_accepted.increment();
        services::runs::start_triggered(self, intent, accept, plan, event).await
    }

    /// Asks the policies in force.
    pub(crate) fn decide(&self, who: &Identity, action: &Spec, stage: Stage, now: Timestamp) -> Decision {
        let of_action =
            governance::Context::of_action(who.clone(), &self.env.env_id, action.name, stage, now);
        let context = governance::Context { risk: action.risk, ..of_action };
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
                effects.check_blobs(&**self)?;
                self.record_effects(intent, effects, accept).await
            }
            Code::Outside(outside) => {
                let context = accept.context(&intent, decision);
                services::outside::call(self, intent, accept, action, outside, context).await
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
        let (now, by) = (accept.now, intent.attribution());
        let output = std::mem::take(&mut effects.output);
        let first_event = (!effects.events.is_empty()).then(|| effects.events.remove(0));
        let (subject, stream) = match (&first_event, effects.artifacts.first()) {
            (Some(event), _) => (Subject::Event(event.id), record::stream_of(event.id)),
            (None, Some(artifact)) => (Subject::Artifact(artifact.id), stream(artifact.id)),
            (None, None) => (Subject::Intent(intent.intent_id), stream(intent.intent_id)),
        };
        let mut accepted = accept.done(subject.clone());
        if first_event.is_none() {
            accepted = accepted.answering(output.clone());
        }
        let mut recording = Recording::default();
        let mut records: Vec<Record> = recording.accept(accepted, now, &by).into_iter().collect();
        records.extend(first_event.map(|event| record::event(event, None, now)));
        records.extend(recording.effects(effects, None, now, &by));
        recording.entry(stream, 0, now, &by, &records);
        let outcome = Outcome::new(intent.intent_id, subject, output);
        match recording.commit(self).await {
            Ok(_) => Ok(outcome),
            // The sender chose the event's id: a second event with it is the first one.
            Err(AppendError::Conflict { stream: taken, .. }) if taken == stream => {
                self.answer_taken(&intent, outcome)
            }
            Err(error) => self.answer_append(error, &intent),
        }
    }

    async fn record_denied(&self, intent: &Intent, accept: Accept) -> Result<(), Refusal> {
        let now = accept.now;
        let mut recording = Recording::default();
        let record = Record::IntentDenied(Box::new(accept.denied(None)));
        recording.entry(stream(intent.intent_id), 0, now, &intent.attribution(), &[record]);
        recording.commit(self).await?;
        Ok(())
    }

    /// Adds to `recording` that `intent` was refused, though by no policy.
    pub(crate) fn refused(&self, intent: &Intent, refusal: &Refusal, recording: &mut Recording) {
        let (now, stage) = (self.clock.now(), intent.stage.unwrap_or(self.env.stage));
        let Some(action) = self.registry.get(&intent.action) else { return };
        let decision = self.decide(&intent.identity, &action.spec, stage, now);
        let fault = Fault { code: refusal.code().to_owned(), message: refusal.to_string() };
        let row = Accept::new(intent, stage, &decision, None, now).denied(Some(fault));
        let record = Record::IntentDenied(Box::new(row));
        recording.entry(stream(intent.intent_id), 0, now, &intent.attribution(), &[record]);
    }
}

/// The stream of what has `id`.
pub(crate) fn stream(id: impl Into<uuid::Uuid>) -> StreamId {
    StreamId::from(id.into())
}
