//! Joining a branch into another: the files of both in one, and a moment that says so.
//!
//! Each workspace is merged by itself, from what it was at the newest moment that both branches follow from. Says
//! which trees that needs, and fetches none. Invariant: where both changed the same place differently nothing is
//! merged until somebody says which side is right.

mod preview;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use xyn_capsules::tree::{self, Directory, Limits, RelPath, Side, TreeError};
use xyn_store::blobs::{BlobError, Blobs};
use xyn_store::ids::EntryId;
use xyn_store::timeline::entry::{Branch, Entry, Kind, Note, Refs, TITLE_MAX_CHARS};
use xyn_store::timeline::{Facet, State};
use xyn_store::{Digest, Reader, Timestamp};

use super::super::Event;
use super::super::milestone::fitting;
use super::{Deed, What, Wish, newest, refusal, takes_moments};
use crate::runtime::Refusal;

pub use preview::Preview;

/// A place where two branches changed the files differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// In which workspace; none names the only one.
    pub workspace: Option<String>,
    /// Where.
    pub conflict: tree::Conflict,
}

impl Conflict {
    /// How a side is said for it: the path, behind the workspace's name and a colon where it has one.
    pub fn place(&self) -> String {
        place(self.workspace.as_deref(), &self.conflict.path)
    }

    /// The word for why the changes do not go together.
    pub fn clash(&self) -> &'static str {
        self.conflict.clash.as_str()
    }

    /// What is to be told of it: the place, and what the base and either branch have there.
    pub fn shown(&self) -> Value {
        let entry = |entry: &Option<tree::Entry>| {
            let shown = |entry: tree::Entry| json!({ "mode": entry.mode.as_str(), "digest": entry.digest, "bytes": entry.size_bytes });
            entry.map(shown)
        };
        let tree::Conflict { path, base, ours, theirs, .. } = &self.conflict;
        json!({
            "place": self.place(), "workspace": self.workspace, "path": path.as_str(), "clash": self.clash(),
            "base": entry(base), "ours": entry(ours), "theirs": entry(theirs),
        })
    }
}

/// The trees that have to be here before a branch is joined into another.
pub(super) fn needs(wish: &Wish<'_>) -> Result<Vec<Digest>, Refusal> {
    Ok(Trees::of(wish.reader, &Join::read(wish)?)?.needed())
}

/// Joins a branch into another.
pub(super) fn merge(wish: &Wish<'_>, blobs: &Blobs) -> Result<Deed, Refusal> {
    let join = Join::read(wish)?;
    let sides = Sides::read(wish.input())?;
    let merged = Trees::of(wish.reader, &join)?.merge(blobs, &sides)?;
    let Join { from, into, ours, theirs, base } = join;
    let title = wish
        .text("title")
        .unwrap_or_else(|| fitting(&format!("merged `{from}` into `{into}`"), TITLE_MAX_CHARS));
    let parents = vec![ours.entry_id, theirs.entry_id];
    let moments = moments(wish, &into, &title, &parents, merged);
    let entry_id = moments[0].0;
    let changes: Vec<Value> = moments.iter().filter_map(|(_, note)| change(note)).collect();
    let base = base.map(|base| base.entry_id);
    let output = json!({ "entry_id": entry_id, "base": base, "changes": changes });
    Ok(Deed { what: What::Say(moments), output, also: vec![Event::BranchMerged { from, into, entry_id }] })
}

/// A moment for each workspace that the merge changed, or one when it changed none.
fn moments(
    wish: &Wish<'_>,
    into: &Branch,
    title: &str,
    parents: &[EntryId],
    merged: Vec<Merged>,
) -> Vec<(EntryId, Note)> {
    let moment = |number: usize, refs: Refs| {
        let refs = Refs { parents: parents.to_vec(), ..refs };
        let (_, note) = wish.moment(into.clone(), Kind::Merge, title.to_owned(), refs);
        (wish.id(&format!("entry {number}")), note)
    };
    if merged.is_empty() {
        return vec![moment(0, Refs::default())];
    }
    let refs = |Merged { workspace, before, after }| Refs {
        workspace,
        before,
        after: Some(after),
        ..Refs::default()
    };
    merged.into_iter().map(refs).enumerate().map(|(number, refs)| moment(number, refs)).collect()
}

