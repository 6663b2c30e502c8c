//! What people do to the timeline, as intents: notes, names, branches, talk.
//!
//! Reads what an intent asks for and hands it to the writer. Invariant: the record and the intent's acceptance
//! are in one append.

mod branch;
mod mark;
mod merge;
mod talk;

use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::blobs::Blobs;
use xyn_store::ids::{EntryId, EventId};
use xyn_store::legible::{is_hidden, quoted};
use xyn_store::projection::{IntentRow, Subject};
use xyn_store::scope::Attribution;
use xyn_store::timeline::WriteError;
use xyn_store::timeline::board::{Board, Edit, EditError, View};
use xyn_store::timeline::entry::{Branch, Entry, Kind, Note, Refs};
use xyn_store::{Reader, Timestamp};

use super::actor::Command;
pub(super) use branch::keeps_base;
pub(crate) use branch::takes_moments;
pub use merge::{Conflict, Preview};

use super::{Event, TimelineError};
use crate::record::Record;
use crate::runtime::{Accept, Accepted, Inner, Intent, Outcome, Recording, Refusal, stream};
use crate::services::{content, field, id};

/// An intent that is carried out with a record.
pub(crate) struct Acceptance {
    word: Word,
    by: Attribution,
    /// What comes of it beside the moments it makes.
    also: Vec<Record>,
}

/// What is recorded of the intent.
enum Word {
    /// It is accepted, and done with this.
    Accepted(Box<Accepted>),
    /// It began before, and ends with this and an output.
    Ended(Box<IntentRow>, Value),
    /// Nothing: it is done already, and this came of it, in an entry of its own.
    Beside(EventId),
}

impl Acceptance {
    /// Of an intent that is done with the record.
    pub(crate) fn of(accepted: Accepted, by: Attribution, also: Vec<Record>) -> Self {
        Self { word: Word::Accepted(Box::new(accepted)), by, also }
    }

    /// Of an intent that reached out and ends with the record.
    pub(crate) fn of_ended(row: IntentRow, output: Value, by: Attribution, also: Vec<Record>) -> Self {
        Self { word: Word::Ended(Box::new(row), output), by, also }
    }

    /// Of what came of an intent that is done already: the entry has the name `id`.
    pub(crate) fn beside(id: EventId, by: Attribution, also: Vec<Record>) -> Self {
        Self { word: Word::Beside(id), by, also }
    }

    /// Puts the acceptance beside the record, in one entry with what came of it.
    pub(crate) fn record(self, recording: &mut Recording, now: Timestamp, added: Vec<Record>) {
        let Self { word, by, also } = self;
        let came_of = added.into_iter().chain(also);
        match word {
            Word::Accepted(accepted) => recording.carry_out(*accepted, now, &by, came_of.collect()),
            Word::Ended(mut row, output) => {
                row.output = Some(recording.payload(&output));
                let (stream, seq) = (stream(row.intent_id), row.begun_seq());
                let records: Vec<_> = [Record::IntentEnded(row)].into_iter().chain(came_of).collect();
                recording.entry(stream, seq, now, &by, &records);
            }
            Word::Beside(id) => {
                recording.entry(stream(id), 0, now, &by, &came_of.collect::<Vec<_>>());
            }
        }
    }
}

/// Puts moments on the timeline as the intent `by` is of; answers with `output`.
pub(crate) async fn say(
    inner: &Arc<Inner>,
    intent: &Intent,
    moments: Vec<(EntryId, Note)>,
    by: Acceptance,
    output: Value,
) -> Result<Outcome, Refusal> {
    tell(inner, intent, Command::Say { moments, by: Box::new(by) }, output).await
}

async fn tell(
    inner: &Arc<Inner>,
    intent: &Intent,
    command: Command,
    output: Value,
) -> Result<Outcome, Refusal> {
    match inner.timeline()?.tell(command).await {
        Ok(_) => Ok(Outcome::new(intent.intent_id, Subject::Intent(intent.intent_id), output)),
        Err(TimelineError::Append(error)) => inner.answer_append(error, intent),
        Err(error) => Err(refusal(error)),
    }
}

/// What an intent comes to.
pub(crate) struct Deed {
    what: What,
    /// What the one who asked is answered.
    output: Value,
    /// What it is called beside the moments it makes.
    also: Vec<Event>,
}

enum What {
    Say(Vec<(EntryId, Note)>),
    Edit(Board, Vec<Edit>),
    /// It is so already.
    Nothing,
}

