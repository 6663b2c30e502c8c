//! Blueprints: those in force, drafts of others, and the editor.
//!
//! Invariant: what was promoted is never edited; from it another draft begins.

use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use xyn_actors::blueprint::sample;
use xyn_store::Order;
use xyn_store::ids::DraftId;
use xyn_store::projection::{BlueprintRow, Cursor, DraftRow, DraftStatus};
use xyn_store::tables::Key;

use super::act::{Act, Directory};
use super::editor::Edited;
use super::filters;
use super::kept::{self, Kept, Shown};
use super::query::{self, Pager, ROWS, parsed};
use super::shell::{Shell, render};
use super::words::State as Standing;
use crate::error::ApiError;
use crate::extract::Params;
use crate::page::Version;
use crate::routes::versions::{Versioned, version};
use crate::state::{AppState, blocking};

/// Texts to begin with: the word in the address, what they are, the text.
const SAMPLES: [(&str, &str, &str); 3] = [
    ("", "an example of everything", sample::TEMPLATE),
    ("hello", "a greeting", sample::HELLO),
    ("approval", "one that asks a person", sample::APPROVAL),
];

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/blueprints", get(list))
        .route("/ui/blueprints/_list", get(list))
        .route("/ui/blueprints/_check", post(check))
        .route("/ui/blueprints/edit", get(edit).post(look))
        .route("/ui/blueprints/{blueprint_id}", get(kept::one::<BlueprintRow>))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListQuery {
    /// `drafts`, or empty for what is in force.
    show: String,
    cursor: String,
}

struct List {
    /// What is in force; empty when drafts are shown.
    active: Vec<Kept>,
    drafts: Vec<DraftRow>,
    is_drafts: bool,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "blueprints.html")]
struct Page {
    shell: Shell,
    list: List,
}

#[derive(Template)]
#[template(path = "blueprints.html", block = "list")]
struct Part {
    list: List,
}

async fn list(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let (at, filters) = (cursor.clone(), [("show", query.show.as_str())]);
    let (path, is_drafts) = ("/ui/blueprints", query.show == "drafts");
    let list = if is_drafts {
        let read = state.scan(move |reader| {
            reader.page::<DraftRow>(&Key::new(), Order::Descending, at.as_ref(), ROWS, |_| true)
        });
        let page = read.await?;
        let pager = Pager::of(path, &filters, cursor.as_ref(), &page);
        List { active: Vec::new(), drafts: page.items, is_drafts, pager }
    } else {
        let read = state.scan(move |reader| {
            reader.page::<BlueprintRow>(
                &Key::new(),
                Order::Ascending,
                at.as_ref(),
                ROWS,
                Versioned::is_active,
            )
        });
        let page = read.await?;
        let pager = Pager::of(path, &filters, cursor.as_ref(), &page);
        let active = page.items.into_iter().map(Shown::shown).collect();
        List { active, drafts: Vec::new(), is_drafts, pager }
    };
    if shell.is_part { render(&Part { list }) } else { render(&Page { shell, list }) }
}

/// How far a draft has come.
fn standing(draft: &DraftRow) -> Standing {
    match draft.status {
        DraftStatus::Draft => Standing::new("draft", "idle"),
        DraftStatus::Validated => Standing::new("validated", "ok"),
        DraftStatus::Promoted => Standing::new("promoted", "ok"),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EditQuery {
    draft: String,
    from: String,
    version: String,
    sample: String,
}

#[derive(Template)]
#[template(path = "blueprint-edit.html")]
struct Editor {
    shell: Shell,
    name: String,
    notes: String,
    edited: Edited,
    draft: Option<DraftRow>,
    /// Where the text comes from, for people.
    from: String,
    save: Act,
    validate: Act,
    promote: Act,
}

impl Editor {
    fn samples(&self) -> &'static [(&'static str, &'static str, &'static str)] {
        &SAMPLES
    }

    /// The draft's state as a page shows it.
    fn standing(&self) -> Standing {
        self.draft.as_ref().map_or(Standing::new("not saved", "idle"), standing)
    }

    fn is_validated(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| draft.status == DraftStatus::Validated)
    }

    fn is_promoted(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| draft.status == DraftStatus::Promoted)
    }
}

