//! Rolling back: the capsule that served before serves again.
//!
//! It passed the gates when it was deployed, and its files are still here, so nothing is fetched, built or unpacked; a
//! key ring has a word on it again, for the key of who signed it may be revoked by now. Data stays as it is, unless
//! somebody asks for its seeds: then all of them are applied again, those as well that were applied before. Invariant: a
//! rollback goes to what served before and nowhere else; done again, it goes back.

use std::sync::Arc;

use serde_json::{Value, json};
use xyn_capsules::sign::{Envelope, NotVerified};
use xyn_store::projection::{CapsuleRow, DeploymentRow, IntentRow, IntentStatus, Release};
use xyn_store::scope::Stage;
use xyn_store::timeline::Visibility;
use xyn_store::timeline::entry::Kind;

use super::confirm::Restatement;
use super::front::Serving;
use super::name::{DeploymentName, Place};
use super::seeds::Sowing;
use super::told::moment;
use super::{Event, fronts, hold, needs, release};
use crate::governance::{Decision, Effect};
use crate::record::Record;
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal};
use crate::services::capsules::prove;
use crate::services::capsules::trust::Counting;
use crate::services::timeline::{self, Acceptance};
use crate::services::{blocking, failure, field, outside};

/// Asks for the word that production needs, unless a policy denies it anyway.
pub(super) async fn preflight(
    inner: &Arc<Inner>,
    intent: &Intent,
    decision: &Decision,
) -> Result<(), Refusal> {
    let (row, previous) = target(inner, intent)?;
    match decision.effect {
        Effect::Deny => Ok(()),
        Effect::Allow | Effect::RequireApproval => confirmed(inner, intent, &row, &previous).await,
    }
}

/// Whether seeds are to be applied again.
fn with_seeds(intent: &Intent) -> bool {
    intent.input.get("seeds").and_then(Value::as_bool) == Some(true)
}

/// What serves where the intent names, and what served before it.
fn target(inner: &Inner, intent: &Intent) -> Result<(DeploymentRow, Release), Refusal> {
    let name = DeploymentName::of(&intent.input)?;
    let row = name.find(&inner.store.read()?)?;
    let row = row.ok_or_else(|| Refusal::NotFound { kind: "deployment", id: name.to_string() })?;
    match row.previous.clone() {
        Some(previous) => Ok((row, previous)),
        None => {
            let message = format!("nothing served at `{name}` before `{}`", row.current.id);
            Err(Refusal::Conflict { code: "nothing_before", message })
        }
    }
}

async fn confirmed(
    inner: &Arc<Inner>,
    intent: &Intent,
    row: &DeploymentRow,
    previous: &Release,
) -> Result<(), Refusal> {
    if row.stage != Stage::Prod {
        return Ok(());
    }
    let seeds = match with_seeds(intent) {
        true => release::described(inner, previous).await?.seeds,
        false => Vec::new(),
    };
    let capsule: Option<CapsuleRow> = inner.store.read()?.get(&CapsuleRow::key_of(&previous.capsule))?;
    let is_told = capsule.as_ref().is_some_and(|row| row.visibility.is_told());
    let restatement = Restatement {
        verb: "roll back to",
        principal: intent.identity.principal.clone(),
        id: previous.id.clone(),
        name: previous.name.clone(),
        generation: previous.generation,
        capsule: previous.capsule,
        tree: previous.tree,
        packed_by: capsule.map_or_else(|| "somebody".to_owned(), |row| row.created_by),
        moment: is_told.then(|| ("main".to_owned(), previous.entry_id)),
        build: Vec::new(),
        env: inner.env.env_id.clone(),
        stage: row.stage,
        target: row.target,
        replaces: Some(row.current.id.clone()),
        replaces_since: Some(row.current.at),
        services: row.services.iter().cloned().collect(),
        seeds: seeds.iter().map(|seed| seed.name.to_string()).collect(),
    };
    let given = field(&intent.input, "confirm");
    restatement.confirmed((!given.is_empty()).then_some(given)).map(drop)
}

pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let unknown = || Refusal::NotFound { kind: "action", id: intent.action.clone() };
    let action = inner.registry.get(&intent.action).ok_or_else(unknown)?.clone();
    let place = Place::of(&target(inner, intent)?.0);
    let _turn = hold(inner, &place)?;
    // Whoever had the turn before may have changed what there is.
    let (row, previous) = target(inner, intent)?;
    confirmed(inner, intent, &row, &previous).await?;
    counts(inner, &previous).await?;
    let current = Release {
        at: accept.now,
        by: intent.identity.principal.clone(),
        entry_id: accept.derive("entry"),
        ..previous.clone()
    };
    let mut row = DeploymentRow { previous: Some(row.current.clone()), current, ..row };
    let name = intent.intent_id.to_string();
    let _under_way = inner.progress.take(&name).ok_or(Refusal::InProgress { key: name })?;
    let begun = match outside::begin(inner, intent, accept, &action).await {
        Ok(begun) => begun,
        Err(answer) => return answer,
    };
    let done = match ready(inner, &mut row, with_seeds(intent)).await {
        Ok(serving) => commit(inner, intent, begun.clone(), row, &previous, serving).await,
        Err(refusal) => Err(refusal),
    };
    match done {
        Err(refusal) => outside::end(inner, intent, begun, &action, Err(failure(&refusal))).await,
        done => done,
    }
}

