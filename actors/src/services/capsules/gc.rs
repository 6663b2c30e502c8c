//! Letting go of old capsules: those that nothing needs any more, but for the newest of each app.
//!
//! Owns which are needed: what serves or served before, what people keep in sight on the timeline, what an intent that
//! is under way or waits names. Frees no bytes: the sweep does, when its grace is over. Invariant: while it is decided
//! nobody deploys the app, and rows, their files and what members may have of them go in one append.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::blobs::{FETCHED, TIMELINE};
use xyn_store::projection::{CapsuleRow, DeploymentRow, IntentRow, Subject};
use xyn_store::timeline::entry::Refs;
use xyn_store::{Digest, Reader, StoreError};

use super::name::CapsuleName;
use super::{Event, catalogue};
use crate::record::Record;
use crate::runtime::{Accept, Held, Inner, Intent, Outcome, Recording, Refusal};
use crate::services::{blocking, deploy};

/// Capsules of an app that stay when nobody says how many: the newest.
pub(crate) const KEEP: u64 = 5;
/// Capsules that one intent lets go of; of more, the next one does.
const REMOVED_MAX: usize = 500;
/// Capsules that are named as needed.
const NEEDED_MAX: usize = 500;
/// Rows that are read at once.
const PAGE: usize = 200;
/// Moments that are read to find where the files of a capsule were offered.
const OFFERS: usize = 1_000;

/// What is to be done.
#[derive(Default)]
struct Plan {
    removed: Vec<CapsuleRow>,
    /// What would have gone by its age, and why it stays.
    needed: Vec<(CapsuleRow, &'static str)>,
    /// Files that members had from here.
    files: BTreeSet<Digest>,
    /// Whether there is more to do than one intent does.
    goes_on: bool,
    /// Keeps others from deploying the apps whose capsules go.
    turns: Vec<Held>,
}

/// What needs a capsule, by its digest or that of its content.
type Needs = BTreeMap<Digest, &'static str>;

pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let _turn = inner.capsules.take().await;
    let (reading, input) = (inner.clone(), intent.input.clone());
    let plan = blocking(move || plan(&reading, &input)).await?;
    let is_dry = intent.input["dry_run"] == true;
    let output = output(&plan, is_dry);
    let accepted = accept.done(Subject::Intent(intent.intent_id)).answering(output.clone());
    let (mut recording, mut records) = (Recording::default(), Vec::new());
    if !is_dry {
        for file in &plan.files {
            [TIMELINE, FETCHED].into_iter().for_each(|holder| recording.changes().unpin(holder, file));
        }
        let removed = plan.removed.iter().cloned().map(|row| Event::Removed { row: Box::new(row) });
        records.extend(removed.map(|event| Record::Capsule(Box::new(event))));
    }
    recording.carry_out(accepted, inner.clock.now(), &intent.attribution(), records);
    match recording.commit(inner).await {
        Ok(_) => Ok(Outcome::new(intent.intent_id, Subject::Intent(intent.intent_id), output)),
        Err(error) => inner.answer_append(error, intent),
    }
}

/// What `input` asks for, as things are.
fn plan(inner: &Inner, input: &Value) -> Result<Plan, Refusal> {
    let keep =
        usize::try_from(input.get("keep").and_then(Value::as_u64).unwrap_or(KEEP)).unwrap_or(usize::MAX);
    let old = old(&inner.store.read()?, input.get("app").and_then(Value::as_str), keep)?;
    let mut plan = Plan::default();
    // From here on nothing of these apps comes to be deployed, so what is read now stays so.
    let mut busy = BTreeSet::new();
    for app in old.iter().map(|row| row.app.clone()).collect::<BTreeSet<_>>() {
        match deploy::hold_app(inner, &app) {
            Some(turns) => plan.turns.extend(turns),
            None => drop(busy.insert(app)),
        }
    }
    let reader = inner.store.read()?;
    let needs = needs(inner, &reader)?;
    for row in old {
        let need = needs.get(&row.capsule).or_else(|| needs.get(&row.tree)).copied();
        match need.or(busy.contains(&row.app).then_some("its app is being deployed")) {
            Some(need) if plan.needed.len() < NEEDED_MAX => plan.needed.push((row, need)),
            Some(_) => {}
            None if plan.removed.len() < REMOVED_MAX => plan.removed.push(row),
            None => {
                plan.goes_on = true;
                break;
            }
        }
    }
    plan.files = files(&reader, &plan.removed)?;
    Ok(plan)
}