fn change(note: &Note) -> Option<Value> {
    let Refs { workspace, before, after, .. } = &note.refs;
    after.map(|after| json!({ "workspace": workspace, "before": before, "after": after }))
}

/// Which branches are joined, and where they stand.
struct Join {
    from: Branch,
    into: Branch,
    ours: Entry,
    theirs: Entry,
    /// The newest moment that both follow from.
    base: Option<Entry>,
}

impl Join {
    fn read(wish: &Wish<'_>) -> Result<Self, Refusal> {
        let from = wish.required_branch("from")?;
        let into = wish.branch("into")?.unwrap_or_else(Branch::main);
        takes_moments(wish.reader, &into).map_err(refusal)?;
        Self::between(wish.reader, from, into, wish.now)
    }

    fn between(reader: &Reader, from: Branch, into: Branch, now: Timestamp) -> Result<Self, Refusal> {
        if from == into {
            let message = format!("`{from}` is not merged into itself: name two branches");
            return Err(Refusal::Conflict { code: "conflict", message });
        }
        let (ours, theirs) = (newest(reader, &into, now)?, newest(reader, &from, now)?);
        let base = reader.common_ancestor(ours.entry_id, theirs.entry_id)?;
        if base.as_ref().is_some_and(|base| base.entry_id == theirs.entry_id) {
            return Err(super::unchanged(&format!("`{into}` has all of `{from}` already")));
        }
        Ok(Self { from, into, ours, theirs, base })
    }
}

/// Which side people said is right.
struct Sides {
    everywhere: Option<Side>,
    at: BTreeMap<String, Side>,
}

impl Sides {
    fn read(input: &Value) -> Result<Self, Refusal> {
        let side = |value: &Value| match value.as_str() {
            Some("ours") => Some(Side::Ours),
            Some("theirs") => Some(Side::Theirs),
            _ => None,
        };
        let said = input.get("sides").and_then(Value::as_object).into_iter().flatten();
        let at = said.filter_map(|(place, value)| Some((place.clone(), side(value)?))).collect();
        Ok(Self { everywhere: input.get("favour").and_then(side), at })
    }

    /// Whether each place that a side was said for is one where the branches clash.
    fn fit(&self, clashing: &BTreeSet<String>) -> Result<(), Refusal> {
        let Some(stray) = self.at.keys().find(|place| !clashing.contains(*place)) else { return Ok(()) };
        let clashing = clashing.first().map_or_else(
            || "they go together as they are".to_owned(),
            |first| format!("where they do, the place is said so: `{first}`"),
        );
        let message = format!("the branches do not clash at `{stray}`; {clashing}");
        Err(Refusal::invalid("invalid_input", "/sides", message))
    }

    fn at(&self, workspace: Option<&str>, path: &RelPath) -> Option<Side> {
        self.at.get(&place(workspace, path)).copied().or(self.everywhere)
    }
}

fn place(workspace: Option<&str>, path: &RelPath) -> String {
    workspace.map_or_else(|| path.to_string(), |name| format!("{name}:{path}"))
}

/// The roots of each workspace, in the base and on both branches.
struct Trees(BTreeMap<Option<String>, [Option<Digest>; 3]>);

/// A workspace that the merge changed.
struct Merged {
    workspace: Option<String>,
    before: Option<Digest>,
    after: Digest,
}

/// What the workspaces come to together.
struct Joined {
    changed: Vec<Merged>,
    /// Where nobody said which side is right.
    open: Vec<Conflict>,
    made: Vec<tree::Merged>,
}

impl Trees {
    fn of(reader: &Reader, Join { ours, theirs, base, .. }: &Join) -> Result<Self, Refusal> {
        let state = |entry: &Entry| Ok::<_, Refusal>(reader.state_at(entry.entry_id)?.unwrap_or_default());
        let base = base.as_ref().map_or_else(|| Ok(State::default()), state)?;
        let states = [base, state(ours)?, state(theirs)?];
        if states.iter().any(|state| state.is_cut_short) {
            let message = "the branches have more things than a state shows".to_owned();
            return Err(Refusal::Conflict { code: "too_much", message });
        }
        let names: BTreeSet<&Option<String>> =
            states.iter().flat_map(|state| state.made.keys()).filter_map(workspace).collect();
        let root = |state: &State, name: &Option<String>| {
            let facet = Facet::Workspace(name.clone());
            state.made.get(&facet).and_then(|entry| facet.digest(entry))
        };
        let roots =
            names.into_iter().map(|name| (name.clone(), states.each_ref().map(|state| root(state, name))));
        Ok(Self(roots.collect()))
    }