/// Makes what `row` says ready, with its seeds applied again where that is asked for.
async fn ready(inner: &Arc<Inner>, row: &mut DeploymentRow, with_seeds: bool) -> Result<Serving, Refusal> {
    if !with_seeds {
        return release::again(inner, row, &row.current).await;
    }
    let (place, manifest) = (Place::of(row), release::described(inner, &row.current).await?);
    let (given, _) = needs::given(inner, &place, &manifest, &row.services).await?;
    let (blobs, root, ground) =
        (inner.store.blobs().clone(), row.current.tree, release::ground(inner, &place));
    let sowing = Sowing { blobs, root, manifest, ground, now: inner.clock.now(), again: true };
    row.seeds = sowing.apply(&given).await.map_err(|refusal| {
        more(
            refusal,
            "statements that are to run again must bear it; mend the data, or roll back without seeds",
        )
    })?;
    // What was applied cannot be taken back: others may have seen it.
    let ready = release::again(inner, row, &row.current).await;
    ready.map_err(|refusal| more(refusal, "its seeds were applied, and stay so"))
}

/// The same refusal, which says `also`.
fn more(refusal: Refusal, also: &str) -> Refusal {
    match refusal {
        Refusal::Conflict { code, message } => {
            Refusal::Conflict { code, message: format!("{message}; {also}") }
        }
        refusal => refusal,
    }
}

/// Checks `previous` by the key ring in force, if there is one.
async fn counts(inner: &Arc<Inner>, previous: &Release) -> Result<(), Refusal> {
    let (reading, previous) = (inner.clone(), previous.clone());
    blocking(move || {
        let now = reading.clock.now();
        let Some(counting) = Counting::in_force(&reading, now)? else { return Ok(()) };
        let row = reading.store.read()?.get::<CapsuleRow>(&CapsuleRow::key_of(&previous.capsule))?;
        let row =
            row.ok_or_else(|| Refusal::NotFound { kind: "capsule", id: previous.capsule.to_string() })?;
        let cover = prove::Place::Blob(reading.store.blobs(), &row.file).cover()?;
        let envelope = Envelope::read(cover.manifest()).map_err(NotVerified::from);
        let again = envelope.and_then(|it| counting.ring.manifest_again(&it, previous.at, now));
        again.map(drop).map_err(|error| counting.refused(error))
    })
    .await
}

/// Records that what served before serves again, and switches.
async fn commit(
    inner: &Arc<Inner>,
    intent: &Intent,
    begun: IntentRow,
    row: DeploymentRow,
    previous: &Release,
    serving: Serving,
) -> Result<Outcome, Refusal> {
    let (place, is_seeded) = (Place::of(&row), with_seeds(intent));
    let verb = match is_seeded {
        true => format!("back in {}, with its seeds", row.stage.as_str()),
        false => format!("back in {}", row.stage.as_str()),
    };
    let capsule: Option<CapsuleRow> = inner.store.read()?.get(&CapsuleRow::key_of(&previous.capsule))?;
    let visibility = capsule.map_or(Visibility::Private, |capsule| capsule.visibility);
    let moment = moment(inner, &row, visibility, (Kind::Rollback, &verb), vec![previous.entry_id]);
    let output = json!({
        "deployment": place.to_string(), "url": fronts::url(row.port), "capsule": row.current.capsule,
        "id": row.current.id, "generation": row.current.generation, "entry_id": moment.as_ref().map(|(id, _)| id),
        "before": row.previous.as_ref().map(|previous| &previous.id), "seeds_again": is_seeded,
    });
    let ended = IntentRow { status: IntentStatus::Completed, ..begun };
    let row = Box::new(row);
    let event = match is_seeded {
        true => Event::RolledBackWithSeeds { row },
        false => Event::RolledBack { row },
    };
    let event = Record::Deployment(Box::new(event));
    let by = Acceptance::of_ended(ended, output.clone(), intent.attribution(), vec![event]);
    let outcome = timeline::say(inner, intent, moment.into_iter().collect(), by, output).await?;
    // Where the port could not be opened so far, the next look at the rows opens it with what serves now.
    if let Some(front) = inner.fronts.front(&place) {
        front.switch(serving);
    }
    Ok(outcome)
}
