//! The library: drafts are saved, checked and promoted; blueprints and policies come into force.

use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::StoreError;
use xyn_store::ids::{self, DraftId};
use xyn_store::projection::{BlueprintRow, DraftKind, DraftRow, PolicyRow, Row, Subject};
use xyn_store::tables::Key;
use xyn_store::{Order, Reader};

use super::{field, id};
use crate::blueprint::{self, Plan, sample};
use crate::document::Issue;
use crate::governance;
use crate::node::actor::{LibraryError, Tell, by_node};
use crate::node::{Command, Compiled, Event, Rejection, State};
use crate::runtime::{Accept, Inner, Intent, Outcome, Recording, Refusal};

pub(super) async fn save_draft(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
) -> Result<Outcome, Refusal> {
    let input = &intent.input;
    let draft_id: DraftId = match input.get("draft_id") {
        Some(_) => id(input, "draft_id")?,
        None => accept.derive("draft"),
    };
    let (content, is_json) = match &input["definition"] {
        Value::String(text) => (text.clone(), false),
        object => (serde_json::to_string_pretty(object).unwrap_or_default(), true),
    };
    let kind = if field(input, "draft_type") == "pack" { DraftKind::Pack } else { DraftKind::Blueprint };
    let source_run_id = input.get("source_run_id").map(|_| id(input, "source_run_id")).transpose()?;
    let command = Command::Save {
        draft_id,
        kind,
        name: field(input, "name").to_owned(),
        content,
        is_json,
        notes: input.get("notes").and_then(Value::as_str).map(str::to_owned),
        source_run_id,
    };
    tell(inner, intent, accept, command).await
}

pub(super) async fn validate_draft(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
) -> Result<Outcome, Refusal> {
    let row = draft(inner, intent)?;
    let issues = compile(inner, &row).err().unwrap_or_default();
    let command = Command::Validate {
        draft_id: row.draft_id,
        revision: row.revision,
        issues: issues.iter().map(|issue| json!(issue)).collect(),
        report: Some(accept.derive("report")),
    };
    tell(inner, intent, accept, command).await
}

pub(super) async fn promote_draft(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
) -> Result<Outcome, Refusal> {
    let row = draft(inner, intent)?;
    let plan = compile(inner, &row).map_err(|issues| Refusal::Conflict {
        code: "validation_failed",
        message: issues.first().map(ToString::to_string).unwrap_or_default(),
    })?;
    let command = Command::Promote { draft_id: row.draft_id, blueprint: compiled(&plan) };
    tell(inner, intent, accept, command).await
}

pub(super) async fn activate_policy(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
) -> Result<Outcome, Refusal> {
    let source = field(&intent.input, "source");
    let policy = governance::parse(source.as_bytes()).map_err(|issues| {
        let all: Vec<String> = issues.iter().map(ToString::to_string).collect();
        Refusal::invalid("invalid_policy", "/source", all.join("\n"))
    })?;
    let command =
        Command::ActivatePolicy { policy_id: policy.policy_id, name: policy.name, source: source.to_owned() };
    tell(inner, intent, accept, command).await
}

async fn tell(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    command: Command,
) -> Result<Outcome, Refusal> {
    let node = inner.node().ok_or_else(|| Refusal::Unavailable("the node is not running".into()))?;
    let tell = Tell { command, by: intent.attribution(), accept: Some(accept) };
    match node.tell(tell).await {
        Ok((subject, output)) => {
            let subject = subject.unwrap_or(Subject::Intent(intent.intent_id));
            Ok(Outcome::new(intent.intent_id, subject, output))
        }
        Err(LibraryError::Append(error)) => inner.answer_append(error, intent),
        Err(error) => Err(refusal(error)),
    }
}

fn refusal(error: LibraryError) -> Refusal {
    let conflict = |code, message| Refusal::Conflict { code, message };
    match error {
        LibraryError::Store(error) => error.into(),
        LibraryError::Append(error) => error.into(),
        LibraryError::Illegal(_) => Refusal::Unavailable(error.to_string()),
        LibraryError::Rejected(rejection) => match &rejection {
            Rejection::UnknownDraft(id) => Refusal::NotFound { kind: "draft", id: id.to_string() },
            Rejection::NotValidated { .. } => conflict("not_validated", rejection.to_string()),
            Rejection::Unchanged { .. } => conflict("unchanged", rejection.to_string()),
            _ => conflict("conflict", rejection.to_string()),
        },
    }
}

fn draft(inner: &Inner, intent: &Intent) -> Result<DraftRow, Refusal> {
    let draft_id: DraftId = id(&intent.input, "draft_id")?;
    let row = inner.store.read()?.get::<DraftRow>(&DraftRow::key_of(draft_id))?;
    row.ok_or_else(|| Refusal::NotFound { kind: "draft", id: draft_id.to_string() })
}

