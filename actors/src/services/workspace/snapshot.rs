//! Keeping a workspace as it is now.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use xyn_capsules::tree::{Change, Directory, Limits, Taken, diff, snapshot};
use xyn_store::blobs::Blobs;
use xyn_store::ids::EntryId;
use xyn_store::projection::{KnownTree, Subject, WorkspaceRow};
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};

use super::refusal::refusal;
use super::{Event, blocking, detached, hold, named, record, trace};
use crate::record::Record;
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal};
use crate::services::field;
use crate::services::timeline::{self, Acceptance};

/// Keeps a workspace as it is now, whether or not whoever asked waits for it.
pub(super) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let held = hold(inner, field(&intent.input, "name"))?;
    let (inner, intent) = (inner.clone(), intent.clone());
    detached(held, async move { keep(&inner, &intent, accept).await }).await
}

async fn keep(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let row = named(&inner.store.read()?, field(&intent.input, "name"))?;
    let branch = match field(&intent.input, "branch") {
        "" => row.branch.clone(),
        text => text
            .parse::<Branch>()
            .map_err(|error| Refusal::invalid("invalid_input", "/branch", error.to_string()))?,
    };
    timeline::takes_moments(&inner.store.read()?, &branch).map_err(timeline::refusal)?;
    let (reading, known) = (inner.clone(), row.clone());
    let (taken, summary) = blocking(move || read(&reading, &known)).await?;
    let subject = Subject::Intent(intent.intent_id);
    let output = |changed: bool, entry_id: EntryId| {
        json!({
            "changed": changed, "root": taken.root, "entry_id": entry_id, "files": taken.files,
            "size_bytes": taken.size_bytes, "skipped": taken.skipped,
        })
    };
    let outcome = match row.known.filter(|known| known.root == taken.root && row.branch == branch) {
        Some(known) => {
            let done = accept.done(subject).answering(output(false, known.entry_id));
            record(inner, intent, done, None).await?
        }
        None => {
            let entry_id: EntryId = accept.derive("entry");
            let output = output(true, entry_id);
            let title = match field(&intent.input, "title") {
                "" => summary,
                title => title.to_owned(),
            };
            let refs = Refs {
                workspace: Some(row.name.clone()),
                before: row.known.map(|known| known.root),
                after: Some(taken.root),
                ..Refs::default()
            };
            let principal = intent.identity.principal.clone();
            let note = Note { principal, branch: branch.clone(), kind: Kind::Edit, title, refs };
            let Taken { root, files, size_bytes, .. } = taken;
            let known = Some(KnownTree { root, entry_id, at: accept.now, files, size_bytes });
            let event = Event::Snapshotted(Box::new(WorkspaceRow { known, branch, ..row.clone() }));
            let accepted = accept.done(subject.clone()).answering(output.clone());
            let by = Acceptance::of(accepted, intent.attribution(), vec![Record::Workspace(event)]);
            timeline::say(inner, intent, vec![(entry_id, note)], by, output).await?
        }
    };
    // The tree is kept from now on, so what was seen of it may be relied on.
    let inner = inner.clone();
    let remember = move || {
        trace::write(&inner, &row.name, &taken.seen);
        Ok(())
    };
    blocking(remember).await?;
    Ok(outcome)
}

/// Takes the folder of `row` into the store; answers what changed in words, too.
fn read(inner: &Inner, row: &WorkspaceRow) -> Result<(Taken, String), Refusal> {
    let (blobs, seen) = (inner.store.blobs(), trace::read(inner, &row.name));
    let taken = snapshot(blobs, Path::new(&row.dir), &seen, inner.clock.now(), Limits::default());
    let taken = taken.map_err(|error| refusal(&row.name, error))?;
    let summary = format!("{}: {}", row.name, summary(blobs, row.known.as_ref(), &taken));
    Ok((taken, summary))
}

/// What changed since `known`.
fn summary(blobs: &Blobs, known: Option<&KnownTree>, taken: &Taken) -> String {
    let before = known.map_or_else(Directory::empty, |known| known.root);
    // Words for people are no reason to fail.
    let found = diff(blobs, &before, &taken.root, Limits::default()).unwrap_or_default();
    let counts =
        [Change::Added, Change::Changed, Change::Mode, Change::Renamed, Change::Removed].map(|change| {
            let count = found.iter().filter(|difference| difference.change() == change).count();
            (count > 0).then(|| {
                format!("{count} {}", if change == Change::Mode { "modes changed" } else { change.as_str() })
            })
        });
    let counts: Vec<_> = counts.into_iter().flatten().collect();
    if counts.is_empty() { format!("{} files", taken.files) } else { counts.join(", ") }
}
