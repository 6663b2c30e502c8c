//! What the journal says of the timeline.
//!
//! A moment that this node puts on the timeline is an event in the very append that puts it there, so it is one once.
//! What comes from others was an event where it was done; that it came in is the mesh's to tell, so that no two nodes
//! set each other off. Invariant: no event of the timeline makes a moment.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xyn_store::ids::{EntryId, RunId};
use xyn_store::timeline::entry::{Branch, Entry};

use crate::record::shape;

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
}

impl Event {
    /// The event's name in the catalogue.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::EntryAdded(_) => "xyn.timeline.entry.added",
            Self::BranchCreated { .. } => "xyn.timeline.branch.created",
            Self::BranchMerged { .. } => "xyn.timeline.branch.merged",
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
    pub(crate) fn resource(&self) -> (&'static str, String) {
        match self {
            Self::EntryAdded(entry) => ("moment", entry.entry_id.to_string()),
            Self::BranchCreated { branch, .. } => ("branch", branch.to_string()),
            Self::BranchMerged { from, .. } => ("branch", from.to_string()),
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
            Self::EntryAdded(entry) => shape::moment(entry),
            Self::BranchCreated { branch, base } => json!({ "branch": branch, "base": base }),
            Self::BranchMerged { from, into, entry_id } => {
                json!({ "from": from, "into": into, "entry_id": entry_id })
            }
        }
    }
}
