//! The rows about blobs, and the transactions that change them.
//!
//! Owns what a chunk's place and a blob's parts look like in the database. Whoever comes to rely on a blob
//! checks in its own transaction that it is there, and takes the orphan's mark from it. Invariant: no row
//! names a place in a pack that is not synced.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadableTable, WriteTransaction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::quota::Room;
use super::{BlobError, Manifest};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::journal::write_rows;
use crate::projection::{Change, Changes};
use crate::reader::Reader;
use crate::tables::{Key, Table, unseal};

/// Where in [`Table::Meta`] stands how many bytes of blobs the database holds.
const BYTES_KEY: &[u8] = b"blob_bytes";

/// Where a chunk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) pack: u64,
    pub(super) offset: u64,
    /// Length of its record in the pack.
    pub(super) record_bytes: u32,
    pub(super) raw_bytes: u32,
}

/// What a blob is made of, and what it leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ObjectRow {
    /// Digest of the manifest and length of the blob; none for a blob that is one chunk.
    pub(super) manifest: Option<(Digest, u64)>,
    pub(super) children: BTreeSet<Digest>,
}

pub(super) fn key(digest: &Digest) -> Key {
    Key::new().bytes(digest.as_bytes())
}

/// The key of a pin of `digest` by `holder`.
pub(crate) fn pin_key(digest: &Digest, holder: &str) -> Key {
    key(digest).text(holder)
}

/// The digest at the start of a key.
pub(super) fn digest_of(key: &[u8]) -> Result<Digest, StoreError> {
    let digest = key.first_chunk().map(|digest| Digest::from_bytes(*digest));
    digest.ok_or_else(|| StoreError::Inconsistent("a key of a blob is shorter than a digest".into()))
}

/// The number of the pack at `key`.
pub(super) fn pack_of(key: &[u8]) -> Result<u64, StoreError> {
    let number = key.first_chunk().map(|number| u64::from_be_bytes(*number));
    number.ok_or_else(|| StoreError::Inconsistent("a key of a pack is no number".into()))
}

/// Notes since when `digest` is an orphan.
pub(super) fn mark_orphan(changes: &mut Changes, digest: &Digest, since: Timestamp) {
    changes.put_bytes(Table::Orphans, key(digest), encode(&since));
}

pub(super) fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|source| StoreError::UnreadableRow { table: table.name(), source })
}

fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    postcard::to_stdvec(row).expect("rows hold no type that postcard refuses")
}

/// The row at `digest` as `reader` sees it.
pub(super) fn find<T: DeserializeOwned>(
    reader: &Reader,
    table: Table,
    digest: &Digest,
) -> Result<Option<T>, StoreError> {
    reader.get_raw(table, digest.as_bytes())?.map(|bytes| decode(table, &bytes)).transpose()
}

/// The row at `key` as `transaction` sees it.
fn row(transaction: &WriteTransaction, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let rows = transaction.open_table(table.definition())?;
    let row = rows.get(key)?;
    Ok(row.map(|row| unseal(table, key, row.value()).map(<[u8]>::to_vec)).transpose()?)
}

/// The place of a chunk as `transaction` sees it.
pub(super) fn place(transaction: &WriteTransaction, chunk: &Digest) -> Result<Option<Place>, StoreError> {
    let found = row(transaction, Table::Chunks, chunk.as_bytes())?;
    found.map(|bytes| decode(Table::Chunks, &bytes)).transpose()
}

/// Whether nothing has come to rely on what was found to be an orphan.
pub(super) fn is_orphan(transaction: &WriteTransaction, digest: &Digest) -> Result<bool, StoreError> {
    Ok(row(transaction, Table::Orphans, digest.as_bytes())?.is_some())
}