/// What the editor begins with.
#[derive(Default)]
struct Begun {
    name: String,
    notes: String,
    source: String,
    draft: Option<DraftRow>,
    from: String,
}

impl Begun {
    /// What `draft` holds.
    fn of(draft: DraftRow) -> Self {
        let (name, notes) = (draft.name.clone(), draft.notes.clone().unwrap_or_default());
        Self { name, notes, source: draft.content.clone(), draft: Some(draft), from: String::new() }
    }
}

async fn edit(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<EditQuery>,
) -> Result<Response, ApiError> {
    let begun = if let Some(draft_id) = parsed::<DraftId>("draft", &query.draft)? {
        Begun::of(state.row(&DraftRow::key_of(draft_id), "draft", draft_id)?)
    } else if !query.from.is_empty() && !query.from.contains('\0') {
        let asked = parsed::<Version>("version", &query.version)?;
        let row = version::<BlueprintRow>(&state, &query.from, asked)?;
        let from = format!("{} version {}", row.blueprint_id, row.version);
        Begun { name: row.name, source: row.source, from, ..Begun::default() }
    } else {
        let sample = SAMPLES.iter().find(|(word, ..)| *word == query.sample);
        let (_, _, source) = sample.ok_or_else(|| ApiError::not_found("sample", &query.sample))?;
        Begun { name: "Example".to_owned(), source: (*source).to_owned(), ..Begun::default() }
    };
    show(&state, &directory, shell, begun).await
}

/// The editor again, with what somebody has written so far, checked and not kept.
async fn look(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    form: Bytes,
) -> Result<Response, ApiError> {
    let field = |name: &str| query::field(&form, name);
    let draft = match parsed::<DraftId>("draft_id", &field("draft_id"))? {
        Some(id) => Some(state.row::<DraftRow>(&DraftRow::key_of(id), "draft", id)?),
        None => None,
    };
    let source = field("definition");
    let has_text = form_urlencoded::parse(&form).any(|(name, _)| name == "definition");
    let begun = match draft {
        // The form that validates or promotes a draft holds no text; the draft does.
        Some(draft) if !has_text => Begun::of(draft),
        draft => Begun { name: field("name"), notes: field("notes"), source, draft, from: String::new() },
    };
    show(&state, &directory, shell, begun).await
}

async fn show(
    state: &AppState,
    directory: &Directory,
    shell: Shell,
    begun: Begun,
) -> Result<Response, ApiError> {
    let Begun { name, notes, source, draft, from } = begun;
    let checking = state.clone();
    let check = move || Ok(Edited::of(source, |source| <BlueprintRow as Shown>::faults(&checking, source)));
    let edited = blocking(check).await?;
    let here = "/ui/blueprints/edit?draft={draft_id}";
    let id = draft.as_ref().map(|draft| draft.draft_id.to_string()).unwrap_or_default();
    // What was promoted stays as it is: what is saved from it is another draft.
    let goes_on = draft.as_ref().is_some_and(|draft| draft.status != DraftStatus::Promoted);
    let fields = [("draft_type", "blueprint"), ("draft_id", id.as_str())];
    let save = directory.act("drafts.save", &fields[..1 + usize::from(goes_on)], here);
    let validate = directory.act("blueprints.validate", &fields[1..], here);
    let promote = directory.act("blueprints.promote", &fields[1..], "/ui/blueprints/{blueprint_id}");
    render(&Editor { shell, name, notes, edited, draft, from, save, validate, promote })
}

/// What is wrong with what somebody has typed so far.
async fn check(State(state): State<AppState>, form: Bytes) -> Result<Response, ApiError> {
    let source = query::field(&form, "definition");
    let check = move || Ok(Edited::of(source, |source| <BlueprintRow as Shown>::faults(&state, source)));
    blocking(check).await?.found.part()
}
