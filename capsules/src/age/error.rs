//! Why what is encrypted does not open.

use std::io;

/// Why an encrypted file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// No key was named.
    #[error("this capsule is encrypted; name a key that it is encrypted to")]
    NoKey,
    /// It is for others.
    #[error("this capsule is encrypted to others: none of the keys that were named opens it")]
    OtherKeys,
    /// What stands before the pieces is not what a writer writes.
    #[error("line {line} of the header of the encrypted file is not sound; fetch the capsule again")]
    Header {
        /// Which line, from 1.
        line: usize,
    },
    /// A header that opens, and that somebody changed.
    #[error("the header of the encrypted file was changed after it was written; fetch the capsule again")]
    Changed,
    /// A piece is not the one that was sealed there.
    #[error(
        "piece {number} of the encrypted file, from byte {at} on, was changed, moved or cut; fetch it again"
    )]
    Piece {
        /// Which, from 1.
        number: u64,
        /// Where it begins, behind the header.
        at: u64,
    },
    /// It cannot be read.
    #[error("cannot read the encrypted file: {0}")]
    Read(#[from] io::Error),
    /// There is no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(String),
}

impl From<NotOpened> for io::Error {
    fn from(error: NotOpened) -> Self {
        match error {
            NotOpened::Read(error) => error,
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}
