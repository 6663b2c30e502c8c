//! Boards that were folded lately, so that the next change to one does not fold it anew.
//!
//! A cache: whatever is in it can be dropped. Invariant: what is in it is what a fold of the kept records gives.

use std::collections::{BTreeMap, VecDeque};

use super::{Board, Folded};

/// Boards that are kept open; of more, the one that was not touched for longest is closed.
pub const BOARDS_OPEN_MAX: usize = 32;

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
        if self.order.len() > BOARDS_OPEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.boards.remove(&oldest);
        }
    }
}
