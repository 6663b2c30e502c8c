//! Edits: what people do to boards, as Automerge changes; and which foreign changes can be taken.

use std::collections::BTreeSet;

use automerge::legacy::{ElementId, Key, ObjectId, OpType};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, AutomergeError, ObjId, ObjType, ROOT, ReadDoc, ScalarValue};

use super::super::change::{self, ChangeError};
use super::super::feed::FeedId;
use super::Board;
use super::place::Place;
use super::share::Measure;
use crate::ids::{CommentId, EntryId};

/// Characters that a comment may have when it is written: what a schema can say, and a record can hold.
pub const COMMENT_MAX_CHARS: usize = 8 << 10;

pub(super) const BASE: &str = "base";
pub(super) const HEAD: &str = "head";
pub(super) const CLOSED: &str = "closed";
pub(super) const LABELLED: &str = "moment";
pub(super) const PINNED: &str = "pinned";
/// What the names of comments begin with.
pub(super) const COMMENT: &str = "comment:";
/// What the names of their places begin with.
pub(super) const PLACE: &str = "place:";
pub(super) const RESOLVED: &str = "resolved";

/// Something done to a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Begins a branch at a moment. Whoever asks for it sees to it that it does not begin elsewhere.
    Open(EntryId),
    /// Moves the head of a branch.
    Move(EntryId),
    /// Puts a branch away, or takes it out again.
    Close(bool),
    /// Gives a moment the name, and takes it from the one that had it.
    Label(EntryId),
    /// Takes the name away.
    Unlabel,
    /// Keeps the moment in sight.
    Pin,
    /// No longer does.
    Unpin,
    /// Adds a comment.
    Comment(CommentId, String),
    /// Says which line a comment is about.
    Place(CommentId, Place),
    /// Makes a comment read so. What others put into it at the same time stays.
    Rewrite(CommentId, String),
    /// Settles a review, or opens it again.
    Resolve(bool),
}

