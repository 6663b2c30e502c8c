//! What waits for people, and their word on it: gates of runs, parked intents, and what other nodes ask.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use xyn_actors::events;
use xyn_actors::governance::Decision;
use xyn_actors::record::EventView;
use xyn_actors::runtime::Runtime;
use xyn_store::ids::{IntentId, RunId};
use xyn_store::projection::RunRow;
use xyn_store::{Json, Reader, StoreError, Timestamp};

use super::act::{Act, Directory};
use super::filters;
use super::query::{Pager, parsed};
use super::runs::GateForm;
use super::shell::{self, Shell, render};
use super::words::{Excerpt, State as Standing};
use crate::dto::{Approval, IntentView, QuestionView};
use crate::error::ApiError;
use crate::extract::Params;
use crate::routes::{Place, waiting};
use crate::state::AppState;

/// What waits that a page shows: each is a card with a form.
const CARDS: usize = 20;
/// What was decided lately that a page shows, and the answers among which it is looked for.
const DECIDED: usize = 12;
const DECIDED_SEEN: usize = 50;
/// The page that an answer leads back to.
const HERE: &str = "/ui/approvals";

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route(HERE, get(list))
        .route("/ui/approvals/_list", get(list))
        .route("/ui/approvals/_waiting", get(count))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListQuery {
    cursor: String,
}

/// What the rail shows already.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Seen {
    seen: String,
}

#[derive(Template)]
#[template(
    source = "{% import \"parts.html\" as parts %}{% call parts::waiting(count) %}{% endcall %}",
    ext = "html"
)]
struct CountPart {
    count: usize,
}

/// How much waits, beside its place in the rail; nothing where that is what the rail shows.
async fn count(State(state): State<AppState>, Params(query): Params<Seen>) -> Result<Response, ApiError> {
    let count = shell::waiting(&state)?;
    if parsed::<usize>("seen", &query.seen)? == Some(count) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    render(&CountPart { count })
}

/// Something that waits.
enum Card {
    /// At a gate of this run.
    Gate(Box<GateForm>, String),
    Intent(Box<IntentCard>),
    Question(Box<QuestionView>, Act),
}

/// A parked intent.
struct IntentCard {
    view: IntentView,
    /// Why the policy asks.
    reasons: Vec<String>,
    /// What is asked for.
    input: Option<Excerpt>,
    act: Act,
}

/// What a person said.
struct Decided {
    /// The step or the action.
    what: String,
    link: String,
    state: Standing,
    by: String,
    note: String,
    at: Timestamp,
}

struct List {
    cards: Vec<Card>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "approvals.html")]
struct Page {
    shell: Shell,
    list: List,
    /// Read once, and not again whenever the journal moves.
    decided: Vec<Decided>,
}

#[derive(Template)]
#[template(path = "approvals.html", block = "list")]
struct ListPart {
    list: List,
}

async fn list(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let cursor = parsed::<Place>("cursor", &query.cursor)?;
    let is_first = cursor.is_none();
    let tells = is_first && !shell.is_part;
    let runtime = state.runtime().clone();
    let read = state.scan(move |reader| {
        let page = waiting(reader, &runtime, cursor.unwrap_or(Place::Gates(None)), CARDS)?;
        let names = names(reader, &page.items)?;
        Ok((page, names, if tells { decided(reader, &runtime)? } else { Vec::new() }))
    });
    let (page, names, decided) = read.await?;
    let link = |cursor: &str| format!("{HERE}?cursor={cursor}");
    let pager = Pager {
        first: if is_first { String::new() } else { HERE.to_owned() },
        // The end of one kind is a place of its own; behind an empty page there is nothing.
        next: page.next_cursor.filter(|_| page.items.len() == CARDS).map(|at| link(&at)).unwrap_or_default(),
        live: if is_first { format!("{HERE}/_list") } else { String::new() },
    };
    let cards = page.items.into_iter().map(|asked| Card::of(&directory, asked, &names)).collect();
    let list = List { cards, pager };
    if shell.is_part { render(&ListPart { list }) } else { render(&Page { shell, list, decided }) }
}

