//! What the journal says of the timeline.
//!
//! A moment that this node puts on the timeline is an event in the very append that puts it there, so it is one once.
//! What comes from others was an event where it was done: here its arrival is one, a batch at a time, so that no two
//! nodes set each other off. Invariant: no event of the timeline makes a moment.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xyn_store::ids::{EntryId, RunId};
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::entry::{Branch, Entry};
use xyn_store::timeline::feed::FeedId;

/// A fact about the timeline. Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// This node put a moment there.
    EntryAdded(Box<Entry>),
    /// A branch begins at a moment.
    BranchCreated {
        /// Its name.
        branch: Branch,
        /// Where it begins.
        base: EntryId,
    },
    /// A branch was joined into another.
    BranchMerged {
        /// The one.
        from: Branch,
        /// The other.
        into: Branch,
        /// The moment of it.
        entry_id: EntryId,
    },
    /// Records of others came in.
    RecordsAdmitted(Vec<Range>),
}

/// Records of a feed that came in together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Whose.
    pub feed: FeedId,
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Range {
    /// Each of the records.
    pub(super) fn records(&self) -> impl Iterator<Item = (FeedId, u64)> + use<> {
        let feed = self.feed;
        (self.first..=self.last).map(move |seq| (feed, seq))
    }
}

impl Event {
    /// The event's name in the catalogue.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::EntryAdded(_) => "xyn.timeline.entry.added",
            Self::BranchCreated { .. } => "xyn.timeline.branch.created",
            Self::BranchMerged { .. } => "xyn.timeline.branch.merged",
            Self::RecordsAdmitted(_) => "xyn.sync.records.admitted",
        }
    }

    /// Who did it, where that is not who wrote it down.
    pub(crate) fn actor(&self) -> Option<&str> {
        match self {
            Self::EntryAdded(entry) => Some(entry.note.principal.as_str()),
            _ => None,
        }
    }

    /// What it is about: type and id.
    pub(crate) fn resource(&self) -> Option<(&'static str, String)> {
        match self {
            Self::EntryAdded(entry) => Some(("moment", entry.entry_id.to_string())),
            Self::BranchCreated { branch, .. } => Some(("branch", branch.to_string())),
            Self::BranchMerged { from, .. } => Some(("branch", from.to_string())),
            Self::RecordsAdmitted(_) => None,
        }
    }

    /// The run that brought it about. A run that it starts is one deeper: so a blueprint that listens to the moments
    /// of its own runs comes to an end.
    pub(crate) fn run(&self) -> Option<RunId> {
        match self {
            Self::EntryAdded(entry) => entry.note.refs.run,
            _ => None,
        }
    }

    /// What it says.
    pub(crate) fn data(&self) -> Value {
        match self {
            Self::EntryAdded(entry) => {
                let Entry { entry_id, at, node, note } = entry.as_ref();
                let mut refs = serde_json::to_value(&note.refs).unwrap_or_default();
                if let Some(fields) = refs.as_object_mut() {
                    fields.retain(|_, value| {
                        !value.is_null() && value.as_array().is_none_or(|it| !it.is_empty())
                    });
                }
                json!({
                    "entry_id": entry_id, "at": at.at, "counter": at.counter, "node": node, "branch": note.branch,
                    "kind": note.kind, "title": note.title, "refs": refs,
                })
            }
            Self::BranchCreated { branch, base } => json!({ "branch": branch, "base": base }),
            Self::BranchMerged { from, into, entry_id } => {
                json!({ "from": from, "into": into, "entry_id": entry_id })
            }
            Self::RecordsAdmitted(ranges) => {
                let feeds: Vec<Value> = ranges
                    .iter()
                    .map(|Range { feed, first, last }| {
                        let incarnation = format!("{:016x}", feed.incarnation);
                        json!({ "node": feed.node, "incarnation": incarnation, "first": first, "last": last })
                    })
                    .collect();
                let records: u64 = ranges.iter().map(|range| range.last - range.first + 1).sum();
                json!({ "records": records, "feeds": feeds })
            }
        }
    }
}

/// The records that `verdicts` say came in.
pub(super) fn admitted(verdicts: &[Verdict]) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    for verdict in verdicts {
        let Verdict::Admitted { feed, first, last, .. } = *verdict else { continue };
        match ranges.iter_mut().find(|range| range.feed == feed && range.last + 1 == first) {
            Some(range) => range.last = last,
            None => ranges.push(Range { feed, first, last }),
        }
    }
    ranges
}
