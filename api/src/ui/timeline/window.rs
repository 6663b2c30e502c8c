//! The moments around a chosen one, as they are drawn.

use xyn_store::ids::EntryId;
use xyn_store::projection::Page;
use xyn_store::timeline::EntryFilter;
use xyn_store::timeline::board::{Board, View};
use xyn_store::timeline::entry::{Branch, Entry};
use xyn_store::{Order, Reader, StoreError, Timestamp};

use super::lanes::{LANES_MAX, Scene, Seen, scene};
use crate::routes::timeline::branches::branch_page;
use crate::routes::timeline::shown;

/// Moments on either side of the chosen one, on a page and where a script asks for more at once.
pub(super) const SPAN: usize = 60;
pub(super) const SPAN_MAX: usize = 100;

/// The moments around a chosen one.
pub(super) struct Window {
    pub(super) chosen: Entry,
    pub(super) scene: Scene,
    /// Moments to go on at where no script moves the drawing: a step and a window earlier or later.
    pub(super) earlier: Option<EntryId>,
    pub(super) later: Option<EntryId>,
    pub(super) much_earlier: Option<EntryId>,
    pub(super) much_later: Option<EntryId>,
    /// Whether moments before and behind what is drawn are left out.
    pub(super) has_older: bool,
    pub(super) has_newer: bool,
}

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) at: Option<EntryId>,
    pub(super) branch: Option<Branch>,
    pub(super) span: usize,
}

/// The moments around the one that is `wanted`, or around the newest at `now`. None when there is none.
pub(super) fn window(reader: &Reader, wanted: &Wanted, now: Timestamp) -> Result<Option<Window>, StoreError> {
    let filter = EntryFilter { branch: wanted.branch.clone(), ..EntryFilter::default() };
    let newest = || reader.newest_entry(filter.branch.as_ref(), now);
    let named = wanted.at.map_or_else(newest, |at| reader.entry(at))?;
    let Some(mut chosen) = named else { return Ok(None) };
    let place = reader.cursor_at(filter.branch.as_ref(), chosen.entry_id)?;
    let page = |order| reader.entries(&filter, order, place.as_ref(), wanted.span);
    let Page { items: mut before, next: older } = page(Order::Descending)?;
    let Page { items: mut behind, next: newer } = page(Order::Ascending)?;
    if filter.branch.as_ref().is_some_and(|branch| chosen.note.branch != *branch) {
        // Of a branch that it is not on, the nearest moment is looked at.
        let nearest = if before.is_empty() {
            (!behind.is_empty()).then(|| behind.remove(0))
        } else {
            Some(before.remove(0))
        };
        let Some(nearest) = nearest else { return Ok(None) };
        chosen = nearest;
    }
    let id = |entry: &Entry| entry.entry_id;
    let ends = [before.first(), behind.first(), before.last(), behind.last()].map(|entry| entry.map(id));
    let [earlier, later, much_earlier, much_later] = ends;
    before.reverse();
    let at = before.len();
    let seen: Vec<Entry> = before.into_iter().chain([chosen.clone()]).chain(behind).collect();
    let lanes = lanes(reader, &seen, wanted.branch.as_ref(), now)?;
    let scene = scene(&marked(reader, seen)?, at, &lanes);
    let (has_older, has_newer) = (older.is_some(), newer.is_some());
    Ok(Some(Window { chosen, scene, earlier, later, much_earlier, much_later, has_older, has_newer }))
}

/// The moments with what people attached to them.
fn marked(reader: &Reader, seen: Vec<Entry>) -> Result<Vec<Seen>, StoreError> {
    let mut labels = reader.labels_of(&seen.iter().map(|entry| entry.entry_id).collect())?;
    let with_marks = |entry: Entry| {
        Ok(Seen {
            labels: labels.remove(&entry.entry_id).unwrap_or_default(),
            is_pinned: reader.is_pinned(entry.entry_id)?,
            entry_id: entry.entry_id,
            branch: entry.note.branch,
            kind: entry.note.kind,
            at: entry.at.at,
            title: entry.note.title,
            parents: entry.note.refs.parents,
        })
    };
    seen.into_iter().map(with_marks).collect()
}

/// The branches that have a lane. Where there are few all have one, so that none comes and goes while one looks
/// along the timeline; else those that are seen.
fn lanes(
    reader: &Reader,
    seen: &[Entry],
    only: Option<&Branch>,
    now: Timestamp,
) -> Result<Vec<(Branch, Option<EntryId>)>, StoreError> {
    if let Some(only) = only {
        return Ok(vec![(only.clone(), None)]);
    }
    let all = branch_page(reader, None, LANES_MAX + 1, now)?;
    if all.items.len() < LANES_MAX && all.next.is_none() {
        let mut all: Vec<_> = all.items.into_iter().map(|branch| (branch.name, branch.base)).collect();
        add_seen(&mut all, seen);
        return Ok(all);
    }
    let mut drawn = vec![(Branch::main(), None)];
    add_seen(&mut drawn, seen);
    drawn[1..].sort();
    for (name, base) in &mut drawn {
        if let Some(View::Branch { base: begins, .. }) = shown(reader, &Board::Branch(name.clone()))? {
            *base = begins;
        }
    }
    Ok(drawn)
}

/// Adds the branches of `seen` that are not among `lanes`, as far as there is room.
fn add_seen(lanes: &mut Vec<(Branch, Option<EntryId>)>, seen: &[Entry]) {
    for entry in seen {
        let is_new = lanes.iter().all(|(name, _)| *name != entry.note.branch);
        if is_new && lanes.len() < LANES_MAX - 1 {
            lanes.push((entry.note.branch.clone(), None));
        }
    }
}
