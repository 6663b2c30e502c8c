//! Branches, and where they begin.
//!
//! Invariant: a branch keeps the moment it begins at, and what people put on a branch is on one that is listed.

use serde_json::json;
use xyn_store::Reader;
use xyn_store::timeline::board::{Board, Edit, View};
use xyn_store::timeline::entry::Branch;

use super::super::{Event, TimelineError};
use super::{Deed, Wish, newest, unchanged};
use crate::runtime::Refusal;

/// Begins a branch. One that begins there already is left as it is; where others began it elsewhere at the same time,
/// it is settled that it begins there.
pub(super) fn begin(wish: &Wish<'_>) -> Result<Deed, Refusal> {
    let branch = wish.required_branch("name")?;
    if branch == Branch::main() {
        return Err(unchanged("every timeline has this branch from the start"));
    }
    let base = match wish.optional_entry()? {
        Some(entry) => entry.entry_id,
        None => newest(wish.reader, &Branch::main(), wish.now)?.entry_id,
    };
    let output = json!({ "name": branch, "base": base });
    let board = Board::Branch(branch.clone());
    let edit = |board| Deed::edit(board, vec![Edit::Open(base)], output.clone());
    Ok(match wish.shown(&board)? {
        Some(View::Branch { base: Some(begun), contenders, is_closed: false, .. })
            if begun == base && contenders.is_empty() =>
        {
            Deed::nothing(output)
        }
        Some(View::Branch { base: Some(_), .. }) => edit(board),
        _ => Deed { also: vec![Event::BranchCreated { branch, base }], ..edit(board) },
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

/// Sees to it that `branch` is one that people may put moments on: main, or one that was begun.
pub(crate) fn takes_moments(reader: &Reader, branch: &Branch) -> Result<(), Refusal> {
    if *branch == Branch::main() {
        return Ok(());
    }
    match reader.board(&Board::Branch(branch.clone()))?.map(|row| row.view) {
        Some(View::Branch { base: Some(_), .. }) => Ok(()),
        _ => Err(Refusal::NotFound { kind: "branch", id: branch.to_string() }),
    }
}
