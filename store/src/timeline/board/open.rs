//! Boards that were folded lately, so that the next change to one does not fold it anew.
//!
//! A cache: whatever is in it can be dropped. Invariant: what is in it is what a fold of the kept records gives.

use std::collections::{BTreeMap, VecDeque};

use super::{Board, Folded};

/// Boards that are kept open; of more, the one that was not touched for longest is closed.
pub const BOARDS_OPEN_MAX: usize = 32;
/// Bytes that they may take together, roughly. The one that was touched last stays open in any case.
pub const BOARDS_OPEN_MAX_BYTES: usize = 64 << 20;

/// Open boards.
#[derive(Debug, Default)]
pub(in crate::timeline) struct Open {
    boards: BTreeMap<Board, Folded>,
    /// Least lately touched first.
    order: VecDeque<Board>,
}

impl Open {
    pub(in crate::timeline) fn count(&self) -> usize {
        self.order.len()
    }

    /// Takes a board out; whoever changed it puts it back.
    pub(in crate::timeline) fn take(&mut self, board: &Board) -> Option<Folded> {
        self.order.retain(|open| open != board);
        self.boards.remove(board)
    }

    /// Keeps a board.
    pub(in crate::timeline) fn keep(&mut self, board: Board, folded: Folded) {
        self.take(&board);
        self.order.push_back(board.clone());
        self.boards.insert(board, folded);
        while self.order.len() > 1 && !self.fits() {
            self.order.pop_front().and_then(|oldest| self.boards.remove(&oldest));
        }
    }

    fn fits(&self) -> bool {
        let bytes: usize = self.boards.values().map(Folded::size_bytes).sum();
        self.order.len() <= BOARDS_OPEN_MAX && bytes <= BOARDS_OPEN_MAX_BYTES
    }
}
