//! Who asked for what, and what came of it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use xyn_store::ids::IntentId;
use xyn_store::projection::{Cursor, IntentRow, IntentStatus, Page, Payload, Subject};
use xyn_store::tables::Key;
use xyn_store::{Order, Reader, StoreError};

use crate::dto::GateAsked;
use crate::error::ApiError;
use crate::extract::{Params, PathId};
use crate::state::AppState;
use crate::ui::filters;
use crate::ui::query::{Pager, ROWS, parsed};
use crate::ui::shell::{Shell, render};
use crate::ui::words::{self, Excerpt, State as Standing, app_at_version};

/// What became of intents, by the word in the address, for people, and its tone.
const STATUSES: [(IntentStatus, &str, &str, &str); 7] = [
    (IntentStatus::Completed, "completed", "completed", "ok"),
    (IntentStatus::Parked, "parked", "waiting: approval", "wait"),
    (IntentStatus::Approved, "approved", "approved", "work"),
    (IntentStatus::Accepted, "accepted", "under way", "work"),
    (IntentStatus::Denied, "denied", "denied", "bad"),
    (IntentStatus::Failed, "failed", "failed", "bad"),
    (IntentStatus::Uncertain, "uncertain", "uncertain", "bad"),
];

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ListQuery {
    pub(super) status: String,
    pub(super) action: String,
    pub(super) actor: String,
    cursor: String,
}

pub(super) struct List {
    pub(super) items: Vec<Row>,
    pub(super) pager: Pager,
    pub(super) is_filtered: bool,
}

/// An intent, as a list shows it.
pub(super) struct Row {
    pub(super) intent: IntentRow,
    pub(super) state: Standing,
    pub(super) outcome: Brought,
}

/// What an intent brought about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Brought {
    pub(super) text: String,
    /// Its page; empty when it has none.
    pub(super) link: String,
}

#[derive(Template)]
#[template(path = "audit.html", block = "list")]
struct Part {
    list: List,
}

pub(super) async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    render(&Part { list: List::read(&state, &query).await? })
}

impl ListQuery {
    pub(super) fn statuses(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        STATUSES.iter().map(|(_, word, name, _)| (*word, *name))
    }
}

impl List {
    pub(super) async fn read(state: &AppState, query: &ListQuery) -> Result<Self, ApiError> {
        let status = match query.status.as_str() {
            "" => None,
            wanted => {
                let known = STATUSES.iter().find(|(_, word, ..)| *word == wanted).map(|(status, ..)| *status);
                Some(known.ok_or_else(|| ApiError::invalid("status", format!("`{wanted}` is no status")))?)
            }
        };
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let (action, actor) = (given(&query.action), given(&query.actor));
        let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
        let at = cursor.clone();
        let read = state.scan(move |reader| {
            let admit = |row: &IntentRow| {
                status.is_none_or(|status| row.status == status)
                    && action.as_ref().is_none_or(|action| row.action == *action)
                    && actor.as_ref().is_none_or(|actor| row.actor.as_str() == actor)
            };
            let page = reader.page(&Key::new(), Order::Descending, at.as_ref(), ROWS, admit)?;
            let items = page.items.into_iter().map(|row| Row::of(row, reader)).collect::<Result<_, _>>()?;
            Ok(Page { items, next: page.next })
        });
        let page = read.await?;
        let filters = [("status", query.status.as_str()), ("action", &query.action), ("actor", &query.actor)];
        let is_filtered = filters.iter().any(|(_, value)| !value.is_empty());
        let pager = Pager::of("/ui/audit", &filters, cursor.as_ref(), &page);
        Ok(Self { items: page.items, pager, is_filtered })
    }
}

impl Row {
    fn of(intent: IntentRow, reader: &Reader) -> Result<Self, StoreError> {
        let outcome = match GateAsked::of(reader, intent.subject.as_ref())? {
            Some(gate) => Brought::at(&gate),
            None => intent.subject.as_ref().map(Brought::of).unwrap_or_default(),
        };
        let outcome = match &intent.output {
            Some(Payload::Json(output)) if outcome.link.is_empty() => Brought::told(&output.to_value()),
            _ => outcome,
        };
        Ok(Self { state: standing(intent.status), outcome, intent })
    }
}

/// What became of an intent, in a word.
fn standing(status: IntentStatus) -> Standing {
    let found = STATUSES.iter().find(|(known, ..)| *known == status);
    let (word, tone) = found.map_or(("unknown", "idle"), |(_, _, name, tone)| (*name, *tone));
    Standing::new(word, tone)
}

