//! Capsule files: a tree, with what is said and signed about it, in one file that travels.
//!
//! Owns the bytes of a `.caps` file and the ways into it and out of it: from a folder or the chunk store, to
//! either, and as a delta against a tree that the receiver has. What the manifest and the attestations say,
//! and who signed them, is not known here: they are bytes. Refuses what is not exactly a capsule, and says
//! where. Invariant: a file that is handed out has the digest that its tree says, and memory does not grow
//! with the files.
//!
//! The files of a tree form one stream: in the order of their paths, each content once, where it comes first.
//! Where a file lies in it follows from the tree alone, so no offset in a capsule can lie; chunks are pieces
//! of the stream, and a delta names pieces of the base's stream, whoever holds that base in whatever form.

mod base;
mod blob;
mod chunk;
mod codec;
mod error;
mod files;
mod format;
mod import;
mod index;
mod layout;
mod open;
mod outline;
mod pack;
mod place;
mod press;
mod replay;
mod seal;
mod spool;
mod stream;
mod unpack;

pub use base::{Base, CapsuleFile, StoredTree};
pub use blob::BlobSource;
pub use error::{ContainerError, Fault, Part};
pub use files::{Files, Several};
pub use import::{Imported, import};
pub use open::{Capsule, Cover};
pub use outline::Outline;
pub use pack::{Draft, Inspect, Options, pack, pack_tree};
pub use replay::Verified;
pub use seal::Sealed;
pub use unpack::lay_out;

pub(crate) use format::{
    ATTESTATION_MAX_BYTES, ATTESTATIONS_MAX, ATTESTATIONS_MAX_BYTES, MANIFEST_MAX_BYTES,
};
pub(crate) use place::folder_of;
pub use place::place;
pub(crate) use press::workers;

#[cfg(test)]
mod tests;
