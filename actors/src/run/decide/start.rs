//! Beginning a step: its condition, its fan-out, its gate, or the call of its action under the policies in
//! force.

use serde_json::{Map, Value};
use xyn_store::ids::EventId;
use xyn_store::projection::{Fault, GateMode, StepKey};
use xyn_store::scope::{Attribution, Principal};
use xyn_store::{Json, Timestamp};

use super::{World, bounded, failed, fault, gate, stage_of};
use crate::actions::Context;
use crate::blueprint::Scope;
use crate::blueprint::plan::{Call, Kind};
use crate::governance::{self, Effect, Identity, Risk};
use crate::run::event::{Event, GateRequest};
use crate::run::state::{Course, Phase, State, StepState, Undoing};

/// Items that one fan-out may have.
pub(crate) const ITEM_LIMIT: usize = 100_000;

/// Begins a step (or an item whose policy gate was approved) that is ready.
pub(super) fn step(state: &State, at: StepKey, world: &World<'_>, events: &mut Vec<Event>) {
    let plan = &state.plan.steps[usize::from(at.step)];
    if at.item.is_none() && state.at(at).is_some_and(|step| !step.cleared && step.generation == 0) {
        match plan.when.as_ref().map(|when| when.truthy(&state.scope)) {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => return events.push(Event::StepSkipped { at }),
            Some(Err(error)) => {
                return events.push(failed(at, "template_failed", format!("`when`: {error}")));
            }
        }
        if let Some(foreach) = &plan.foreach {
            return events.push(fan_out(at, foreach.items.list(&state.scope)));
        }
    }
    item(state, at, world, events);
}

fn fan_out(at: StepKey, items: Result<Vec<Value>, crate::blueprint::TemplateError>) -> Event {
    match items {
        Ok(items) if items.len() > ITEM_LIMIT => {
            let message = format!("`foreach` gave {} items; the limit is {ITEM_LIMIT}", items.len());
            failed(at, "too_many_items", message)
        }
        Ok(items) => Event::StepFannedOut { at, items: Json::from(&Value::Array(items)) },
        Err(error) => failed(at, "template_failed", format!("`foreach`: {error}")),
    }
}

/// Begins the work itself.
pub(super) fn item(state: &State, at: StepKey, world: &World<'_>, events: &mut Vec<Event>) {
    let plan = &state.plan.steps[usize::from(at.step)];
    match &plan.kind {
        Kind::Transform { set } => {
            let scope = state.scope_at(at);
            let render = |(name, template): &(String, crate::blueprint::Template)| {
                let value = template.render(&scope).map_err(|error| format!("`set.{name}`: {error}"))?;
                Ok::<_, String>((name.clone(), value))
            };
            events.push(Event::StepStarted { at, attempt: 1, input: None, rule: None });
            events.push(match set.iter().map(render).collect::<Result<Map<_, _>, _>>() {
                Ok(output) => match bounded("set", &Value::Object(output)) {
                    Ok(output) => Event::StepCompleted { at, output },
                    Err(fault) => Event::StepFailed { at, fault },
                },
                Err(message) => failed(at, "template_failed", message),
            });
        }
        Kind::Gate(wait) => events.push(gate::request(state, at, wait, world)),
        Kind::Action(call) => events.push(attempt(state, at, call, world)),
    }
}

/// Begins an attempt of the action, or says what keeps it from beginning.
fn attempt(state: &State, at: StepKey, call: &Call, world: &World<'_>) -> Event {
    let before = state.at(at).map_or(0, |step| step.attempt);
    let is_cleared = state.at(at).is_some_and(|step| step.cleared);
    match admit(state, call, &state.scope_at(at), is_cleared, world) {
        Ok(Admission { input, rule }) => {
            Event::StepStarted { at, attempt: before + 1, input: Some(input), rule }
        }
        Err(Barred::Waits(gate)) => Event::GateRequested { at, gate },
        Err(Barred::Fails(fault)) => Event::StepFailed { at, fault },
    }
}

/// An action that may be called.
struct Admission {
    /// Its input, redacted.
    input: Json,
    /// The rule that let it through.
    rule: Option<String>,
}

/// What keeps an action from being called.
enum Barred {
    /// A policy asks for approvals.
    Waits(Box<GateRequest>),
    /// It cannot be called, or not now and here.
    Fails(Fault),
}

fn admit(
    state: &State,
    call: &Call,
    scope: &Scope,
    is_cleared: bool,
    world: &World<'_>,
) -> Result<Admission, Barred> {
    let refuse = |code, message| Barred::Fails(fault(code, message));
    let Some(action) = world.registry.get(&call.action) else {
        return Err(refuse("unknown_action", format!("there is no action `{}`", call.action)));
    };
    let input = call.with.render(scope);
    let input = input.map_err(|error| refuse("template_failed", format!("`with`: {error}")))?;
    if let Some(wrong) = action.input.validate(&input).into_iter().next() {
        let message = format!("input of `{}` at `{}`: {}", call.action, wrong.path, wrong.message);
        return Err(refuse("invalid_input", message));
    }
    let decision = world.policies.evaluate(&policy_context(state, call, world));
    let rule = decision.matched.as_ref().map(ToString::to_string);
    let redacted = bounded("with", &action.spec.redacted(&input)).map_err(Barred::Fails)?;
    match decision.effect {
        Effect::Allow => Ok(Admission { input: redacted, rule }),
        Effect::RequireApproval if is_cleared => Ok(Admission { input: redacted, rule }),
        Effect::RequireApproval => Err(Barred::Waits(approval(&decision, redacted, world.now))),
        Effect::Deny => Err(refuse("denied_by_policy", decision.to_string())),
    }
}

