//! Artifacts: what runs and people have kept, as far as a page can show it, and the way in.

mod preview;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use xyn_store::Order;
use xyn_store::ids::{ArtifactId, RunId};
use xyn_store::projection::{ArtifactRow, Cursor};

use super::act::{Act, Directory};
use super::query::{Pager, ROWS, parsed};
use super::shell::{Shell, render};
use super::words::Excerpt;
use super::{act, filters};
use crate::error::ApiError;
use crate::extract::{Params, PathId};
use crate::headers::Caller;
use crate::routes::{artifact_form, artifact_row, keep_artifact};
use crate::state::AppState;

pub(super) use preview::{Part, Preview, preview};

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/artifacts", get(list).post(upload))
        .route("/ui/artifacts/_list", get(list))
        .route("/ui/artifacts/{artifact_id}", get(one))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListQuery {
    run_id: String,
    cursor: String,
}

struct List {
    items: Vec<ArtifactRow>,
    pager: Pager,
    is_filtered: bool,
}

#[derive(Template)]
#[template(path = "artifacts.html")]
struct Page {
    shell: Shell,
    query: ListQuery,
    list: List,
    /// The same upload for the shell.
    put: Act,
}

#[derive(Template)]
#[template(path = "artifacts.html", block = "list")]
struct ListPart {
    list: List,
}

async fn list(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let run_id = parsed::<RunId>("run_id", &query.run_id)?;
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let at = cursor.clone();
    let page =
        state.scan(move |reader| reader.artifacts(run_id, Order::Descending, at.as_ref(), ROWS)).await?;
    let filters = [("run_id", query.run_id.as_str())];
    let pager = Pager::of("/ui/artifacts", &filters, cursor.as_ref(), &page);
    let list = List { items: page.items, pager, is_filtered: run_id.is_some() };
    if shell.is_part {
        return render(&ListPart { list });
    }
    let put = directory.act("artifacts.put", &[], "");
    render(&Page { shell, query, list, put })
}

/// Keeps what a form brings, the way the API does.
async fn upload(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let fields = artifact_form(&state, request).await?;
    let artifact_id = keep_artifact(&state, caller, fields).await?;
    let next = act::local(&format!("/ui/artifacts/{artifact_id}"), "artifacts.put");
    Ok(Redirect::to(&next).into_response())
}

#[derive(Template)]
#[template(path = "artifact.html")]
struct OnePage {
    shell: Shell,
    artifact: ArtifactRow,
    metadata: Option<Excerpt>,
    preview: Preview,
}

async fn one(
    State(state): State<AppState>,
    shell: Shell,
    PathId(artifact_id): PathId<ArtifactId>,
) -> Result<Response, ApiError> {
    let artifact = artifact_row(&state, artifact_id)?;
    let preview = preview(&state, &artifact, Part::Beginning).await?;
    let has_metadata = !matches!(artifact.metadata.as_str(), "{}" | "null");
    let metadata = has_metadata.then(|| Excerpt::of_json(&artifact.metadata));
    render(&OnePage { shell, artifact, metadata, preview })
}
