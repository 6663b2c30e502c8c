//! Reading boards: one, those of a kind, and what people marked moments with.
//!
//! Reads rows and loads no Automerge document.

use std::collections::{BTreeMap, BTreeSet};

use super::super::rows::BoardRow;
use super::{BRANCH, Board, LABEL, PIN, REVIEW, View};
use crate::error::StoreError;
use crate::ids::EntryId;
use crate::projection::{Cursor, Page, Row};
use crate::reader::{Order, PageBuilder, Reader, decode};

impl Reader {
    /// What `board` shows; none when nobody touched it.
    pub fn board(&self, board: &Board) -> Result<Option<BoardRow>, StoreError> {
        self.get(&BoardRow::key_of(board))
    }

    /// A page of branches that somebody began, by name.
    pub fn branches(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<BoardRow>, StoreError> {
        self.boards(BRANCH, Order::Ascending, cursor, limit, Some)
    }

    /// A page of reviews: the boards of moments that somebody wants looked at, by the age of the moments.
    pub fn reviews(
        &self,
        order: Order,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<BoardRow>, StoreError> {
        self.boards(REVIEW, order, cursor, limit, Some)
    }

    /// A page of labels by name, each with the moment that has it.
    pub fn labels(
        &self,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<(String, EntryId)>, StoreError> {
        self.boards(LABEL, Order::Ascending, cursor, limit, labelled)
    }

    /// The moment that has the name `label`.
    pub fn label(&self, label: &str) -> Result<Option<EntryId>, StoreError> {
        let row = self.board(&Board::Label(label.to_owned()))?;
        Ok(row.and_then(labelled).map(|(_, entry_id)| entry_id))
    }

    /// The names of those of `entries` that have any. Reads all labels.
    pub fn labels_of(
        &self,
        entries: &BTreeSet<EntryId>,
    ) -> Result<BTreeMap<EntryId, Vec<String>>, StoreError> {
        let mut labels = BTreeMap::<_, Vec<_>>::new();
        self.scan(BoardRow::TABLE, &[LABEL], None, Order::Ascending, |_, value| {
            let own = labelled(decode(value)?).filter(|(_, entry_id)| entries.contains(entry_id));
            own.into_iter().for_each(|(label, entry_id)| labels.entry(entry_id).or_default().push(label));
            Ok(true)
        })?;
        Ok(labels)
    }

    /// A page of moments that are pinned, oldest first.
    pub fn pins(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<EntryId>, StoreError> {
        self.boards(PIN, Order::Ascending, cursor, limit, pinned)
    }

    /// Whether the moment is pinned.
    pub fn is_pinned(&self, entry_id: EntryId) -> Result<bool, StoreError> {
        Ok(self.board(&Board::Pin(entry_id))?.and_then(pinned).is_some())
    }

    /// All moments that are pinned or have a name.
    pub fn marked(&self) -> Result<BTreeSet<EntryId>, StoreError> {
        let mut marked = BTreeSet::new();
        for kind in [LABEL, PIN] {
            self.scan(BoardRow::TABLE, &[kind], None, Order::Ascending, |_, value| {
                let row: BoardRow = decode(value)?;
                marked.extend(match row.view {
                    View::Label(labelled) => labelled,
                    _ => pinned(row),
                });
                Ok(true)
            })?;
        }
        Ok(marked)
    }

    /// A page of what is `shown` of the boards of one kind.
    fn boards<T>(
        &self,
        kind: u8,
        order: Order,
        cursor: Option<&Cursor>,
        limit: usize,
        shown: impl Fn(BoardRow) -> Option<T>,
    ) -> Result<Page<T>, StoreError> {
        let mut page = PageBuilder::new(limit);
        self.scan(BoardRow::TABLE, &[kind], cursor.map(Cursor::as_bytes), order, |key, value| {
            Ok(page.offer(key, shown(decode(value)?)))
        })?;
        Ok(page.finish())
    }
}

/// The name that a board is about, and the moment that has it: none has a name that was taken away.
fn labelled(row: BoardRow) -> Option<(String, EntryId)> {
    match (row.board, row.view) {
        (Board::Label(name), View::Label(Some(entry_id))) => Some((name, entry_id)),
        _ => None,
    }
}

/// The moment that a board is about, if it is pinned.
fn pinned(row: BoardRow) -> Option<EntryId> {
    match (row.board, row.view) {
        (Board::Pin(entry_id), View::Pin(true)) => Some(entry_id),
        _ => None,
    }
}
