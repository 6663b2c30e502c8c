//! Writing the files of a workspace as they were.
//!
//! It reaches out of the node, so its beginning is recorded before and its end after. Invariant: a folder that
//! was laid out, and the moment and row that say so, do not disagree longer than a crash lasts: laying out the
//! same tree again writes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use xyn_capsules::tree::{Limits, Restored, Seen, Wish, list, restore};
use xyn_store::ids::EntryId;
use xyn_store::projection::{IntentRow, IntentStatus, KnownTree, WorkspaceRow};
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};
use xyn_store::{Digest, Reader};

use super::compare::{self, Place};
use super::refusal::refusal;
use super::{Event, blocking, detached, hold, named, place, trace};
use crate::actions::{Action, Failure};
use crate::blueprint::FailureKind;
use crate::record::Record;
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal};
use crate::services::content::{self, Brought};
use crate::services::timeline::{self, Acceptance};
use crate::services::{field, id, outside};

/// What is to be written where.
struct Job {
    row: WorkspaceRow,
    root: Digest,
    /// The moment it is of.
    moment: Option<EntryId>,
    /// The branch that the workspace is on afterwards.
    branch: Branch,
    dir: PathBuf,
    /// Whether that is the workspace itself.
    in_place: bool,
    force: bool,
    remove: bool,
    /// What of it was not here.
    fetched: Brought,
}

/// What came of it.
struct Done {
    restored: Restored,
    files: u64,
    size_bytes: u64,
}

/// Writes the files of a workspace, whether or not whoever asked waits for it.
pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let held = hold(inner, field(&intent.input, "name"))?;
    let unknown = || Refusal::NotFound { kind: "action", id: intent.action.clone() };
    let action = inner.registry.get(&intent.action).ok_or_else(unknown)?.clone();
    let job = job(inner, &intent.input).await?;
    // Before anything begins: what cannot be had leaves nothing half done.
    let fetched = content::bring_trees(inner, [job.root]).await?;
    let job = Job { fetched, ..job };
    let entry_id: EntryId = accept.derive("entry");
    let name = intent.intent_id.to_string();
    let under_way = inner.progress.take(&name).ok_or(Refusal::InProgress { key: name })?;
    let begun = match outside::begin(inner, intent, accept, &action).await {
        Ok(row) => row,
        Err(answer) => return answer,
    };
    let (inner, intent) = (inner.clone(), intent.clone());
    let held = (held, under_way);
    detached(held, async move { carry_out(&inner, &intent, begun, &action, job, entry_id).await }).await
}

async fn job(inner: &Arc<Inner>, input: &Value) -> Result<Job, Refusal> {
    let flag = |name: &str| input.get(name).and_then(Value::as_bool).unwrap_or_default();
    let place = match (input.get("entry_id"), input.get("root")) {
        (Some(_), None) => Place::Moment(id(input, "entry_id")?),
        (None, Some(_)) => Place::Tree(compare::digest("/root", field(input, "root"))?),
        _ => {
            let message = "name either a moment or the root of a tree";
            return Err(Refusal::invalid("invalid_input", "/entry_id", message));
        }
    };
    let reader = inner.store.read()?;
    let row = named(&reader, field(input, "name"))?;
    let root = compare::root_of(&reader, &row.name, &place)?;
    let (moment, branch) = match place {
        Place::Moment(entry_id) => (Some(entry_id), branch_of(inner, &reader, &row, entry_id, root)?),
        Place::Tree(_) => (None, row.branch.clone()),
    };
    let dir = match field(input, "to") {
        "" => PathBuf::from(&row.dir),
        to => place::target(inner, to).await?,
    };
    let in_place = dir == Path::new(&row.dir);
    if !in_place {
        place::apart_from_workspaces(&reader, &dir)?;
    }
    let (force, remove, fetched) = (flag("force"), flag("remove"), Brought::default());
    let job = Job { row, root, moment, branch, dir, in_place, force, remove, fetched };
    if job.is_moment() {
        // Before any file is written; the writer asks again.
        timeline::takes_moments(&reader, &job.branch).map_err(timeline::refusal)?;
    }
    Ok(job)
}

