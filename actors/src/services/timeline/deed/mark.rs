//! Notes, names and pins.

use serde_json::{Value, json};
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::entry::{Branch, Kind, Refs};

use super::{Deed, Wish, told_apart};
use crate::runtime::Refusal;
use crate::services::{field, id};

pub(super) fn note(wish: &Wish<'_>) -> Result<Deed, Refusal> {
    let input = wish.input();
    let refs = Refs {
        run: input.get("run_id").map(|_| id(input, "run_id")).transpose()?,
        parents: wish.optional_entry()?.into_iter().map(|entry| entry.entry_id).collect(),
        ..Refs::default()
    };
    let branch = wish.branch("branch")?.unwrap_or_else(Branch::main);
    Ok(Deed::say(wish.moment(branch, Kind::Note, field(input, "title").to_owned(), refs)))
}

pub(super) fn label(wish: &Wish<'_>) -> Result<Deed, Refusal> {
    let label = field(wish.input(), "name").to_owned();
    let entry = wish.optional_entry()?;
    let output = json!({ "name": label, "entry_id": entry.as_ref().map(|entry| entry.entry_id) });
    let edit = match entry {
        Some(entry) => {
            told_apart("name", &label)?;
            Edit::Label(entry.entry_id)
        }
        None if wish.reader.label(&label)?.is_none() => {
            return Err(Refusal::NotFound { kind: "label", id: label });
        }
        None => Edit::Unlabel,
    };
    Ok(Deed::edit(Board::Label(label), vec![edit], output))
}

pub(super) fn pin(wish: &Wish<'_>) -> Result<Deed, Refusal> {
    let entry_id = wish.entry()?.entry_id;
    let is_pinned = wish.input().get("pinned").and_then(Value::as_bool).unwrap_or(true);
    let edit = if is_pinned { Edit::Pin } else { Edit::Unpin };
    let output = json!({ "entry_id": entry_id, "is_pinned": is_pinned });
    Ok(Deed::edit(Board::Pin(entry_id), vec![edit], output))
}
