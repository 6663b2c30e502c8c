//! Giving back the room of what was removed: packs in which nothing is needed go, those that are half dead
//! are copied.
//!
//! Owns the life of packs after they were written. Whoever reads meanwhile finds the chunk at its old place
//! or at its new one. Invariant: a file is unlinked after the commit that says that nothing in it is needed.

use std::collections::BTreeMap;

use super::content::Source;
use super::index::{self, Entries, Place};
use super::packer::{self, Fate, PACK_BYTES, Packer};
use super::{BlobError, Blobs};
use crate::digest::Digest;
use crate::projection::Changes;
use crate::reader::Order;
use crate::tables::{Key, Table};

/// A pack and the chunks in it that are needed.
#[derive(Default)]
struct Pack {
    bytes: u64,
    live_bytes: u64,
    live: Vec<(Digest, Place)>,
}

impl Blobs {
    /// Removes packs that nobody needs, and copies what is needed out of those that are more than half dead.
    pub(super) fn clean(&self) -> Result<(), BlobError> {
        let mut moving = Moving::new(self);
        for (number, pack) in self.unclean()? {
            if moving.copy(&pack)? {
                moving.from.push((number, pack.bytes));
            }
            if moving.packer.bytes() >= PACK_BYTES {
                moving.finish()?;
                moving = Moving::new(self);
            }
        }
        moving.finish()
    }

    /// The packs of which more than half is not needed.
    fn unclean(&self) -> Result<BTreeMap<u64, Pack>, BlobError> {
        let reader = self.0.slot.read()?;
        let mut packs = BTreeMap::<u64, Pack>::new();
        reader.scan(Table::Packs, &[], None, Order::Ascending, |key, value| {
            packs.entry(index::pack_of(key)?).or_default().bytes = index::decode(Table::Packs, value)?;
            Ok(true)
        })?;
        // Twice over the chunks, so that only those of few packs are in memory.
        reader.scan(Table::Chunks, &[], None, Order::Ascending, |_, value| {
            let place: Place = index::decode(Table::Chunks, value)?;
            if let Some(pack) = packs.get_mut(&place.pack) {
                pack.live_bytes += u64::from(place.record_bytes);
            }
            Ok(true)
        })?;
        packs.retain(|_, pack| pack.live_bytes < pack.bytes.div_ceil(2));
        if packs.values().any(|pack| pack.live_bytes > 0) {
            reader.scan(Table::Chunks, &[], None, Order::Ascending, |key, value| {
                let place: Place = index::decode(Table::Chunks, value)?;
                if let Some(pack) = packs.get_mut(&place.pack) {
                    pack.live.push((index::digest_of(key)?, place));
                }
                Ok(true)
            })?;
        }
        Ok(packs)
    }
}

/// Chunks on their way from old packs into new ones.
struct Moving {
    blobs: Blobs,
    source: Source,
    packer: Packer,
    /// The packs they come from, and their lengths.
    from: Vec<(u64, u64)>,
    /// Each with the place it had and the place it gets.
    chunks: Vec<(Digest, Place, Place)>,
}

impl Moving {
    fn new(blobs: &Blobs) -> Self {
        let (source, packer) = (Source::new(blobs), Packer::new(blobs, Fate::Move));
        Self { blobs: blobs.clone(), source, packer, from: Vec::new(), chunks: Vec::new() }
    }

    /// Copies what is whole of what is needed of a pack; answers whether that was all. What is damaged stays
    /// where it is, for whoever can mend it.
    fn copy(&mut self, pack: &Pack) -> Result<bool, BlobError> {
        let mut is_whole = true;
        for (digest, place) in &pack.live {
            match self.source.record(digest, *place)? {
                Some(record) => {
                    let new = self.packer.append(record, place.raw_bytes)?;
                    self.chunks.push((*digest, *place, new));
                }
                None => {
                    tracing::warn!(chunk = %digest, pack = place.pack, "a damaged chunk keeps its pack");
                    is_whole = false;
                }
            }
        }
        Ok(is_whole)
    }

    /// Makes the copies lasting, says so in the index, and removes what they were copied from.
    fn finish(mut self) -> Result<(), BlobError> {
        let mut entries = Entries { packs: self.packer.seal()?, ..Entries::default() };
        self.blobs.change(|transaction| {
            for (digest, old, new) in &self.chunks {
                // One that was removed or healed meanwhile is left alone.
                if index::place(transaction, digest)? == Some(*old) {
                    entries.chunks.insert(*digest, *new);
                    entries.healed.insert(*digest);
                }
            }
            let mut changes: Changes = entries.changes(transaction)?;
            self.from.iter().for_each(|(pack, _)| changes.unmark(Table::Packs, Key::new().u64(*pack)));
            Ok((changes, ()))
        })?;
        self.blobs.reached("packs are no longer needed");
        for (pack, bytes) in self.from {
            packer::remove(&packer::path(&self.blobs.0.folder, pack))?;
            self.blobs.0.quota.release(bytes);
        }
        Ok(())
    }
}