/// The branch that a workspace is on when it is what it was at the moment `entry_id`, which is `root`: that of the
/// moment where this is what it is there now. Elsewhere the one it is on, so that no branch goes back which nobody
/// asked to.
fn branch_of(
    inner: &Inner,
    reader: &Reader,
    row: &WorkspaceRow,
    entry_id: EntryId,
    root: Digest,
) -> Result<Branch, Refusal> {
    let Some(entry) = reader.entry(entry_id)? else { return Ok(row.branch.clone()) };
    let newest = reader.newest_believable_entry(Some(&entry.note.branch), inner.clock.now())?;
    let now = newest.map(|newest| compare::root_of(reader, &row.name, &Place::Moment(newest.entry_id)));
    let is_there = match now.transpose() {
        Ok(now) => now == Some(root),
        // The moment claims to be from the future, and the branch had no such workspace before.
        Err(Refusal::NotFound { .. }) => false,
        Err(refusal) => return Err(refusal),
    };
    Ok(if is_there { entry.note.branch } else { row.branch.clone() })
}

impl Job {
    /// Whether the workspace becomes something else, which is a moment.
    fn is_moment(&self) -> bool {
        self.in_place && self.row.known.is_none_or(|known| known.root != self.root)
    }
}

async fn carry_out(
    inner: &Arc<Inner>,
    intent: &Intent,
    begun: IntentRow,
    action: &Action,
    job: Job,
    entry_id: EntryId,
) -> Result<Outcome, Refusal> {
    let writing = inner.clone();
    let laid_out = blocking(move || lay_out(&writing, &job).map(|done| (job, done))).await;
    let (job, done) = match laid_out {
        Ok(done) => done,
        Err(refusal) => return outside::end(inner, intent, begun, action, Err(failure(&refusal))).await,
    };
    let is_moment = job.is_moment();
    let Restored { written, removed, size_bytes } = done.restored;
    let output = json!({
        "root": job.root, "written": written, "removed": removed, "size_bytes": size_bytes,
        "fetched": job.fetched.blobs, "fetched_bytes": job.fetched.size_bytes,
        "entry_id": is_moment.then_some(entry_id), "branch": is_moment.then_some(&job.branch),
    });
    if !is_moment {
        return outside::end(inner, intent, begun, action, Ok(output)).await;
    }
    let said = say(inner, intent, begun.clone(), &job, &done, entry_id, output).await;
    match said {
        Err(refusal) => outside::end(inner, intent, begun, action, Err(failure(&refusal))).await,
        said => said,
    }
}

/// Says on the timeline what the workspace is now.
async fn say(
    inner: &Arc<Inner>,
    intent: &Intent,
    begun: IntentRow,
    job: &Job,
    done: &Done,
    entry_id: EntryId,
    output: Value,
) -> Result<Outcome, Refusal> {
    let (Job { row, root, moment, .. }, branch) = (job, job.branch.clone());
    let parents = moment.iter().copied().collect();
    let principal = intent.identity.principal.clone();
    let title = format!(
        "{}: restored, {} written, {} removed",
        row.name, done.restored.written, done.restored.removed
    );
    let refs = Refs {
        workspace: Some(row.name.clone()),
        before: row.known.map(|known| known.root),
        after: Some(*root),
        parents,
        ..Refs::default()
    };
    let note = Note { principal, branch: branch.clone(), kind: Kind::Edit, title, refs };
    let Done { files, size_bytes, .. } = *done;
    let known = Some(KnownTree { root: *root, entry_id, at: inner.clock.now(), files, size_bytes });
    let event = Event::Restored(Box::new(WorkspaceRow { known, branch, ..row.clone() }));
    let ended = IntentRow { status: IntentStatus::Completed, ..begun };
    let by =
        Acceptance::of_ended(ended, output.clone(), intent.attribution(), vec![Record::Workspace(event)]);
    timeline::say(inner, intent, vec![(entry_id, note)], by, output).await
}

fn lay_out(inner: &Inner, job: &Job) -> Result<Done, Refusal> {
    let Job { row, root, dir, in_place, force, remove, .. } = job;
    let (blobs, limits, now) = (inner.store.blobs(), Limits::default(), inner.clock.now());
    let (seen, base) = match in_place {
        true => (trace::read(inner, &row.name), row.known.map(|known| known.root)),
        false => (Seen::default(), None),
    };
    let listing = list(blobs, root, limits).map_err(|error| refusal(&row.name, error))?;
    let wish = Wish { root: *root, base, force: *force, remove: *remove };
    let restored =
        restore(blobs, dir, &wish, &seen, now, limits).map_err(|error| refusal(&row.name, error))?;
    Ok(Done { restored, files: listing.files, size_bytes: listing.size_bytes })
}

/// A refusal as the end of an intent that began.
fn failure(refusal: &Refusal) -> Failure {
    let kind = match refusal {
        Refusal::Unavailable(_) | Refusal::QuotaReached { .. } => FailureKind::Server,
        _ => FailureKind::Client,
    };
    Failure::certain(kind, refusal.code(), refusal.to_string())
}
