//! Deploying a capsule that passed the gates: the making ready, the one append, the switch.

use std::sync::Arc;

use serde_json::json;
use xyn_capsules::sign::FirstRun;
use xyn_store::Digest;
use xyn_store::projection::{DeploymentRow, IntentRow, IntentStatus, Release};
use xyn_store::timeline::entry::Kind;

use super::build::{self, Made};
use super::front::{Front, Serving};
use super::gates::{Finding, Gate, Ledger};
use super::judge::{Depth, Judged, Wish};
use super::needs::{Attached, Given};
use super::passage::pass;
use super::seeds::Sowing;
use super::told::moment;
use super::{Event, What, first_run, fronts, note, release, tell};
use crate::actions::Action;
use crate::record::Record;
use crate::runtime::{Accept, Held, Inner, Intent, Outcome, Refusal};
use crate::services::timeline::{self, Acceptance};
use crate::services::{failure, outside};

/// What is asked for when nobody says what a healthy app answers.
const HEALTH: &str = "/";

/// A capsule that passed every gate but the last.
struct Job {
    judged: Judged,
    release: Release,
    port: Option<u16>,
    given: Given,
    services: Attached,
}

pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let unknown = || Refusal::NotFound { kind: "action", id: intent.action.clone() };
    let action = inner.registry.get(&intent.action).ok_or_else(unknown)?.clone();
    let wish = Wish::read(&intent.input)?;
    let (ledger, passed) = pass(inner, intent, &wish, Depth::Bytes, &accept.decision()).await?;
    let (turn, judged, given) =
        match passed.and_then(|(judged, given)| Ok((judged.turn(inner)?, judged, given))) {
            Ok(held) => held,
            Err(refusal) => {
                tell(inner, intent, ledger, &refusal).await;
                return Err(refusal);
            }
        };
    let services = judged.attached(&wish);
    let release = Release {
        capsule: judged.row.capsule,
        id: judged.row.id.clone(),
        name: judged.row.name.clone(),
        generation: judged.row.generation,
        tree: judged.row.tree,
        // Until something is built of it.
        served: judged.row.tree,
        health: wish.health.unwrap_or_else(|| HEALTH.to_owned()),
        at: accept.now,
        by: intent.identity.principal.clone(),
        entry_id: accept.derive("entry"),
    };
    let name = intent.intent_id.to_string();
    let _under_way = inner.progress.take(&name).ok_or(Refusal::InProgress { key: name })?;
    let begun = match outside::begin(inner, intent, accept, &action).await {
        Ok(row) => row,
        Err(answer) => return answer,
    };
    let what =
        What { capsule: judged.row.id.clone(), stage: judged.place.stage, target: Some(judged.place.target) };
    note(inner, intent, Event::Accepted { what, gates: ledger.clone().findings() }).await;
    let job = Job { judged, release, port: wish.port, given, services };
    switch(inner, intent, begun, &action, job, (turn, ledger)).await
}

/// Makes the capsule of `job` ready, records that it serves, and lets it.
async fn switch(
    inner: &Arc<Inner>,
    intent: &Intent,
    begun: IntentRow,
    action: &Action,
    mut job: Job,
    (turn, mut ledger): (Held, Ledger),
) -> Result<Outcome, Refusal> {
    let well = format!("`{}` was answered well", job.release.health);
    let mut run = None;
    let ready = match build::made(inner, intent, &job.judged).await {
        Ok(made) => {
            job.release.served = made.root;
            ready(inner, &job, made, &mut run).await.map(|ready| (ready, well))
        }
        Err(refusal) => Err(refusal),
    };
    let done = match ledger.pass(Gate::Switch, ready) {
        Ok(ready) => commit(inner, intent, begun.clone(), &job, ledger.clone().findings(), ready).await,
        Err(refusal) => Err(refusal),
    };
    let answer = match done {
        Ok(outcome) => Ok(outcome),
        Err(refusal) => {
            tell(inner, intent, ledger, &refusal).await;
            outside::end(inner, intent, begun, action, Err(failure(&refusal))).await
        }
    };
    // What is told of it takes the turn of the capsules, which may be somebody's for long.
    drop(turn);
    if let Some(run) = run {
        first_run::keep(inner, intent, &job.judged.place, job.release.capsule, run).await;
    }
    answer
}

/// A capsule that is ready to take over.
struct Ready {
    serving: Serving,
    /// Where it will be reached.
    port: u16,
    /// What listens there, if that is not open yet.
    front: Option<Front>,
    /// What of its data was laid out, now or before.
    seeds: Vec<(String, Digest)>,
    _made: Made,
}

