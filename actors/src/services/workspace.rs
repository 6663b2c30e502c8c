//! Workspaces: folders of this machine whose trees become moments of the timeline.
//!
//! Owns which folders may be one and what is done with them; how a folder becomes a tree is the floor's below.
//! One act at a time is done to a workspace, and whoever comes meanwhile is told so. Invariant: a moment that
//! names a tree, the row that names it and the pin that keeps it are in one append.

mod compare;
mod event;
mod place;
mod refusal;
mod restore;
mod snapshot;
mod trace;

use std::sync::Arc;

use serde_json::json;
use xyn_capsules::tree::Name;
use xyn_store::projection::{Subject, WorkspaceRow};
use xyn_store::timeline::entry::{Branch, NAME_MAX_CHARS};
use xyn_store::{Reader, StoreError};

use super::{blocking, detached, field};
use crate::record::Record;
use crate::runtime::{Accept, Accepted, Held, Inner, Intent, Outcome, Recording, Refusal};

pub use compare::{Compared, Comparison, InvalidPlace, Place};
pub use event::Event;
pub(crate) use refusal::of_word;

/// Carries out an intent of workspaces.
pub(crate) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    match intent.action.as_str() {
        "workspace.add" => add(inner, intent, accept).await,
        "workspace.snapshot" => snapshot::serve(inner, intent, accept).await,
        "workspace.restore" => restore::serve(inner, intent, accept).await,
        _ => remove(inner, intent, accept).await,
    }
}

async fn add(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    // Two folders that are added at once could be one in the other.
    let _held = hold(inner, "")?;
    let dir = place::folder(inner, field(&intent.input, "dir")).await?;
    let name = match field(&intent.input, "name") {
        "" => dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        name => name.to_owned(),
    };
    check_name(&name)?;
    let reader = inner.store.read()?;
    if let Some(row) = reader.get::<WorkspaceRow>(&WorkspaceRow::key_of(&name))? {
        let message = format!("`{name}` is a workspace already, of `{}`", row.dir);
        return Err(Refusal::Conflict { code: "workspace_exists", message });
    }
    place::apart_from_workspaces(&reader, &dir)?;
    let row = WorkspaceRow {
        name: name.clone(),
        dir: place::text(&dir)?,
        added_at: accept.now,
        added_by: intent.identity.principal.clone(),
        branch: Branch::main(),
        known: None,
    };
    let output = json!({ "name": name, "dir": row.dir });
    let done = accept.done(Subject::Intent(intent.intent_id)).answering(output);
    record(inner, intent, done, Some(Event::Added(Box::new(row)))).await
}

/// Refuses what is no name on every node, and in every address.
fn check_name(name: &str) -> Result<(), Refusal> {
    let fault = match name.parse::<Name>() {
        Err(error) => error.to_string(),
        Ok(_) if name.len() > NAME_MAX_CHARS => format!("the name is longer than {NAME_MAX_CHARS} bytes"),
        Ok(_) if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) => {
            format!("the name `{name}` holds more than letters, digits, `_`, `.` and `-`; give another")
        }
        Ok(_) => return Ok(()),
    };
    Err(Refusal::invalid("invalid_input", "/name", fault))
}

async fn remove(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let name = field(&intent.input, "name");
    let _held = hold(inner, name)?;
    let row = named(&inner.store.read()?, name)?;
    let done = accept.done(Subject::Intent(intent.intent_id)).answering(json!({ "name": name }));
    let outcome = record(inner, intent, done, Some(Event::Removed(Box::new(row)))).await?;
    trace::forget(inner, name).await;
    Ok(outcome)
}

/// Records an intent that is done, with what it came to.
async fn record(
    inner: &Arc<Inner>,
    intent: &Intent,
    done: Accepted,
    event: Option<Event>,
) -> Result<Outcome, Refusal> {
    let output = done.output.clone().unwrap_or_default();
    let mut recording = Recording::default();
    let records = event.map(Record::Workspace).into_iter().collect();
    recording.carry_out(done, inner.clock.now(), &intent.attribution(), records);
    match recording.commit(inner).await {
        Ok(_) => Ok(Outcome::new(intent.intent_id, Subject::Intent(intent.intent_id), output)),
        Err(error) => inner.answer_append(error, intent),
    }
}

/// Keeps others away from the workspace `name`.
fn hold(inner: &Inner, name: &str) -> Result<Held, Refusal> {
    let held = inner.progress.take(&format!("workspace\n{name}"));
    held.ok_or_else(|| Refusal::Conflict {
        code: "workspace_busy",
        message: format!("something is being done to the workspace `{name}`; ask again when it is done"),
    })
}

/// The workspace `name`.
fn named(reader: &Reader, name: &str) -> Result<WorkspaceRow, Refusal> {
    let row: Result<Option<WorkspaceRow>, StoreError> = reader.get(&WorkspaceRow::key_of(name));
    row?.ok_or_else(|| Refusal::NotFound { kind: "workspace", id: name.to_owned() })
}