/// The gate at which a policy's approvals are collected.
fn approval(decision: &governance::Decision, input: Json, now: Timestamp) -> Box<GateRequest> {
    let asked = decision.approvals.as_ref();
    Box::new(GateRequest {
        mode: GateMode::Policy,
        approvers: asked.iter().flat_map(|asked| &asked.from_any_of).cloned().collect(),
        min: asked.map_or(1, |asked| asked.min),
        allow_requester: asked.and_then(|asked| asked.allow_requester),
        expires_at: asked.map(|asked| asked.deadline(now)),
        prompt: Some(input),
    })
}

/// What the policies are asked about a call.
pub(super) fn policy_context(state: &State, call: &Call, world: &World<'_>) -> governance::Context {
    let principal = Principal::new(format!("run:{}", state.id));
    let identity = Identity::bare(principal);
    let of_action =
        governance::Context::of_action(identity, world.env, &call.action, stage_of(state, call), world.now);
    // What nobody knows may break much; it cannot be called anyway.
    let risk = world.registry.get(&call.action).map_or(Risk::High, |action| action.spec.risk);
    governance::Context { risk, ..of_action }
}

/// Another attempt, when the wait for it is over.
pub(super) fn attempt_again(state: &State, at: StepKey, due: Timestamp, world: &World<'_>) -> Vec<Event> {
    let undoing = state.undoing.as_ref().filter(|_| state.completion.last() == Some(&at));
    if let Some(Undoing { attempt, backoff: Some((_, wanted)) }) = undoing {
        let is_due = *wanted <= due;
        return is_due.then(|| compensation(state, at, attempt + 1, world)).into_iter().collect();
    }
    let is_due = |step: &StepState| matches!(step.phase, Phase::Backoff { due: wanted, .. } if wanted <= due);
    match state.plan.steps.get(usize::from(at.step)).map(|step| &step.kind) {
        Some(Kind::Action(call)) if state.course == Course::Forward && state.at(at).is_some_and(is_due) => {
            vec![attempt(state, at, call, world)]
        }
        _ => Vec::new(),
    }
}

/// An attempt of the undoing of what was completed. Approvals of the step are no approvals of its undoing,
/// and nobody can be asked any more: what a policy lets through only with approval is reported as not
/// undone.
pub(super) fn compensation(state: &State, at: StepKey, attempt: u32, world: &World<'_>) -> Event {
    let broken = |code: &str, message: String| Event::CompensationFailed { at, fault: fault(code, message) };
    let Some(call) = &state.plan.steps[usize::from(at.step)].compensate else {
        return broken("no_compensation", "the step says no way to undo it".into());
    };
    match admit(state, call, &state.undo_scope_at(at), false, world) {
        Ok(Admission { input, .. }) => Event::CompensationStarted { at, attempt, input },
        Err(Barred::Fails(fault)) => Event::CompensationFailed { at, fault },
        Err(Barred::Waits(_)) => {
            broken("approval_required", format!("a policy asks for approval of `{}`", call.action))
        }
    }
}

/// The unredacted input of the step's action; deterministic, so it need not be recorded.
pub fn call_input(state: &State, at: StepKey) -> Option<(&Call, Value)> {
    match &state.plan.steps.get(usize::from(at.step))?.kind {
        Kind::Action(call) => Some((call, call.with.render(&state.scope_at(at)).ok()?)),
        Kind::Transform { .. } | Kind::Gate(_) => None,
    }
}

/// The unredacted input of the step's compensation.
pub fn compensation_input(state: &State, at: StepKey) -> Option<(&Call, Value)> {
    let call = state.plan.steps.get(usize::from(at.step))?.compensate.as_ref()?;
    Some((call, call.with.render(&state.undo_scope_at(at)).ok()?))
}

/// What the action is told about the call; `undoes` for the compensation of the step.
pub fn call_context(state: &State, at: StepKey, call: &Call, undoes: bool, world: &World<'_>) -> Context {
    let policy_context = policy_context(state, call, world);
    let begin = state.begin.as_ref();
    let correlation = begin.map(|begin| begin.attribution.correlation_id.clone());
    let attribution = Attribution {
        actor: policy_context.actor.principal.clone(),
        session: begin.and_then(|begin| begin.attribution.session),
        correlation_id: correlation.unwrap_or_else(|| EventId::from(uuid::Uuid::from(state.id)).into()),
        causation_id: begin.and_then(|begin| begin.attribution.causation_id),
    };
    let idempotency_key = idempotency_key(state, at, undoes);
    Context {
        attribution,
        step: Some((state.id, state.step_name(at))),
        seed: idempotency_key.clone(),
        idempotency_key,
        stage: stage_of(state, call),
        depth: begin.map_or(0, |begin| begin.created.depth),
        egress: world.policies.evaluate(&policy_context).egress,
        now: world.now,
    }
}

/// The key of a step's call: the same over retries, new on a fork or a person's retry.
fn idempotency_key(state: &State, at: StepKey, undoes: bool) -> String {
    let name = state.step_name(at);
    match state.at(at) {
        _ if undoes => format!("{}/{name}/undo", state.id),
        step => format!("{}/{name}/do/{}", state.id, step.map_or(0, |step| step.generation)),
    }
}
