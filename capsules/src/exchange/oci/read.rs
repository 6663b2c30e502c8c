//! The way in: from the index to the layers, each held against the digest by which it is named.
//!
//! Invariant: the layer is unpacked into a file without a name, no further than the limits and the ratio
//! allow, and nothing comes of it unless all of it is what its digests say.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use xyn_store::Digest;

use super::WHAT;
use super::layout::{Layout, Part, unsound};
use super::shape::{
    self, ATTESTATION, CONFIG, Config, Descriptor, ENVELOPE, Index, MANIFEST, Manifest, TREE,
};
use super::write::WHITEOUT;
use crate::container::{ContainerError, folder_of};
use crate::exchange::error::{EntryFault, ExchangeError};
use crate::exchange::gather::{
    EXECUTABLE, Envelopes, Imported, Place, RATIO_MAX, UNPACKED_FREE_BYTES, assemble, exactly, path,
    unprivileged,
};
use crate::exchange::tar::{self, Kind};
use crate::json;
use crate::tree::{Builder, Limits};

/// Bytes that a document of an image may have, as other tools have it.
const DOCUMENT_MAX_BYTES: usize = 4 << 20;
/// Window of zstd that is allotted, as a power of two.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Imports the image at `source`, a folder or a tar of one, as a capsule at `target`.
pub fn import_oci(source: &Path, target: &Path, limits: Limits) -> Result<Imported, ExchangeError> {
    let layout = Layout::open(source)?;
    let image = image(&layout)?;
    let (tree, envelopes) = image.layers.split_first().ok_or(ExchangeError::Missing("the layer"))?;
    let compression = Compression::of(&tree.media_type).ok_or_else(|| {
        let why = format!("its first layer is `{}`, and no tar", json::shown(&tree.media_type));
        ExchangeError::Unsound { what: WHAT, why }
    })?;
    let mut came = Envelopes::default();
    for layer in envelopes {
        let is_manifest = match layer.media_type.as_str() {
            ENVELOPE => true,
            ATTESTATION => false,
            other => {
                let why = format!("a layer is `{}`, which no capsule has", json::shown(other));
                return Err(ExchangeError::Unsound { what: WHAT, why });
            }
        };
        came.add(is_manifest, layer.size, || layout.bytes("an envelope", layer, layer.size))?;
    }
    let config = document::<Config>("the configuration", &image.config, &layout, CONFIG)?;
    let unpacked =
        config.rootfs.diff_ids.first().ok_or(ExchangeError::Missing("the digest of the unpacked layer"))?;
    let (said, part) = layout.blob("the layer", tree)?;
    let folder = folder_of(target);
    let spool = tempfile::tempfile_in(folder).map_err(ContainerError::io("write in", folder))?;
    let (builder, places) = (Builder::new(limits), HashMap::new());
    let mut unpacking = Unpacking { folder, spool, end: 0, builder, places };
    let most = UNPACKED_FREE_BYTES.max(part.size_bytes.saturating_mul(RATIO_MAX));
    let found = unpacking.layer(&part, compression, most)?;
    for (what, said, found) in
        [("the layer", said, found.0), ("the layer, unpacked", shape::digest(unpacked)?, found.1)]
    {
        if said != found {
            return Err(ExchangeError::Digest { what, said, found });
        }
    }
    let Unpacking { spool, builder, places, .. } = unpacking;
    assemble(builder, (spool, places), came, target, limits)
}

/// The one image that is there.
fn image(layout: &Layout) -> Result<Manifest, ExchangeError> {
    let read = |what, bytes: &[u8]| -> Result<shape::Layout, ExchangeError> {
        json::read(bytes, DOCUMENT_MAX_BYTES).map_err(|source| ExchangeError::Document { what, source })
    };
    let version = read("oci-layout", &layout.file("oci-layout", DOCUMENT_MAX_BYTES as u64)?)?;
    if version.image_layout_version != shape::LAYOUT_VERSION {
        let why = format!("its layout is of version `{}`", json::shown(&version.image_layout_version));
        return Err(ExchangeError::Unsound { what: WHAT, why });
    }
    let bytes = layout.file("index.json", DOCUMENT_MAX_BYTES as u64)?;
    let index: Index = json::read(&bytes, DOCUMENT_MAX_BYTES)
        .map_err(|source| ExchangeError::Document { what: "index.json", source })?;
    match index.manifests.as_slice() {
        [one] => document("the image", one, layout, MANIFEST),
        [] => Err(ExchangeError::Missing("the image")),
        many => Err(ExchangeError::TooMany { what: "images", found: many.len() as u64, limit: 1 }),
    }
}

/// The document that `descriptor` names, which is of the type `wanted`.
fn document<T: serde::de::DeserializeOwned>(
    what: &'static str,
    descriptor: &Descriptor,
    layout: &Layout,
    wanted: &str,
) -> Result<T, ExchangeError> {
    if descriptor.media_type != wanted {
        let why = format!("{what} is `{}`, and should be `{wanted}`", json::shown(&descriptor.media_type));
        return Err(ExchangeError::Unsound { what: WHAT, why });
    }
    let bytes = layout.bytes(what, descriptor, DOCUMENT_MAX_BYTES as u64)?;
    json::read(&bytes, DOCUMENT_MAX_BYTES).map_err(|source| ExchangeError::Document { what, source })
}

#[derive(Clone, Copy)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(media_type: &str) -> Option<Self> {
        match media_type.strip_prefix(TREE)? {
            "" => Some(Self::None),
            "+gzip" => Some(Self::Gzip),
            "+zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// A layer on its way into a file.
struct Unpacking<'a> {
    /// Where that is, for messages.
    folder: &'a Path,
    spool: File,
    end: u64,
    builder: Builder,
    places: HashMap<Digest, Place>,
}

