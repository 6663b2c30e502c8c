//! Runs: starting, stopping, doing one again, and what nodes tell each other of theirs.

pub mod elsewhere;
pub(crate) mod tell;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::ids::{RunId, StreamId};
use xyn_store::journal::AppendError;
use xyn_store::projection::{Lineage, RunRow, StepRow, StepStatus, Subject};
use xyn_store::{Json, Reader, StoreError};

use super::{field, id};
use crate::blueprint::Plan;
use crate::record::{self, EventView, Record};
use crate::run::actor::{Tell, TellError};
use crate::run::{Command, Created, Event, Rejection, State, resolve_inputs};
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal};

/// Runs that may start each other in a chain; a longer one is a loop.
const DEPTH_LIMIT: u16 = 16;
/// The code of the refusal of a run that is one too many in such a chain.
pub(crate) const RUN_LOOP: &str = "run_loop";
/// How often a run that emits what others emit at the same time is begun.
const BEGIN_ATTEMPTS: u32 = 4;
/// Steps of one run that a retry or fork looks at for results to take over.
const REUSE_LIMIT: usize = 1_000;

pub(super) async fn start(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let blueprint = field(&intent.input, "blueprint");
    let plan = active(inner, blueprint)?;
    inner.admit_run(&plan)?;
    let given = intent.input.get("inputs").cloned().unwrap_or_else(|| json!({}));
    let inputs = resolve_inputs(&plan, &given, None).map_err(|faults| invalid_inputs(&faults))?;
    let labels = intent.input.get("labels").cloned().map(serde_json::from_value::<BTreeMap<String, String>>);
    let created = Created {
        inputs: Json::from(&inputs),
        labels: labels.transpose().ok().flatten().unwrap_or_default(),
        priority: intent.input.get("priority").and_then(Value::as_i64).unwrap_or_default() as i8,
        depth: intent.depth + 1,
        ..created(&plan, &accept)
    };
    begin(inner, intent, accept, plan, created).await
}

/// Starts a run of `plan` because of `event`; the same event starts it once.
pub(crate) async fn start_triggered(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    plan: Arc<Plan>,
    event: &EventView,
) -> Result<Outcome, Refusal> {
    let view = serde_json::to_value(event).unwrap_or_default();
    // A run whose inputs do not fit is created all the same, and fails where everybody can see it.
    let (inputs, fault) = match resolve_inputs(&plan, &json!({}), Some(&view)) {
        Ok(inputs) => (inputs, None),
        Err(faults) => (json!({}), faults.first().map(ToString::to_string)),
    };
    let created = Created {
        inputs: Json::from(&inputs),
        event: Some(Json::from(&view)),
        depth: intent.depth + 1,
        fault,
        ..created(&plan, &accept)
    };
    begin(inner, intent, accept, plan, created).await
}

fn created(plan: &Plan, accept: &Accept) -> Created {
    Created {
        blueprint_id: plan.id.clone(),
        blueprint_digest: plan.digest,
        name: plan.name.clone(),
        inputs: Json::null(),
        event: None,
        stage: accept.stage(),
        labels: BTreeMap::new(),
        priority: 0,
        lineage: None,
        reused: Vec::new(),
        depth: 0,
        fault: None,
    }
}

async fn begin(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    plan: Arc<Plan>,
    created: Created,
) -> Result<Outcome, Refusal> {
    if created.depth > DEPTH_LIMIT {
        let message = format!("{DEPTH_LIMIT} runs have started each other; this looks like a loop");
        return Err(Refusal::Conflict { code: RUN_LOOP, message });
    }
    let run: RunId = accept.derive("run");
    inner.plans.keep(plan.clone());
    let stream = StreamId::from(uuid::Uuid::from(run));
    let subject = Subject::Run(run);
    let tell = Tell {
        command: Command::Create(Box::new(created)),
        by: intent.attribution(),
        accepted: Some(Box::new(accept.done(subject.clone()))),
    };
    for attempt in 1.. {
        let begun = inner.supervisor().begin(State::new(run, plan.clone()), tell.clone()).await;
        match begun {
            // Somebody else was faster with the id of what the run emits: it decides again, knowing it to be taken.
            Err(TellError::Append(AppendError::Conflict { stream: other, .. }))
                if other != stream && attempt < BEGIN_ATTEMPTS => {}
            Err(error) => return refuse(inner, error, intent, run),
            Ok(_) => break,
        }
    }
    Ok(Outcome::new(intent.intent_id, subject, json!({ "run_id": run })))
}

pub(super) async fn cancel(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let run: RunId = id(&intent.input, "run_id")?;
    let command = Command::Cancel {
        by: intent.identity.principal.clone(),
        reason: intent.input.get("reason").and_then(Value::as_str).map(str::to_owned),
        compensate: intent.input.get("compensate").and_then(Value::as_bool).unwrap_or(false),
    };
    tell(inner, intent, accept, run, Subject::Run(run), command).await
}

/// Tells `run` something on behalf of `intent`.
pub(super) async fn tell(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    run: RunId,
    subject: Subject,
    command: Command,
) -> Result<Outcome, Refusal> {
    let accepted = accept.done(subject.clone());
    let tell = Tell { command, by: intent.attribution(), accepted: Some(Box::new(accepted)) };
    match inner.supervisor().tell(run, tell).await {
        Ok(answer) => {
            let output = answer.unwrap_or_else(|| json!({ "run_id": run }));
            Ok(Outcome::new(intent.intent_id, subject, output))
        }
        Err(error) => refuse(inner, error, intent, run),
    }
}

