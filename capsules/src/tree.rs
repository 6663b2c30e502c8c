//! Trees: the files of a folder at one moment, named by one digest.
//!
//! Owns their bytes, the way from a folder into the store and back, and what can be said of two or three of
//! them. A tree is a directory; a directory is a blob that lists its entries, so equal trees have equal
//! digests on every machine and what two have in common is kept and compared once. Refuses names and links
//! that could mean something else on another machine. Invariant: a tree that is read at all is sound.

mod arrive;
mod build;
mod clash;
mod descent;
mod diff;
mod directory;
mod error;
pub(crate) mod folder;
mod graft;
mod ignored;
mod limit;
mod link;
mod listing;
mod look;
mod merge;
mod name;
mod path;
mod restore;
pub(crate) mod scan;
mod seen;
mod shelf;
mod snapshot;
mod text;

pub use arrive::{Arrival, Missing};
pub use clash::{Clash, Conflict, Favour, Side};
pub use diff::{Change, Difference, compare, diff};
pub use directory::{Directory, Entry, InvalidDirectory, Mode};
pub use error::TreeError;
pub(crate) use graft::graft;
pub use limit::{Exceeded, Limits};
pub use link::{InvalidLink, Target};
pub use listing::{Listing, find, list};
pub use look::{Looked, is_exactly, look};
pub use merge::{Merged, merge};
pub use name::{InvalidName, NAME_MAX_BYTES, Name, NameFault};
pub use path::RelPath;
pub use restore::{Restored, Wish, restore};
pub use seen::Seen;
pub use shelf::{Overlay, Shelf};
pub use snapshot::{Taken, snapshot};
pub use text::{mark_text, merge_text};

pub(crate) use build::Builder;
pub(crate) use descent::Descent;
pub(crate) use listing::target;
pub(crate) use look::look_whole;
pub(crate) use snapshot::{Portions, snapshot_whole};

#[cfg(test)]
pub(crate) mod tests;
