//! Entry documents: Automerge documents with a single writer, a map of entry ids to entries.
//!
//! Owns what the next change of such a document looks like. One author, one put per change, each change on
//! top of the one before: so a change is written and verified from the state in [`EntryHead`] alone, at the
//! same cost however long the timeline is, and the document itself is only made when somebody wants it.
//! Invariant: an accepted change is, byte for byte, the one this program would have written.

use std::num::NonZeroU64;

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{ActorId, Automerge, Change, ChangeHash, ExpandedChange, ROOT, ReadDoc, ScalarValue};
use serde::{Deserialize, Serialize};

use super::bytes::Bytes;
use super::change::{self, ChangeError};
use super::entry::{EntryError, Note};
use super::feed::FeedId;
use super::record::Body;
use crate::digest::Digest;
use crate::ids::EntryId;

/// Entries of one document; then the next begins. Bounds what it costs to open one.
pub const DOCUMENT_ENTRIES_MAX: u32 = 4096;

/// Where a feed's entry documents end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryHead {
    /// The open document.
    document: u32,
    /// Entries in it.
    len: u32,
    /// Hash of its last change.
    last: Option<Digest>,
}

impl EntryHead {
    /// The record body that puts `note` under `entry_id`, and the head behind it.
    pub(super) fn write(
        self,
        feed: &FeedId,
        entry_id: EntryId,
        note: &Note,
    ) -> Result<(Self, Body), EntryError> {
        let open = self.with_room();
        let change = open.change(change::actor(feed, &name(feed, open.document)), entry_id, note.encode()?);
        let body = Body::Entry { document: open.document, change: Bytes(change.raw_bytes().to_vec()) };
        Ok((open.behind(&change), body))
    }

    /// What the change `bytes` to document `document` puts, and the head behind it.
    pub(super) fn read(
        self,
        feed: &FeedId,
        document: u32,
        bytes: &[u8],
    ) -> Result<(Self, EntryId, Note), ChangeError> {
        let open = self.with_room();
        if document != open.document {
            return Err(ChangeError::WrongDocument { found: document, expected: open.document });
        }
        let change = change::read(bytes)?;
        let actor = change::actor(feed, &name(feed, document));
        if *change.actor_id() != actor {
            return Err(ChangeError::ForgedActor);
        }
        let last = open.last.map(hash);
        if change.deps() != last.as_slice() || change.seq() != u64::from(open.len) + 1 {
            return Err(ChangeError::MissingDependency);
        }
        let (entry_id, value) = sole_put(&change)?;
        let note = Note::decode(&value)?;
        if open.change(actor, entry_id, value).raw_bytes() != bytes {
            return Err(ChangeError::NotAnEntry);
        }
        Ok((open.behind(&change), entry_id, note))
    }

    /// This head, or that of the next document when this one is full.
    fn with_room(self) -> Self {
        match self.len {
            DOCUMENT_ENTRIES_MAX.. => Self { document: self.document + 1, ..Self::default() },
            _ => self,
        }
    }

    fn behind(self, change: &Change) -> Self {
        Self { len: self.len + 1, last: Some(Digest::from_bytes(change.hash().0)), ..self }
    }

    /// The change that puts `value` under `entry_id` behind this head.
    fn change(self, actor_id: ActorId, entry_id: EntryId, value: Vec<u8>) -> Change {
        let put = Op {
            action: OpType::Put(ScalarValue::Bytes(value)),
            obj: ObjectId::Root,
            key: Key::Map(entry_id.to_string().into()),
            pred: Vec::new().into(),
            insert: false,
        };
        let seq = u64::from(self.len) + 1;
        Change::from(ExpandedChange {
            operations: vec![put],
            actor_id,
            author: None,
            hash: None,
            seq,
            // One operation a change: both count alike.
            start_op: NonZeroU64::MIN.saturating_add(seq - 1),
            time: 0,
            message: None,
            deps: self.last.map(hash).into_iter().collect(),
            extra_bytes: Vec::new(),
        })
    }
}

fn hash(digest: Digest) -> ChangeHash {
    ChangeHash(*digest.as_bytes())
}

/// What a document of `feed` is called.
fn name(feed: &FeedId, document: u32) -> Digest {
    let (incarnation, number) = (feed.incarnation.to_be_bytes(), document.to_be_bytes());
    Digest::of_parts(&[b"xyn entry document v1\n", feed.node.as_bytes(), &incarnation, &number])
}

/// What an accepted change put.
pub(super) fn reread(bytes: &[u8]) -> Result<(EntryId, Note), ChangeError> {
    let (entry_id, value) = sole_put(&change::read(bytes)?)?;
    Ok((entry_id, Note::decode(&value)?))
}

/// Id and value of the one put that `change` is.
fn sole_put(change: &Change) -> Result<(EntryId, Vec<u8>), ChangeError> {
    if change.len() != 1 {
        return Err(ChangeError::NotAnEntry);
    }
    let put = change::contained(|| change.decode())?.operations.pop();
    let Some(Op { action: OpType::Put(ScalarValue::Bytes(value)), key: Key::Map(key), .. }) = put else {
        return Err(ChangeError::NotAnEntry);
    };
    Ok((key.parse().map_err(|_| ChangeError::NotAnEntry)?, value))
}

/// The entry document that `changes` add up to, as Automerge sees it: its entries by id.
///
/// Nothing that reads the timeline needs it; it is for whoever exports a document, and proves that the rows
/// say the same.
pub fn materialise(
    changes: impl IntoIterator<Item = Vec<u8>>,
) -> Result<(Automerge, Vec<(EntryId, Note)>), ChangeError> {
    let changes = changes.into_iter().map(|bytes| change::read(&bytes)).collect::<Result<Vec<_>, _>>()?;
    let mut document = Automerge::new();
    change::contained(|| document.apply_changes(changes))?.map_err(|_| ChangeError::Undecodable)?;
    let mut entries = Vec::new();
    for key in document.keys(ROOT) {
        let entry_id = key.parse().map_err(|_| ChangeError::NotAnEntry)?;
        // One id may have been put twice; both stand on the timeline.
        for (value, _) in document.get_all(ROOT, &key).map_err(|_| ChangeError::Undecodable)? {
            let value = value.into_scalar().ok().and_then(|value| match value {
                ScalarValue::Bytes(bytes) => Some(bytes),
                _ => None,
            });
            entries.push((entry_id, Note::decode(&value.ok_or(ChangeError::NotAnEntry)?)?));
        }
    }
    Ok((document, entries))
}