/// What a deed is made of: what is there, who wants what, and how ids are made.
struct Wish<'a> {
    reader: &'a Reader,
    intent: &'a Intent,
    accept: &'a Accept,
    now: Timestamp,
}

/// Carries out an intent of the timeline.
pub(crate) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let mut accept = accept;
    if intent.action == "timeline.merge" {
        let needed;
        (accept, needed) = consider(inner, intent, accept, |wish, _| merge::needs(wish)).await?;
        content::bring_trees(inner, needed).await?;
    }
    let (accept, deed) = consider(inner, intent, accept, deed).await?;
    record(inner, intent, accept, deed).await
}

/// Has `deed` written with the acceptance of `intent`.
pub(crate) async fn record(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    deed: Deed,
) -> Result<Outcome, Refusal> {
    let Deed { what, output, also } = deed;
    let accepted = accept.done(Subject::Intent(intent.intent_id)).answering(output.clone());
    let also = also.into_iter().map(Record::Timeline).collect();
    let by = Box::new(Acceptance::of(accepted, intent.attribution(), also));
    let command = match what {
        What::Say(moments) => Command::Say { moments, by },
        What::Edit(board, edits) => Command::Edit { board, edits, by },
        What::Nothing => return accept_alone(inner, intent, *by, output).await,
    };
    tell(inner, intent, command, output).await
}

/// Makes the acceptance of `intent` durable: the timeline stays as it is.
async fn accept_alone(
    inner: &Arc<Inner>,
    intent: &Intent,
    by: Acceptance,
    output: Value,
) -> Result<Outcome, Refusal> {
    let mut recording = Recording::default();
    by.record(&mut recording, inner.clock.now(), Vec::new());
    match recording.commit(inner).await {
        Ok(_) => Ok(Outcome::new(intent.intent_id, Subject::Intent(intent.intent_id), output)),
        Err(error) => inner.answer_append(error, intent),
    }
}

/// Considers an intent. A merge reads many files, so none of it keeps the others' thread.
async fn consider<T: Send + 'static>(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    what: impl FnOnce(&Wish<'_>, &Blobs) -> Result<T, Refusal> + Send + 'static,
) -> Result<(Accept, T), Refusal> {
    let (store, intent, now) = (inner.store.clone(), intent.clone(), inner.clock.now());
    let work = move || {
        let reader = store.read()?;
        let wish = Wish { reader: &reader, intent: &intent, accept: &accept, now };
        let found = what(&wish, store.blobs())?;
        Ok((accept, found))
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| Refusal::Unavailable(error.to_string()))?
}

/// What an intent comes to.
fn deed(wish: &Wish<'_>, blobs: &Blobs) -> Result<Deed, Refusal> {
    match wish.intent.action.as_str() {
        "timeline.note" => mark::note(wish),
        "timeline.label" => mark::label(wish),
        "timeline.pin" => mark::pin(wish),
        "timeline.comment" => talk::comment(wish, blobs),
        "timeline.review" => talk::review(wish),
        "timeline.approve" => talk::approve(wish),
        "timeline.branch" => branch::branch(wish),
        "timeline.merge" => merge::merge(wish, blobs),
        other => Err(Refusal::NotFound { kind: "service", id: other.to_owned() }),
    }
}

impl Deed {
    /// A moment, answered with its id.
    pub(crate) fn say((entry_id, note): (EntryId, Note)) -> Self {
        let output = json!({ "entry_id": entry_id });
        Self { what: What::Say(vec![(entry_id, note)]), output, also: Vec::new() }
    }

    /// The same, answered with `output`.
    pub(crate) fn answering(self, output: Value) -> Self {
        Self { output, ..self }
    }

    fn edit(board: Board, edits: Vec<Edit>, output: Value) -> Self {
        Self { what: What::Edit(board, edits), output, also: Vec::new() }
    }

    fn nothing(output: Value) -> Self {
        Self { what: What::Nothing, output, also: Vec::new() }
    }
}

