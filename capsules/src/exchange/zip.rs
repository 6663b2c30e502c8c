//! A capsule as a manifest beside a zip: what any tool can look into.
//!
//! Owns the names in the zip: `manifest.dsse.json` and `attestations/NN.dsse.json` are the envelopes,
//! `files/…` is the tree. The manifest that lies beside is the signed one, byte for byte. Invariant: equal
//! capsules make equal zips.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use xyn_store::Digest;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter};

use super::error::{EntryFault, ExchangeError};
use super::gather::{
    EXECUTABLE, Envelopes, Imported, Place, RATIO_MAX, UNPACKED_FREE_BYTES, assemble, exactly, path,
    unprivileged,
};
use crate::container::{ATTESTATIONS_MAX, Base, CapsuleFile, ContainerError, Files, place};
use crate::sign::Envelope;
use crate::tree::{Builder, Limits, Mode, target};

const WHAT: &str = "zip of a capsule";
const MANIFEST: &str = "manifest.dsse.json";
const ATTESTATIONS: &str = "attestations/";
const FILES: &str = "files/";
/// More than the target of a link may have.
const TARGET_READ_BYTES: u64 = 8 << 10;
/// From here on a length needs the larger fields of a zip.
const LARGE_BYTES: u64 = 0xffff_ffff;
/// Bytes that the directory of a zip may have: room for the entries that a tree may have.
const DIRECTORY_MAX_BYTES: u64 = 192 << 20;

/// Writes `capsule` as a zip to `zip`, and its manifest, as it was signed, to `side`.
pub fn export_zip(capsule: &CapsuleFile, zip: &Path, side: &Path) -> Result<(), ExchangeError> {
    let envelope = Envelope::read(capsule.manifest());
    let envelope = envelope.map_err(|error| ExchangeError::Manifest(error.into()))?;
    place(zip, |file| {
        let mut writer = ZipWriter::new(BufWriter::with_capacity(1 << 20, file));
        write(capsule, &mut writer, zip)?;
        let mut inner = writer.finish().map_err(|error| unwritten(zip, error))?;
        inner.flush().map_err(ContainerError::io("write", zip))?;
        Ok::<_, ExchangeError>(())
    })?;
    place(side, |file| file.write_all(envelope.unverified()).map_err(ContainerError::io("write", side)))?;
    Ok(())
}

fn write<W: Write + Seek>(
    capsule: &CapsuleFile,
    writer: &mut ZipWriter<W>,
    zip: &Path,
) -> Result<(), ExchangeError> {
    let failed = |error| unwritten(zip, error);
    let plain = SimpleFileOptions::default().last_modified_time(DateTime::default()).system(System::Unix);
    let mut whole = |name: &str, bytes: &[u8]| -> Result<(), ExchangeError> {
        writer.start_file(name, plain.unix_permissions(0o644)).map_err(failed)?;
        writer.write_all(bytes).map_err(|error| failed(error.into()))
    };
    whole(MANIFEST, capsule.manifest())?;
    for (index, bytes) in capsule.attestations().iter().enumerate() {
        whole(&format!("{ATTESTATIONS}{:02}.dsse.json", index + 1), bytes)?;
    }
    for (path, entry) in &capsule.outline().listing().entries {
        let name = format!("{FILES}{path}");
        let permissions = if entry.mode == Mode::File { 0o644 } else { 0o755 };
        let options = plain.unix_permissions(permissions).large_file(entry.size_bytes >= LARGE_BYTES);
        match entry.mode {
            Mode::Directory => writer.add_directory(name, options).map_err(failed)?,
            Mode::Symlink => {
                let target = target(capsule.outline(), path, entry)?;
                writer.add_symlink(name, target.as_str(), options).map_err(failed)?;
            }
            Mode::File | Mode::Executable => {
                writer.start_file(&name, options).map_err(failed)?;
                let (size_bytes, content) = capsule.file(&entry.digest)?;
                let copy = |piece: &[u8]| writer.write_all(piece).map_err(|error| failed(error.into()));
                let found = exactly(name.as_bytes(), size_bytes, content, copy)?;
                if found != entry.digest {
                    let (path, said) = (path.clone(), entry.digest);
                    return Err(ContainerError::Content { path, said, found }.into());
                }
            }
        }
    }
    Ok(())
}

