//! Branches: begun at a moment, and joined again.

use serde_json::json;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::entry::{Branch, Kind, Refs};

use super::super::Event;
use super::{Deed, Wish};
use crate::runtime::Refusal;

/// Begins a branch, or begins it anew.
pub(super) fn begin(wish: &Wish<'_>) -> Result<Deed, Refusal> {
    let branch = wish.required_branch("name")?;
    if branch == Branch::main() {
        return Err(Refusal::invalid("invalid_input", "/name", "every timeline has this branch from the start"));
    }
    let base = match wish.optional_entry()? {
        Some(entry) => entry.entry_id,
        None => wish.newest(&Branch::main())?.entry_id,
    };
    let output = json!({ "name": branch, "base": base });
    let deed = Deed::edit(Board::Branch(branch.clone()), vec![Edit::Open(base)], output);
    Ok(Deed { also: vec![Event::BranchCreated { branch, base }], ..deed })
}

/// Joins a branch into another.
pub(super) fn merge(wish: &Wish<'_>) -> Result<Deed, Refusal> {
    let from = wish.required_branch("from")?;
    let into = wish.branch("into")?.unwrap_or_else(Branch::main);
    if from == into {
        return Err(Refusal::invalid("invalid_input", "/into", "a branch is not merged into itself"));
    }
    let parents = vec![wish.newest(&into)?.entry_id, wish.newest(&from)?.entry_id];
    let title = wish.text("title").unwrap_or_else(|| format!("merged `{from}` into `{into}`"));
    let refs = Refs { parents, ..Refs::default() };
    let (entry_id, note) = wish.moment(into.clone(), Kind::Merge, title, refs);
    let deed = Deed::say((entry_id, note));
    Ok(Deed { also: vec![Event::BranchMerged { from, into, entry_id }], ..deed })
}