/// Why an edit cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// This board has no such thing.
    #[error("this cannot be done to such a board")]
    Unfit,
    /// There is no such comment.
    #[error("there is no comment `{0}` here")]
    UnknownComment(CommentId),
    /// A name or text is empty or too long, or a place is none.
    #[error("the {0} does not fit: it is empty, too long, or out of range")]
    OutOfBounds(&'static str),
    /// The author has changed this board as often, or as much, as anybody looks at.
    #[error("this node has used up its share of the board: {0}")]
    Full(Measure),
    /// Nothing would change.
    #[error("nothing to change")]
    Nothing,
    /// The document does not take it.
    #[error("the document does not take the edit")]
    Document(#[from] AutomergeError),
}

/// Makes `edits` to `document`, the board as it stands, in the name of `feed`. Answers the bytes of the change, which
/// are others for each `attempt`.
pub(in crate::timeline) fn write(
    document: &mut Automerge,
    board: &Board,
    feed: &FeedId,
    edits: &[Edit],
    attempt: i64,
) -> Result<Vec<u8>, EditError> {
    if !board.fits() {
        return Err(EditError::OutOfBounds("label"));
    }
    document.set_actor(change::actor(feed, &board.document()));
    let mut transaction = document.transaction();
    // An edit that fails rolls back all of them when the transaction is dropped.
    edits.iter().try_for_each(|edit| apply(&mut transaction, board, edit))?;
    let (hash, _) = transaction.commit_with(CommitOptions::default().with_time(attempt));
    let change = hash.and_then(|hash| document.get_change_by_hash(&hash)).ok_or(EditError::Nothing)?;
    Ok(change.raw_bytes().to_vec())
}

fn apply(document: &mut impl Transactable, board: &Board, edit: &Edit) -> Result<(), EditError> {
    match (board, edit) {
        (Board::Branch(_), Edit::Open(base)) => {
            document.put(ROOT, BASE, base.to_string())?;
            document.put(ROOT, HEAD, base.to_string())?;
            document.put(ROOT, CLOSED, false)?;
        }
        (Board::Branch(_), Edit::Move(head)) => document.put(ROOT, HEAD, head.to_string())?,
        (Board::Branch(_), Edit::Close(is_closed)) => document.put(ROOT, CLOSED, *is_closed)?,
        (Board::Label(_), Edit::Label(entry)) => document.put(ROOT, LABELLED, entry.to_string())?,
        (Board::Label(_), Edit::Unlabel) => delete(document, LABELLED)?,
        (Board::Pin(_), Edit::Pin) => document.put(ROOT, PINNED, true)?,
        (Board::Pin(_), Edit::Unpin) => delete(document, PINNED)?,
        (Board::Comments(_) | Board::Review(_), Edit::Comment(id, text)) => {
            bounded("comment", text, COMMENT_MAX_CHARS)?;
            let object = document.put_object(ROOT, format!("{COMMENT}{id}"), ObjType::Text)?;
            document.splice_text(&object, 0, 0, text)?;
        }
        (Board::Comments(_) | Board::Review(_), Edit::Place(comment, place)) => {
            text_of(document, *comment)?;
            if !place.fits() {
                return Err(EditError::OutOfBounds("place"));
            }
            document.put(ROOT, format!("{PLACE}{comment}"), place.encode())?;
        }
        (Board::Comments(_) | Board::Review(_), Edit::Rewrite(comment, text)) => {
            bounded("comment", text, COMMENT_MAX_CHARS)?;
            let object = text_of(document, *comment)?;
            document.update_text(&object, text)?;
        }
        (Board::Review(_), Edit::Resolve(is_resolved)) => document.put(ROOT, RESOLVED, *is_resolved)?,
        _ => return Err(EditError::Unfit),
    }
    Ok(())
}

fn bounded(what: &'static str, text: &str, limit: usize) -> Result<(), EditError> {
    let fits = (1..=limit).contains(&text.chars().count());
    if fits { Ok(()) } else { Err(EditError::OutOfBounds(what)) }
}

fn delete(document: &mut impl Transactable, name: &str) -> Result<(), EditError> {
    match document.get(ROOT, name)? {
        Some(_) => Ok(document.delete(ROOT, name)?),
        None => Err(EditError::Nothing),
    }
}

fn text_of(document: &impl ReadDoc, comment: CommentId) -> Result<ObjId, EditError> {
    match document.get(ROOT, format!("{COMMENT}{comment}"))? {
        Some((value, object)) if value.is_object() => Ok(object),
        _ => Err(EditError::UnknownComment(comment)),
    }
}

/// Whether the change `bytes` to `board` in a record of `feed` can be taken: it names its author, and does
/// nothing but what [`Edit`]s do. Whether what it builds on is there shows when the board is folded.
pub(in crate::timeline) fn check(board: &Board, feed: &FeedId, bytes: &[u8]) -> Result<(), ChangeError> {
    if !board.fits() {
        return Err(ChangeError::NoBoard);
    }
    let change = change::read(bytes)?;
    if *change.actor_id() != change::actor(feed, &board.document()) {
        return Err(ChangeError::ForgedActor);
    }
    let mut gone = BTreeSet::new();
    let is_of_boards = |op: &automerge::legacy::Op| match (&op.obj, &op.key, &op.action) {
        (ObjectId::Root, Key::Map(_), OpType::Put(value)) => !matches!(value, ScalarValue::Counter(_)),
        (ObjectId::Root, Key::Map(_), OpType::Make(ObjType::Text) | OpType::Delete) => true,
        // An empty piece takes no room, and thousands of them do not either.
        (ObjectId::Id(_), Key::Seq(_), OpType::Put(ScalarValue::Str(piece))) => {
            op.insert && !piece.is_empty()
        }
        // Whoever took a piece away does not see it any more. The library goes through all who did, each time.
        (ObjectId::Id(_), Key::Seq(ElementId::Id(piece)), OpType::Delete) => {
            !op.insert && gone.insert((piece.counter(), piece.actor().clone()))
        }
        _ => false,
    };
    match change::expand(&change)?.operations.iter().all(is_of_boards) {
        true => Ok(()),
        false => Err(ChangeError::ForeignOperation),
    }
}