fn unwritten(zip: &Path, error: zip::result::ZipError) -> ExchangeError {
    ContainerError::io("write", zip)(io::Error::other(error)).into()
}

/// Imports the zip at `source` as a capsule at `target`. `side` is the manifest that lies beside it.
pub fn import_zip(
    source: &Path,
    side: Option<&[u8]>,
    target: &Path,
    limits: Limits,
) -> Result<Imported, ExchangeError> {
    let file = File::open(source).map_err(ContainerError::io("read", source))?;
    bounded(&file, limits)?;
    let mut archive = ZipArchive::new(BufReader::new(&file)).map_err(unsound)?;
    if archive.offset() != 0 || !archive.comment().is_empty() {
        return Err(unsaid("something stands before the archive or in its comment"));
    }
    // The names and lengths before each entry, and those in the directory, are the same; no two share bytes.
    archive.validate_header_consistency().map_err(unsound)?;
    let (mut builder, mut places) = (Builder::new(limits), HashMap::new());
    let mut envelopes = Envelopes::default();
    let size_bytes = file.metadata().map_err(ContainerError::io("read", source))?.len();
    let mut left = UNPACKED_FREE_BYTES.max(size_bytes.saturating_mul(RATIO_MAX));
    for index in 0..archive.len() {
        let entry = Entry::of(&mut archive, index)?;
        let rest = left.checked_sub(entry.place.size_bytes);
        left = rest.ok_or(ExchangeError::Bomb { what: "zip", ratio: RATIO_MAX })?;
        match entry.name.strip_prefix(FILES.as_bytes()) {
            Some(path) => entry.plant(path, &file, &mut builder, &mut places)?,
            None => entry.keep(&file, &mut envelopes)?,
        }
    }
    drop(archive);
    if let (Some(side), Some(bytes)) = (side, &envelopes.manifest) {
        let envelope = Envelope::read(bytes).map_err(|error| ExchangeError::Manifest(error.into()))?;
        if envelope.unverified() != side {
            return Err(ExchangeError::Side);
        }
    }
    assemble(builder, (file, places), envelopes, target, limits)
}

fn unsound(error: zip::result::ZipError) -> ExchangeError {
    unsaid(&crate::json::shown(&error.to_string()))
}

fn unsaid(why: &str) -> ExchangeError {
    ExchangeError::Unsound { what: WHAT, why: why.to_owned() }
}

/// Judges how large the directory says it is, before it is read.
fn bounded(mut file: &File, limits: Limits) -> Result<(), ExchangeError> {
    let end = |back: i64, bytes: &mut [u8], mut file: &File| {
        file.seek(SeekFrom::End(back)).and_then(|_| file.read_exact(bytes)).is_ok()
    };
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let mut last = [0; 22];
    if !end(-22, &mut last, file) || !last.starts_with(b"PK\x05\x06") {
        return Err(unsaid("its last bytes are not the end of a directory"));
    }
    let (mut entries, mut bytes) = (number(&last[10..12]), number(&last[12..16]));
    if entries == 0xffff || bytes == LARGE_BYTES || number(&last[16..20]) == LARGE_BYTES {
        let mut last = [0; 76];
        if end(-98, &mut last, file) && last.starts_with(b"PK\x06\x06") {
            (entries, bytes) = (number(&last[32..40]), number(&last[40..48]));
        }
    }
    file.rewind().map_err(ContainerError::Read)?;
    let limit = limits.entries.saturating_add(1 + ATTESTATIONS_MAX as u64);
    if entries > limit {
        return Err(ExchangeError::TooMany { what: "entries", found: entries, limit });
    }
    match bytes > DIRECTORY_MAX_BYTES {
        true => {
            let what = "the directory of the zip".to_owned();
            Err(ExchangeError::TooLarge { what, said: bytes, limit: DIRECTORY_MAX_BYTES })
        }
        false => Ok(()),
    }
}