impl Wish<'_> {
    fn input(&self) -> &Value {
        &self.intent.input
    }

    /// A text of the input.
    fn text(&self, key: &str) -> Option<String> {
        let text = field(self.input(), key);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// An id for what this brings about: the same when the same intent comes again.
    fn id<T: From<uuid::Uuid>>(&self, what: &str) -> T {
        self.accept.derive(what)
    }

    /// A moment, by the one who wants it.
    fn moment(&self, branch: Branch, kind: Kind, title: String, refs: Refs) -> (EntryId, Note) {
        let note = Note { principal: self.intent.identity.principal.clone(), branch, kind, title, refs };
        (self.id("entry"), note)
    }

    /// The moment that the input names.
    fn entry(&self) -> Result<Entry, Refusal> {
        let entry_id: EntryId = id(self.input(), "entry_id")?;
        let missing = || Refusal::NotFound { kind: "moment", id: entry_id.to_string() };
        self.reader.entry(entry_id)?.ok_or_else(missing)
    }

    /// The moment that the input names, if it names one.
    fn optional_entry(&self) -> Result<Option<Entry>, Refusal> {
        self.input().get("entry_id").map(|_| self.entry()).transpose()
    }

    /// The branch that the input names under `key`.
    fn branch(&self, key: &str) -> Result<Option<Branch>, Refusal> {
        let parse = |text: &str| {
            text.parse::<Branch>()
                .map_err(|error| Refusal::invalid("invalid_input", format!("/{key}"), error.to_string()))
        };
        self.input().get(key).and_then(Value::as_str).map(parse).transpose()
    }

    fn required_branch(&self, key: &str) -> Result<Branch, Refusal> {
        let missing = || Refusal::invalid("invalid_input", format!("/{key}"), "the name is missing");
        self.branch(key)?.ok_or_else(missing)
    }

    fn shown(&self, board: &Board) -> Result<Option<View>, Refusal> {
        Ok(self.reader.board(board)?.map(|row| row.view))
    }
}

/// Where `branch` stands; where nothing happened on it yet, the moment it begins at. What claims to be from the future
/// is gone on from only where there is neither.
fn newest(reader: &Reader, branch: &Branch, now: Timestamp) -> Result<Entry, Refusal> {
    if let Some(entry) = reader.newest_believable_entry(Some(branch), now)? {
        return Ok(entry);
    }
    let base = match reader.board(&Board::Branch(branch.clone()))?.map(|row| row.view) {
        Some(View::Branch { base: Some(base), .. }) => reader.entry(base)?,
        _ => None,
    };
    let found = base.map_or_else(|| reader.newest_entry(Some(branch), now), |base| Ok(Some(base)))?;
    found.ok_or_else(|| Refusal::NotFound { kind: "branch", id: branch.to_string() })
}

/// Sees to it that nobody makes a name, the input's `key`, that looks like another one. What is there by such
/// a name came from elsewhere, and is named as it is: so it can be put away.
fn told_apart(key: &str, name: &str) -> Result<(), Refusal> {
    let refuse = |message: String| Refusal::invalid("invalid_input", format!("/{key}"), message);
    if name.trim().is_empty() {
        return Err(refuse("the name is blank: nothing in it can be seen".to_owned()));
    }
    name.chars().find(|c| is_hidden(*c)).map_or(Ok(()), |hidden| {
        let (name, hidden) = (quoted(name), u32::from(hidden));
        Err(refuse(format!(
            "`{name}` holds U+{hidden:04X}, which is not seen: names are told apart by their looks"
        )))
    })
}

fn unchanged(message: &str) -> Refusal {
    Refusal::Conflict { code: "unchanged", message: message.to_owned() }
}

/// What the timeline's error is to whoever asked.
pub(crate) fn refusal(error: TimelineError) -> Refusal {
    let message = error.to_string();
    match error {
        TimelineError::Write(WriteError::Edit(EditError::Nothing)) => unchanged(&message),
        TimelineError::Write(WriteError::Edit(EditError::UnknownComment(comment))) => {
            Refusal::NotFound { kind: "comment", id: comment.to_string() }
        }
        TimelineError::Write(WriteError::Edit(_) | WriteError::Entry(_) | WriteError::Record(_)) => {
            Refusal::invalid("invalid_input", "", message)
        }
        TimelineError::Write(WriteError::Leaving) => Refusal::Conflict { code: "key_changing", message },
        TimelineError::Write(WriteError::Statements | WriteError::Reserved) => {
            Refusal::Conflict { code: "statements_spent", message }
        }
        TimelineError::Write(WriteError::TooFast) => Refusal::Overloaded { message },
        TimelineError::Write(WriteError::Excluded(_)) => Refusal::Forbidden { code: "excluded", message },
        TimelineError::Begun { .. } => Refusal::Conflict { code: "branch_exists", message },
        TimelineError::Closed(_) => Refusal::Conflict { code: "branch_closed", message },
        TimelineError::NoBranch(branch) => Refusal::NotFound { kind: "branch", id: branch.to_string() },
        TimelineError::Member(error) => error.into(),
        _ => Refusal::Unavailable(message),
    }
}