fn compile(inner: &Inner, row: &DraftRow) -> Result<Plan, Vec<Issue>> {
    blueprint::compile(row.content.as_bytes(), &inner.registry, &inner.env.limits)
}

fn compiled(plan: &Plan) -> Compiled {
    Compiled {
        id: plan.id.clone(),
        name: plan.name.clone(),
        trigger: plan.trigger.event_type.to_string(),
        digest: plan.digest,
    }
}

/// Brings the rows that `command` is about into `state`.
pub(crate) fn look_up(inner: &Inner, command: &Command, state: &mut State) -> Result<(), StoreError> {
    let reader = inner.store.read()?;
    match command {
        Command::Start { .. } | Command::Stop => {}
        Command::Save { draft_id, .. } | Command::Validate { draft_id, .. } => {
            state.draft = reader.get(&DraftRow::key_of(*draft_id))?;
        }
        Command::Promote { draft_id, blueprint } => {
            state.draft = reader.get(&DraftRow::key_of(*draft_id))?;
            state.blueprint = newest(&reader, &BlueprintRow::prefix(&blueprint.id))?;
        }
        Command::ActivatePolicy { policy_id, .. } => {
            state.policy = newest(&reader, &PolicyRow::prefix(policy_id))?;
        }
    }
    Ok(())
}

fn newest<R: Row>(reader: &Reader, prefix: &Key) -> Result<Option<R>, StoreError> {
    Ok(reader.page(prefix, Order::Descending, None, 1, |_| true)?.items.pop())
}

/// Keeps the sources that `events` activate: runs find their plan by its digest, whatever version is active.
pub(crate) fn keep_sources(events: &[Event], recording: &mut Recording) {
    for event in events {
        if let Event::BlueprintActivated(row) = event {
            recording.keep(row.source.clone().into_bytes());
        }
    }
}

/// Puts what `events` activate in force; they are durable.
pub(crate) fn put_in_force(inner: &Inner, events: &[Event]) {
    for event in events {
        match event {
            Event::BlueprintActivated(row) => {
                match blueprint::compile_promoted(row.source.as_bytes(), &inner.registry, &inner.env.limits) {
                    Ok(plan) => {
                        let plan = Arc::new(plan);
                        inner.plans.keep(plan.clone());
                        let catalog = inner.catalog.load().with_blueprint(plan, row.version);
                        inner.catalog.store(Arc::new(catalog));
                    }
                    Err(issues) => {
                        tracing::error!(
                            blueprint = row.blueprint_id,
                            ?issues,
                            "it was valid when it was promoted"
                        );
                    }
                }
            }
            Event::PolicyActivated(row) => match governance::parse(row.source.as_bytes()) {
                Ok(policy) => {
                    let catalog = inner.catalog.load().with_policy(policy, row.version);
                    inner.catalog.store(Arc::new(catalog));
                }
                Err(issues) => {
                    tracing::error!(policy = row.policy_id, ?issues, "it was valid when it was activated");
                }
            },
            _ => {}
        }
    }
}

/// Gives a new node its shipped policy and sample blueprints.
pub(crate) async fn seed(inner: &Arc<Inner>) -> Result<(), Refusal> {
    let is_new = inner.catalog.load().active_policies().next().is_none()
        && inner.catalog.load().blueprints().next().is_none();
    let Some(node) = inner.node().filter(|_| is_new) else { return Ok(()) };
    let now = inner.clock.now();
    let mut commands = Vec::new();
    if inner.env.stage == xyn_store::scope::Stage::Dev {
        let source = governance::DEV_POLICY.to_owned();
        if let Ok(policy) = governance::parse(source.as_bytes()) {
            commands.push(Command::ActivatePolicy { policy_id: policy.policy_id, name: policy.name, source });
        }
    }
    for (name, content) in sample::SHIPPED {
        let draft_id = ids::derived(now, &[b"sample", name.as_bytes()]);
        let Ok(plan) = blueprint::compile(content.as_bytes(), &inner.registry, &inner.env.limits) else {
            continue;
        };
        commands.push(Command::Save {
            draft_id,
            kind: DraftKind::Blueprint,
            name: plan.name.clone(),
            content: content.to_owned(),
            is_json: false,
            notes: Some("shipped with the node".to_owned()),
            source_run_id: None,
        });
        commands.push(Command::Validate { draft_id, revision: 1, issues: Vec::new(), report: None });
        commands.push(Command::Promote { draft_id, blueprint: compiled(&plan) });
    }
    let by = by_node(now);
    for command in commands {
        node.tell(Tell { command, by: by.clone(), accept: None }).await.map_err(refusal)?;
    }
    Ok(())
}