/// Whether a blob with this digest is here, small or large, or a part of one.
pub(super) fn is_here(transaction: &WriteTransaction, digest: &Digest) -> Result<bool, StoreError> {
    for table in [Table::Blobs, Table::Chunks, Table::Objects, Table::Manifests] {
        if transaction.open_table(table.definition())?.get(digest.as_bytes().as_slice())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes rows of blobs; answers by how many bytes those in the database grew.
pub(super) fn write(transaction: &WriteTransaction, changes: Changes) -> Result<i64, StoreError> {
    let grown = write_rows(transaction, changes)?;
    count(transaction, grown)?;
    Ok(grown)
}

/// Notes that the database holds `grown` more bytes of blobs.
pub(crate) fn count(transaction: &WriteTransaction, grown: i64) -> Result<(), StoreError> {
    if grown != 0 {
        let known = row(transaction, Table::Meta, BYTES_KEY)?;
        let known: u64 = known.map_or(Ok(0), |bytes| decode(Table::Meta, &bytes))?;
        let mut changes = Changes::new();
        changes.put_bytes(
            Table::Meta,
            Key::new().bytes(BYTES_KEY),
            encode(&known.saturating_add_signed(grown)),
        );
        write_rows(transaction, changes)?;
    }
    Ok(())
}

/// Bytes of blobs that the database holds.
pub(super) fn database_bytes(reader: &Reader) -> Result<u64, StoreError> {
    reader.get_raw(Table::Meta, BYTES_KEY)?.map_or(Ok(0), |bytes| decode(Table::Meta, &bytes))
}

/// Why `changes` cannot be appended: they refer to a blob that is not here, or bring more than there is room
/// for.
pub(crate) fn refusal(
    transaction: &WriteTransaction,
    changes: &Changes,
    room: &mut Room,
) -> Result<Option<BlobError>, StoreError> {
    let mut bytes = 0;
    for change in &changes.0 {
        match &change.value {
            Some(value) if change.table == Table::Blobs => bytes += value.len() as u64,
            Some(_) if change.table == Table::Pins && !brings(changes, &change.key) => {
                let digest = digest_of(&change.key)?;
                if !is_here(transaction, &digest)? {
                    return Ok(Some(BlobError::NotFound(digest)));
                }
            }
            _ => {}
        }
    }
    Ok(room.take(bytes).err())
}

/// Spares what `changes` refer to, now that they are accepted. What they bring along themselves needs no pin:
/// it is in the database, where nothing is swept.
pub(crate) fn settle(changes: &mut Changes) {
    let is_pin = |change: &Change| change.table == Table::Pins && change.value.is_some();
    if !changes.0.iter().any(is_pin) {
        return;
    }
    let brought: BTreeSet<_> = changes.0.iter().filter(|change| is_small_blob(change)).map(key_of).collect();
    // Those of others stay: they may mean what the blob leads to.
    let journals = |change: &Change| is_pin(change) && change.key.len() == Digest::BYTES + 1;
    changes.0.retain(|change| !journals(change) || !brought.contains(&change.key[..Digest::BYTES]));
    let referred: Vec<_> = changes.0.iter().filter(|change| is_pin(change)).map(key_of).collect();
    referred.iter().for_each(|digest| changes.unmark(Table::Orphans, Key::new().bytes(digest)));
}

fn key_of(change: &Change) -> Vec<u8> {
    change.key[..Digest::BYTES].to_vec()
}

fn brings(changes: &Changes, pin: &[u8]) -> bool {
    changes.0.iter().any(|change| is_small_blob(change) && pin.starts_with(&change.key))
}

fn is_small_blob(change: &Change) -> bool {
    change.table == Table::Blobs && change.value.is_some()
}

/// What is entered into the index in one transaction.
#[derive(Default)]
pub(super) struct Entries {
    /// Chunks that were written.
    pub(super) chunks: BTreeMap<Digest, Place>,
    /// Those of them that were here, but damaged.
    pub(super) healed: BTreeSet<Digest>,
    /// Chunks that were here.
    pub(super) reused: BTreeSet<Digest>,
    pub(super) objects: BTreeMap<Digest, ObjectRow>,
    pub(super) manifests: BTreeMap<Digest, Vec<u8>>,
    /// Packs and their lengths.
    pub(super) packs: Vec<(u64, u64)>,
    /// What is to stay, and for whom.
    pub(super) pins: Vec<(Digest, &'static str)>,
}

impl Entries {
    /// Adds a blob of several chunks.
    pub(super) fn add_manifest(&mut self, manifest: &Manifest) {
        let bytes = manifest.encode();
        let digest = Digest::of(&bytes);
        self.object(manifest.object()).manifest = Some((digest, manifest.size_bytes()));
        self.manifests.insert(digest, bytes);
    }

    /// The row about `digest` that is to be entered.
    pub(super) fn object(&mut self, digest: Digest) -> &mut ObjectRow {
        self.objects.entry(digest).or_default()
    }

    fn brings(&self, digest: &Digest) -> bool {
        let object = self.objects.get(digest);
        self.chunks.contains_key(digest) || object.is_some_and(|object| object.manifest.is_some())
    }

    /// The rows that differ from what is there.
    pub(super) fn changes(&self, transaction: &WriteTransaction) -> Result<Changes, StoreError> {
        let mut changes = Changes::new();
        for (pack, bytes) in &self.packs {
            changes.put_bytes(Table::Packs, Key::new().u64(*pack), encode(bytes));
        }
        for (digest, new) in &self.chunks {
            // A twin that was faster keeps its place, unless it is the damaged one.
            if self.healed.contains(digest) || place(transaction, digest)?.is_none() {
                changes.put_bytes(Table::Chunks, key(digest), encode(new));
            }
        }
        for (digest, bytes) in &self.manifests {
            if row(transaction, Table::Manifests, digest.as_bytes())?.is_none() {
                changes.put_bytes(Table::Manifests, key(digest), bytes.clone());
            }
        }
        for (digest, object) in &self.objects {
            let known = row(transaction, Table::Objects, digest.as_bytes())?;
            let known: Option<ObjectRow> = known.map(|bytes| decode(Table::Objects, &bytes)).transpose()?;
            let mut object = object.clone();
            object.manifest = object.manifest.or(known.as_ref().and_then(|known| known.manifest));
            object.children.extend(known.iter().flat_map(|known| &known.children));
            if known.as_ref() != Some(&object) {
                changes.put_bytes(Table::Objects, key(digest), encode(&object));
            }
        }
        let children = self.objects.values().flat_map(|object| &object.children);
        for digest in self.reused.iter().chain(self.objects.keys()).chain(children) {
            if !self.brings(digest) && !is_here(transaction, digest)? {
                return Err(BlobError::NotFound(*digest).into());
            }
        }
        self.pins.iter().for_each(|(digest, holder)| changes.pin(holder, digest));
        self.spare(transaction, &mut changes)?;
        Ok(changes)
    }

    /// Takes the orphan's mark from all that is relied on from now on.
    fn spare(&self, transaction: &WriteTransaction, changes: &mut Changes) -> Result<(), StoreError> {
        let children = self.objects.values().flat_map(|object| &object.children);
        let written = self.chunks.keys().chain(self.objects.keys()).chain(self.manifests.keys());
        for digest in written.chain(&self.reused).chain(children) {
            if is_orphan(transaction, digest)? {
                changes.unmark(Table::Orphans, key(digest));
            }
        }
        Ok(())
    }
}
