//! Automerge changes that anyone may have made: decoded, bounded, and held against the author they claim.
//!
//! Owns the only way from bytes to a change. The library takes much on trust: it inflates compressed chunks
//! of any size, follows run lengths of any size, checks no checksum of a lone change, and panics on indices
//! out of range. Invariant: what comes out of here is small, is what its author's library would write, and
//! names that author.

mod bounds;
mod whole;

use automerge::{ActorId, Change, ExpandedChange};

use super::entry::EntryError;
use super::feed::FeedId;
use crate::digest::Digest;

pub use bounds::OPERATIONS_MAX;
pub use whole::{DOCUMENT_MAX_BYTES, merge_documents};

/// Why bytes are no change to the document they are said to be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It does not decode, or not to what would encode to the same bytes.
    #[error("the change does not decode")]
    Undecodable,
    /// It unfolds to more than its bytes justify.
    #[error("the change unfolds to more than {OPERATIONS_MAX} operations")]
    Oversized,
    /// It is made in the name of another author, document or incarnation.
    #[error("the change has an actor id that is not its author's in this document")]
    ForgedActor,
    /// It is for another document of the feed than the one that is open.
    #[error("the change is for entry document {found} where {expected} is open")]
    WrongDocument {
        /// The document it names.
        found: u32,
        /// The one that is open.
        expected: u32,
    },
    /// It does not follow the change before it.
    #[error("the change does not follow the one before it in its entry document")]
    MissingDependency,
    /// It does something other than to put one entry under its id.
    #[error("the change does more or less than to put one entry")]
    NotAnEntry,
    /// It is for a board that has no name.
    #[error("the change is for a label whose name is none")]
    NoBoard,
    /// It does what no operation on such a document does.
    #[error("the change holds an operation that boards do not have")]
    ForeignOperation,
    /// The entry in it is none.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// The actor id of `feed` in the document called `document`: nobody else may use it.
pub(super) fn actor(feed: &FeedId, document: &Digest) -> ActorId {
    let incarnation = feed.incarnation.to_be_bytes();
    let parts = [b"xyn actor v1\n".as_slice(), feed.node.as_bytes(), document.as_bytes(), &incarnation];
    // 128 bits, the size the library keeps without an allocation; what counts is that no second one can be
    // found.
    ActorId::from(&Digest::of_parts(&parts).as_bytes()[..16])
}

/// The change that `bytes` are.
pub(super) fn read(bytes: &[u8]) -> Result<Change, ChangeError> {
    let checksum = bounds::check(bytes)?.checksum;
    let change = contained(|| Change::try_from(bytes))?.map_err(|_| ChangeError::Undecodable)?;
    match change.hash().0.starts_with(&checksum) {
        true => Ok(change),
        false => Err(ChangeError::Undecodable),
    }
}

/// How many operations the change `bytes` unfolds to, roughly. It is not unfolded to find out.
pub(super) fn operations(bytes: &[u8]) -> Result<u64, ChangeError> {
    bounds::check(bytes).map(|outline| outline.operations)
}

/// The operations of `change`, once they are found to encode to the same bytes again.
pub(super) fn expand(change: &Change) -> Result<ExpandedChange, ChangeError> {
    contained(|| {
        let expanded = change.decode();
        let again = Change::from(expanded.clone());
        (again.raw_bytes() == change.raw_bytes()).then_some(expanded)
    })?
    .ok_or(ChangeError::Undecodable)
}

/// Runs `work` of the library; a panic in it is an answer like any other.
pub(super) fn contained<T>(work: impl FnOnce() -> T) -> Result<T, ChangeError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|_| ChangeError::Undecodable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::signature::PublicKey;

    #[test]
    fn an_actor_is_one_author_in_one_document_in_one_life() {
        let feed = FeedId { node: PublicKey::from_bytes([1; 32]), incarnation: 1 };
        let document = Digest::of(b"document");
        let actors = [
            actor(&feed, &document),
            actor(&FeedId { incarnation: 2, ..feed }, &document),
            actor(&FeedId { node: PublicKey::from_bytes([2; 32]), ..feed }, &document),
            actor(&feed, &Digest::of(b"another")),
        ];
        for (index, one) in actors.iter().enumerate() {
            assert!(!actors[index + 1..].contains(one));
        }
    }
}
