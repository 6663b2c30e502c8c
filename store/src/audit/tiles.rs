//! The log in tiles: runs of entries whose root never changes again once they are full.
//!
//! Owns the roots of tiles that were read, so that a proof reads the entries of two tiles at most, however long the log
//! is, and all who ask share the reading. Reads the whole log once, for the first proof of an engine; keeps eight bytes
//! for each thousand entries, in memory alone. Invariant: a root is of entries that the engine which keeps it has
//! committed; an engine that is opened anew begins without any.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::audit::merkle::Frontier;
use crate::{Digest, Reader, StoreError, envelope};

/// Levels of the tree within a tile.
const HEIGHT: u32 = 12;
/// Entries of a tile.
const TILE: u64 = 1 << HEIGHT;

/// The roots of the first tiles of a log.
#[derive(Default)]
pub(crate) struct Tiles(Mutex<Vec<Digest>>);

impl Tiles {
    /// The roots of the tiles `wanted`. Those up to there that were not read yet are read now; whoever asks meanwhile
    /// waits, and finds them.
    fn roots(&self, reader: &Reader, wanted: Range<u64>) -> Result<Vec<Digest>, StoreError> {
        let mut roots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for tile in roots.len() as u64..wanted.end {
            let mut tree = Frontier::default();
            leaves(reader, tile * TILE..(tile + 1) * TILE, |leaf| tree.push(leaf))?;
            roots.push(tree.root());
        }
        Ok(roots[wanted.start as usize..wanted.end as usize].to_vec())
    }
}

/// The root of the tree over the entries of `range`.
pub(super) fn root(reader: &Reader, range: Range<u64>) -> Result<Digest, StoreError> {
    let mut tree = Frontier::default();
    let mut rest = range.clone();
    let tiles = range.start / TILE..range.end / TILE;
    // A part of a proof that is longer than a tile begins with one.
    if let Some(kept) = reader.tiles()
        && range.start.is_multiple_of(TILE)
        && !tiles.is_empty()
    {
        rest.start = tiles.end * TILE;
        kept.roots(reader, tiles)?.into_iter().for_each(|root| tree.push_subtree(root, HEIGHT));
    }
    leaves(reader, rest, |leaf| tree.push(leaf))?;
    Ok(tree.root())
}

/// Hands the leaves of `range`, each of which must be there, to `take`.
fn leaves(reader: &Reader, range: Range<u64>, mut take: impl FnMut(Digest)) -> Result<(), StoreError> {
    let mut next = range.start;
    if range.is_empty() {
        return Ok(());
    }
    reader.log_bytes(range.start, |offset, bytes| {
        if offset == next {
            take(envelope::leaf(bytes));
            next += 1;
        }
        Ok(offset + 1 == next && next < range.end)
    })?;
    match next < range.end {
        true => Err(StoreError::Inconsistent(format!("entry {next} is missing"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
