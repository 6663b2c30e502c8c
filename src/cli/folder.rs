//! What commands do to the folder of a stopped node by themselves: open it, count it, say what is wrong with it.
//!
//! Invariant: a folder that does not exist is never made, and one that a node has is left alone.

use std::path::Path;

use xyn_store::audit::log;
use xyn_store::{DATABASE_FILE, Options, Store, StoreError};

use crate::failure::{Exit, Failure, with_causes};
use crate::shell;

/// Makes sure that a node was started in the folder.
pub(super) fn exists(data: &Path) -> Result<(), Failure> {
    if data.join(DATABASE_FILE).exists() {
        return Ok(());
    }
    let message = format!("`{}` holds no node's data", data.display());
    Err(Failure::new(Exit::NotFound, "no_data", message)
        .hint("name the folder with --data DIR or XYN_DATA, or start a node with: xyn up"))
}

/// Opens the folder of a stopped node.
pub(super) fn open(data: &Path) -> Result<Store, Failure> {
    exists(data)?;
    Store::open(data, Options::default()).map_err(|error| failure(&error, data))
}

/// Entries in the journal.
pub(super) fn length(store: &Store) -> Result<u64, Failure> {
    let state = store.read().and_then(|reader| log::state(&reader));
    state.map(|(entries, _)| entries).map_err(|error| failure(&error, store.folder()))
}

/// What an error of the store means to whoever asked.
pub(super) fn failure(error: &StoreError, data: &Path) -> Failure {
    let message = with_causes(error);
    match error {
        StoreError::InUse { .. } => Failure::new(Exit::Conflict, "in_use", message)
            .hint("stop the node first; it lets go of the folder then"),
        _ => Failure::failed("store", message).hint(shell::doctor(data)),
    }
}

/// Does `work` on a thread of its own, so that a progress bar and Ctrl-C stay alive.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Failure::failed("interrupted", format!("the work came to an unexpected end: {error}"))
            .hint("see whether the folder is whole with: xyn doctor")
    })
}