/// A retry (an ended run, from its first step that did not end well) or a fork (from any step, with other inputs).
pub(super) async fn again(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let earlier: RunId = id(&intent.input, "run_id")?;
    let reader = inner.store.read()?;
    let row = reader.get::<RunRow>(&RunRow::key_of(earlier))?;
    let row = row.ok_or_else(|| Refusal::NotFound { kind: "run", id: earlier.to_string() })?;
    if intent.action == "runs.retry" && !row.status.is_final() {
        let message = format!("run {earlier} has not ended; cancel it first, or fork it");
        return Err(Refusal::Conflict { code: "run_not_ended", message });
    }
    let plan = inner.plan(&row.blueprint_digest)?;
    inner.admit_run(&plan)?;
    let steps = reader.steps(earlier, None, REUSE_LIMIT)?.items;
    let steps: Vec<StepRow> = steps.into_iter().filter(|step| step.position.item.is_none()).collect();
    let from = from_step(&plan, &steps, intent.input.get("from_step").and_then(Value::as_str))?;
    let given = match intent.input.get("inputs") {
        Some(changed) => merged(&row.inputs.to_value(), changed),
        None => row.inputs.to_value(),
    };
    let inputs = resolve_inputs(&plan, &given, None).map_err(|faults| invalid_inputs(&faults))?;
    let created = Created {
        inputs: Json::from(&inputs),
        labels: row.labels.clone(),
        priority: row.priority,
        lineage: Some(Lineage { run_id: earlier, from_step: plan.steps[from].id.clone() }),
        reused: reused(&plan, &steps, from),
        depth: intent.depth + 1,
        ..created(&plan, &accept)
    };
    begin(inner, intent, accept, plan, created).await
}

/// The index of the step from which the work is done anew.
fn from_step(plan: &Plan, steps: &[StepRow], named: Option<&str>) -> Result<usize, Refusal> {
    match named {
        Some(name) => plan.steps.iter().position(|step| step.id == name).ok_or_else(|| {
            let known: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
            let message = format!("there is no step `{name}`; the steps are: {}", known.join(", "));
            Refusal::invalid("unknown_step", "/from_step", message)
        }),
        None => {
            let is_done = |index: &usize| {
                let status =
                    steps.iter().find(|row| usize::from(row.position.step) == *index).map(|row| row.status);
                matches!(status, Some(StepStatus::Completed | StepStatus::Skipped))
            };
            Ok((0..plan.steps.len()).find(|index| !is_done(index)).unwrap_or(0))
        }
    }
}

/// Results of every step that does not depend on the step at `from`, as far as there are any.
fn reused(plan: &Plan, steps: &[StepRow], from: usize) -> Vec<(u16, Json)> {
    let mut anew = vec![false; plan.steps.len()];
    for index in from..plan.steps.len() {
        anew[index] = index == from || plan.steps[index].needs.iter().any(|&need| anew[need]);
    }
    let result = |row: &StepRow| match row.status {
        StepStatus::Completed => row.outputs.clone(),
        StepStatus::Skipped => Some(Json::null()),
        _ => None,
    };
    let fits = |row: &&StepRow| !anew.get(usize::from(row.position.step)).copied().unwrap_or(true);
    steps.iter().filter(fits).filter_map(|row| Some((row.position.step, result(row)?))).collect()
}

fn merged(inputs: &Value, changed: &Value) -> Value {
    let mut merged = inputs.as_object().cloned().unwrap_or_default();
    merged.extend(changed.as_object().cloned().unwrap_or_default());
    Value::Object(merged)
}

fn active(inner: &Inner, blueprint: &str) -> Result<Arc<Plan>, Refusal> {
    let catalog = inner.catalog.load();
    let active = catalog.blueprint(blueprint);
    active
        .map(|active| active.plan.clone())
        .ok_or_else(|| Refusal::NotFound { kind: "blueprint", id: blueprint.to_owned() })
}

fn invalid_inputs(faults: &[crate::run::InvalidInput]) -> Refusal {
    let path = faults.first().map(|fault| format!("/inputs/{}", fault.name)).unwrap_or_default();
    let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Refusal::invalid("invalid_inputs", path, all.join("; "))
}

/// The answer to an intent whose run was not told.
fn refuse(inner: &Inner, error: TellError, intent: &Intent, run: RunId) -> Result<Outcome, Refusal> {
    let conflict = |code, message: String| Err(Refusal::Conflict { code, message });
    match error {
        TellError::Append(error) => inner.answer_append(error, intent),
        TellError::Broken(message) => Err(Refusal::Unavailable(message)),
        TellError::Rejected(Rejection::Unknown) => {
            Err(Refusal::NotFound { kind: "run", id: run.to_string() })
        }
        TellError::Rejected(Rejection::Ended) => {
            conflict("run_ended", format!("run {run} has ended already"))
        }
        TellError::Rejected(Rejection::NoGate(_)) => {
            conflict("no_open_gate", "the step has no open gate".into())
        }
        TellError::Rejected(Rejection::Approval(refusal)) => {
            Err(Refusal::Forbidden { code: "approval_refused", message: refusal.to_string() })
        }
        TellError::Rejected(other) => conflict("conflict", other.to_string()),
    }
}

/// How many runs started each other up to and including `run`.
pub(crate) fn depth(reader: &Reader, run: RunId) -> Result<u16, StoreError> {
    let history = reader.stream(StreamId::from(uuid::Uuid::from(run)), 0, 1)?;
    let Some((offset, envelope)) = history.first() else { return Ok(0) };
    let created = record::decode(*offset, envelope)?.into_iter().find_map(|record| match record {
        Record::Run(Event::Created(created)) => Some(created.depth),
        _ => None,
    });
    Ok(created.unwrap_or(0))
}