/// An entry of a zip, as both its headers have it.
struct Entry {
    name: Vec<u8>,
    /// With its kind; none where it comes from a system that has no such thing.
    mode: Option<u32>,
    place: Place,
}

impl Entry {
    fn of<R: Read + Seek>(archive: &mut ZipArchive<R>, index: usize) -> Result<Self, ExchangeError> {
        let entry = archive.by_index_raw(index).map_err(unsound)?;
        let name = entry.name_raw().to_vec();
        let refused = |fault| Err(ExchangeError::entry(&name, fault));
        let is_deflated = match entry.compression() {
            _ if entry.encrypted() => return refused(EntryFault::Encrypted),
            CompressionMethod::Stored => false,
            CompressionMethod::Deflated => true,
            _ => return refused(EntryFault::Method),
        };
        let start = entry.data_start().ok_or_else(|| unsaid("an entry begins nowhere"))?;
        let (stored_bytes, size_bytes) = (entry.compressed_size(), entry.size());
        if !is_deflated && stored_bytes != size_bytes {
            return refused(EntryFault::Length { said: size_bytes, found: stored_bytes });
        }
        let mode = (entry.system() == System::Unix).then(|| entry.external_attributes() >> 16);
        let place = Place { start, stored_bytes, size_bytes, is_deflated };
        Ok(Self { name, mode, place })
    }

    /// Puts an entry of the tree where it belongs.
    fn plant(
        &self,
        at: &[u8],
        file: &File,
        builder: &mut Builder,
        places: &mut HashMap<Digest, Place>,
    ) -> Result<(), ExchangeError> {
        let (Self { name, place, .. }, mode) = (self, self.mode.unwrap_or_default());
        unprivileged(name, mode)?;
        let kind = |what| Err(ExchangeError::entry(name, EntryFault::Kind(what)));
        match (mode & 0o170_000, at.strip_suffix(b"/")) {
            (0 | 0o040_000, Some(at)) if place.size_bytes == 0 => Ok(builder.directory(&path(name, at)?)?),
            (_, Some(_)) => kind("a directory with bytes, or a directory only by its name"),
            (0 | 0o100_000, None) => {
                let read = || {
                    let digest = exactly(name, place.size_bytes, place.open(file), |_| Ok(()))?;
                    places.insert(digest, *place);
                    Ok::<_, ExchangeError>(digest)
                };
                builder.file(&path(name, at)?, mode & EXECUTABLE != 0, place.size_bytes, read)
            }
            (0o120_000, None) => {
                let link = place
                    .read(file, TARGET_READ_BYTES)
                    .map_err(|_| ExchangeError::entry(name, EntryFault::Broken))?;
                Ok(builder.link(&path(name, at)?, &link)?)
            }
            (0o040_000, None) => kind("a directory whose name does not say so"),
            (0o020_000 | 0o060_000, None) => kind("a device"),
            (0o010_000, None) => kind("a pipe"),
            _ => kind("something else"),
        }
    }

    /// Keeps an envelope.
    fn keep(&self, file: &File, envelopes: &mut Envelopes) -> Result<(), ExchangeError> {
        let Self { name, place, .. } = self;
        let is_manifest = name == MANIFEST.as_bytes();
        let next = format!("{ATTESTATIONS}{:02}.dsse.json", envelopes.attestations.len() + 1);
        if !is_manifest && name != next.as_bytes() {
            return Err(ExchangeError::entry(name, EntryFault::Unknown));
        }
        envelopes.add(is_manifest, place.size_bytes, || {
            let mut bytes = Vec::new();
            exactly(name, place.size_bytes, place.open(file), |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            Ok(bytes)
        })
    }
}
