//! Boards: small Automerge documents that several authors share.
//!
//! Owns which boards there are, what is on them, and how a board comes from its changes. There is one for each thing
//! that people change, so a board stays small however long the timeline is: the library goes through all that a
//! document holds to take one change. Invariant: what a board shows is a function of the set of changes and of which
//! of them count.

mod edit;
mod fold;
mod ground;
mod left_out;
mod list;
mod open;
mod place;
mod share;
#[cfg(test)]
mod tests;
mod view;

use serde::{Deserialize, Serialize};

use super::entry::{Branch, is_name};
use crate::digest::Digest;
use crate::ids::EntryId;

pub use edit::{COMMENT_MAX_CHARS, Edit, EditError};
pub(super) use edit::{check, write};
pub use fold::Folded;
pub(super) use fold::{Contribution, fold};
pub use left_out::{LeftOut, Reason};
pub(super) use open::Open;
pub use open::{BOARDS_OPEN_MAX, BOARDS_OPEN_MAX_BYTES};
pub use place::{PLACE_PATH_MAX_CHARS, Place, Side};
pub use share::{BOARD_BYTES_MAX, BOARD_CHANGES_MAX, BOARD_OPERATIONS_MAX, BOARD_RESTARTS_MAX, Measure};
pub use view::{Comment, View};

// What the keys of boards begin with, by kind.
const BRANCH: u8 = 0;
const LABEL: u8 = 1;
const PIN: u8 = 2;
const COMMENTS: u8 = 3;
const REVIEW: u8 = 4;

/// Which board. The name is the document: authors who open the same one without knowing of each other merge.
/// Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Board {
    /// A branch: where it begins and ends.
    Branch(Branch),
    /// A name, and the moment that has it.
    Label(String),
    /// Whether a moment is kept in sight.
    Pin(EntryId),
    /// What people say of a moment.
    Comments(EntryId),
    /// A review of a moment: what people say, and whether it is settled.
    Review(EntryId),
}

impl Board {
    /// The bytes that order and find it: its kind, and what it is about. Of one kind they sort as names and ids do.
    pub(super) fn key(&self) -> Vec<u8> {
        let (kind, about) = match self {
            Self::Branch(branch) => (BRANCH, branch.as_str().as_bytes()),
            Self::Label(name) => (LABEL, name.as_bytes()),
            Self::Pin(entry_id) => (PIN, entry_id.as_bytes().as_slice()),
            Self::Comments(entry_id) => (COMMENTS, entry_id.as_bytes().as_slice()),
            Self::Review(entry_id) => (REVIEW, entry_id.as_bytes().as_slice()),
        };
        [&[kind], about].concat()
    }

    /// The name of its document.
    pub(super) fn document(&self) -> Digest {
        Digest::of_parts(&[b"xyn board v2\n", &self.key()])
    }

    /// Whether there can be such a board. The name of a branch is one by its type.
    fn fits(&self) -> bool {
        match self {
            Self::Label(name) => is_name(name),
            _ => true,
        }
    }
}
