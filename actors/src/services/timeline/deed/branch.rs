//! Branches, and where they begin.
//!
//! Invariant: a branch keeps the moment it begins at, and what people put on a branch is on one that is listed.

use serde_json::{Value, json};
use xyn_store::Reader;
use xyn_store::timeline::board::{Board, Edit, View};
use xyn_store::timeline::entry::Branch;

use super::super::{Event, TimelineError};
use super::{Deed, Wish, newest, refusal, told_apart, unchanged};
use crate::runtime::Refusal;

/// Begins a branch, puts one away, or takes one out again.
pub(super) fn branch(wish: &Wish<'_>) -> Result<Deed, Refusal> {
    let branch = wish.required_branch("name")?;
    if branch == Branch::main() {
        let always = "every timeline has this branch, from the start and always";
        return Err(match wish.input().get("closed").and_then(Value::as_bool) {
            Some(true) => Refusal::Conflict { code: "conflict", message: always.to_owned() },
            _ => unchanged(always),
        });
    }
    match wish.input().get("closed").and_then(Value::as_bool) {
        Some(is_closed) => put_away(wish, branch, is_closed),
        None => begin(wish, branch),
    }
}

/// Puts a branch away, so that nothing more is put on it, or takes it out again.
fn put_away(wish: &Wish<'_>, branch: Branch, is_closed: bool) -> Result<Deed, Refusal> {
    let board = Board::Branch(branch.clone());
    let (base, stands) = match wish.shown(&board)? {
        Some(View::Branch { base: Some(base), is_closed, .. }) => (base, is_closed),
        _ => return Err(Refusal::NotFound { kind: "branch", id: branch.to_string() }),
    };
    if wish.optional_entry()?.is_some_and(|entry| entry.entry_id != base) {
        return Err(refusal(TimelineError::Begun { branch, base }));
    }
    if stands == is_closed {
        let word = if is_closed { "put away" } else { "open" };
        return Err(unchanged(&format!("the branch is {word} already")));
    }
    let output = json!({ "name": branch, "base": base, "is_closed": is_closed });
    Ok(Deed::edit(board, vec![Edit::Close(is_closed)], output))
}

/// Begins a branch. One that begins there already is left as it is, and taken out where it was put away; where others
/// began it elsewhere at the same time, it is settled that it begins there.
fn begin(wish: &Wish<'_>, branch: Branch) -> Result<Deed, Refusal> {
    let base = match wish.optional_entry()? {
        Some(entry) => entry.entry_id,
        None => newest(wish.reader, &Branch::main(), wish.now)?.entry_id,
    };
    let output = json!({ "name": branch, "base": base, "is_closed": false });
    let board = Board::Branch(branch.clone());
    let edit = |board| Deed::edit(board, vec![Edit::Open(base)], output.clone());
    Ok(match wish.shown(&board)? {
        Some(View::Branch { base: Some(begun), is_closed: true, .. }) if begun != base => {
            return Err(refusal(TimelineError::Closed(branch)));
        }
        Some(View::Branch { base: Some(begun), contenders, is_closed: false, .. })
            if begun == base && contenders.is_empty() =>
        {
            Deed::nothing(output)
        }
        Some(View::Branch { base: Some(_), .. }) => edit(board),
        _ => {
            told_apart("name", branch.as_str())?;
            Deed { also: vec![Event::BranchCreated { branch, base }], ..edit(board) }
        }
    })
}

/// Sees to it that `edits` leave a branch where it begins. Asked by the writer, between whose edits nothing comes: of
/// two who begin one branch at once, one is the first.
pub(in crate::services::timeline) fn keeps_base(
    reader: &Reader,
    board: &Board,
    edits: &[Edit],
) -> Result<(), TimelineError> {
    let (Board::Branch(branch), [Edit::Open(wanted)]) = (board, edits) else { return Ok(()) };
    match reader.board(board)?.map(|row| row.view) {
        Some(View::Branch { base: Some(base), .. }) if base != *wanted => {
            Err(TimelineError::Begun { branch: branch.clone(), base })
        }
        _ => Ok(()),
    }
}

/// Sees to it that `branch` is one that people may put moments on: main, or one that was begun and is not put away. The
/// writer asks, between whose commands nothing comes; and before it whoever has much to do until then.
pub(crate) fn takes_moments(reader: &Reader, branch: &Branch) -> Result<(), TimelineError> {
    if *branch == Branch::main() {
        return Ok(());
    }
    match reader.board(&Board::Branch(branch.clone()))?.map(|row| row.view) {
        Some(View::Branch { base: Some(_), is_closed: false, .. }) => Ok(()),
        Some(View::Branch { base: Some(_), .. }) => Err(TimelineError::Closed(branch.clone())),
        _ => Err(TimelineError::NoBranch(branch.clone())),
    }
}
