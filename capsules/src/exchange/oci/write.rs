//! The way out: the layers, then the documents that name them, then a tar of all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use xyn_store::Digest;

use super::shape::{
    ATTESTATION, CONFIG, Config, Descriptor, ENVELOPE, INDEX, Index, LAYOUT_VERSION, Layout, MANIFEST,
    Manifest, Rootfs, TREE, named,
};
use crate::container::{Base, CapsuleFile, ContainerError, Files, folder_of, place};
use crate::exchange::error::{EntryFault, ExchangeError};
use crate::exchange::gather::exactly;
use crate::exchange::tar::{self, Entry, Kind};
use crate::manifest;
use crate::sign::{Envelope, NotVerified};
use crate::tree::{Mode, target};

/// What the names begin with by which a layer takes away what one below it has.
pub(super) const WHITEOUT: &str = ".wh.";

/// Writes `capsule` as an image to the tar `archive`.
pub fn export_oci(capsule: &CapsuleFile, archive: &Path) -> Result<(), ExchangeError> {
    let envelope = Envelope::read(capsule.manifest()).map_err(NotVerified::from);
    let envelope = envelope.map_err(ExchangeError::Manifest)?;
    let said = manifest::Manifest::read(envelope.unverified()).map_err(NotVerified::from);
    let said = said.map_err(ExchangeError::Manifest)?;
    let folder = folder_of(archive);
    let spool = tempfile::tempfile_in(folder).map_err(ContainerError::io("write in", folder))?;
    let layer = layer(capsule, spool, folder)?;

    let gzip = format!("{TREE}+gzip");
    let mut layers = vec![Descriptor::new(&gzip, layer.digest, layer.size_bytes)];
    let mut unpacked = vec![named(layer.unpacked)];
    let mut blobs = BTreeMap::new();
    let envelopes = [(ENVELOPE, capsule.manifest())].into_iter();
    let attestations = capsule.attestations().iter().map(|bytes| (ATTESTATION, bytes.as_slice()));
    for (kind, bytes) in envelopes.chain(attestations) {
        let digest = keep(&mut blobs, bytes.to_vec());
        layers.push(Descriptor::new(kind, digest, bytes.len() as u64));
        unpacked.push(named(digest));
    }
    let unknown = || "unknown".to_owned();
    let config = json(&Config {
        created: Some(said.created_at.to_string()),
        // Files run on no machine in particular.
        architecture: unknown(),
        os: unknown(),
        rootfs: Rootfs { kind: "layers".to_owned(), diff_ids: unpacked },
    });
    let (digest, size) = (Digest::of(&config), config.len() as u64);
    keep(&mut blobs, config);
    let image = json(&Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        config: Descriptor::new(CONFIG, digest, size),
        layers,
        annotations: annotations(&said),
    });
    let mut named = Descriptor::new(MANIFEST, Digest::of(&image), image.len() as u64);
    let version = said.version.to_string().replace('+', "_");
    named.annotations.insert("org.opencontainers.image.ref.name".to_owned(), version);
    keep(&mut blobs, image);
    let index = Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests: vec![named] };
    place(archive, |file| {
        let failed = |error| ExchangeError::from(ContainerError::io("write", archive)(error));
        pack(file, &json(&index), &blobs, layer).map_err(failed)
    })
}

fn annotations(said: &manifest::Manifest) -> BTreeMap<String, String> {
    let told = [
        ("org.opencontainers.image.title", said.name.to_string()),
        ("org.opencontainers.image.version", said.version.to_string()),
        ("org.opencontainers.image.licenses", said.rights.license.as_str().to_owned()),
        ("dev.xyn.capsule.id", said.id.to_string()),
        ("dev.xyn.capsule.tree", said.tree.to_string()),
    ];
    told.map(|(key, value)| (key.to_owned(), value)).into()
}

/// The tree, packed.
struct Layer {
    file: File,
    digest: Digest,
    size_bytes: u64,
    /// Of the tar in it.
    unpacked: Digest,
}

