//! One moment: what it is the state of, what it changed, what people say of it, and what can be done from it.

use std::collections::BTreeSet;

use xyn_actors::runtime::Runtime;
use xyn_actors::services::deploy;
use xyn_store::blobs::Blobs;
use xyn_store::ids::EntryId;
use xyn_store::projection::WorkspaceRow;
use xyn_store::scope::Stage as DeployStage;
use xyn_store::timeline::board::Board;
use xyn_store::timeline::entry::Entry;
use xyn_store::{Reader, StoreError, Timestamp};

use super::super::act::{Act, Directory};
use super::super::change::{self, Changes};
use super::super::talk::Comment;
use super::shapes::drawing;
use crate::dto::{Moment, MomentState};
use crate::routes::timeline::{moments, roster, shown};
use crate::state::AppState;

/// Comments that the page shows: the newest.
const COMMENTS_MAX: usize = 40;
/// Moments about this one that the page names.
const ABOUT_MAX: usize = 12;
/// Workspaces, deployments and domains of its state that the page names, of each kind.
const HELD_MAX: usize = 12;

/// What reading a moment needs.
pub(super) struct Reading {
    runtime: Runtime,
    blobs: Blobs,
    directory: Directory,
    now: Timestamp,
    env_id: String,
}

/// A moment, looked at.
pub(super) struct Look {
    pub(super) moment: Moment,
    pub(super) kind: &'static str,
    pub(super) shape: &'static str,
    pub(super) labels: Vec<String>,
    pub(super) is_pinned: bool,
    pub(super) is_from_future: bool,
    pub(super) state: MomentState,
    /// What the state holds and the page does not name.
    pub(super) more: usize,
    /// The one before it on its branch.
    pub(super) before: Option<EntryId>,
    pub(super) changes: Changes,
    /// Moments that are about it.
    pub(super) about: Vec<About>,
    pub(super) comments: Vec<Comment>,
    /// Comments that are not shown.
    pub(super) hidden: usize,
    pub(super) has_review: bool,
    /// The newest moment; none when it is this one.
    pub(super) now: Option<EntryId>,
    /// The moment that this one can be compared with.
    pub(super) marked: Option<EntryId>,
    /// What is deployed in this environment since another moment than this one.
    pub(super) acts: Acts,
}

/// A moment that is about another one.
pub(super) struct About {
    pub(super) entry_id: EntryId,
    pub(super) kind: &'static str,
    pub(super) title: String,
}

