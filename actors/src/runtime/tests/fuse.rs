//! A node that dies at a commit of the test's choice.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use xyn_store::StoreError;
use xyn_store::journal::AppendError;

/// Burns at a commit: from then on none is made. Never burns by default.
#[derive(Clone, Debug)]
pub(crate) struct Fuse {
    /// Commits that are still made.
    left: Arc<AtomicI64>,
    /// Whether the last one is made and its answer lost.
    is_late: bool,
}

impl Default for Fuse {
    fn default() -> Self {
        Self { left: Arc::new(AtomicI64::new(i64::MAX)), is_late: false }
    }
}

impl Fuse {
    /// Burns instead of commit `number`, from 0; or, where it `is_late`, right behind it and before its answer.
    pub(super) fn at(number: i64, is_late: bool) -> Self {
        Self { left: Arc::new(AtomicI64::new(number)), is_late }
    }

    /// Burns at the next commit.
    pub(super) fn light(&self) {
        self.left.store(0, Ordering::SeqCst);
    }

    /// Whether it has burnt.
    pub(super) fn has_burnt(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    /// Makes a commit, unless the node is dead.
    pub(crate) async fn guard<T>(
        &self,
        commit: impl Future<Output = Result<T, AppendError>>,
    ) -> Result<T, AppendError> {
        let dead = || {
            let error = StoreError::Unavailable("the node is dead".into());
            Err(AppendError::Unavailable(Arc::new(error)))
        };
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            0 if self.is_late => {
                commit.await?;
                dead()
            }
            ..=0 => dead(),
            _ => commit.await,
        }
    }
}
