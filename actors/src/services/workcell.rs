//! The workcells of a node: where what somebody else wrote is built.
//!
//! Owns how many there are at a time, and what is said where nothing comes of a build. Invariant: what is built runs on
//! no thread that serves requests, within the bounds of a workcell, and ends when the node stops.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use xyn_capsules::rebuild::{NotBuilt, NotRecorded};
use xyn_capsules::tree::{RelPath, TreeError};
use xyn_capsules::workcell::{Bounds, Workcell, WorkcellError};
use xyn_store::Digest;

use super::blocking;
use super::capsules::refusal;
use crate::runtime::{Inner, Refusal};

/// Workcells of a node at a time.
const CELLS_MAX: usize = 3;
/// How long a free one is waited for.
const FREE_WITHIN: Duration = Duration::from_secs(60);
/// Files that a refusal names.
const TOLD: usize = 20;

/// The words for what stops a build.
const WORDS: [&str; 3] = ["no_sandbox", "not_built", "build_differs"];

/// The workcells of a node.
pub(crate) struct Workcells {
    free: Arc<Semaphore>,
    stop: Arc<AtomicBool>,
}

impl Default for Workcells {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(CELLS_MAX)), stop: Arc::default() }
    }
}

impl Workcells {
    /// Ends what runs in any of them.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The refusal that `word` is of, when it is one of these.
pub(crate) fn of_word(word: &str, message: &str) -> Option<Refusal> {
    Refusal::conflict_of(&WORDS, word, message)
}

/// Does `work` in a workcell, as soon as one is free.
pub(crate) async fn within<T: Send + 'static>(
    inner: &Arc<Inner>,
    work: impl FnOnce(&Workcell) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let busy = || {
        let message = format!("{CELLS_MAX} builds are under way, as many as a node has at a time");
        Refusal::Overloaded { message }
    };
    let free = tokio::time::timeout(FREE_WITHIN, inner.workcells.free.clone().acquire_owned()).await;
    let place = free.map_err(|_| busy())?.map_err(|_| busy())?;
    let (door, stop) = (inner.env.door.clone(), inner.workcells.stop.clone());
    blocking(move || {
        // It is free again when the work is done, and not when nobody waits for it any more.
        let _place = place;
        let cell = Workcell::new(door.map_err(no_door)?, Bounds::default());
        work(&cell.map_err(|error| no_cell(&error))?.until(stop))
    })
    .await
}

fn no_door(why: String) -> Refusal {
    let message = format!("it needs a sandbox, and this node does not get into one: {why}; start it anew");
    Refusal::Conflict { code: "no_sandbox", message }
}

/// Why there is no workcell, or none any more.
pub(crate) fn no_cell(error: &WorkcellError) -> Refusal {
    match error {
        WorkcellError::NoWalls(why) => Refusal::Conflict {
            code: "no_sandbox",
            message: format!(
                "it has to be built or checked, and the machine of this node cannot put up a sandbox: {why}. Install bubblewrap \
                 0.8 or newer there, and allow user namespaces and landlock"
            ),
        },
        WorkcellError::Stopped => Refusal::Unavailable(error.to_string()),
        error => Refusal::Unavailable(refusal::with_causes(error)),
    }
}

/// Why nothing came of a build.
pub(crate) fn not_built(error: NotBuilt) -> Refusal {
    let message = refusal::with_causes(&error);
    match error {
        NotBuilt::Files(error) => refusal::file(error),
        NotBuilt::Output { source: TreeError::Blob(error), .. } => refusal::blob(error),
        NotBuilt::Workcell(error) => no_cell(&error),
        NotBuilt::Stopped { source: WorkcellError::Stopped, .. } => Refusal::Unavailable(message),
        _ => Refusal::Conflict { code: "not_built", message },
    }
}

/// Why what came of a build was not noted.
pub(crate) fn not_recorded(error: NotRecorded) -> Refusal {
    let message = error.to_string();
    match error {
        NotRecorded::NotBuilt(error) => not_built(error),
        NotRecorded::Build { .. } | NotRecorded::Output { .. } | NotRecorded::Files(_) => {
            Refusal::Conflict { code: "build_differs", message }
        }
    }
}

/// That a build came to `found`, where the manifest says `expected`; `different` are files of it.
pub(crate) fn differs(what: &str, found: &Digest, expected: &Digest, different: &[RelPath]) -> Refusal {
    let mut message = format!("{what} {found}, and its manifest says {expected} (`/expected/buildDigest`)");
    for path in different.iter().take(TOLD) {
        // Writing into a text does not fail.
        let _ = write!(message, "\n  `{path}` is not as it was packed");
    }
    if different.len() > TOLD {
        let _ = write!(message, "\n  and {} more", different.len() - TOLD);
    }
    Refusal::Conflict { code: "build_differs", message }
}