fn layer(capsule: &CapsuleFile, spool: File, folder: &Path) -> Result<Layer, ExchangeError> {
    let failed = |error| ContainerError::io("write in", folder)(error);
    let packed = Hashing::new(BufWriter::with_capacity(1 << 20, spool));
    let mut out = Hashing::new(GzEncoder::new(packed, Compression::default()));
    tree(capsule, &mut out, &failed)?;
    let (encoder, unpacked, _) = out.finish();
    let (writer, digest, size_bytes) = encoder.finish().map_err(failed)?.finish();
    let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    Ok(Layer { file, digest, size_bytes, unpacked })
}

/// Writes the tree as a tar.
fn tree(
    capsule: &CapsuleFile,
    out: &mut impl Write,
    unwritten: &dyn Fn(io::Error) -> ContainerError,
) -> Result<(), ExchangeError> {
    let failed = |error| ExchangeError::from(unwritten(error));
    for (path, entry) in &capsule.outline().listing().entries {
        let mut name = path.as_str().as_bytes().to_vec();
        if path.name().is_some_and(|name| name.starts_with(WHITEOUT)) {
            return Err(ExchangeError::entry(&name, EntryFault::Whiteout));
        }
        let mode = if entry.mode == Mode::File { 0o644 } else { 0o755 };
        let (kind, size_bytes, mut leads) = match entry.mode {
            Mode::Directory => (Kind::Directory, 0, Vec::new()),
            Mode::Symlink => (Kind::Symlink, 0, Vec::new()),
            Mode::File | Mode::Executable => (Kind::File, entry.size_bytes, Vec::new()),
        };
        match kind {
            Kind::Directory => name.push(b'/'),
            Kind::Symlink => leads = target(capsule.outline(), path, entry)?.as_str().as_bytes().to_vec(),
            Kind::File | Kind::Other(_) => {}
        }
        tar::write(out, &Entry { name: name.clone(), kind, mode, size_bytes, target: leads })
            .map_err(failed)?;
        if kind == Kind::File {
            let (size_bytes, content) = capsule.file(&entry.digest)?;
            let found = exactly(&name, size_bytes, content, |piece| out.write_all(piece).map_err(failed))?;
            if found != entry.digest {
                let (path, said) = (path.clone(), entry.digest);
                return Err(ContainerError::Content { path, said, found }.into());
            }
            tar::pad(out, size_bytes).map_err(failed)?;
        }
    }
    tar::end(out).map_err(failed)
}

/// Writes the layout.
fn pack(
    file: &mut File,
    index: &[u8],
    blobs: &BTreeMap<Digest, Vec<u8>>,
    mut layer: Layer,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let layout = json(&Layout { image_layout_version: LAYOUT_VERSION.to_owned() });
    let blob = |digest: &Digest| format!("blobs/sha256/{digest}");
    for (name, bytes) in [("oci-layout", layout.as_slice()), ("index.json", index)] {
        head(&mut out, name, Kind::File, bytes.len() as u64)?;
        out.write_all(bytes)?;
        tar::pad(&mut out, bytes.len() as u64)?;
    }
    head(&mut out, "blobs/", Kind::Directory, 0)?;
    head(&mut out, "blobs/sha256/", Kind::Directory, 0)?;
    for (digest, bytes) in blobs {
        head(&mut out, &blob(digest), Kind::File, bytes.len() as u64)?;
        out.write_all(bytes)?;
        tar::pad(&mut out, bytes.len() as u64)?;
    }
    head(&mut out, &blob(&layer.digest), Kind::File, layer.size_bytes)?;
    layer.file.rewind()?;
    io::copy(&mut layer.file, &mut out)?;
    tar::pad(&mut out, layer.size_bytes)?;
    tar::end(&mut out)?;
    out.flush()
}

fn head(out: &mut impl Write, name: &str, kind: Kind, size_bytes: u64) -> io::Result<()> {
    let mode = if kind == Kind::Directory { 0o755 } else { 0o644 };
    tar::write(out, &Entry { name: name.into(), kind, mode, size_bytes, target: Vec::new() })
}

fn keep(blobs: &mut BTreeMap<Digest, Vec<u8>>, bytes: Vec<u8>) -> Digest {
    let digest = Digest::of(&bytes);
    blobs.insert(digest, bytes);
    digest
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("texts, numbers and lists of them are always JSON")
}

/// Hashes and counts what goes through.
struct Hashing<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    fn finish(self) -> (W, Digest, u64) {
        (self.inner, Digest::from_bytes(self.hasher.finalize().into()), self.bytes)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
