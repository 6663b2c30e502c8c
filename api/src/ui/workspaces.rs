//! Workspaces: folders of this machine, what was kept of them, and what differs from that now.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use xyn_actors::services::workspace::Comparison;
use xyn_store::projection::{Cursor, WorkspaceRow};
use xyn_store::tables::Key;
use xyn_store::timeline::EntryFilter;
use xyn_store::timeline::entry::{Entry, Kind};
use xyn_store::{Order, Reader, StoreError};

use super::act::{Act, Directory};
use super::change::{self, Files};
use super::filters;
use super::query::{Pager, ROWS, parsed};
use super::shell::{Shell, render};
use crate::error::ApiError;
use crate::extract::{NamePath, Params};
use crate::routes::workspaces::row;
use crate::state::AppState;

/// Moments of a workspace that its page names, and the pages of all moments among which they are looked for.
const MOMENTS: usize = 20;
const PAGE: usize = 200;
const PAGES: usize = 8;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/workspaces", get(list))
        .route("/ui/workspaces/_list", get(list))
        .route("/ui/workspaces/{name}", get(one))
        .route("/ui/workspaces/{name}/_differs", get(differs))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListQuery {
    cursor: String,
}

struct List {
    items: Vec<WorkspaceRow>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "workspaces.html")]
struct Page {
    shell: Shell,
    list: List,
    add: Act,
}

#[derive(Template)]
#[template(path = "workspaces.html", block = "list")]
struct Part {
    list: List,
}

async fn list(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let at = cursor.clone();
    let page = state.scan(move |reader| {
        reader.page::<WorkspaceRow>(&Key::new(), Order::Ascending, at.as_ref(), ROWS, |_| true)
    });
    let page = page.await?;
    let pager = Pager::of("/ui/workspaces", &[], cursor.as_ref(), &page);
    let list = List { items: page.items, pager };
    if shell.is_part {
        return render(&Part { list });
    }
    let add = directory.act("workspace.add", &[], "/ui/workspaces/{name}");
    render(&Page { shell, list, add })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OneQuery {
    /// Whether the folder is compared at once: without a script nobody asks for that later.
    look: bool,
}

/// What differs between a folder and what was kept of it last.
struct Differs {
    name: String,
    /// None while nobody looked.
    files: Option<Files>,
}

#[derive(Template)]
#[template(path = "workspace.html")]
struct OnePage {
    shell: Shell,
    row: WorkspaceRow,
    differs: Differs,
    moments: Vec<Entry>,
    snapshot: Act,
    restore: Act,
    remove: Act,
}

#[derive(Template)]
#[template(path = "workspace.html", block = "differs")]
struct DiffersPart {
    differs: Differs,
}

async fn one(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    NamePath(name): NamePath,
    Params(query): Params<OneQuery>,
) -> Result<Response, ApiError> {
    let row = row(&state, &name)?;
    let files = if query.look { Some(look(&state, &name).await?) } else { None };
    let wanted = name.clone();
    let moments = state.scan(move |reader| moments_of(reader, &wanted)).await?;
    let here = format!("/ui/workspaces/{name}");
    let act = |action, next: &str| directory.act(action, &[("name", name.as_str())], next);
    let snapshot = act("workspace.snapshot", "/ui/timeline?at={entry_id}");
    let restore = act("workspace.restore", &here);
    let remove = act("workspace.remove", "/ui/workspaces");
    let differs = Differs { name: name.clone(), files };
    render(&OnePage { shell, row, differs, moments, snapshot, restore, remove })
}

async fn differs(State(state): State<AppState>, NamePath(name): NamePath) -> Result<Response, ApiError> {
    row(&state, &name)?;
    let files = Some(look(&state, &name).await?);
    render(&DiffersPart { differs: Differs { name, files } })
}

async fn look(state: &AppState, name: &str) -> Result<Files, ApiError> {
    let compared = state.runtime().compare_workspace(name, Comparison::default()).await?;
    Ok(change::of_folder(compared.differences))
}

/// The newest moments that changed the workspace, among the newest of all.
fn moments_of(reader: &Reader, name: &str) -> Result<Vec<Entry>, StoreError> {
    let is_of = |entry: &Entry| {
        matches!(entry.note.kind, Kind::Edit | Kind::Merge | Kind::Rollback)
            && entry.note.refs.workspace.as_deref() == Some(name)
    };
    let (mut found, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES {
        let page = reader.entries(&EntryFilter::default(), Order::Descending, cursor.as_ref(), PAGE)?;
        found.extend(page.items.into_iter().filter(is_of));
        cursor = page.next;
        if found.len() >= MOMENTS || cursor.is_none() {
            break;
        }
    }
    found.truncate(MOMENTS);
    Ok(found)
}