impl Brought {
    /// What an act that is its own subject answered that it brought about.
    fn told(output: &Value) -> Self {
        let encoded = |id: &str| -> String { form_urlencoded::byte_serialize(id.as_bytes()).collect() };
        let text = |name: &str| output[name].as_str().filter(|text| !text.is_empty());
        match (text("deployment"), text("capsule"), text("entry_id")) {
            (Some(place), ..) => {
                Self { text: place.to_owned(), link: format!("/ui/deploys/{}", encoded(place)) }
            }
            (_, Some(capsule), _) => {
                let name = text("id").map_or_else(|| capsule.to_owned(), app_at_version);
                Self { text: name, link: format!("/ui/capsules/{}", encoded(capsule)) }
            }
            (_, _, Some(moment)) => {
                let link = format!("/ui/timeline?at={}", encoded(moment));
                Self { text: format!("moment …{}", end(&moment)), link }
            }
            _ => Self::default(),
        }
    }

    /// A word on `gate`: what it asked, and of whose run it is.
    fn at(gate: &GateAsked) -> Self {
        let asked = gate.prompt.as_ref().map(|prompt| match prompt.to_value() {
            Value::String(text) => format!("“{text}”, "),
            other => format!("{other}, "),
        });
        let GateAsked { run_id, run_name, step_id, requester, .. } = gate;
        let text = format!("{}gate {step_id} of {run_name}, a run of {requester}", asked.unwrap_or_default());
        Self { text, link: format!("/ui/runs/{run_id}") }
    }

    fn of(subject: &Subject) -> Self {
        let encoded = |id: &str| -> String { form_urlencoded::byte_serialize(id.as_bytes()).collect() };
        let (text, link) = match subject {
            Subject::Event(id) => (format!("event …{}", end(id)), format!("/ui/events/{id}")),
            Subject::Run(id) => (format!("run …{}", end(id)), format!("/ui/runs/{id}")),
            Subject::Gate(id, step) => {
                (format!("gate `{step}` of run …{}", end(id)), format!("/ui/runs/{id}"))
            }
            Subject::Artifact(id) => (format!("artifact …{}", end(id)), format!("/ui/artifacts/{id}")),
            Subject::Draft(id) => (format!("draft …{}", end(id)), format!("/ui/blueprints/edit?draft={id}")),
            Subject::Blueprint(id, version) => (
                format!("{id} version {version}"),
                format!("/ui/blueprints/{}?version={version}", encoded(id)),
            ),
            Subject::Policy(id, version) => {
                (format!("{id} version {version}"), format!("/ui/policies/{}?version={version}", encoded(id)))
            }
            // It is its own subject: its page says what it came to.
            Subject::Intent(_) => return Self::default(),
        };
        Self { text, link }
    }
}

/// The end of an id, by which people tell ids apart.
fn end(id: &impl std::fmt::Display) -> String {
    let id = id.to_string();
    let cut = id.char_indices().rev().nth(7).map_or(0, |(index, _)| index);
    id[cut..].to_owned()
}

#[derive(Template)]
#[template(path = "intent.html")]
struct Intent {
    shell: Shell,
    row: Row,
    input: Option<Excerpt>,
    output: Option<Excerpt>,
    decision: String,
}

/// One intent: who asked, what was decided and why, what it was given and what came of it.
pub(super) async fn one(
    State(state): State<AppState>,
    shell: Shell,
    PathId(intent_id): PathId<IntentId>,
) -> Result<Response, ApiError> {
    let row: IntentRow = state.row(&IntentRow::key_of(intent_id), "intent", intent_id)?;
    let store = state.runtime().store();
    let document = |payload: &Option<Payload>| -> Result<Option<Excerpt>, ApiError> {
        let json = payload.as_ref().map(|payload| store.payload(payload)).transpose()?;
        Ok(json.as_ref().map(Excerpt::of_json))
    };
    let (input, output) = (document(&row.input)?, document(&row.output)?);
    let decision = words::json(&row.decision);
    let row = state.read(|reader| Row::of(row, reader))?;
    render(&Intent { shell, row, input, output, decision })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_status_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = STATUSES.iter().map(|(_, word, ..)| word).collect();
        assert_eq!(words.len(), STATUSES.len());
        assert_eq!(standing(IntentStatus::Parked), Standing::new("waiting: approval", "wait"));
    }

    #[test]
    fn what_came_of_an_intent_is_linked_whatever_its_name() {
        let brought = Brought::of(&Subject::Blueprint("a\"/../?b".to_owned(), 2));
        assert_eq!(brought.link, "/ui/blueprints/a%22%2F..%2F%3Fb?version=2");
        let told = |output: Value| Brought::told(&output).link;
        assert_eq!(
            told(json!({ "deployment": "shop.dev.static", "capsule": "c" })),
            "/ui/deploys/shop.dev.static"
        );
        assert_eq!(told(json!({ "capsule": "c", "id": "urn:xyn:app:shop@1.0.0" })), "/ui/capsules/c");
        assert_eq!(told(json!({ "entry_id": "\"ß" })), "/ui/timeline?at=%22%C3%9F");
        assert_eq!(Brought::told(&json!([1])), Brought::default());
    }
}
