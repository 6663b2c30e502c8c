//! Changes that are kept and show on no board, and why.
//!
//! Whoever admits them cannot refuse them: what a change builds on may come later, and that it makes no sense shows
//! when the board is folded. So they are told of. Invariant: a change that does not show is told of when it comes, and
//! then no more; but while a board is open, one that waited there is told of again when it turns out to make no sense.

use super::super::feed::FeedId;
use super::share::Measure;

/// A record's change to a board that shows nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The feed that it stands in.
    pub feed: FeedId,
    /// Which of its records.
    pub seq: u64,
    /// Why it shows nowhere.
    pub why: Reason,
}

/// Why a change shows nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It waits for what it builds on: so it is whenever feeds overtake each other.
    #[error("what it builds on is not here yet")]
    Waits,
    /// No library wrote it on top of what it names.
    #[error("it makes no sense on top of what it builds on")]
    Senseless,
    /// Its author has another one under its number, as it is where it lies, or a cut took away what it had built on.
    #[error("its author has two changes under one number")]
    Rival,
    /// Its author has used up its share of the board.
    #[error("it is beyond its author's share of the board: {0}")]
    Beyond(Measure),
}

impl Reason {
    /// A word for counters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waits => "board_waits",
            Self::Senseless => "board_senseless",
            Self::Rival => "board_rival",
            Self::Beyond(_) => "board_full",
        }
    }
}