/// The names of the runs whose gates are among `asked`.
fn names(reader: &Reader, asked: &[Approval]) -> Result<BTreeMap<RunId, String>, StoreError> {
    let mut names = BTreeMap::new();
    for asked in asked {
        if let Approval::Gate(gate) = asked
            && let Some(run) = reader.get::<RunRow>(&RunRow::key_of(gate.run_id))?
        {
            names.insert(gate.run_id, run.name);
        }
    }
    Ok(names)
}

impl Card {
    fn of(directory: &Directory, asked: Approval, names: &BTreeMap<RunId, String>) -> Self {
        match asked {
            Approval::Gate(view) => {
                let name = names.get(&view.run_id).cloned().unwrap_or_default();
                let mut form = GateForm::of(directory, view);
                HERE.clone_into(&mut form.act.next);
                Self::Gate(Box::new(form), name)
            }
            Approval::Intent(view) => Self::Intent(Box::new(IntentCard::of(directory, view))),
            Approval::Question(view) => {
                let act = question(directory, &view);
                Self::Question(view, act)
            }
        }
    }
}

impl IntentCard {
    fn of(directory: &Directory, view: IntentView) -> Self {
        Self {
            reasons: reasons(&view.decision),
            input: view.input.as_ref().map(Excerpt::of_json),
            act: answer(directory, view.intent_id),
            view,
        }
    }
}

/// Why a policy decided so, in its own words.
fn reasons(decision: &Json) -> Vec<String> {
    let decision = decision.read::<Decision>();
    decision.map(|it| it.reasons.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

fn answer(directory: &Directory, intent_id: IntentId) -> Act {
    directory.act("intents.answer", &[("intent_id", &intent_id.to_string())], HERE)
}

/// The form for a word on what another node asks, which travels there.
fn question(directory: &Directory, view: &QuestionView) -> Act {
    match (view.run_id, &view.step_id, view.intent_id) {
        (_, _, Some(intent_id)) => answer(directory, intent_id),
        (run_id, step_id, None) => {
            let run_id = run_id.map(|id| id.to_string()).unwrap_or_default();
            let fields = [("run_id", run_id.as_str()), ("step_id", step_id.as_deref().unwrap_or_default())];
            directory.act("gates.answer", &fields, HERE)
        }
    }
}

/// What people said lately, the latest first.
fn decided(reader: &Reader, runtime: &Runtime) -> Result<Vec<Decided>, StoreError> {
    let names = ["xyn.gate.approved", "xyn.gate.rejected", "xyn.intent.approved", "xyn.intent.rejected"];
    let names: Vec<_> = names.into_iter().filter_map(|name| name.parse().ok()).collect();
    let mut events = events::newest(reader, &names, DECIDED_SEEN)?;
    runtime.name_steps(reader, &mut events)?;
    Ok(events.iter().filter_map(Decided::of).take(DECIDED).collect())
}

impl Decided {
    /// What a person said, when `event` is about that: timers and events approve gates, too.
    fn of(event: &EventView) -> Option<Self> {
        let data = event.data.to_value();
        let word = data["approvals"]
            .as_array()
            .map_or(&data["answer"], |words| words.last().unwrap_or(&Value::Null));
        let by = word["principal"].as_str()?.to_owned();
        let (what, link) = match (&event.step_id, event.run_id) {
            (Some(step_id), Some(run_id)) => (step_id.clone(), format!("/ui/runs/{run_id}")),
            _ => (data["action"].as_str()?.to_owned(), format!("/ui/events/{}", event.event_id)),
        };
        let is_for = event.event_name.ends_with("approved");
        Some(Self {
            what,
            link,
            state: if is_for { Standing::new("approved", "ok") } else { Standing::new("rejected", "bad") },
            by,
            note: word["note"].as_str().unwrap_or_default().to_owned(),
            at: event.occurred_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_of_a_decision_are_said_in_its_own_words() {
        let decision = serde_json::json!({
            "effect": "require_approval",
            "reasons": [{ "stage_default": { "stage": "prod" } }],
        });
        let said = reasons(&Json::from(&decision));
        assert_eq!(said, ["no rule matches, so the default of stage `prod` applies"]);
        assert!(reasons(&Json::null()).is_empty());
    }
}