/// The capsules of `app`, or of every app, behind the newest `keep` of it.
fn old(reader: &Reader, app: Option<&str>, keep: usize) -> Result<Vec<CapsuleRow>, StoreError> {
    let (mut old, mut newer, mut cursor) = (Vec::new(), BTreeMap::<String, usize>::new(), None);
    loop {
        let page = reader.capsules(app, cursor.as_ref(), PAGE)?;
        for row in page.items {
            let newer = newer.entry(row.app.clone()).or_default();
            *newer += 1;
            if *newer > keep {
                old.push(row);
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(old),
        }
    }
}

/// What needs which capsules.
fn needs(inner: &Inner, reader: &Reader) -> Result<Needs, StoreError> {
    let mut needs = Needs::new();
    for row in reader.all::<DeploymentRow>()? {
        needs.insert(row.current.capsule, "it serves");
        needs.extend(row.previous.map(|previous| (previous.capsule, "it served before what serves now")));
    }
    marked(reader, &mut needs)?;
    asked(inner, reader, &mut needs)?;
    Ok(needs)
}

/// Capsules of moments that people pinned or gave a name.
fn marked(reader: &Reader, needs: &mut Needs) -> Result<(), StoreError> {
    for entry_id in reader.marked()? {
        let Some(refs) = reader.entry(entry_id)?.map(|entry| entry.note.refs) else { continue };
        // Of a moment that offers one it is that one, of any other whatever has the content.
        let digest = refs.offer.map(|offer| offer.capsule).or(refs.capsule);
        needs.extend(digest.map(|digest| (digest, "a moment of it is pinned or has a name")));
    }
    Ok(())
}

/// Capsules that are named by an intent that is under way or waits for approvals.
fn asked(inner: &Inner, reader: &Reader, needs: &mut Needs) -> Result<(), StoreError> {
    let mut cursor = None;
    loop {
        let page = reader.parked_intents(cursor.as_ref(), PAGE)?;
        page.items.iter().try_for_each(|row| named(inner, reader, row, needs))?;
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let mut after = None;
    loop {
        let ids = reader.unsettled_intents(after, PAGE)?;
        for id in &ids {
            if let Some(row) = reader.get::<IntentRow>(&IntentRow::key_of(*id))? {
                named(inner, reader, &row, needs)?;
            }
        }
        match ids.last() {
            Some(last) => after = Some(*last),
            None => return Ok(()),
        }
    }
}

fn named(inner: &Inner, reader: &Reader, row: &IntentRow, needs: &mut Needs) -> Result<(), StoreError> {
    let Some(input) = row.input.as_ref().filter(|_| row.action.starts_with("capsule.")) else {
        return Ok(());
    };
    let input: Value = inner.store.payload(input)?.to_value();
    let name = input.get("capsule").and_then(Value::as_str).and_then(|name| name.parse::<CapsuleName>().ok());
    if let Some(name) = name
        && let Some(row) = catalogue::here(reader, &name)?
    {
        needs.insert(row.capsule, "an intent names it that is not done");
    }
    Ok(())
}

/// The files in which `removed` were kept or offered and that nothing else on the timeline names.
fn files(reader: &Reader, removed: &[CapsuleRow]) -> Result<BTreeSet<Digest>, StoreError> {
    let capsules: BTreeSet<Digest> = removed.iter().map(|row| row.capsule).collect();
    let mut files = BTreeSet::new();
    for row in removed {
        files.extend([row.file].into_iter().chain(row.delta.map(|delta| delta.file)));
        let offers = reader.offers_of(&row.capsule, OFFERS)?.into_iter();
        for offer in offers.filter_map(|entry| entry.note.refs.offer) {
            files.extend(offer.files().filter(|_| offer.capsule == row.capsule));
        }
    }
    if files.is_empty() {
        return Ok(files);
    }
    let is_offer = |refs: &Refs| refs.offer.as_ref().is_some_and(|offer| capsules.contains(&offer.capsule));
    let elsewhere = reader.named(&files, |refs| !is_offer(refs))?;
    files.retain(|file| !elsewhere.contains(file));
    Ok(files)
}

fn output(plan: &Plan, is_dry: bool) -> Value {
    let of = |row: &CapsuleRow| json!({ "capsule": row.capsule, "id": row.id, "generation": row.generation });
    let removed = plan.removed.iter().map(|row| {
        let mut shown = of(row);
        shown["size_bytes"] = json!(row.size_bytes);
        shown
    });
    let needed = plan.needed.iter().map(|(row, why)| {
        let mut shown = of(row);
        shown["why"] = json!(why);
        shown
    });
    json!({
        "dry_run": is_dry,
        "removed": removed.collect::<Vec<_>>(),
        "needed": needed.collect::<Vec<_>>(),
        "size_bytes": plan.removed.iter().map(|row| row.size_bytes).sum::<u64>(),
        "goes_on": plan.goes_on,
    })
}
