//! What can go wrong with a tree, each with where and what to do next.

use std::io;
use std::path::PathBuf;

use xyn_store::Digest;
use xyn_store::blobs::BlobError;

use super::directory::InvalidDirectory;
use super::limit::Exceeded;
use super::link::InvalidLink;
use super::path::RelPath;

/// Why a tree was not taken, read, laid out or compared.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// There is no folder at this path.
    #[error("`{}` is not a folder", .0.display())]
    NoFolder(PathBuf),
    /// A folder holds what no tree may hold.
    #[error("`{path}`: {source}")]
    Folder {
        /// Which folder.
        path: RelPath,
        /// What is wrong with it.
        source: InvalidDirectory,
    },
    /// A blob is not the directory that a tree says it is.
    #[error("`{digest}` is no sound directory of a tree: {source}")]
    Directory {
        /// Which blob.
        digest: Digest,
        /// What is wrong with it.
        source: InvalidDirectory,
    },
    /// A link that leads where no link may lead.
    #[error("`{path}`: no tree holds this link: {source}")]
    Link {
        /// Where it stands.
        path: RelPath,
        /// What is wrong with it.
        source: InvalidLink,
    },
    /// An entry with which the tree is too large.
    #[error("`{path}` {source}, the limit of a tree")]
    Limit {
        /// Which entry.
        path: RelPath,
        /// The limit.
        source: Exceeded,
    },
    /// What an entry says of its length is not so.
    #[error("`{path}` is said to have {said} bytes and has {found}")]
    Length {
        /// Which entry.
        path: RelPath,
        /// What the entry says.
        said: u64,
        /// What is there.
        found: u64,
    },
    /// A file that is being written to.
    #[error("`{0}` changes while it is read; try again when nobody writes to it")]
    Changing(RelPath),
    /// Something that was not seen before stands where something is to be written.
    #[error("`{0}` is in the way; move it elsewhere")]
    InTheWay(RelPath),
    /// What is to be overwritten or removed is kept nowhere else.
    #[error("{} would be lost, which {}: {}", count(.0.len()), nowhere(.0.len()), first(.0))]
    Unsaved(Vec<RelPath>),
    /// A blob cannot be read or kept.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A file or folder cannot be read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Paths named in one message.
const NAMED: usize = 5;

fn count(paths: usize) -> String {
    if paths == 1 { "a change".into() } else { format!("{paths} changes") }
}

fn nowhere(paths: usize) -> &'static str {
    if paths == 1 { "is in no snapshot" } else { "are in no snapshot" }
}

fn first(paths: &[RelPath]) -> String {
    let mut text: Vec<_> = paths.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
    if paths.len() > NAMED {
        text.push("…".into());
    }
    text.join(", ")
}
