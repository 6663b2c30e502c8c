//! What two moments differ in: what is deployed, the files of workspaces, the lines of a file.
//!
//! Reads trees of this node's store and fetches nothing: what is not here is said to be absent. Invariant: a
//! file is named by the moments and its path, so no other blob can be asked for.

use xyn_capsules::tree::{Change as Verb, Difference, Directory, Entry as Node, Limits, RelPath, diff};
use xyn_store::blobs::Blobs;
use xyn_store::ids::EntryId;
use xyn_store::timeline::board::{Board, View};
use xyn_store::timeline::entry::Entry;
use xyn_store::timeline::{EntryFilter, State};
use xyn_store::{Digest, Order, Reader, StoreError};

use super::file::{self, Lines, Sight};
use super::lines::{self, Compared, FILE_MAX_BYTES};
use crate::dto::StateChange;
use crate::routes::timeline::shown;

/// Files that a page names, of all workspaces together.
const FILES_MAX: usize = 100;
/// Workspaces, stages and domains that a page names.
const CHANGES_MAX: usize = 50;

/// Something that differs.
pub(super) struct Change {
    /// `workspace`, `stage` or `domain`.
    pub(super) what: &'static str,
    /// Which.
    pub(super) name: String,
    pub(super) before: Option<Digest>,
    pub(super) after: Option<Digest>,
    /// The files, when it is a workspace.
    pub(super) files: Option<Files>,
}

/// Files that differ.
#[derive(Default)]
pub(super) struct Files {
    pub(super) items: Vec<File>,
    /// How many there are, shown or not.
    pub(super) count: usize,
    /// Why they cannot be told.
    pub(super) absent: String,
}

/// A file that differs.
pub(super) struct File {
    /// The word for how.
    pub(super) verb: &'static str,
    pub(super) path: String,
    /// Where it was, when it was moved.
    pub(super) from: String,
    /// To what differs in it; empty where that is not kept.
    pub(super) href: String,
    pub(super) is_open: bool,
}

/// A file that is looked into.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    pub(super) workspace: String,
    pub(super) path: String,
    pub(super) view: Sight,
}

/// What differs between two moments, and in one file of them.
pub(super) struct Changes {
    pub(super) items: Vec<Change>,
    /// How many more there are.
    pub(super) more: usize,
    pub(super) lines: Option<Lines>,
}

/// Compares two states. `page` is the path of the page with a query, to which a file's name is added.
pub(super) fn between(blobs: &Blobs, from: &State, to: &State, page: &str, open: Option<&Open>) -> Changes {
    let (mut lines, mut room) = (None, FILES_MAX);
    let change = |StateChange { of, before, after }: StateChange| {
        let (what, name) = match of.split_once(':') {
            Some(("workspace", name)) => ("workspace", name.to_owned()),
            Some(("stage", name)) => ("stage", name.to_owned()),
            Some((_, name)) => ("domain", name.to_owned()),
            None => ("workspace", String::new()),
        };
        let roots = [before, after].map(|root| root.unwrap_or_else(Directory::empty));
        let files = (what == "workspace").then(|| {
            let open = open.filter(|open| open.workspace == name);
            let (mut files, shown) = files(blobs, roots, &name, page, open);
            files.items.truncate(room);
            room -= files.items.len();
            lines = shown.or(lines.take());
            files
        });
        Change { what, name, before, after, files }
    };
    let all = StateChange::between(from, to);
    let more = all.len().saturating_sub(CHANGES_MAX);
    let items = all.into_iter().take(CHANGES_MAX).map(change).collect();
    Changes { items, more, lines }
}

/// The differences of two trees.
fn files(
    blobs: &Blobs,
    [before, after]: [Digest; 2],
    workspace: &str,
    page: &str,
    open: Option<&Open>,
) -> (Files, Option<Lines>) {
    match diff(blobs, &before, &after, Limits::default()) {
        Ok(found) => of_differences(blobs, found, workspace, page, open),
        Err(error) => (Files { absent: error.to_string(), ..Files::default() }, None),
    }
}

