//! What people do to the timeline: notes, labels, pins, branches and merges, as intents.
//!
//! Reads what an intent asks for and hands it to the writer. Invariant: the record and the intent's acceptance
//! are in one append.

use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::ids::{self, EntryId};
use xyn_store::projection::Subject;
use xyn_store::scope::Attribution;
use xyn_store::timeline::EntryFilter;
use xyn_store::timeline::WriteError;
use xyn_store::timeline::board::{Board, Edit, EditError};
use xyn_store::timeline::entry::{Branch, Entry, Kind, Note, Refs, TITLE_MAX_CHARS};
use xyn_store::{Order, Reader, Timestamp};

use super::TimelineError;
use super::actor::Command;
use super::milestone::fitting;
use crate::runtime::{Accept, Accepted, Inner, Intent, Outcome, Recording, Refusal, stream};
use crate::services::{field, id};

/// An intent that is carried out with a record.
pub(crate) struct Acceptance {
    accepted: Accepted,
    by: Attribution,
}

impl Acceptance {
    /// The acceptance of `intent`, as it stands when the record is written.
    pub(crate) fn new(accepted: Accepted, intent: &Intent) -> Self {
        Self { accepted, by: intent.attribution() }
    }

    /// Puts the acceptance beside the record.
    pub(crate) fn record(self, recording: &mut Recording, now: Timestamp) {
        let Self { accepted, by } = self;
        let stream = stream(accepted.row.intent_id);
        if let Some(record) = recording.accept(accepted, now, &by) {
            recording.entry(stream, 0, now, &by, &[record]);
        }
    }
}

/// Carries out an intent of the timeline.
pub(crate) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let input = &intent.input;
    let (deed, output) = {
        let reader = inner.store.read()?;
        match intent.action.as_str() {
            "timeline.note" => note(&reader, intent, &accept)?,
            "timeline.label" => label(&reader, input)?,
            "timeline.pin" => pin(&reader, input)?,
            "timeline.branch" => branch(&reader, input)?,
            _ => merge(&reader, intent, &accept)?,
        }
    };
    let subject = Subject::Intent(intent.intent_id);
    let accepted = accept.done(subject.clone()).answering(output.clone());
    let by = Box::new(Acceptance::new(accepted, intent));
    let command = match deed {
        Deed::Say(entry_id, note) => Command::Say { entry_id, note, by },
        Deed::Edit(board, edit) => Command::Edit { board, edit, by },
    };
    match inner.timeline()?.tell(command).await {
        Ok(_) => Ok(Outcome::new(intent.intent_id, subject, output)),
        Err(TimelineError::Append(error)) => inner.answer_append(error, intent),
        Err(error) => Err(refusal(error)),
    }
}

enum Deed {
    Say(EntryId, Box<Note>),
    Edit(Board, Edit),
}

fn note(reader: &Reader, intent: &Intent, accept: &Accept) -> Result<(Deed, Value), Refusal> {
    let input = &intent.input;
    let refs = Refs {
        run: input.get("run_id").map(|_| id(input, "run_id")).transpose()?,
        parents: about(reader, input)?.into_iter().map(|entry| entry.entry_id).collect(),
        ..Refs::default()
    };
    let branch = name(input, "branch")?.unwrap_or_else(Branch::main);
    Ok(moment(intent, accept, branch, Kind::Note, field(input, "title").to_owned(), refs))
}

/// The moment that a deed is about, where it names one.
fn about(reader: &Reader, input: &Value) -> Result<Option<Entry>, Refusal> {
    input.get("entry_id").map(|_| there(reader, input)).transpose()
}

fn label(reader: &Reader, input: &Value) -> Result<(Deed, Value), Refusal> {
    let label = field(input, "name").to_owned();
    let entry = about(reader, input)?;
    let output = json!({ "name": label, "entry_id": entry.as_ref().map(|entry| entry.entry_id) });
    let edit = match entry {
        Some(entry) => Edit::Label(label, entry.entry_id),
        None => Edit::Unlabel(label),
    };
    Ok((Deed::Edit(Board::Labels, edit), output))
}

fn pin(reader: &Reader, input: &Value) -> Result<(Deed, Value), Refusal> {
    let entry_id = there(reader, input)?.entry_id;
    let is_pinned = input.get("pinned").and_then(Value::as_bool).unwrap_or(true);
    let edit = if is_pinned { Edit::Pin(entry_id) } else { Edit::Unpin(entry_id) };
    Ok((Deed::Edit(Board::Pins, edit), json!({ "entry_id": entry_id, "pinned": is_pinned })))
}

