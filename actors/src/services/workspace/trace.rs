//! What each workspace looked like when it was last taken, kept beside the store so that only what changed is
//! read again.
//!
//! A hint: nothing is lost with it but time. Invariant: it is written after the tree it speaks of is kept.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use xyn_capsules::tree::Seen;
use xyn_store::{Digest, durable};

use crate::runtime::Inner;

const FOLDER: &str = "workspaces";

fn path(inner: &Inner, name: &str) -> PathBuf {
    inner.store.folder().join(FOLDER).join(format!("{}.seen", Digest::of(name.as_bytes())))
}

/// What was seen of the workspace `name`.
pub(super) fn read(inner: &Inner, name: &str) -> Seen {
    fs::read(path(inner, name)).map(|bytes| Seen::decode(&bytes)).unwrap_or_default()
}

/// Remembers what was seen.
pub(super) fn write(inner: &Inner, name: &str, seen: &Seen) {
    if let Err(error) = durable::put(&path(inner, name), &seen.encode()) {
        tracing::warn!(%error, workspace = name, "the next snapshot reads every file again");
    }
}

/// Forgets what was seen of a workspace that is none any more.
pub(super) async fn forget(inner: &Arc<Inner>, name: &str) {
    let path = path(inner, name);
    let removed = tokio::task::spawn_blocking(move || fs::remove_file(path)).await;
    if let Ok(Err(error)) = removed
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, workspace = name, "what was seen of a removed workspace stays");
    }
}
