//! Where moments are drawn: a lane for each branch, a slot for each moment, curves where branches begin and
//! end.
//!
//! A pure function of what is seen. Owns geometry and shapes, and no colour: classes say whose lane it is and
//! what kind of moment. Invariant: slots are evenly spaced, so that moving by one moment moves by [`PITCH`].

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use xyn_store::Timestamp;
use xyn_store::ids::EntryId;
use xyn_store::timeline::entry::{Branch, Kind};

use super::shapes::drawing;

/// Between two moments.
pub(super) const PITCH: i32 = 22;
/// Between two lanes.
const GAP: i32 = 44;
/// Above the first lane: the marks of time.
const TOP: i32 = 58;
/// Below the last lane.
const BOTTOM: i32 = 26;
/// What is seen of the drawing where no script moves it.
pub(super) const VIEW: i32 = 1_200;
/// Lanes that are drawn; the branches behind share the last one.
pub(super) const LANES_MAX: usize = 9;
/// Slots between two marks of time.
const TICK: usize = 7;
/// Characters of a label that are drawn, and of a title that is read out.
const LABEL_CHARS: usize = 18;
const TITLE_CHARS: usize = 90;

/// A moment that is drawn.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) entry_id: EntryId,
    pub(super) branch: Branch,
    pub(super) kind: Kind,
    pub(super) at: Timestamp,
    pub(super) title: String,
    /// The moments that it joins or is about.
    pub(super) parents: Vec<EntryId>,
    pub(super) labels: Vec<String>,
    pub(super) is_pinned: bool,
}

/// A drawing.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) height: i32,
    /// Left end of the view, so that the chosen moment is in its middle.
    pub(super) left: i32,
    /// Where the chosen moment is.
    pub(super) chosen: (i32, i32),
    pub(super) lanes: Vec<Lane>,
    pub(super) curves: Vec<Curve>,
    pub(super) marks: Vec<Mark>,
    pub(super) ticks: Vec<Tick>,
    /// The kinds that are drawn, each once.
    pub(super) legend: Vec<Mark>,
}

/// A branch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) name: String,
    /// Which of the lanes' tones it has.
    pub(super) tone: usize,
    pub(super) y: i32,
    /// From where to where its line goes; nowhere when it has no moment here.
    pub(super) line: Option<(i32, i32)>,
}

/// What leads from lane to lane.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Curve {
    /// `fork`, `merge` or `back`.
    pub(super) class: &'static str,
    pub(super) tone: usize,
    pub(super) path: String,
}

/// A moment as it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) entry_id: EntryId,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) kind: &'static str,
    pub(super) shape: &'static str,
    pub(super) tone: usize,
    /// What is read out for it.
    pub(super) said: String,
    /// A label that has room above it.
    pub(super) flag: String,
    pub(super) is_pinned: bool,
}

/// A mark of time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) x: i32,
    pub(super) text: String,
}

/// Draws `seen`, oldest first, around the one at `chosen`. `branches` are those that have a lane, each with the
/// moment it begins at.
pub(super) fn scene(seen: &[Seen], chosen: usize, branches: &[(Branch, Option<EntryId>)]) -> Scene {
    let drawn = Drawn::of(seen, branches);
    let marks = drawn.marks();
    let mut legend: Vec<Mark> = Vec::new();
    for mark in &marks {
        if legend.iter().all(|known| known.kind != mark.kind) {
            legend.push(mark.clone());
        }
    }
    legend.sort_by_key(|mark| mark.kind);
    let place = marks.get(chosen).map_or((x_of(0), TOP), |mark| (mark.x, mark.y));
    let (lanes, curves) = drawn.lines();
    Scene {
        height: y_of(lanes.len().saturating_sub(1)) + BOTTOM,
        left: place.0 - VIEW / 2,
        chosen: place,
        lanes,
        curves,
        marks,
        ticks: ticks(seen),
        legend,
    }
}

struct Drawn<'s> {
    seen: &'s [Seen],
    slots: BTreeMap<EntryId, usize>,
    branches: &'s [(Branch, Option<EntryId>)],
}

impl<'s> Drawn<'s> {
    fn of(seen: &'s [Seen], branches: &'s [(Branch, Option<EntryId>)]) -> Self {
        let slots = seen.iter().enumerate().map(|(slot, seen)| (seen.entry_id, slot)).collect();
        Self { seen, slots, branches }
    }

    /// The lane of `branch`: its own, or the last, which is for all that have none.
    fn lane_of(&self, branch: &Branch) -> usize {
        let own = self.branches.iter().position(|(name, _)| name == branch);
        own.unwrap_or(self.branches.len()).min(LANES_MAX - 1)
    }

    fn place(&self, slot: usize) -> (i32, i32) {
        (x_of(slot), y_of(self.lane_of(&self.seen[slot].branch)))
    }

    fn marks(&self) -> Vec<Mark> {
        // A label has room where no other one on its lane reaches.
        let mut free_from = BTreeMap::<usize, usize>::new();
        let mark = |(slot, seen): (usize, &Seen)| {
            let lane = self.lane_of(&seen.branch);
            let mut flag = cut(&seen.labels.join(", "), LABEL_CHARS);
            let free = free_from.entry(lane).or_default();
            if flag.is_empty() || slot < *free {
                flag.clear();
            } else {
                *free = slot + 2 + flag.chars().count() * 8 / PITCH as usize;
            }
            let (kind, shape) = drawing(seen.kind);
            let when = seen.at.to_string();
            let when = when.get(..19).unwrap_or(&when).replace('T', " ");
            let title = cut(&seen.title, TITLE_CHARS);
            let said = format!("{kind} on {}, {when}: {title}", cut(seen.branch.as_str(), LABEL_CHARS * 2));
            let (entry_id, is_pinned) = (seen.entry_id, seen.is_pinned);
            let (x, y, tone) = (x_of(slot), y_of(lane), tone_of(lane));
            Mark { entry_id, x, y, kind, shape, tone, said, flag, is_pinned }
        };
        self.seen.iter().enumerate().map(mark).collect()
    }