/// Makes the capsule of `job` ready, which comes to what was `made`; of its run is told in `run`.
async fn ready(
    inner: &Arc<Inner>,
    job: &Job,
    made: Made,
    run: &mut Option<FirstRun>,
) -> Result<Ready, Refusal> {
    let Judged { row, manifest, place, before, .. } = &job.judged;
    let sowing = Sowing {
        blobs: inner.store.blobs().clone(),
        root: row.tree,
        manifest: manifest.clone(),
        ground: release::ground(inner, place),
        now: inner.clock.now(),
        again: false,
    };
    let seeds = sowing.apply(&job.given).await?;
    let began = inner.clock.now();
    let ran = release::ready(inner, place, &job.release, manifest.clone(), &job.given).await;
    *run = first_run::report(inner, place, &job.release, &job.given, began, &ran).await;
    let serving = ran.map_err(|why| why.refusal(&job.release))?;
    let open = inner.fronts.front(place).map(|front| front.port());
    let wanted = job.port.or(open).or(before.as_ref().map(|row| row.port));
    let (port, front) = match open {
        Some(open) if wanted == Some(open) => (open, None),
        _ => {
            let front = fronts::bind(wanted, serving.clone()).await?;
            (front.port(), Some(front))
        }
    };
    Ok(Ready { serving, port, front, seeds, _made: made })
}

/// Records that the capsule of `job` serves, and switches. A front that was not recorded is closed again.
async fn commit(
    inner: &Arc<Inner>,
    intent: &Intent,
    begun: IntentRow,
    job: &Job,
    gates: Vec<Finding>,
    ready: Ready,
) -> Result<Outcome, Refusal> {
    let (Judged { place, before, .. }, Ready { serving, port, front, seeds, _made }) = (&job.judged, ready);
    let open = inner.fronts.front(place);
    let row = row(job, port, seeds);
    let url = fronts::url(port);
    let verb = format!("deployed to {}", row.stage.as_str());
    let moment = moment(inner, &row, job.judged.row.visibility, (Kind::Deploy, &verb), Vec::new());
    let output = json!({
        "deployment": place.to_string(), "url": url, "capsule": row.current.capsule, "id": row.current.id,
        "generation": row.current.generation, "entry_id": moment.as_ref().map(|(id, _)| id), "gates": gates,
        "before": before.as_ref().map(|row| &row.current.id),
    });
    let ended = IntentRow { status: IntentStatus::Completed, ..begun };
    let event = Record::Deployment(Box::new(Event::Deployed { row: Box::new(row.clone()), gates }));
    let by = Acceptance::of_ended(ended, output.clone(), intent.attribution(), vec![event]);
    // INVARIANT: whoever commits at the other target of the stage is before or behind, so none slips past a newer one.
    let switching = inner.fronts.switching().await;
    let follows = inner.store.read().map_err(Refusal::from);
    let said = match follows.and_then(|reader| job.judged.still_follows(&reader)) {
        Ok(()) => timeline::say(inner, intent, moment.into_iter().collect(), by, output).await,
        Err(refusal) => Err(refusal),
    };
    drop(switching);
    let done = match (said, front) {
        (Ok(outcome), None) => {
            open.iter().for_each(|front| front.switch(serving.clone()));
            Ok(outcome)
        }
        (Ok(outcome), Some(front)) => {
            if let Some(old) = inner.fronts.keep(place.clone(), front) {
                // Whoever still knows the old port finds what serves now, as long as a request there is under way.
                old.switch(serving);
                old.close().await;
            }
            Ok(outcome)
        }
        (Err(refusal), front) => {
            if let Some(front) = front {
                front.close().await;
            }
            Err(refusal)
        }
    };
    if done.is_ok() {
        release::tidy(inner, row).await;
    }
    done
}

fn row(job: &Job, port: u16, seeds: Vec<(String, Digest)>) -> DeploymentRow {
    let Job { judged: Judged { row, place, before, .. }, release, .. } = job;
    let mark = (row.generation, row.capsule);
    // What serves already and is deployed again does not push out the one before it.
    let previous = before.as_ref().and_then(|before| match before.current.capsule == row.capsule {
        true => before.previous.clone(),
        false => Some(before.current.clone()),
    });
    DeploymentRow {
        app: place.app.clone(),
        stage: place.stage,
        target: place.target,
        port,
        current: release.clone(),
        previous,
        highest: before.as_ref().map_or(mark, |before| before.highest.max(mark)),
        seeds,
        services: job.services.clone(),
    }
}
