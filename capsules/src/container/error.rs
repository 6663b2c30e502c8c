//! What can go wrong with a capsule file, each with where and what to do next.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use xyn_store::Digest;
use xyn_store::blobs::BlobError;

use crate::age::NotOpened;
use crate::tree::{RelPath, TreeError};

/// Why a capsule file was not written, read or laid out.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The first bytes are those of something else.
    #[error("this is no capsule: it does not begin as one; a capsule begins at the first byte of its file")]
    NotCapsule,
    /// Only those can read it whom it is encrypted to.
    #[error("this capsule is encrypted, and a clear one is needed here; decrypt it first")]
    Encrypted,
    /// Written by a newer version of this program.
    #[error("a capsule of format {0} is newer than this program understands; upgrade it")]
    Newer(u8),
    /// The end came too early.
    #[error("the capsule ends at byte {at}, within {part}; fetch it again")]
    Truncated {
        /// Where it ends.
        at: u64,
        /// What is cut short.
        part: Part,
    },
    /// Something is behind the last chunk.
    #[error("the capsule goes on behind its end at byte {at}; nothing may be put behind a capsule")]
    Trailing {
        /// Where it should end.
        at: u64,
    },
    /// Bytes are not those that were written.
    #[error("{part}, from byte {at} on, was changed after it was written; fetch the capsule again")]
    Altered {
        /// What was changed.
        part: Part,
        /// Where it begins.
        at: u64,
    },
    /// Bytes that no writer of capsules writes.
    #[error("{part}, from byte {at} on, is not sound: {fault}; do not trust who made this capsule")]
    Unsound {
        /// What is wrong.
        part: Part,
        /// Where it begins.
        at: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Something says that it is larger than it may be.
    #[error("{part} has {said} bytes, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        part: Part,
        /// What it says.
        said: u64,
        /// How large it may be.
        limit: u64,
    },
    /// More attestations than a capsule may have.
    #[error("a capsule has at most {limit} attestations")]
    TooMany {
        /// How many it may have.
        limit: usize,
    },
    /// A file is not what the tree says.
    #[error("the file `{path}` is not the one that the tree names: its content is `{found}`, not `{said}`")]
    Content {
        /// Where it stands.
        path: RelPath,
        /// What the tree says.
        said: Digest,
        /// What the chunks hold.
        found: Digest,
    },
    /// The capsule is a delta.
    #[error(
        "this capsule only holds what changed since the tree `{0}`; give the capsule of that tree as base"
    )]
    NeedsBase(Digest),
    /// The base is of another tree.
    #[error("this capsule needs the tree `{needs}` as base, and was given `{given}`")]
    WrongBase {
        /// What it was written against.
        needs: Digest,
        /// What it was given.
        given: Digest,
    },
    /// A delta where a whole capsule is needed.
    #[error("this capsule is a delta, and a whole one is needed here; take the whole one")]
    Delta,
    /// Something stands where the folder is to come.
    #[error("`{}` is there already; name a folder that is not", .0.display())]
    Exists(PathBuf),
    /// The tree, or a file or folder of it.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The capsule cannot be read.
    #[error("cannot read the capsule: {0}")]
    Read(io::Error),
    /// Compression failed.
    #[error("cannot compress: {0}")]
    Compress(String),
    /// Encryption failed.
    #[error(transparent)]
    Encryption(#[from] NotOpened),
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

impl ContainerError {
    /// Makes an I/O error that names what was tried and where.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

impl From<BlobError> for ContainerError {
    fn from(error: BlobError) -> Self {
        Self::Tree(error.into())
    }
}

/// A part of a capsule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// What tells that it is a capsule.
    Preface,
    /// The manifest's envelope.
    Manifest,
    /// An attestation's envelope, by its number from 1.
    Attestation(usize),
    /// The directories and links.
    Tree,
    /// The list of chunks.
    Index,
    /// A piece of the stream of files.
    Chunk {
        /// Its number from 1.
        number: usize,
        /// The first file that has bytes in it.
        from: RelPath,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preface => f.write_str("the preface"),
            Self::Manifest => f.write_str("the manifest"),
            Self::Attestation(number) => write!(f, "attestation {number}"),
            Self::Tree => f.write_str("the tree"),
            Self::Index => f.write_str("the index"),
            Self::Chunk { number, from } => write!(f, "chunk {number} with the file `{from}`"),
        }
    }
}

/// What is wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Another section belongs there.
    #[error("a section of kind {found} is not the one that comes next")]
    Order {
        /// The kind that stands there.
        found: u8,
    },
    /// Its fields do not fit its length.
    #[error("its fields are cut short or go on behind its end")]
    Fields,
    /// A form of storage that is not known.
    #[error("it is stored in the unknown form {0}")]
    Form(u8),
    /// A length that no writer writes.
    #[error("it says that it has {raw} bytes, stored in {stored}")]
    Lengths {
        /// Bytes when it is unpacked.
        raw: u64,
        /// Bytes as it is stored.
        stored: u64,
    },
    /// The compressed bytes are not one frame of the length that was said.
    #[error("its compressed bytes are not one frame of {raw} bytes")]
    Frame {
        /// What was said.
        raw: u64,
    },
    /// The compressed bytes cannot be decompressed.
    #[error("its compressed bytes are broken")]
    Compressed,
    /// What comes out is not what its digest names.
    #[error("it holds `{found}`, and is said to be `{said}`")]
    Digest {
        /// What was said.
        said: Digest,
        /// What it is.
        found: Digest,
    },
    /// A blob of the tree is not where it belongs.
    #[error("the directory or link `{0}` is not there when it is needed")]
    Blob(Digest),
    /// The outline goes on behind the tree.
    #[error("{0} bytes belong to no directory and no link")]
    Unused(u64),
    /// The chunks are not the stream.
    #[error("its chunks have {chunks} bytes together, and the files of the tree {files}")]
    Stream {
        /// What the index says.
        chunks: u64,
        /// What the tree says.
        files: u64,
    },
    /// It refers to a base, and the tree to none; or outside of it.
    #[error("it refers to bytes {at} to {end} of a base that has {base}")]
    Base {
        /// Where they begin.
        at: u64,
        /// Where they end.
        end: u64,
        /// What the base has.
        base: u64,
    },
}
