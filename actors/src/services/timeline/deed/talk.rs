//! Talk about a moment: comments, and reviews with an end.
//!
//! Words are on boards, where several people may write at once and everyone's letters stay. A verdict is a moment of
//! its own: nobody else can change it.

use serde_json::json;
use xyn_capsules::tree::{self, InvalidName, RelPath, TreeError};
use xyn_store::Digest;
use xyn_store::blobs::{BlobError, Blobs};
use xyn_store::ids::CommentId;
use xyn_store::timeline::board::{Board, Edit, Place, Side, View};
use xyn_store::timeline::entry::{Kind, Refs, TITLE_MAX_CHARS};

use super::super::milestone::fitting;
use super::{Deed, Wish, unchanged};
use crate::runtime::Refusal;
use crate::services::{field, id};

/// Adds a comment to a moment, or rewrites one; in its review, and at a line, where the input says so.
pub(super) fn comment(wish: &Wish<'_>, blobs: &Blobs) -> Result<Deed, Refusal> {
    let (entry, text) = (wish.entry()?, field(wish.input(), "text").to_owned());
    let entry_id = entry.entry_id;
    let board = match field(wish.input(), "on") {
        "review" => {
            let board = Board::Review(entry_id);
            opened(wish, &board)?;
            board
        }
        _ => Board::Comments(entry_id),
    };
    let (comment_id, edit) = match wish.input().get("comment_id") {
        Some(_) => {
            let comment_id: CommentId = id(wish.input(), "comment_id")?;
            (comment_id, Edit::Rewrite(comment_id, text))
        }
        None => {
            let comment_id = wish.id("comment");
            (comment_id, Edit::Comment(comment_id, text))
        }
    };
    let mut edits = vec![edit];
    if let Some(place) = wish.input().get("place") {
        let place: Place =
            serde_json::from_value(place.clone()).map_err(|error| misplaced(error.to_string()))?;
        stands(&entry.note.refs, blobs, &place)?;
        edits.push(Edit::Place(comment_id, place));
    }
    Ok(Deed::edit(board, edits, json!({ "entry_id": entry_id, "comment_id": comment_id })))
}

fn misplaced(message: impl Into<String>) -> Refusal {
    Refusal::invalid("invalid_input", "/place", message)
}

/// Whether `place` is in a file that a moment with `refs` changed, as far as its files are here.
fn stands(refs: &Refs, blobs: &Blobs, place: &Place) -> Result<(), Refusal> {
    if refs.before.is_none() && refs.after.is_none() {
        return Err(misplaced("the moment changed no file"));
    }
    if let Some(asked) = place.workspace.as_ref().filter(|asked| refs.workspace.as_ref() != Some(asked)) {
        let changed =
            refs.workspace.as_ref().map_or_else(String::new, |changed| format!("; it changed `{changed}`"));
        return Err(misplaced(format!("the moment changed nothing in workspace `{asked}`{changed}")));
    }
    let path: RelPath = place.path.parse().map_err(|error: InvalidName| misplaced(error.to_string()))?;
    let found = |root: Option<Digest>| match root.map(|root| tree::find(blobs, &root, &path)).transpose() {
        Ok(entry) => Ok(entry.flatten()),
        // A teammate's moment may be here before its files.
        Err(TreeError::Blob(BlobError::NotFound(_))) => Err(None),
        Err(error) => Err(Some(Refusal::Unavailable(error.to_string()))),
    };
    match found(refs.before).and_then(|before| Ok((before, found(refs.after)?))) {
        Ok((before, after)) if before == after => {
            Err(misplaced(format!("the moment did not change `{path}`")))
        }
        Ok((before, after)) if before.iter().chain(&after).any(|entry| !entry.mode.is_file()) => {
            Err(misplaced(format!("`{path}` is no file")))
        }
        Ok((None, _)) if place.side == Side::Before => {
            Err(misplaced(format!("there was no `{path}` before the moment")))
        }
        Ok((_, None)) if place.side == Side::After => {
            Err(misplaced(format!("the moment took `{path}` away: say that it is about the side before it")))
        }
        Ok(_) | Err(None) => Ok(()),
        Err(Some(refusal)) => Err(refusal),
    }
}

/// Opens a review of a moment, settles it, or opens it again; with a comment where there is a text.
pub(super) fn review(wish: &Wish<'_>) -> Result<Deed, Refusal> {
    let entry_id = wish.entry()?.entry_id;
    let board = Board::Review(entry_id);
    let is_resolved = field(wish.input(), "status") == "resolved";
    let stands = match opened(wish, &board) {
        Ok(stands) => Some(stands),
        // A review begins by being opened.
        Err(_) if !is_resolved => None,
        Err(refusal) => return Err(refusal),
    };
    if stands == Some(is_resolved) {
        let word = if is_resolved { "resolved" } else { "open" };
        return Err(unchanged(&format!("the review is {word} already")));
    }
    let comment = wish.text("text").map(|text| Edit::Comment(wish.id("comment"), text));
    let edits = std::iter::once(Edit::Resolve(is_resolved)).chain(comment).collect();
    let status = if is_resolved { "resolved" } else { "open" };
    Ok(Deed::edit(board, edits, json!({ "entry_id": entry_id, "status": status })))
}

/// Whether the review on `board`, which was opened, is settled.
fn opened(wish: &Wish<'_>, board: &Board) -> Result<bool, Refusal> {
    match wish.shown(board)? {
        Some(View::Thread { is_resolved, .. }) => Ok(is_resolved),
        _ => Err(Refusal::NotFound { kind: "review", id: field(wish.input(), "entry_id").to_owned() }),
    }
}

/// Approves a moment or rejects it, by a moment about it on the same branch.
pub(super) fn approve(wish: &Wish<'_>) -> Result<Deed, Refusal> {
    let about = wish.entry()?;
    let approves = wish.input().get("approve").and_then(serde_json::Value::as_bool).unwrap_or(true);
    let (kind, verb) = if approves { (Kind::Approve, "approved") } else { (Kind::Reject, "rejected") };
    let note = wish.text("note").map(|note| format!(": {note}")).unwrap_or_default();
    let title = fitting(&format!("{verb} `{}`{note}", about.note.title), TITLE_MAX_CHARS);
    let refs = Refs { run: about.note.refs.run, parents: vec![about.entry_id], ..Refs::default() };
    Ok(Deed::say(wish.moment(about.note.branch, kind, title, refs)))
}
