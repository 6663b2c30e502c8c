//! Recovery: what was under way at the last stop goes on, and what was in line stands in line again.
//!
//! No place of a blueprint is given away before everybody who was there is known, so that a stop changes neither who
//! holds one nor the order of those who wait.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use xyn_store::ids::RunId;
use xyn_store::projection::{RunFilter, RunRow, RunStatus};
use xyn_store::{Reader, StoreError};

use super::{Inner, Ticket};

/// Runs looked at in one go.
const BATCH: usize = 256;
/// Runs told at once.
const PARALLEL: usize = 256;
/// How long recovery rests when the store does not answer.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Takes up everything that the last stop left open.
pub(super) async fn recover(inner: Arc<Inner>) {
    let begun = loop {
        let survey = tokio::task::spawn_blocking({
            let inner = inner.clone();
            move || survey(&inner)
        });
        match survey.await {
            Ok(Ok(begun)) => break begun,
            Ok(Err(error)) => tracing::error!(%error, "runs cannot be recovered yet"),
            Err(error) => tracing::error!(%error, "runs cannot be recovered yet"),
        }
        tokio::time::sleep(RETRY_DELAY).await;
    };
    inner.supervisor().restore(|places| places.open());
    futures::stream::iter(begun).for_each_concurrent(PARALLEL, |run| inner.recover(run)).await;
}

/// Notes who holds a place and who is in line; answers who was at work. Doing it twice does no harm.
fn survey(inner: &Inner) -> Result<Vec<RunId>, StoreError> {
    let reader = inner.store.read()?;
    each_run(&reader, RunStatus::Running, |row| {
        if limit_of(inner, row)?.is_some() {
            inner.supervisor().restore(|places| places.hold(&row.blueprint_ref, row.run_id));
        }
        Ok(())
    })?;
    each_run(&reader, RunStatus::Created, |row| {
        let ticket = Ticket {
            blueprint: &row.blueprint_ref,
            limit: limit_of(inner, row)?,
            priority: row.priority,
            created_at: row.created_at,
            run: row.run_id,
        };
        inner.supervisor().restore(|places| places.line_up(&ticket));
        Ok(())
    })?;
    let (mut begun, mut after) = (Vec::new(), None);
    loop {
        let runs = reader.active_runs(after, BATCH)?;
        let Some(&last) = runs.last() else { return Ok(begun) };
        after = Some(last);
        for run in runs {
            let row = reader.get::<RunRow>(&RunRow::key_of(run))?;
            begun.extend(row.filter(|row| row.status == RunStatus::Running).map(|row| row.run_id));
        }
    }
}

fn each_run(
    reader: &Reader,
    status: RunStatus,
    mut visit: impl FnMut(&RunRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let filter = RunFilter { status: Some(status), ..RunFilter::default() };
    let mut cursor = None;
    loop {
        let page = reader.runs(&filter, cursor.as_ref(), BATCH)?;
        page.items.iter().try_for_each(&mut visit)?;
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// What the version that the run executes says about runs at once. A run whose plan is lost cannot go on anyway.
fn limit_of(inner: &Inner, row: &RunRow) -> Result<Option<u32>, StoreError> {
    match inner.plan(&row.blueprint_digest) {
        Ok(plan) => Ok(plan.limits.concurrency),
        Err(StoreError::Inconsistent(reason)) => {
            tracing::error!(run = %row.run_id, reason, "the run's plan is lost");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
