//! What a board shows: plain data, read out of its document.

use std::collections::BTreeSet;
use std::str::FromStr;

use automerge::legacy::{Key, ObjectId};
use automerge::{Automerge, Change, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use serde::{Deserialize, Serialize};

use super::super::change;
use super::super::hlc::Hlc;
use super::Board;
use super::edit::{BASE, CLOSED, COMMENT, HEAD, LABELLED, PINNED, PLACE, RESOLVED};
use super::place::Place;
use crate::audit::signature::PublicKey;
use crate::ids::{CommentId, EntryId};

/// A comment as it reads now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Comment {
    /// When it was begun.
    pub at: Hlc,
    /// Which one.
    pub comment_id: CommentId,
    /// Who began it: the node whose record made it, whatever the text says.
    pub node: PublicKey,
    /// The words, of everyone who worked on them.
    pub text: String,
    /// The line it is about; the whole moment where none is said.
    pub place: Option<Place>,
}

/// What is on a board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum View {
    /// A branch.
    Branch {
        /// Where it begins.
        base: Option<EntryId>,
        /// Where it ends.
        head: Option<EntryId>,
        /// Other heads, of people who moved it at the same time.
        contenders: BTreeSet<EntryId>,
        /// Whether it was put away.
        is_closed: bool,
    },
    /// The moment that has the name.
    Label(Option<EntryId>),
    /// Whether the moment is kept in sight.
    Pin(bool),
    /// Comments, oldest first.
    Thread {
        /// The comments.
        comments: Vec<Comment>,
        /// Whether a review is settled.
        is_resolved: bool,
    },
}

impl View {
    /// What `board` shows before anybody changed it.
    pub(super) fn empty(board: &Board) -> Self {
        match board {
            Board::Branch(_) => {
                Self::Branch { base: None, head: None, contenders: BTreeSet::new(), is_closed: false }
            }
            Board::Label(_) => Self::Label(None),
            Board::Pin(_) => Self::Pin(false),
            Board::Comments(_) | Board::Review(_) => {
                Self::Thread { comments: Vec::new(), is_resolved: false }
            }
        }
    }

    /// Reads anew what stands under `names` in `document`, as whatever else does was read before. What does not
    /// belong on the board is not shown. `origin` tells of a change who made it, and when.
    pub(super) fn refresh(
        &mut self,
        document: &Automerge,
        names: &BTreeSet<String>,
        origin: impl Fn(&ChangeHash) -> Option<(PublicKey, Hlc)>,
    ) {
        match self {
            Self::Branch { base, head, contenders, is_closed } => {
                *base = entry(document, BASE);
                *head = entry(document, HEAD);
                *contenders = all(document, HEAD).filter_map(|value| parse(&value)).collect();
                contenders.retain(|contender| Some(*contender) != *head);
                *is_closed = flag(document, CLOSED);
            }
            Self::Label(moment) => *moment = entry(document, LABELLED),
            Self::Pin(is_pinned) => *is_pinned = flag(document, PINNED),
            Self::Thread { comments, is_resolved } => {
                let comment_of = |name: &String| {
                    name.strip_prefix(COMMENT).or_else(|| name.strip_prefix(PLACE)).and_then(id)
                };
                let changed: BTreeSet<CommentId> = names.iter().filter_map(comment_of).collect();
                comments.retain(|comment| !changed.contains(&comment.comment_id));
                comments.extend(changed.into_iter().filter_map(|id| comment(document, id, &origin)));
                comments.sort();
                *is_resolved = flag(document, RESOLVED);
            }
        }
    }
}

/// The names under which `changes`, which are in `document`, write: their own, and those of the texts that they edit.
/// None when the library does not say.
pub(super) fn names(document: &Automerge, changes: &[Change]) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for change in changes {
        let mut texts = BTreeSet::new();
        for operation in change::expand(change).ok()?.operations {
            match (operation.obj, operation.key) {
                (ObjectId::Root, Key::Map(name)) => drop(names.insert(name.to_string())),
                (ObjectId::Id(text), _) => drop(texts.insert((text.counter(), text.actor().clone()))),
                (ObjectId::Root, Key::Seq(_)) => return None,
            }
        }
        for (counter, actor) in texts {
            let parent = document.parents(ObjId::Id(counter, actor, 0)).ok()?.next()?;
            names.insert(parent.prop.to_string());
        }
    }
    Some(names)
}

/// The id that `name` is, as ids are written: another way to write it would be another name for the same.
fn id<T: FromStr + ToString>(name: &str) -> Option<T> {
    name.parse().ok().filter(|id: &T| id.to_string() == name)
}

fn comment(
    document: &Automerge,
    comment_id: CommentId,
    origin: impl Fn(&ChangeHash) -> Option<(PublicKey, Hlc)>,
) -> Option<Comment> {
    let (value, object) = document.get(ROOT, format!("{COMMENT}{comment_id}")).ok()??;
    if !matches!(value, Value::Object(ObjType::Text)) {
        return None;
    }
    let (node, at) = origin(&document.hash_for_opid(&object)?)?;
    let place = text(document, &format!("{PLACE}{comment_id}")).and_then(|place| Place::decode(&place));
    Some(Comment { at, comment_id, node, text: document.text(&object).ok()?, place })
}

/// All values of `key`; several where people wrote at the same time.
fn all(document: &Automerge, key: &str) -> impl Iterator<Item = ScalarValue> {
    let values = document.get_all(ROOT, key).unwrap_or_default();
    let values: Vec<ScalarValue> =
        values.into_iter().filter_map(|(value, _)| value.into_scalar().ok()).collect();
    values.into_iter()
}

fn parse(value: &ScalarValue) -> Option<EntryId> {
    match value {
        ScalarValue::Str(text) => text.parse().ok(),
        _ => None,
    }
}

fn entry(document: &Automerge, key: &str) -> Option<EntryId> {
    let (value, _) = document.get(ROOT, key).ok()??;
    value.into_scalar().ok().as_ref().and_then(parse)
}

fn text(document: &Automerge, key: &str) -> Option<String> {
    let (value, _) = document.get(ROOT, key).ok()??;
    value.into_string().ok()
}

fn flag(document: &Automerge, key: &str) -> bool {
    let value = document.get(ROOT, key).ok().flatten();
    value.is_some_and(|(value, _)| value.as_bool() == Some(true))
}
