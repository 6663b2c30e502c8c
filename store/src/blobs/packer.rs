//! Packs: files with the records of many chunks, one behind the other.
//!
//! Owns their writing, their names and what a crash may leave of them. Chunks go into packs and not into
//! files of their own because it is the sync of a file that costs: measured on ext4, 2,048 chunks of 64 KiB
//! took 0.1 s in one file and 11.7 s in as many files. Invariant: a pack is never written to after it was
//! entered into the index.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::index::Place;
use super::quota::Room;
use super::record::{Decoder, HEADER_BYTES, Header};
use super::{BlobError, Blobs};
use crate::{Digest, durable};

/// A pack that has grown over this is closed: so much is copied at most when a pack that is half dead is
/// cleaned.
pub(super) const PACK_BYTES: u64 = 64 << 20;

/// What is to become of packs whose writer does not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nobody knows of them: they go.
    Discard,
    /// They came from afar: what is whole in them is found at the next opening.
    Keep,
    /// They are copies, which take the room of what is copied: they go, and no quota holds them up.
    Move,
}

impl Fate {
    fn ending(self) -> &'static str {
        match self {
            Self::Discard | Self::Move => "tmp",
            Self::Keep => ENDING,
        }
    }
}

const ENDING: &str = "pack";

/// The path of a pack.
pub(super) fn path(folder: &Path, pack: u64) -> PathBuf {
    named(folder, pack, ENDING)
}

fn named(folder: &Path, pack: u64, ending: &str) -> PathBuf {
    folder.join(format!("{pack:016x}.{ending}"))
}

/// Writes records into packs.
pub(super) struct Packer {
    blobs: Blobs,
    fate: Fate,
    room: Room,
    open: Option<Pack>,
    /// Those that are full: number, length.
    full: Vec<(u64, u64)>,
}

