//! A manifest: which chunks, one behind the other, are a blob. It is a blob itself, named by its digest.
//!
//! Owns its bytes. It is a hint, never a proof: whoever takes one from a stranger bounds it by the declared
//! length and proves what comes together by the blob's own digest. Invariant: the lengths of the chunks add
//! up to the blob's.

use super::CHUNK_MAX;
use crate::Digest;

const MAGIC: &[u8; 8] = b"xyn-man1";
const HEAD_BYTES: usize = 8 + 32 + 8;
const PART_BYTES: usize = 32 + 4;
/// Whoever cuts finer on average than this wants to fill a store with lists: it is a quarter of the shortest
/// chunk.
const CHUNK_FLOOR: u64 = 4 << 10;

/// The chunks of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    object: Digest,
    size_bytes: u64,
    parts: Vec<(Digest, u32)>,
}

/// Bytes that are no manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// It does not begin or end as one.
    #[error("these bytes are no list of chunks")]
    Malformed,
    /// A chunk has a length that no chunk has.
    #[error("a chunk of {0} bytes is not between 1 and {CHUNK_MAX}")]
    Chunk(u32),
    /// So many chunks that their list would be no small part of the blob.
    #[error("{0} chunks are more than one for each {CHUNK_FLOOR} bytes")]
    TooMany(usize),
    /// The chunks are not the blob.
    #[error("the chunks have {found} bytes together, the blob {said}")]
    Length {
        /// What the manifest says of the blob.
        said: u64,
        /// What the chunks add up to.
        found: u64,
    },
}

impl Manifest {
    /// The manifest of `object` with these chunks and their lengths.
    pub fn new(object: Digest, parts: Vec<(Digest, u32)>) -> Self {
        let size_bytes = parts.iter().map(|(_, bytes)| u64::from(*bytes)).sum();
        Self { object, size_bytes, parts }
    }

    /// The manifest in `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        use InvalidManifest::{Chunk, Length, Malformed, TooMany};
        let (head, list) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(Malformed)?;
        let (list, rest) = list.as_chunks::<PART_BYTES>();
        if !head.starts_with(MAGIC) || !rest.is_empty() {
            return Err(Malformed);
        }
        let digest = |bytes: &[u8]| bytes.first_chunk().map(|digest| Digest::from_bytes(*digest));
        let object = digest(&head[8..]).ok_or(Malformed)?;
        let said = head.last_chunk().map(|said| u64::from_le_bytes(*said)).ok_or(Malformed)?;
        let parts = list.iter().map(|part| {
            let length = part.last_chunk().map(|length| u32::from_le_bytes(*length)).ok_or(Malformed)?;
            let is_possible = (1..=CHUNK_MAX as u32).contains(&length);
            if is_possible { Ok((digest(part).ok_or(Malformed)?, length)) } else { Err(Chunk(length)) }
        });
        let manifest = Self::new(object, parts.collect::<Result<_, _>>()?);
        let count = manifest.parts.len();
        match manifest.size_bytes {
            found if found != said => Err(Length { said, found }),
            size if count as u64 > size / CHUNK_FLOOR + 1 => Err(TooMany(count)),
            _ => Ok(manifest),
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.parts.len() * PART_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(self.object.as_bytes());
        bytes.extend_from_slice(&self.size_bytes.to_le_bytes());
        for (digest, length) in &self.parts {
            bytes.extend_from_slice(digest.as_bytes());
            bytes.extend_from_slice(&length.to_le_bytes());
        }
        bytes
    }

    /// The blob it is about.
    pub fn object(&self) -> Digest {
        self.object
    }

    /// The blob's length.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The chunks with their lengths, in the blob's order; one may come more than once.
    pub fn parts(&self) -> &[(Digest, u32)] {
        &self.parts
    }

    /// The same, for whoever needs nothing else of it.
    pub fn into_parts(self) -> Vec<(Digest, u32)> {
        self.parts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest() -> Manifest {
        let parts = vec![(Digest::of(b"a"), 1), (Digest::of(b"b"), CHUNK_MAX as u32)];
        Manifest::new(Digest::of(b"ab"), parts)
    }

    #[test]
    fn a_manifest_comes_back_from_its_bytes() {
        assert_eq!(Manifest::decode(&manifest().encode()), Ok(manifest()));
        let empty = Manifest::new(Digest::of(b""), Vec::new());
        assert_eq!(Manifest::decode(&empty.encode()), Ok(empty));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let bytes = manifest().encode();
        let with = |at: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            Manifest::decode(&bytes)
        };
        assert_eq!(with(0, 0), Err(InvalidManifest::Malformed));
        let said = manifest().size_bytes();
        assert_eq!(with(40, 2), Err(InvalidManifest::Length { said: said + 1, found: said }));
        assert_eq!(with(80, 0), Err(InvalidManifest::Chunk(0)));
        assert_eq!(with(bytes.len() - 1, 1), Err(InvalidManifest::Chunk((1 << 24) + CHUNK_MAX as u32)));
        assert_eq!(Manifest::decode(&bytes[..bytes.len() - 1]), Err(InvalidManifest::Malformed));
        assert_eq!(Manifest::decode(&bytes[..HEAD_BYTES - 1]), Err(InvalidManifest::Malformed));
    }

    #[test]
    fn a_list_that_is_no_small_part_of_its_blob_is_refused() {
        let list = |count: usize, length: u32| {
            Manifest::decode(
                &Manifest::new(Digest::of(b"x"), vec![(Digest::of(b"a"), length); count]).encode(),
            )
        };
        assert_eq!(list(3, 1), Err(InvalidManifest::TooMany(3)));
        assert!(list(1, 1).is_ok() && list(300, 4096).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(
            tail in proptest::collection::vec(any::<u8>(), 0..200),
            is_marked: bool,
        ) {
            let bytes = if is_marked { [MAGIC.as_slice(), &tail].concat() } else { tail };
            if let Ok(manifest) = Manifest::decode(&bytes) {
                prop_assert_eq!(manifest.encode(), bytes);
            }
        }
    }
}
