//! Waiting for the end of a run.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;
use xyn_store::ids::RunId;
use xyn_store::projection::RunRow;

/// Those who wait for the end of a run.
#[derive(Default)]
pub(crate) struct Ended(Mutex<HashMap<RunId, Vec<oneshot::Sender<RunRow>>>>);

impl Ended {
    /// Asks to be told of the end of `run`.
    pub(crate) fn subscribe(&self, run: RunId) -> oneshot::Receiver<RunRow> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiters = waiting.entry(run).or_default();
        // Those who gave up make room.
        waiters.retain(|waiter| !waiter.is_closed());
        waiters.push(sender);
        receiver
    }

    /// Tells those who wait for it that the run of `row` has ended.
    pub(crate) fn announce(&self, row: RunRow) {
        let waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&row.run_id);
        for waiter in waiters.into_iter().flatten() {
            // Who gave up is not told.
            let _ = waiter.send(row.clone());
        }
    }

    /// Forgets those who gave up waiting for `run`.
    pub(crate) fn tidy(&self, run: RunId) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiters) = waiting.get_mut(&run) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                waiting.remove(&run);
            }
        }
    }
}
