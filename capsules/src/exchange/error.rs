//! Why a capsule did not go into another form, or come out of it.

use xyn_store::Digest;

use crate::container::ContainerError;
use crate::json::InvalidJson;
use crate::sign::NotVerified;
use crate::tree::{InvalidName, TreeError};

/// Why a capsule was not exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The capsule, its tree, or a file.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The archive is not sound.
    #[error("this is no sound {what}: {why}; get it again from who made it")]
    Unsound {
        /// What it should be.
        what: &'static str,
        /// What is wrong with it, and where.
        why: String,
    },
    /// An entry of an archive.
    #[error("the entry `{entry}` {fault}")]
    Entry {
        /// Its name, as it can be shown.
        entry: String,
        /// What is wrong with it.
        fault: EntryFault,
    },
    /// Something that an import needs is not there.
    #[error("{0} is missing; what is imported is what `xyn capsule export` writes")]
    Missing(&'static str),
    /// More than one of what there must be one of, or more than there may be.
    #[error("there are {found} {what}, and there may be {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many there may be.
        limit: u64,
    },
    /// Larger than it may be.
    #[error("{what} has {said} bytes, the limit is {limit}")]
    TooLarge {
        /// What.
        what: String,
        /// What it says.
        said: u64,
        /// How many it may have.
        limit: u64,
    },
    /// It unpacks to so much that it can only be meant to.
    #[error("the {what} unpacks to more than {ratio} times its size; that is a bomb, and no app")]
    Bomb {
        /// What.
        what: &'static str,
        /// How many times its size it may have.
        ratio: u64,
    },
    /// A document that is none.
    #[error("{what}: {source}")]
    Document {
        /// Which.
        what: &'static str,
        /// What is wrong with it.
        source: InvalidJson,
    },
    /// Bytes are not those that their digest names.
    #[error("{what} is `{found}`, and is said to be `{said}`; get it again")]
    Digest {
        /// What.
        what: &'static str,
        /// What was said.
        said: Digest,
        /// What it is.
        found: Digest,
    },
    /// A digest that is none, or of another kind.
    #[error("`{0}` is no digest of the form `sha256:<64 hex digits>`")]
    NoDigest(String),
    /// The manifest that lies beside is another one.
    #[error(
        "the manifest beside the archive is not the one that is signed in it; do not trust who made this"
    )]
    Side,
    /// The envelope of the manifest.
    #[error("the manifest: {0}")]
    Manifest(NotVerified),
    /// The manifest is about other files.
    #[error("the manifest is about the tree `{said}`, and the files are the tree `{held}`; get it again")]
    Tree {
        /// What the manifest says.
        said: Digest,
        /// What is there.
        held: Digest,
    },
    /// What the manifest was packed with is not there.
    #[error("the attestation `{0}` that the capsule was packed with is missing or was swapped")]
    Attestation(Digest),
}

/// What is wrong with an entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Its name leads elsewhere, or means something else on another machine.
    #[error("is refused: {0}")]
    Name(#[from] InvalidName),
    /// What no tree holds.
    #[error("is {0}; a capsule holds files, directories and links only")]
    Kind(&'static str),
    /// It would run as somebody else.
    #[error("has the bits that run it as somebody else; a capsule holds none such")]
    Privileged,
    /// It takes a file of another layer away.
    #[error("is a whiteout; a capsule is one layer and takes nothing away")]
    Whiteout,
    /// It is not what export writes.
    #[error("has no place in a capsule")]
    Unknown,
    /// It is there twice.
    #[error("is there twice")]
    Twice,
    /// It needs a password.
    #[error("is encrypted")]
    Encrypted,
    /// It is packed in a way that is not read.
    #[error("is packed in a way that is not read here; pack it with deflate, or not at all")]
    Method,
    /// Its length is not the one that was said.
    #[error("is said to have {said} bytes, and has {found}")]
    Length {
        /// What was said.
        said: u64,
        /// What it has, as far as that was looked at.
        found: u64,
    },
    /// It cannot be unpacked.
    #[error("cannot be unpacked: its bytes are broken")]
    Broken,
}

impl From<TreeError> for ExchangeError {
    fn from(error: TreeError) -> Self {
        Self::Container(error.into())
    }
}

impl ExchangeError {
    /// The error about the entry `name`.
    pub(super) fn entry(name: &[u8], fault: EntryFault) -> Self {
        Self::Entry { entry: crate::json::shown(&String::from_utf8_lossy(name)), fault }
    }
}
