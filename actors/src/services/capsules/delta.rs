//! Deltas: what of a capsule a node needs that has the one before it, and the way back to the whole.
//!
//! Equal trees make equal files, so what is put together from a delta is, byte for byte, what was packed. Blocks.
//! Invariant: a delta and its whole have the same envelopes.

use std::path::Path;

use xyn_capsules::container::{CapsuleFile, Options, pack_tree};
use xyn_capsules::tree::Limits;
use xyn_store::Digest;
use xyn_store::blobs::Blobs;
use xyn_store::projection::CapsuleRow;
use xyn_store::timeline::Delta;

use super::prove::Proved;
use super::{refusal, scratch};
use crate::runtime::Refusal;

/// The capsule of `row` as what a delta is written against or read with; its file is made in `folder`.
pub(super) fn base(blobs: &Blobs, folder: &Path, row: &CapsuleRow) -> Result<CapsuleFile, Refusal> {
    let path = folder.join(format!("{}.caps", row.file));
    if !path.exists() {
        scratch::lay_out(blobs, &row.file, &path)?;
    }
    CapsuleFile::open(&path, Limits::default()).map_err(refusal::file)
}

/// Keeps what of a capsule differs from that of `before`, whose tree is in the store; none when that is not less than
/// the `whole_bytes` of it all.
pub(super) fn write(
    blobs: &Blobs,
    folder: &Path,
    proved: &Proved,
    before: &CapsuleRow,
    whole_bytes: u64,
) -> Result<Option<Delta>, Refusal> {
    let base = base(blobs, folder, before)?;
    let path = folder.join("delta.caps");
    let options = Options { base: Some(&base), ..Options::default() };
    let draft = pack_tree(blobs, proved.verified.root, &path, &options).map_err(refusal::unpacked)?;
    let sealed = draft.seal(&proved.envelopes.0, &proved.envelopes.1).map_err(refusal::unpacked)?;
    if sealed.size_bytes >= whole_bytes {
        return Ok(None);
    }
    let (file, size_bytes) = scratch::keep(blobs, &path)?;
    Ok(Some(Delta { base: before.tree, file, size_bytes }))
}

/// Keeps the whole file of a capsule that was proved as a delta, and whose tree is in the store.
pub(super) fn whole(blobs: &Blobs, folder: &Path, proved: &Proved) -> Result<(Digest, u64), Refusal> {
    let path = folder.join("whole.caps");
    let draft = pack_tree(blobs, proved.verified.root, &path, &Options::default());
    let draft = draft.map_err(refusal::unpacked)?;
    draft.seal(&proved.envelopes.0, &proved.envelopes.1).map_err(refusal::unpacked)?;
    scratch::keep(blobs, &path)
}
