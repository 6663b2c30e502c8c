//! The first run of a release: how it fared, as the node attests it.
//!
//! Owns what is told of a run. Refuses values of secrets: they are taken out of all that the app or its errors said.
//! Invariant: nobody's deployment fails or waits long because of what is told of it.

use std::collections::BTreeMap;
use std::env::consts::{ARCH, OS};
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use xyn_capsules::sign::{FirstRun, RUN_LOG_MAX_BYTES};
use xyn_store::projection::{Release, Target};
use xyn_store::{Digest, Timestamp};

use super::front::Serving;
use super::name::Place;
use super::needs::Given;
use super::process;
use super::release::{self, NotReady};
use crate::runtime::{Inner, Intent};
use crate::services::capsules::found;

/// How long who deploys waits until it is kept, after which it goes on by itself; and how long a stop does.
const KEPT_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a log that are looked at for where the run began.
const LOG_BYTES: usize = 64 << 10;
/// How the line begins that stands before what a process says.
const STARTED: &str = "[xyn] started ";
/// Where the system says which kernel it is.
const KERNEL: &str = "/proc/sys/kernel/osrelease";

/// What is told of the run of `release` at `place` that began at `began` and came to `ran`; nothing when it was no run.
pub(super) async fn report(
    inner: &Arc<Inner>,
    place: &Place,
    release: &Release,
    given: &Given,
    began: Timestamp,
    ran: &Result<Serving, NotReady>,
) -> Option<FirstRun> {
    let (is_well, found, exit) = match ran {
        Ok(_) => (true, format!("`{}` was answered well", release.health), None),
        Err(NotReady::Unwell { found, exit, .. }) => (false, found.clone(), exit.clone()),
        Err(NotReady::Refused(_)) => return None,
    };
    let finished_at = inner.clock.now().max(began);
    let (log, target) = (release::log(inner, place), place.target);
    let read = tokio::task::spawn_blocking(move || {
        let said = (target == Target::Process).then(|| process::tail(&log, LOG_BYTES));
        (said.and_then(Result::ok).unwrap_or_default(), environment())
    });
    let (said, environment) = read.await.ok()?;
    let scrub = &given.scrub;
    Some(FirstRun {
        stage: place.stage.as_str().to_owned(),
        target: place.target.to_string(),
        health: scrub.text(&release.health),
        is_well,
        found: scrub.text(&found),
        exit,
        log: last(&scrub.text(&said)),
        environment,
        started_at: began,
        finished_at,
    })
}

/// Keeps what is told of the first run of `capsule` at `place`.
pub(super) async fn keep(inner: &Arc<Inner>, intent: &Intent, place: &Place, capsule: Digest, run: FirstRun) {
    let beside = release::folder(inner, place);
    let (keeping, intent) = (inner.clone(), intent.clone());
    let (done, kept) = oneshot::channel();
    inner.reports.add(async move {
        if let Err(refusal) = found::first_run(&keeping, &intent, capsule, run, beside).await {
            tracing::warn!(%refusal, "how a first run fared is not kept");
        }
        // Nobody may be waiting any more.
        let _ = done.send(());
    });
    // What takes longer is kept all the same.
    let _ = timeout(KEPT_WITHIN, kept).await;
}

/// Reports that are being kept, so that a stop waits for them.
#[derive(Default)]
pub(crate) struct Reports(Mutex<JoinSet<()>>);

impl Reports {
    fn add(&self, keeping: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(done) = tasks.try_join_next() {
            heard(done);
        }
        tasks.spawn(keeping);
    }

    /// Waits until all are kept.
    pub(crate) async fn finish(&self) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async {
            while let Some(done) = tasks.join_next().await {
                heard(done);
            }
        };
        if timeout(KEPT_WITHIN, all).await.is_err() {
            tracing::warn!("how a first run fared is not kept: the node stops");
        }
    }
}

fn heard(done: Result<(), JoinError>) {
    if let Err(error) = done {
        tracing::error!(%error, "how a first run fared is not kept");
    }
}

/// What of a log the last process said, as much as is told of it.
fn last(log: &str) -> String {
    let from = log.rfind(STARTED).unwrap_or_default();
    let said = &log[from..];
    let mut cut = said.len().saturating_sub(RUN_LOG_MAX_BYTES);
    while !said.is_char_boundary(cut) {
        cut += 1;
    }
    said[cut..].to_owned()
}

/// The machine and this core.
fn environment() -> BTreeMap<String, String> {
    let kernel = fs::read_to_string(KERNEL).ok().map(|kernel| ("kernel", kernel.trim().to_owned()));
    let facts =
        [("core", env!("CARGO_PKG_VERSION").to_owned()), ("os", OS.to_owned()), ("arch", ARCH.to_owned())];
    facts.into_iter().chain(kernel).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_log_the_last_process_is_told_and_never_more_than_fits() {
        let log =
            "[xyn] started `a` as process 1 at port 2\nold\n[xyn] started `b` as process 3 at port 4\nnew\n";
        assert_eq!(last(log), "[xyn] started `b` as process 3 at port 4\nnew\n");
        let long = format!("{STARTED}{}", "ä".repeat(RUN_LOG_MAX_BYTES));
        let told = last(&long);
        assert!(told.len() <= RUN_LOG_MAX_BYTES && told.len() > RUN_LOG_MAX_BYTES - 4, "{}", told.len());
        assert!(told.chars().all(|c| c == 'ä'));
        assert_eq!(last(""), "");
    }
}
