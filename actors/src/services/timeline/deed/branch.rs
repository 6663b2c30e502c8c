//! Branches, and where they begin.

use serde_json::json;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::entry::Branch;

use super::super::Event;
use super::{Deed, Wish, newest, unchanged};
use crate::runtime::Refusal;

/// Begins a branch, or begins it anew.
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
    let deed = Deed::edit(Board::Branch(branch.clone()), vec![Edit::Open(base)], output);
    Ok(Deed { also: vec![Event::BranchCreated { branch, base }], ..deed })
}