struct Pack {
    number: u64,
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Packer {
    pub(super) fn new(blobs: &Blobs, fate: Fate) -> Self {
        let room = Room::of(&blobs.0.quota);
        Self { blobs: blobs.clone(), fate, room, open: None, full: Vec::new() }
    }

    /// Appends a record of a chunk of `raw_bytes`; answers its place.
    pub(super) fn append(&mut self, record: &[u8], raw_bytes: u32) -> Result<Place, BlobError> {
        let record_bytes = record.len() as u32;
        match self.fate {
            Fate::Move => self.room.force(u64::from(record_bytes)),
            Fate::Discard | Fate::Keep => self.room.take(u64::from(record_bytes))?,
        }
        if self.open.as_ref().is_some_and(|pack| pack.bytes >= PACK_BYTES) {
            self.close()?;
        }
        let pack = match &mut self.open {
            Some(pack) => pack,
            none => none.insert(Pack::create(&self.blobs, self.fate)?),
        };
        let place = Place { pack: pack.number, offset: pack.bytes, record_bytes, raw_bytes };
        // At its place: what a write that failed half-way left there is overwritten by the next.
        pack.file.write_all_at(record, pack.bytes).map_err(BlobError::io("write", &pack.path))?;
        pack.bytes += u64::from(record_bytes);
        Ok(place)
    }

    /// Bytes that were written since the last sealing.
    pub(super) fn bytes(&self) -> u64 {
        let full: u64 = self.full.iter().map(|(_, bytes)| bytes).sum();
        full + self.open.as_ref().map_or(0, |pack| pack.bytes)
    }

    /// Makes all packs lasting and gives them their names; answers their numbers and lengths. They stay from
    /// now on.
    pub(super) fn seal(&mut self) -> Result<Vec<(u64, u64)>, BlobError> {
        self.close()?;
        if self.full.is_empty() {
            return Ok(Vec::new());
        }
        let folder = &self.blobs.0.folder;
        for (pack, _) in self.full.iter().filter(|_| self.fate != Fate::Keep) {
            let to = path(folder, *pack);
            fs::rename(named(folder, *pack, self.fate.ending()), &to)
                .map_err(BlobError::io("create", &to))?;
            self.blobs.reached("a pack has its name");
        }
        durable::sync_folder(folder).map_err(BlobError::io("sync", folder))?;
        self.blobs.reached("the packs are lasting");
        self.room.keep(self.bytes());
        Ok(std::mem::take(&mut self.full))
    }

    /// Ends the open pack and syncs it.
    fn close(&mut self) -> Result<(), BlobError> {
        if let Some(pack) = self.open.take() {
            self.full.push((pack.number, pack.bytes));
            self.blobs.reached("a pack is written");
            pack.file.sync_all().map_err(BlobError::io("sync", &pack.path))?;
            self.blobs.reached("a pack is synced");
        }
        Ok(())
    }
}

impl Pack {
    fn create(blobs: &Blobs, fate: Fate) -> Result<Self, BlobError> {
        let number = blobs.next_pack();
        let path = named(&blobs.0.folder, number, fate.ending());
        let file = durable::create_private(&path).map_err(BlobError::io("create", &path))?;
        Ok(Self { number, path, file, bytes: 0 })
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        if self.fate == Fate::Keep {
            self.room.keep(self.bytes());
            return;
        }
        let packs = self.full.iter().map(|(pack, _)| *pack).chain(self.open.iter().map(|pack| pack.number));
        for pack in packs {
            // Sealing may have broken off in the middle of the renaming.
            let folder = &self.blobs.0.folder;
            let gone = [Fate::Discard, Fate::Keep].map(|fate| remove(&named(folder, pack, fate.ending())));
            if let Some(error) = gone.into_iter().find_map(Result::err) {
                tracing::warn!(%error, "a pack that nobody needs stays until the node is started again");
            }
        }
    }
}

/// Removes a file, unless it is gone already.
pub(super) fn remove(path: &Path) -> Result<(), BlobError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BlobError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Makes the folder, throws away unfinished packs and lists the others with their lengths. Leaves alone what
/// is neither.
pub(super) fn prepare(folder: &Path) -> Result<Vec<(u64, u64)>, BlobError> {
    fs::create_dir_all(folder).map_err(BlobError::io("create", folder))?;
    if let Some(parent) = folder.parent() {
        // The parent of a relative path of one part is the empty path: the current folder.
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        durable::sync_folder(parent).map_err(BlobError::io("sync", parent))?;
    }
    let mut packs = Vec::new();
    for entry in fs::read_dir(folder).map_err(BlobError::io("read", folder))? {
        let path = entry.map_err(BlobError::io("read", folder))?.path();
        let number = path.file_stem().and_then(|stem| u64::from_str_radix(stem.to_str()?, 16).ok());
        match (number, path.extension().and_then(|ending| ending.to_str())) {
            (Some(number), Some(ENDING)) => {
                let metadata = fs::metadata(&path).map_err(BlobError::io("read", &path))?;
                packs.push((number, metadata.len()));
            }
            (Some(_), Some("tmp")) => remove(&path)?,
            _ => {}
        }
    }
    Ok(packs)
}

/// The chunks that stand whole in the pack at `path`, up to the first that does not.
pub(super) fn scan(path: &Path, pack: u64) -> Result<Vec<(Digest, Place)>, BlobError> {
    let io = BlobError::io("read", path);
    let found = || -> io::Result<Vec<(Digest, Place)>> {
        let mut file = io::BufReader::with_capacity(1 << 20, File::open(path)?);
        let (mut found, mut offset) = (Vec::new(), 0);
        let (mut decoder, mut record) = (Decoder::default(), Vec::new());
        loop {
            record.clear();
            file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut record)?;
            let Some(header) = Header::decode(&record) else { return Ok(found) };
            file.by_ref().take(u64::from(header.stored_bytes)).read_to_end(&mut record)?;
            if decoder.decode(&record, &header.digest).is_none() {
                return Ok(found);
            }
            let (record_bytes, raw_bytes) = (header.record_bytes(), header.raw_bytes);
            found.push((header.digest, Place { pack, offset, record_bytes, raw_bytes }));
            offset += u64::from(record_bytes);
        }
    };
    found().map_err(io)
}
