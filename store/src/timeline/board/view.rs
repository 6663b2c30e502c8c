//! What a board shows: plain data, read out of its document.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, ChangeHash, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use serde::{Deserialize, Serialize};

use super::super::entry::is_name;
use super::super::hlc::Hlc;
use super::Board;
use super::edit::{BASE, CLOSED, COMMENT, HEAD, PLACE, RESOLVED};
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
    /// Moments by name.
    Labels(BTreeMap<String, EntryId>),
    /// Moments.
    Pins(BTreeSet<EntryId>),
    /// Comments, oldest first.
    Thread {
        /// The comments.
        comments: Vec<Comment>,
        /// Whether a review is settled.
        is_resolved: bool,
    },
}

/// Reads `document` as `board`. What does not belong on it is not shown. `origin` tells of a change who made
/// it, and when.
pub(super) fn read(
    board: &Board,
    document: &Automerge,
    origin: impl Fn(&ChangeHash) -> Option<(PublicKey, Hlc)>,
) -> View {
    match board {
        Board::Branch(_) => {
            let head = entry(document, HEAD);
            let mut contenders: BTreeSet<EntryId> =
                all(document, HEAD).filter_map(|value| parse(&value)).collect();
            contenders.retain(|contender| Some(*contender) != head);
            View::Branch { base: entry(document, BASE), head, contenders, is_closed: flag(document, CLOSED) }
        }
        Board::Labels => {
            let names = document.keys(ROOT).filter(|name| is_name(name));
            View::Labels(names.filter_map(|name| entry(document, &name).map(|entry| (name, entry))).collect())
        }
        Board::Pins => View::Pins(document.keys(ROOT).filter_map(|key| key.parse().ok()).collect()),
        Board::Comments(_) | Board::Review(_) => {
            let keys = document.keys(ROOT);
            let mut comments: Vec<Comment> =
                keys.filter_map(|key| comment(document, &key, &origin)).collect();
            comments.sort();
            View::Thread { comments, is_resolved: flag(document, RESOLVED) }
        }
    }
}

fn comment(
    document: &Automerge,
    key: &str,
    origin: impl Fn(&ChangeHash) -> Option<(PublicKey, Hlc)>,
) -> Option<Comment> {
    let comment_id = key.strip_prefix(COMMENT)?.parse().ok()?;
    let (value, object) = document.get(ROOT, key).ok()??;
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
