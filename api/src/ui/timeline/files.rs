//! The files of a workspace as they were at a moment: a folder at a time, and the text of a file.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use xyn_capsules::tree::{Directory, Entry, Mode, RelPath, Shelf, find};
use xyn_store::Digest;
use xyn_store::blobs::Blobs;
use xyn_store::ids::EntryId;
use xyn_store::timeline::Facet;

use super::super::filters;
use super::super::query::parsed;
use super::super::shell::{Shell, render};
use crate::error::ApiError;
use crate::extract::Params;
use crate::routes::timeline::missing;
use crate::state::{AppState, blocking};

/// Names of a folder, and bytes of a file, that the page shows.
const NAMES_MAX: usize = 300;
const TEXT_MAX_BYTES: u64 = 128 << 10;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/timeline/files", get(files))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Query {
    at: String,
    workspace: String,
    path: String,
}

#[derive(Template)]
#[template(path = "timeline_files.html")]
struct Page {
    shell: Shell,
    at: EntryId,
    query: Query,
    /// The folders on the way, each with its path.
    way: Vec<(String, String)>,
    shown: Shown,
}

enum Shown {
    Folder { items: Vec<Item>, count: usize },
    Text { text: String, size_bytes: u64 },
    Told { told: String, size_bytes: u64 },
}

struct Item {
    name: String,
    path: String,
    mode: Mode,
    size_bytes: u64,
}

async fn files(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let at: EntryId =
        parsed("at", &query.at)?.ok_or_else(|| ApiError::invalid("at", "which moment is not said"))?;
    let path: RelPath = if query.path.is_empty() {
        RelPath::root()
    } else {
        parsed("path", &query.path)?.unwrap_or_default()
    };
    let found = state.read(|reader| reader.state_at(at))?.ok_or_else(|| missing(at))?;
    let facet = Facet::Workspace((!query.workspace.is_empty()).then(|| query.workspace.clone()));
    let root = found.made.get(&facet).and_then(|entry| facet.digest(entry));
    let root = root.ok_or_else(|| ApiError::not_found("workspace at this moment", &query.workspace))?;
    let blobs = state.runtime().store().blobs().clone();
    let (place, name) = (path.clone(), query.path.clone());
    let shown = blocking(move || look(&blobs, &root, &place, &name)).await?;
    let mut way = Vec::new();
    let mut so_far = String::new();
    for name in path.names() {
        so_far = if so_far.is_empty() { name.to_owned() } else { format!("{so_far}/{name}") };
        way.push((name.to_owned(), so_far.clone()));
    }
    render(&Page { shell, at, query, way, shown })
}

fn look(blobs: &Blobs, root: &Digest, path: &RelPath, name: &str) -> Result<Shown, ApiError> {
    let told = |why: String, size_bytes| Ok(Shown::Told { told: why, size_bytes });
    let entry = match find(blobs, root, path) {
        Ok(Some(entry)) => entry,
        Ok(None) => return Err(ApiError::not_found("file at this moment", name)),
        Err(error) => return told(format!("It is not here: {error}."), 0),
    };
    if entry.is_directory() {
        return match Shelf::directory(blobs, &entry.digest) {
            Ok(directory) => Ok(folder(path, directory)),
            Err(error) => told(format!("It is not here: {error}."), 0),
        };
    }
    let Entry { digest, size_bytes, .. } = entry;
    if size_bytes > TEXT_MAX_BYTES {
        return told("It is too large to show here.".to_owned(), size_bytes);
    }
    match blobs.read(&digest) {
        Ok(bytes) if bytes.contains(&0) => told("It is no text.".to_owned(), size_bytes),
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Shown::Text { text, size_bytes }),
            Err(_) => told("It is no text.".to_owned(), size_bytes),
        },
        Err(error) => told(format!("It is not here: {error}."), size_bytes),
    }
}

/// The names in a folder, folders first.
fn folder(path: &RelPath, directory: Directory) -> Shown {
    let item = |(name, entry): (&xyn_capsules::tree::Name, &Entry)| Item {
        name: name.as_str().to_owned(),
        path: path.join(name).to_string(),
        mode: entry.mode,
        size_bytes: entry.size_bytes,
    };
    let count = directory.entries().len();
    let mut items: Vec<Item> = directory.entries().iter().map(item).collect();
    items.sort_by_key(|item| item.mode != Mode::Directory);
    items.truncate(NAMES_MAX);
    Shown::Folder { items, count }
}
