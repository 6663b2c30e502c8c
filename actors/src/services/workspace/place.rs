//! Where a workspace may be, and where one may be laid out.
//!
//! Invariant: no workspace holds the node's own data or another workspace, or lies in one of them.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use xyn_store::Reader;
use xyn_store::projection::WorkspaceRow;

use super::blocking;
use crate::runtime::{Inner, Refusal};

/// The folder at `text`, without links.
pub(super) async fn folder(inner: &Arc<Inner>, text: &str) -> Result<PathBuf, Refusal> {
    let (path, inner, shown) = (PathBuf::from(text), inner.clone(), shown(text));
    blocking(move || {
        let found = path.canonicalize().map_err(|error| unopened(&shown, &error))?;
        if !found.is_dir() {
            return Err(gone(&shown, "it is not a folder"));
        }
        apart_from_data(&inner, &found)?;
        Ok(found)
    })
    .await
}

/// Where a tree may be laid out: the path without links, of which the end need not be there.
pub(super) async fn target(inner: &Arc<Inner>, text: &str) -> Result<PathBuf, Refusal> {
    let (path, inner, shown) = (PathBuf::from(text), inner.clone(), shown(text));
    blocking(move || {
        let there = path.ancestors().find(|part| part.exists()).unwrap_or(Path::new("/"));
        let rest = path.strip_prefix(there).unwrap_or(Path::new("")).to_owned();
        if rest.components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(gone(&shown, "it goes up again behind a folder that is not there"));
        }
        let there = there.canonicalize().map_err(|error| unopened(&shown, &error))?;
        let found = if rest.as_os_str().is_empty() { there } else { there.join(rest) };
        apart_from_data(&inner, &found)?;
        Ok(found)
    })
    .await
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}

fn unopened(shown: &str, error: &std::io::Error) -> Refusal {
    match error.kind() {
        std::io::ErrorKind::NotFound => Refusal::NotFound { kind: "folder", id: shown.to_owned() },
        _ => gone(shown, &error.to_string()),
    }
}

fn gone(shown: &str, why: &str) -> Refusal {
    Refusal::Conflict {
        code: "folder_gone",
        message: format!("`{shown}` cannot be opened as a folder: {why}"),
    }
}

/// The text of a path that a row holds.
pub(super) fn text(path: &Path) -> Result<String, Refusal> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Refusal::invalid("invalid_input", "/dir", "the path is not UTF-8"))
}

fn apart_from_data(inner: &Inner, path: &Path) -> Result<(), Refusal> {
    let data = inner.store.folder();
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    match overlap(path, &data) {
        Some(overlap) => Err(nested(path, overlap, "the node's own data folder")),
        None => Ok(()),
    }
}

fn nested(path: &Path, overlap: Overlap, what: &str) -> Refusal {
    let verb = match overlap {
        Overlap::Same => "is",
        Overlap::Inside => "lies in",
        Overlap::Around => "holds",
    };
    Refusal::Conflict { code: "workspace_nested", message: format!("`{}` {verb} {what}", path.display()) }
}

/// Refuses a path in or around a workspace.
pub(super) fn apart_from_workspaces(reader: &Reader, path: &Path) -> Result<(), Refusal> {
    for row in reader.all::<WorkspaceRow>()? {
        if let Some(overlap) = overlap(path, Path::new(&row.dir)) {
            return Err(nested(path, overlap, &format!("the workspace `{}`", row.name)));
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overlap {
    Same,
    Inside,
    Around,
}

/// How `path` lies to `other`.
fn overlap(path: &Path, other: &Path) -> Option<Overlap> {
    match (path.starts_with(other), other.starts_with(path)) {
        (true, true) => Some(Overlap::Same),
        (true, false) => Some(Overlap::Inside),
        (false, true) => Some(Overlap::Around),
        (false, false) => None,
    }
}
