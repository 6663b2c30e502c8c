//! Policies: those in force, the editor for another version, and why something is decided as it is.
//!
//! Invariant: asking why changes nothing; only the form that puts a policy in force does.

mod why;

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use xyn_actors::governance;
use xyn_store::Order;
use xyn_store::ids::IntentId;
use xyn_store::projection::{Cursor, PolicyRow};
use xyn_store::tables::Key;

use super::act::{Act, Directory};
use super::editor::Edited;
use super::filters;
use super::kept::{self, Kept, Shown};
use super::query::{self, Pager, ROWS, parsed};
use super::shell::{Shell, render};
use crate::error::ApiError;
use crate::extract::Params;
use crate::page::Version;
use crate::routes::versions::{Versioned, version};
use crate::state::{AppState, blocking};

/// Texts to begin with: the word in the address, what they are, the text.
const SAMPLES: [(&str, &str, &str); 2] = [
    ("", "a starting point for production", governance::PROD_EXAMPLE_POLICY),
    ("dev", "what a development environment begins with", governance::DEV_POLICY),
];

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/policies", get(list))
        .route("/ui/policies/_list", get(list))
        .route("/ui/policies/_check", post(check))
        .route("/ui/policies/edit", get(edit).post(look))
        .route("/ui/policies/why", get(why::show))
        .route("/ui/policies/{policy_id}", get(kept::one::<PolicyRow>))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListQuery {
    /// An intent whose decision is asked about.
    intent: String,
    cursor: String,
}

struct List {
    items: Vec<Kept>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "policies.html")]
struct Page {
    shell: Shell,
    list: List,
    asked: why::Asked,
    actions: Vec<&'static str>,
}

#[derive(Template)]
#[template(path = "policies.html", block = "list")]
struct Part {
    list: List,
}

async fn list(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    if let Some(intent) = parsed::<IntentId>("intent", &query.intent)? {
        return Ok(Redirect::to(&format!("/ui/policies/why?intent={intent}")).into_response());
    }
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let at = cursor.clone();
    let read = state.scan(move |reader| {
        reader.page::<PolicyRow>(&Key::new(), Order::Ascending, at.as_ref(), ROWS, Versioned::is_active)
    });
    let page = read.await?;
    let pager = Pager::of("/ui/policies", &[], cursor.as_ref(), &page);
    let list = List { items: page.items.into_iter().map(Shown::shown).collect(), pager };
    if shell.is_part {
        return render(&Part { list });
    }
    render(&Page { shell, list, asked: why::Asked::default(), actions: why::actions(&state) })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EditQuery {
    from: String,
    version: String,
    sample: String,
}

#[derive(Template)]
#[template(path = "policy-edit.html")]
struct Editor {
    shell: Shell,
    edited: Edited,
    /// Where the text comes from, for people.
    from: String,
    activate: Act,
}

impl Editor {
    fn samples(&self) -> &'static [(&'static str, &'static str, &'static str)] {
        &SAMPLES
    }
}

async fn edit(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<EditQuery>,
) -> Result<Response, ApiError> {
    let (source, from) = if query.from.is_empty() || query.from.contains('\0') {
        let sample = SAMPLES.iter().find(|(word, ..)| *word == query.sample);
        let (_, _, source) = sample.ok_or_else(|| ApiError::not_found("sample", &query.sample))?;
        ((*source).to_owned(), String::new())
    } else {
        let asked = parsed::<Version>("version", &query.version)?;
        let row = version::<PolicyRow>(&state, &query.from, asked)?;
        (row.source, format!("{} version {}", row.policy_id, row.version))
    };
    show(&state, &directory, shell, source, from).await
}

/// The editor again, with what somebody has written so far, checked and not kept.
async fn look(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    form: Bytes,
) -> Result<Response, ApiError> {
    show(&state, &directory, shell, query::field(&form, "source"), String::new()).await
}

async fn show(
    state: &AppState,
    directory: &Directory,
    shell: Shell,
    source: String,
    from: String,
) -> Result<Response, ApiError> {
    let checking = state.clone();
    let check = move || Ok(Edited::of(source, |source| <PolicyRow as Shown>::faults(&checking, source)));
    let edited = blocking(check).await?;
    let activate = directory.act("policies.activate", &[], "/ui/policies/{policy_id}");
    render(&Editor { shell, edited, from, activate })
}

/// What is wrong with what somebody has typed so far.
async fn check(State(state): State<AppState>, form: Bytes) -> Result<Response, ApiError> {
    let source = query::field(&form, "source");
    let check = move || Ok(Edited::of(source, |source| <PolicyRow as Shown>::faults(&state, source)));
    blocking(check).await?.found.part()
}