    fn lines(&self) -> (Vec<Lane>, Vec<Curve>) {
        let mut curves = Vec::new();
        let is_crowded =
            self.seen.iter().any(|seen| self.branches.iter().all(|(name, _)| *name != seen.branch));
        let shared = is_crowded.then(|| self.branches.len().min(LANES_MAX - 1));
        let count = shared.map_or(self.branches.len().min(LANES_MAX), |shared| shared + 1);
        let end = x_of(self.seen.len().saturating_sub(1));
        let mut lanes = Vec::with_capacity(count);
        for lane in 0..count {
            let name = match self.branches.get(lane).filter(|_| shared != Some(lane)) {
                Some((name, _)) => name.to_string(),
                None => "others".to_owned(),
            };
            let mut line = self.extent(lane);
            if lane == 0 {
                line = Some((x_of(0) - PITCH, end + PITCH));
            } else if let Some((_, base)) = self.branches.get(lane).filter(|_| shared != Some(lane)) {
                line = self.begin(lane, *base, line, &mut curves);
            }
            lanes.push(Lane { name, tone: tone_of(lane), y: y_of(lane), line });
        }
        self.joins(&mut lanes, &mut curves);
        (lanes, curves)
    }

    /// From the first to the last moment on `lane`.
    fn extent(&self, lane: usize) -> Option<(i32, i32)> {
        let mut own = (0..self.seen.len()).filter(|slot| self.lane_of(&self.seen[*slot].branch) == lane);
        let first = own.next()?;
        Some((x_of(first), x_of(own.next_back().unwrap_or(first))))
    }

    /// The curve with which `lane` leaves the moment `base`, and the line that goes on from there.
    fn begin(
        &self,
        lane: usize,
        base: Option<EntryId>,
        line: Option<(i32, i32)>,
        curves: &mut Vec<Curve>,
    ) -> Option<(i32, i32)> {
        let Some(slot) = base.and_then(|base| self.slots.get(&base)) else {
            // It began before what is seen, or nobody said where.
            let from = |from: i32| if base.is_some() { x_of(0) - PITCH } else { from };
            return line.map(|(first, last)| (from(first), last));
        };
        let ((x, y), end) = (self.place(*slot), y_of(lane));
        let (arrives, bend) = (x + PITCH, PITCH * 2 / 3);
        let path = format!("M{x} {y}C{} {y} {} {end} {arrives} {end}", x + bend, arrives - bend);
        curves.push(Curve { class: "fork", tone: tone_of(lane), path });
        Some((arrives, line.map_or(arrives + PITCH / 2, |(_, last)| last.max(arrives))))
    }

    /// The curves with which moments join others, or lead back to them.
    fn joins(&self, lanes: &mut [Lane], curves: &mut Vec<Curve>) {
        for (slot, seen) in self.seen.iter().enumerate() {
            let (x, y) = self.place(slot);
            for from in seen.parents.iter().filter_map(|parent| self.slots.get(parent)) {
                let from_lane = self.lane_of(&self.seen[*from].branch);
                let (from_x, from_y) = self.place(*from);
                if seen.kind == Kind::Merge && from_y != y {
                    let leaves = (x - PITCH).max(from_x);
                    let bend = PITCH * 2 / 3;
                    let path =
                        format!("M{leaves} {from_y}C{} {from_y} {} {y} {x} {y}", leaves + bend, x - bend);
                    curves.push(Curve { class: "merge", tone: tone_of(from_lane), path });
                    if let Some((_, last)) = lanes[from_lane].line.as_mut().filter(|_| from_lane > 0) {
                        *last = (*last).max(leaves);
                    }
                } else if seen.kind == Kind::Rollback {
                    let (middle, top) = ((x + from_x) / 2, y.min(from_y) - GAP / 2);
                    curves.push(Curve {
                        class: "back",
                        tone: tone_of(from_lane),
                        path: format!("M{x} {y}Q{middle} {top} {from_x} {from_y}"),
                    });
                }
            }
        }
    }
}

fn ticks(seen: &[Seen]) -> Vec<Tick> {
    let mut day = String::new();
    let tick = |(slot, seen): (usize, &Seen)| {
        let at = seen.at.to_string();
        let (date, time) = (at.get(..10)?, at.get(11..19)?);
        let text = if date == day { time.to_owned() } else { format!("{date} {time}") };
        date.clone_into(&mut day);
        Some(Tick { x: x_of(slot), text })
    };
    seen.iter().enumerate().step_by(TICK).filter_map(tick).collect()
}

fn x_of(slot: usize) -> i32 {
    i32::try_from(slot).unwrap_or(i32::MAX / PITCH).saturating_mul(PITCH)
}

fn y_of(lane: usize) -> i32 {
    TOP + GAP * i32::try_from(lane.min(LANES_MAX)).unwrap_or(0)
}

/// The first lane is the one that every timeline has; the others take turns.
fn tone_of(lane: usize) -> usize {
    if lane == 0 { 0 } else { (lane - 1) % 4 + 1 }
}

/// `text`, at most `chars` long.
pub(super) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
