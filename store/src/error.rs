//! What can go wrong with a data folder as a whole.

use std::path::PathBuf;

use crate::blobs::BlobError;
use crate::envelope::DecodeError;
use crate::ids::StreamId;
use crate::tables::DamagedRow;

/// A fault of the store. Nothing acknowledged is lost by any of them.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the folder.
    #[error("`{}` is in use by a running node ({holder})", folder.display())]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// What the other one wrote into the lock: its process id.
        holder: String,
    },
    /// The folder was written by a newer version.
    #[error("`{}` was written in format {found}; this program reads up to {known}: upgrade it", folder.display())]
    NewerFormat {
        /// The data folder.
        folder: PathBuf,
        /// Format of the folder.
        found: u32,
        /// Newest format this program knows.
        known: u32,
    },
    /// A file or folder cannot be used.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The node's key cannot be had.
    #[error(transparent)]
    Key(#[from] crate::audit::key::KeyError),
    /// A blob cannot be read or written.
    #[error(transparent)]
    Blob(BlobError),
    /// The database file is damaged.
    #[error("the database is damaged: {0}; restore a backup, or move the file aside to start anew")]
    Damaged(String),
    /// A row's checksum does not fit.
    #[error(transparent)]
    DamagedRow(#[from] DamagedRow),
    /// A row's bytes pass the checksum and still do not decode.
    #[error("table `{table}` holds a row that does not decode")]
    UnreadableRow {
        /// The table.
        table: &'static str,
        /// Why not.
        #[source]
        source: postcard::Error,
    },
    /// An envelope cannot be read.
    #[error("entry {offset} of the journal cannot be read")]
    Envelope {
        /// Its offset.
        offset: u64,
        /// Why not.
        #[source]
        source: DecodeError,
    },
    /// The log, its index and its head disagree.
    #[error("the journal is inconsistent: {0}")]
    Inconsistent(String),
    /// A stream's history does not fold.
    #[error("the history of stream {stream} does not fold: {reason}")]
    Unfoldable {
        /// The stream.
        stream: StreamId,
        /// What the fold says.
        reason: String,
    },
    /// The storage engine failed; the store reopens itself.
    #[error("the database is not available at the moment: {0}")]
    Unavailable(String),
}

impl StoreError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { doing, path: path.into(), source }
    }
}

impl From<BlobError> for StoreError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Index(error) => *error,
            error => Self::Blob(error),
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                match redb::Error::from(error) {
                    redb::Error::Corrupted(what) => Self::Damaged(what),
                    other => Self::Unavailable(other.to_string()),
                }
            }
        }
    )*};
}

from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);
