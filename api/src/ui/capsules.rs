//! Capsules: which there are, here and with members.
//!
//! Invariant: what is only offered is shown as not proved, and nothing of it is opened.

mod diff;
mod inside;
mod one;
mod said;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use xyn_actors::services::capsules::{self, CapsuleName, Found};
use xyn_store::projection::{Cursor, Origin, WorkspaceRow};
use xyn_store::tables::Key;
use xyn_store::timeline::Visibility;
use xyn_store::timeline::entry::Entry;
use xyn_store::{Digest, Order, Timestamp};

use super::act::{Act, Directory};
use super::query::{Pager, ROWS, parsed};
use super::shell::{Shell, render};
use super::words::{State as Standing, app_and_version};
use super::{act, filters};
use crate::error::ApiError;
use crate::extract::Params;
use crate::headers::Caller;
use crate::routes::capsules::import;
use crate::state::AppState;

/// Workspaces that may be chosen to be packed.
const WORKSPACES: usize = 50;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/capsules", get(list).post(upload))
        .route("/ui/capsules/_list", get(list))
        .route("/ui/capsules/diff", get(diff::show))
        .route("/ui/capsules/{capsule}", get(one::show))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListQuery {
    name: String,
    cursor: String,
}

struct List {
    items: Vec<Row>,
    pager: Pager,
}

/// A capsule of the environment, as a list shows it.
struct Row {
    capsule: Digest,
    app: String,
    version: String,
    generation: u64,
    scope: &'static str,
    size_bytes: u64,
    from: String,
    at: Timestamp,
    state: Standing,
}

#[derive(Template)]
#[template(path = "capsules.html")]
struct Page {
    shell: Shell,
    list: List,
    workspaces: Vec<String>,
    pack: Act,
    /// The upload for the shell.
    take: Act,
}

#[derive(Template)]
#[template(path = "capsules.html", block = "list")]
struct Part {
    list: List,
}

async fn list(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    if let Some(name) = parsed::<CapsuleName>("name", &query.name)? {
        return Ok(Redirect::to(&format!("/ui/capsules/{name}")).into_response());
    }
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let at = cursor.clone();
    let read = state.scan(move |reader| {
        let page = capsules::list(reader, at.as_ref(), ROWS)?;
        let workspaces =
            reader.page::<WorkspaceRow>(&Key::new(), Order::Ascending, None, WORKSPACES, |_| true)?;
        Ok((page, workspaces.items))
    });
    let (page, workspaces) = read.await?;
    let pager = Pager::of("/ui/capsules", &[], cursor.as_ref(), &page);
    let list = List { items: page.items.into_iter().filter_map(Row::of).collect(), pager };
    if shell.is_part {
        return render(&Part { list });
    }
    let workspaces = workspaces.into_iter().map(|row| row.name).collect();
    let pack = directory.act("capsule.pack", &[], "/ui/capsules/{capsule}");
    let take = directory.act("capsule.import", &[], "");
    render(&Page { shell, list, workspaces, pack, take })
}

/// Takes in the file that a form brings, the way the API does.
async fn upload(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let fields = import::form_of(&state, request).await?;
    let taken = import::take_in(&state, caller, fields).await?;
    let capsule = taken["capsule"].as_str().unwrap_or_default();
    let next = act::local(&format!("/ui/capsules/{capsule}"), "capsule.import");
    Ok(Redirect::to(&next).into_response())
}

impl Row {
    /// What was found; none of a moment that offers nothing.
    fn of(found: Found) -> Option<Self> {
        match found {
            Found::Here(row) => Some(Self {
                capsule: row.capsule,
                from: match row.origin {
                    Origin::Packed => format!("packed here by {}", row.kept_by),
                    Origin::Imported => format!("imported by {}", row.kept_by),
                    Origin::Pulled => format!("packed by {}", row.created_by),
                },
                app: row.app,
                version: row.version,
                generation: row.generation,
                scope: scope(row.visibility),
                size_bytes: row.size_bytes,
                at: row.kept_at,
                state: Standing::new("here, proved", "ok"),
            }),
            Found::Elsewhere(entry) => Self::offered(*entry),
        }
    }

    fn offered(entry: Entry) -> Option<Self> {
        let Entry { at, note, .. } = entry;
        let offer = note.refs.offer?;
        let (app, version) = app_and_version(&offer.id);
        Some(Self {
            capsule: offer.capsule,
            app,
            version,
            generation: offer.generation,
            scope: scope(offer.visibility),
            size_bytes: offer.size_bytes,
            from: format!("offered by {}", note.principal),
            at: at.at,
            state: Standing::new("with members", "idle"),
        })
    }
}

/// Who may see it, in a word.
pub(super) fn scope(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Private => "private",
        Visibility::Env => "env",
        Visibility::Lan => "lan",
        Visibility::Public => "public",
    }
}
