//! Capsules in the forms that others read: a manifest beside a zip, and an image in the layout of OCI.
//!
//! Owns the way out of a capsule file and the way back, in which nothing is lost: the files, the envelope of the
//! manifest and those of the attestations, so that the same tree comes back under signatures that still hold.
//! What comes from outside is judged as a stranger's: paths, links, lengths, digests and how much it unpacks to;
//! none of it is laid out anywhere. Invariant: what was imported is a capsule whose manifest is about the very
//! tree that came with it.

mod error;
mod gather;
mod oci;
mod tar;
#[cfg(test)]
mod tests;
mod zip;

pub use error::{EntryFault, ExchangeError};
pub use gather::Imported;
pub use oci::{export_oci, import_oci};
pub use zip::{export_zip, import_zip};

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::container::ContainerError;
use crate::tree::Limits;

/// Imports what stands at `source`, whatever form it has, as a capsule at `target`. Beside a zip, `side` is the
/// manifest that came with it.
pub fn import(
    source: &Path,
    side: Option<&[u8]>,
    target: &Path,
    limits: Limits,
) -> Result<Imported, ExchangeError> {
    let is_zip = || -> std::io::Result<bool> {
        let mut begin = [0; 4];
        let read = File::open(source)?.take(4).read(&mut begin)?;
        Ok(begin[..read].starts_with(b"PK"))
    };
    let is_folder = source.is_dir();
    match !is_folder && is_zip().map_err(ContainerError::io("read", source))? {
        true => import_zip(source, side, target, limits),
        false => import_oci(source, target, limits),
    }
}
