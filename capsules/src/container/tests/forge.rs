//! Making capsules by hand: each part as it is wanted, with checksums that fit.

use xyn_store::Digest;

use super::super::format::{Form, HEAD_BYTES, Head, Kind, MAGIC, Row, TreeHead, VERSION};
use super::*;
use crate::tree::Mode;

/// A capsule in parts.
#[derive(Clone)]
pub(super) struct Forge {
    pub(super) attestations: Vec<Vec<u8>>,
    pub(super) tree: TreeHead,
    /// The stored bytes of the outline.
    pub(super) outline: Vec<u8>,
    pub(super) rows: Vec<Row>,
    pub(super) chunks: Vec<u8>,
}

impl Forge {
    /// A capsule of the tree whose directories and links are `blobs`, the root first; `stream` are its files.
    pub(super) fn new(blobs: &[Vec<u8>], stream: &[u8]) -> Self {
        let outline = outline(blobs);
        let root = blobs.first().map_or(Digest::of(b""), |root| Digest::of(root));
        let tree = TreeHead { root, base: None, raw_bytes: outline.len() as u64, is_compressed: false };
        let mut forge =
            Self { attestations: Vec::new(), tree, outline, rows: Vec::new(), chunks: Vec::new() };
        if !stream.is_empty() {
            forge.rows.push(plain(stream));
            forge.chunks = stream.to_vec();
        }
        forge
    }

    /// One file `name` with `content`.
    pub(super) fn file(name: &str, content: &[u8]) -> Self {
        Self::new(&[directory(&[(name.as_bytes(), Mode::File as u8, content)])], content)
    }

    /// The same with the content stored as `stored`, which `row` tells of.
    pub(super) fn stored(content: &[u8], stored: Vec<u8>, form: Form) -> Self {
        let mut forge = Self::file("a", content);
        forge.rows[0].form = form;
        forge.chunks = stored;
        forge
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut index = Vec::new();
        self.rows.iter().for_each(|row| row.encode(&mut index));
        let tree = [self.tree.encode(), self.outline.clone()].concat();
        let mut sections = vec![section(Kind::Manifest as u8, b"manifest")];
        sections.extend(self.attestations.iter().map(|bytes| section(Kind::Attestation as u8, bytes)));
        sections.push(section(Kind::Tree as u8, &tree));
        sections.push(section(Kind::Index as u8, &index));
        [preface(), sections.concat(), self.chunks.clone()].concat()
    }

    /// What reading it to its end says.
    pub(super) fn refused(&self) -> String {
        refused(&self.bytes())
    }
}

/// What reading `bytes` to their end says. Unpacking says the same, and leaves nothing.
pub(super) fn refused(bytes: &[u8]) -> String {
    let verified = open(bytes, None).and_then(Capsule::verify);
    let error = verified.expect_err("refused").to_string();
    let place = Place::new();
    let unpacked = open(bytes, None).and_then(|capsule| capsule.unpack(&place.path("out")));
    assert_eq!(unpacked.expect_err("refused").to_string(), error);
    assert_eq!(place.left(&[]), Vec::<String>::new(), "{error}");
    assert!(!error.contains(|c: char| c.is_control() || c == '\u{202e}'), "{error:?}");
    error
}

pub(super) fn preface() -> Vec<u8> {
    [MAGIC.as_slice(), &[VERSION]].concat()
}

pub(super) fn section(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let head = Head { kind, bytes: bytes.len() as u64, digest: Digest::of(bytes) };
    let head: [u8; HEAD_BYTES] = head.encode();
    [head.as_slice(), bytes].concat()
}

/// The bytes of a directory with these entries, whatever they are.
pub(super) fn directory(entries: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
    let mut bytes = b"xyn-dir\x01".to_vec();
    for (name, mode, content) in entries {
        bytes.extend([*mode, name.len() as u8]);
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(Digest::of(content).as_bytes());
        bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    }
    bytes
}

pub(super) fn outline(blobs: &[Vec<u8>]) -> Vec<u8> {
    let framed = blobs.iter().map(|blob| [&(blob.len() as u32).to_le_bytes(), blob.as_slice()].concat());
    framed.collect::<Vec<_>>().concat()
}

pub(super) fn plain(raw: &[u8]) -> Row {
    Row { raw_bytes: raw.len() as u32, digest: Digest::of(raw), form: Form::Plain }
}

pub(super) fn zstd_form(stored: &[u8]) -> Form {
    Form::Zstd { bytes: stored.len() as u32, sum: Digest::of(stored) }
}

/// Every blob of a tree that holds itself in many places.
pub(super) fn tower(levels: usize, entry: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut blobs = vec![directory(&[])];
    for _ in 0..levels {
        blobs.push(entry(blobs.last().expect("the first is there")));
    }
    // The innermost one is everywhere, and is not written.
    blobs.remove(0);
    blobs.reverse();
    blobs
}