/// What can be done from a moment.
pub(super) struct Acts {
    pub(super) comment: Act,
    pub(super) label: Act,
    pub(super) pin: Act,
    pub(super) note: Act,
    pub(super) branch: Act,
    pub(super) review: Act,
    /// The files of a workspace in a capsule.
    pub(super) pack: Vec<(String, Act)>,
    /// The capsule of this moment in a stage.
    pub(super) promote: Option<Act>,
    /// Each workspace of this machine as it was.
    pub(super) restore: Vec<(String, Act)>,
    /// What this moment deployed, again.
    pub(super) redeploy: Option<(&'static str, Act)>,
    /// What served before this moment's capsule, again.
    pub(super) undo: Option<(&'static str, Act)>,
}

impl Reading {
    pub(super) fn of(state: &AppState, directory: Directory) -> Self {
        let runtime = state.runtime().clone();
        let blobs = runtime.store().blobs().clone();
        let (now, env_id) = (runtime.clock().now(), runtime.env().env_id.clone());
        Self { runtime, blobs, directory, now, env_id }
    }

    /// Looks at `entry`; `marked` is what others are compared with.
    pub(super) fn look(
        &self,
        reader: &Reader,
        entry: Entry,
        marked: Option<EntryId>,
    ) -> Result<Look, StoreError> {
        let entry_id = entry.entry_id;
        let roster = roster(&self.runtime, reader)?;
        let view = moments::view(reader, entry_id, &roster, self.now)?;
        let mut view =
            view.ok_or_else(|| StoreError::Inconsistent(format!("moment {entry_id} has no state")))?;
        let more = cut(&mut view.state);
        let before = change::before(reader, &entry)?.map(|before| before.entry_id);
        let [from, to] = [before, Some(entry_id)].map(|at| change::state_at(reader, at));
        let from_id = before.map_or_else(|| "none".to_owned(), |before| before.to_string());
        let page = format!("/ui/timeline/diff?from={from_id}&to={entry_id}");
        let changes = change::between(&self.blobs, &from?, &to?, &page, None);
        let mut comments = Comment::all(shown(reader, &Board::Comments(entry_id))?, &roster);
        let hidden = comments.len().saturating_sub(COMMENTS_MAX);
        comments.drain(..hidden);
        let about = reader.entries_about(entry_id, None, ABOUT_MAX, |_| true)?.items.into_iter();
        let about = about.map(|entry| About {
            entry_id: entry.entry_id,
            kind: drawing(entry.note.kind).0,
            title: entry.note.title,
        });
        let (kind, shape) = drawing(entry.note.kind);
        Ok(Look {
            acts: self.acts(reader, &entry, &view.state, view.is_pinned)?,
            has_review: shown(reader, &Board::Review(entry_id))?.is_some(),
            about: about.collect(),
            now: reader
                .newest_entry(None, self.now)?
                .map(|newest| newest.entry_id)
                .filter(|now| *now != entry_id),
            marked: marked.filter(|marked| *marked != entry_id),
            moment: view.moment,
            labels: view.labels,
            is_pinned: view.is_pinned,
            is_from_future: view.is_from_future,
            state: view.state,
            more,
            kind,
            shape,
            before,
            changes,
            comments,
            hidden,
        })
    }

    fn acts(
        &self,
        reader: &Reader,
        entry: &Entry,
        state: &MomentState,
        is_pinned: bool,
    ) -> Result<Acts, StoreError> {
        let entry_id = entry.entry_id.to_string();
        let here = format!("/ui/timeline?at={entry_id}");
        let own = |action, next: &str| self.directory.act(action, &[("entry_id", entry_id.as_str())], next);
        let pinned = if is_pinned { "false" } else { "true" };
        let pin = [("entry_id", entry_id.as_str()), ("pinned", pinned)];
        let branch = entry.note.branch.as_str();
        let note = [("entry_id", entry_id.as_str()), ("branch", branch)];
        let review = [("entry_id", entry_id.as_str()), ("status", "open")];
        let names: BTreeSet<&str> =
            state.workspaces.iter().filter_map(|files| files.workspace.as_deref()).collect();
        let mut restore = Vec::new();
        for name in &names {
            if reader.get::<WorkspaceRow>(&WorkspaceRow::key_of(name))?.is_some() {
                let fields = [("name", *name), ("entry_id", entry_id.as_str())];
                let next = format!("/ui/workspaces/{name}");
                restore.push(((*name).to_owned(), self.directory.act("workspace.restore", &fields, next)));
            }
        }
        let pack = |name: &&str| {
            let fields = [("entry_id", entry_id.as_str()), ("workspace", *name)];
            ((*name).to_owned(), self.directory.act("capsule.pack", &fields, "/ui/capsules/{capsule}"))
        };
        let (redeploy, undo) = self.back(reader, entry)?;
        let capsule = entry.note.refs.capsule.map(|capsule| capsule.to_string());
        let promote = capsule.filter(|_| redeploy.is_none()).map(|capsule| {
            self.directory.act(
                "capsule.deploy",
                &[("capsule", capsule.as_str())],
                "/ui/timeline?at={entry_id}",
            )
        });
        Ok(Acts {
            comment: own("timeline.comment", &format!("{here}#talk")),
            label: own("timeline.label", &here),
            pin: self.directory.act("timeline.pin", &pin, here.as_str()),
            note: self.directory.act("timeline.note", &note, "/ui/timeline?at={entry_id}"),
            branch: own("timeline.branch", "/ui/timeline?at={base}"),
            review: self.directory.act("timeline.review", &review, format!("/ui/reviews/{entry_id}")),
            pack: names.iter().map(pack).collect(),
            promote,
            restore,
            redeploy,
            undo,
        })
    }

    /// How to go back to a deployment, and how to undo it.
    #[expect(clippy::type_complexity, reason = "the same pair twice, read where it is written")]
    fn back(
        &self,
        reader: &Reader,
        entry: &Entry,
    ) -> Result<(Option<(&'static str, Act)>, Option<(&'static str, Act)>), StoreError> {
        let refs = &entry.note.refs;
        let (Some(app), Some(tree), Some(stage)) =
            (deploy::app(refs, &self.env_id), refs.capsule, refs.stage)
        else {
            return Ok((None, None));
        };
        let stage = DeployStage::as_str(stage);
        let next = "/ui/timeline?at={entry_id}";
        let tree_name = tree.to_string();
        let fields = [("capsule", tree_name.as_str()), ("stage", stage)];
        let again = (stage, self.directory.act("capsule.deploy", &fields, next));
        let is_here = !reader.capsules_of(&tree, 1)?.is_empty();
        let undo = is_here.then(|| {
            (stage, self.directory.act("capsule.rollback", &[("app", app), ("stage", stage)], next))
        });
        Ok((Some(again), undo))
    }
}

/// Cuts `state` to what a page names; answers how much is left out.
fn cut(state: &mut MomentState) -> usize {
    let held = |state: &MomentState| state.workspaces.len() + state.deployed.len() + state.domains.len();
    let all = held(state);
    state.workspaces.truncate(HELD_MAX);
    state.deployed.truncate(HELD_MAX);
    state.domains.truncate(HELD_MAX);
    all - held(state)
}