impl Unpacking<'_> {
    /// Unpacks the layer to at most `most` bytes; answers its digest, and that of the tar in it.
    fn layer(
        &mut self,
        part: &Part,
        compression: Compression,
        most: u64,
    ) -> Result<(Digest, Digest), ExchangeError> {
        let broken = |_| ExchangeError::entry(b"the layer", EntryFault::Broken);
        let mut packed = BufReader::with_capacity(1 << 20, Hashing::new(part.open(), u64::MAX));
        let unpacked = match compression {
            Compression::None => self.tar(&mut Hashing::new(&mut packed, most))?,
            Compression::Gzip => {
                self.tar(&mut Hashing::new(flate2::bufread::GzDecoder::new(&mut packed), most))?
            }
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(&mut packed).map_err(broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
                self.tar(&mut Hashing::new(decoder.single_frame(), most))?
            }
        };
        if !packed.fill_buf().map_err(ContainerError::Read)?.is_empty() {
            let why = "something stands behind its layer".to_owned();
            return Err(ExchangeError::Unsound { what: WHAT, why });
        }
        Ok((packed.into_inner().digest(), unpacked))
    }

    fn tar(&mut self, source: &mut Hashing<impl Read>) -> Result<Digest, ExchangeError> {
        let mut reader = tar::Reader::new(&mut *source);
        while let Some(entry) = reader.next().map_err(unsound)? {
            self.entry(&entry, &mut reader)?;
        }
        // Also the decoder must come to its end, where it compares its checksum.
        io::copy(source, &mut io::sink()).map_err(|error| unsound(error.into()))?;
        Ok(source.digest())
    }

    fn entry(&mut self, entry: &tar::Entry, content: &mut impl Read) -> Result<(), ExchangeError> {
        let tar::Entry { name, kind, mode, size_bytes, target } = entry;
        unprivileged(name, *mode)?;
        let fault = |fault| Err(ExchangeError::entry(name, fault));
        let plain = name.strip_suffix(b"/").filter(|_| *kind == Kind::Directory).unwrap_or(name);
        let path = path(name, plain)?;
        if path.names().any(|name| name.starts_with(WHITEOUT)) {
            return fault(EntryFault::Whiteout);
        }
        match kind {
            Kind::File => {
                let (spool, places, end) = (&mut self.spool, &mut self.places, &mut self.end);
                let unwritten = || ContainerError::io("write in", self.folder);
                let read = || {
                    let keep = |piece: &[u8]| Ok(spool.write_all(piece).map_err(unwritten())?);
                    let digest = exactly(name, *size_bytes, content.take(*size_bytes), keep)?;
                    let (start, size_bytes) = (*end, *size_bytes);
                    *end += size_bytes;
                    places.insert(
                        digest,
                        Place { start, stored_bytes: size_bytes, size_bytes, is_deflated: false },
                    );
                    Ok(digest)
                };
                self.builder.file(&path, mode & EXECUTABLE != 0, *size_bytes, read)
            }
            _ if *size_bytes > 0 => fault(EntryFault::Length { said: 0, found: *size_bytes }),
            Kind::Directory => Ok(self.builder.directory(&path)?),
            Kind::Symlink => Ok(self.builder.link(&path, target)?),
            Kind::Other(what) => fault(EntryFault::Kind(what)),
        }
    }
}

/// Hashes and counts what goes through, up to `most` bytes.
struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    left: u64,
}

impl<R> Hashing<R> {
    fn new(inner: R, most: u64) -> Self {
        Self { inner, hasher: Sha256::new(), left: most }
    }

    /// Of what went through.
    fn digest(&self) -> Digest {
        Digest::from_bytes(self.hasher.clone().finalize().into())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.hasher.update(&out[..read]);
        let bomb = || io::Error::other(ExchangeError::Bomb { what: "layer", ratio: RATIO_MAX });
        self.left = self.left.checked_sub(read as u64).ok_or_else(bomb)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek;

    use super::*;

    #[test]
    fn a_layer_is_unpacked_as_far_as_it_may_be_and_no_further() {
        let mut tar = Vec::new();
        let entry = |name: &str, size_bytes| tar::Entry {
            name: name.into(),
            kind: Kind::File,
            mode: 0o644,
            size_bytes,
            target: Vec::new(),
        };
        tar::write(&mut tar, &entry("zeros", 1 << 20)).expect("written");
        tar.extend(vec![0; 1 << 20]);
        tar::end(&mut tar).expect("written");
        let mut packed =
            flate2::write::GzEncoder::new(tempfile::tempfile().expect("made"), Default::default());
        packed.write_all(&tar).expect("written");
        let mut file = packed.finish().expect("written");
        let size_bytes = file.stream_position().expect("a place");
        let part = Part::of(file, size_bytes);
        let unpack = |most| {
            let spool = tempfile::tempfile().expect("made");
            let builder = Builder::new(Limits::default());
            let folder = Path::new(".");
            let mut unpacking = Unpacking { folder, spool, end: 0, builder, places: HashMap::new() };
            (unpacking.layer(&part, Compression::Gzip, most), unpacking.spool)
        };
        let whole = tar.len() as u64;
        assert_eq!(unpack(whole).0.expect("it may be so large").1, Digest::of(&tar));
        let (refused, spool) = unpack(200 << 10);
        let message = "the layer unpacks to more than 200 times its size; that is a bomb, and no app";
        assert_eq!(refused.expect_err("too much").to_string(), message);
        assert!(spool.metadata().expect("there").len() <= 200 << 10, "no more than that was written");
    }
}