fn branch(reader: &Reader, input: &Value) -> Result<(Deed, Value), Refusal> {
    let branch = required_name(input, "name")?;
    let base = match about(reader, input)? {
        Some(entry) => entry,
        None => newest(reader, &Branch::main())?,
    };
    let output = json!({ "name": branch, "base": base.entry_id });
    Ok((Deed::Edit(Board::Branch(branch), Edit::Open(base.entry_id)), output))
}

fn merge(reader: &Reader, intent: &Intent, accept: &Accept) -> Result<(Deed, Value), Refusal> {
    let input = &intent.input;
    let from = required_name(input, "from")?;
    let into = name(input, "into")?.unwrap_or_else(Branch::main);
    if from == into {
        let message = format!("`{from}` is not merged into itself");
        return Err(Refusal::Conflict { code: "unchanged", message });
    }
    let parents = vec![newest(reader, &into)?.entry_id, newest(reader, &from)?.entry_id];
    let title = match field(input, "title") {
        "" => fitting(&format!("merged `{from}` into `{into}`"), TITLE_MAX_CHARS),
        title => title.to_owned(),
    };
    let refs = Refs { parents, ..Refs::default() };
    Ok(moment(intent, accept, into, Kind::Merge, title, refs))
}

fn moment(
    intent: &Intent,
    accept: &Accept,
    branch: Branch,
    kind: Kind,
    title: String,
    refs: Refs,
) -> (Deed, Value) {
    let entry_id: EntryId = ids::derived(accept.now, &[accept.seed().as_bytes(), b"entry"]);
    let note = Note { principal: intent.identity.principal.clone(), branch, kind, title, refs };
    (Deed::Say(entry_id, Box::new(note)), json!({ "entry_id": entry_id }))
}

fn there(reader: &Reader, input: &Value) -> Result<Entry, Refusal> {
    let entry_id: EntryId = id(input, "entry_id")?;
    let missing = || Refusal::NotFound { kind: "moment", id: entry_id.to_string() };
    reader.entry(entry_id)?.ok_or_else(missing)
}

/// The newest moment of `branch`; where nothing happened on it yet, the one it begins at.
fn newest(reader: &Reader, branch: &Branch) -> Result<Entry, Refusal> {
    let filter = EntryFilter { branch: Some(branch.clone()), ..EntryFilter::default() };
    if let Some(entry) = reader.entries(&filter, Order::Descending, None, 1)?.items.pop() {
        return Ok(entry);
    }
    let missing = || Refusal::NotFound { kind: "branch", id: branch.to_string() };
    let row = reader.board(&Board::Branch(branch.clone()))?.ok_or_else(missing)?;
    let base = match row.view {
        xyn_store::timeline::board::View::Branch { base, .. } => base.ok_or_else(missing)?,
        _ => return Err(missing()),
    };
    reader.entry(base)?.ok_or_else(missing)
}

fn name(input: &Value, key: &str) -> Result<Option<Branch>, Refusal> {
    let parse = |text: &str| {
        text.parse::<Branch>()
            .map_err(|error| Refusal::invalid("invalid_input", format!("/{key}"), error.to_string()))
    };
    input.get(key).and_then(Value::as_str).map(parse).transpose()
}

fn required_name(input: &Value, key: &str) -> Result<Branch, Refusal> {
    name(input, key)?
        .ok_or_else(|| Refusal::invalid("invalid_input", format!("/{key}"), "the name is missing"))
}

/// What the timeline's error is to whoever asked.
pub(crate) fn refusal(error: TimelineError) -> Refusal {
    let message = error.to_string();
    match error {
        TimelineError::Write(WriteError::Edit(EditError::Nothing)) => {
            Refusal::Conflict { code: "unchanged", message }
        }
        TimelineError::Write(WriteError::Edit(_) | WriteError::Entry(_) | WriteError::Record(_)) => {
            Refusal::invalid("invalid_input", "", message)
        }
        TimelineError::Write(WriteError::Excluded(_)) => Refusal::Forbidden { code: "excluded", message },
        TimelineError::Member(error) => error.into(),
        _ => Refusal::Unavailable(message),
    }
}