    /// The trees that are looked into, or that come of it whole.
    fn needed(&self) -> Vec<Digest> {
        let needed =
            self.0.values().flat_map(|[base, ours, theirs]| match untouched([*base, *ours, *theirs]) {
                Some(root) if root == *ours => [None; 3],
                Some(root) => [root, None, None],
                None => [*base, *ours, *theirs],
            });
        needed.flatten().collect()
    }

    /// Merges each workspace, and keeps nothing of it.
    fn join(self, blobs: &Blobs, sides: &Sides) -> Result<Joined, Refusal> {
        let (mut changed, mut open, mut made) = (Vec::new(), Vec::new(), Vec::new());
        let mut clashing = BTreeSet::new();
        for (workspace, roots) in self.0 {
            let ours = roots[1];
            let root = match untouched(roots) {
                Some(root) => root,
                None => {
                    let [base, ours, theirs] = roots.map(|root| root.unwrap_or_else(Directory::empty));
                    let favour = |path: &RelPath| sides.at(workspace.as_deref(), path).unwrap_or(Side::Ours);
                    let merged = tree::merge(blobs, &base, &ours, &theirs, favour, Limits::default())
                        .map_err(unreadable)?;
                    let unsaid =
                        |conflict: &&tree::Conflict| sides.at(workspace.as_deref(), &conflict.path).is_none();
                    clashing.extend(
                        merged.conflicts.iter().map(|conflict| place(workspace.as_deref(), &conflict.path)),
                    );
                    open.extend(merged.conflicts.iter().filter(unsaid).map(|conflict| Conflict {
                        workspace: workspace.clone(),
                        conflict: conflict.clone(),
                    }));
                    let root = merged.root;
                    made.push(merged);
                    Some(root)
                }
            };
            if let Some(after) = root.filter(|root| Some(*root) != ours) {
                changed.push(Merged { workspace, before: ours, after });
            }
        }
        sides.fit(&clashing)?;
        Ok(Joined { changed, open, made })
    }

    /// Merges each workspace; all conflicts that nobody said a side for refuse it.
    fn merge(self, blobs: &Blobs, sides: &Sides) -> Result<Vec<Merged>, Refusal> {
        let Joined { changed, open, made } = self.join(blobs, sides)?;
        if !open.is_empty() {
            return Err(Refusal::MergeConflicts(open));
        }
        // What is kept and then not referred to, the next sweep takes away.
        made.iter()
            .try_for_each(|merged| merged.keep(blobs).map(drop))
            .map_err(|error| unreadable(error.into()))?;
        Ok(changed)
    }
}

/// The tree that comes of a merge as it is, where one side at most changed it.
fn untouched([base, ours, theirs]: [Option<Digest>; 3]) -> Option<Option<Digest>> {
    if base == theirs || ours == theirs {
        Some(ours)
    } else if base == ours {
        Some(theirs)
    } else {
        None
    }
}

fn workspace(facet: &Facet) -> Option<&Option<String>> {
    match facet {
        Facet::Workspace(name) => Some(name),
        Facet::Deployed(..) | Facet::Domain(_) => None,
    }
}

fn unreadable(error: TreeError) -> Refusal {
    let message = error.to_string();
    match error {
        TreeError::Blob(BlobError::NotFound(_)) => {
            let message = format!("the files of a branch are not all here yet: {message}");
            Refusal::Conflict { code: "files_missing", message }
        }
        TreeError::Blob(BlobError::Quota { .. }) => Refusal::QuotaReached { message },
        TreeError::Limit { .. } => Refusal::Conflict { code: "too_much", message },
        _ => Refusal::Unavailable(message),
    }
}