/// `found` as a page shows it.
fn of_differences(
    blobs: &Blobs,
    found: Vec<Difference>,
    workspace: &str,
    page: &str,
    open: Option<&Open>,
) -> (Files, Option<Lines>) {
    let wanted = open.and_then(|open| found.iter().find(|it| it.path.as_str() == open.path).zip(Some(open)));
    let read =
        |node: &Node| blobs.read(&node.digest).map_err(|error| format!("It cannot be shown: {error}."));
    let lines =
        wanted.map(|(found, open)| lines_of(found, read, link(page, workspace, &found.path), &open.view));
    let count = found.len();
    let file = |it: Difference| {
        let is_open = open.is_some_and(|open| open.path == it.path.as_str());
        File::of(&it, link(page, workspace, &it.path), is_open)
    };
    let items = found.into_iter().take(FILES_MAX).map(file).collect();
    (Files { items, count, absent: String::new() }, lines)
}

/// What differs in a folder from what was kept of it: the lines are not kept, and not shown.
pub(super) fn of_folder(found: Vec<Difference>) -> Files {
    let count = found.len();
    let file = |it: Difference| File::of(&it, String::new(), false);
    Files { items: found.into_iter().take(FILES_MAX).map(file).collect(), count, absent: String::new() }
}

impl File {
    fn of(found: &Difference, href: String, is_open: bool) -> Self {
        let from = found.from.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { verb: found.change().as_str(), path: found.path.to_string(), from, href, is_open }
    }
}

/// To the file at `path` on `page`.
pub(super) fn link(page: &str, workspace: &str, path: &RelPath) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([("workspace", workspace)].iter().filter(|(_, name)| !name.is_empty()));
    query.append_pair("path", path.as_str());
    let sign = if page.contains('?') { '&' } else { '?' };
    format!("{page}{sign}{}", query.finish())
}

/// What differs in a file of which `read` reads each version.
pub(super) fn lines_of(
    found: &Difference,
    read: impl Fn(&Node) -> Result<Vec<u8>, String>,
    href: String,
    view: &Sight,
) -> Lines {
    let rows = compared(found, read).and_then(|compared| file::told(compared, || sizes(found)));
    Lines::of(found.path.to_string(), found.change().as_str(), rows, href, view)
}

fn compared(found: &Difference, read: impl Fn(&Node) -> Result<Vec<u8>, String>) -> Result<Compared, String> {
    let sides = [found.before, found.after];
    if sides.iter().flatten().any(|node| node.size_bytes > FILE_MAX_BYTES) {
        return Ok(Compared::TooLarge);
    }
    let bytes = |node: Option<Node>| {
        node.filter(|node| !node.is_directory()).map_or(Ok(Vec::new()), |node| read(&node))
    };
    let [before, after] = sides.map(bytes);
    Ok(lines::compare(&before?, &after?))
}

fn sizes(found: &Difference) -> String {
    let size = |node: Option<Node>| {
        node.map_or_else(|| "nothing".to_owned(), |it| super::words::size(it.size_bytes))
    };
    match found.change() {
        Verb::Mode => "only whether it can be run differs".to_owned(),
        _ => format!("{} before, {} after", size(found.before), size(found.after)),
    }
}

/// The moment before `entry` on its branch; the one that the branch begins at where there is none.
pub(super) fn before(reader: &Reader, entry: &Entry) -> Result<Option<Entry>, StoreError> {
    let branch = &entry.note.branch;
    let filter = EntryFilter { branch: Some(branch.clone()), ..EntryFilter::default() };
    let place = reader.cursor_at(Some(branch), entry.entry_id)?;
    if let Some(found) = reader.entries(&filter, Order::Descending, place.as_ref(), 1)?.items.pop() {
        return Ok(Some(found));
    }
    match shown(reader, &Board::Branch(branch.clone()))? {
        Some(View::Branch { base: Some(base), .. }) if base != entry.entry_id => reader.entry(base),
        _ => Ok(None),
    }
}

/// The state at `entry_id`; the empty one where there is no such moment.
pub(super) fn state_at(reader: &Reader, entry_id: Option<EntryId>) -> Result<State, StoreError> {
    let state = entry_id.map_or(Ok(None), |entry_id| reader.state_at(entry_id))?;
    Ok(state.unwrap_or_default())
}
