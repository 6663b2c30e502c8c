//! Boards: small Automerge documents that several authors share.
//!
//! Owns which boards there are, what is on them, and how a board comes from its changes. Invariant: what a
//! board shows is a function of the set of changes and of which of them count.

mod edit;
mod fold;
mod ground;
mod left_out;
mod open;
mod place;
mod share;
#[cfg(test)]
mod tests;
mod view;

use serde::{Deserialize, Serialize};

use super::entry::Branch;
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

/// Which board. The name is the document: authors who open the same one without knowing of each other merge.
/// Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Board {
    /// A branch: where it begins and ends.
    Branch(Branch),
    /// Names of moments.
    Labels,
    /// Moments that are kept in sight.
    Pins,
    /// What people say of a moment.
    Comments(EntryId),
    /// A review of a moment: what people say, and whether it is settled.
    Review(EntryId),
}

impl Board {
    /// The bytes that order and find it.
    pub(super) fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("plain data always encodes into a growing buffer")
    }

    /// The name of its document.
    pub(super) fn document(&self) -> Digest {
        Digest::of_parts(&[b"xyn board v1\n", &self.encode()])
    }
}
