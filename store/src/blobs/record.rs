//! A chunk as it stands in a pack: a header, then the chunk's bytes, compressed where that is worth it.
//!
//! Owns these bytes on disk. A header tells the digest of the chunk and that of the stored bytes, so that a
//! pack can be read without its index and nothing is decompressed that was changed. A checksum of the stored
//! bytes tells at a tenth of the cost whether the disk kept them: enough for who only hands them on. Invariant:
//! what is handed out has the digest that was asked for.

use std::borrow::Cow;

use zstd::bulk::{Compressor, Decompressor};

use super::CHUNK_MAX;
use crate::Digest;

pub(super) const HEADER_BYTES: usize = 84;
const MAGIC: [u8; 3] = *b"xc1";
/// Fast rather than small: a capsule compresses once more what is to travel far.
const LEVEL: i32 = 1;

/// How the bytes behind a header are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain = 0,
    Zstd = 1,
}

/// What a record says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    form: Form,
    pub(super) raw_bytes: u32,
    pub(super) stored_bytes: u32,
    pub(super) digest: Digest,
    stored_digest: Digest,
    /// CRC-32 of the stored bytes.
    stored_sum: u32,
}

impl Header {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..3].copy_from_slice(&MAGIC);
        bytes[3] = self.form as u8;
        bytes[4..8].copy_from_slice(&self.raw_bytes.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.stored_bytes.to_le_bytes());
        bytes[12..44].copy_from_slice(self.digest.as_bytes());
        bytes[44..76].copy_from_slice(self.stored_digest.as_bytes());
        bytes[76..80].copy_from_slice(&self.stored_sum.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..80]);
        bytes[80..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The header at the start of `bytes`; none when there is no sound one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<HEADER_BYTES>()?;
        let number = |at: usize| bytes[at..].first_chunk().map(|number| u32::from_le_bytes(*number));
        let digest = |at: usize| bytes[at..].first_chunk().map(|digest| Digest::from_bytes(*digest));
        if bytes[..3] != MAGIC || number(80)? != crc32fast::hash(&bytes[..80]) {
            return None;
        }
        let form = match bytes[3] {
            0 => Form::Plain,
            1 => Form::Zstd,
            _ => return None,
        };
        let (raw_bytes, stored_bytes) = (number(4)?, number(8)?);
        if raw_bytes > CHUNK_MAX as u32 || stored_bytes > raw_bytes {
            return None;
        }
        let (digest, stored_digest, stored_sum) = (digest(12)?, digest(44)?, number(76)?);
        Some(Self { form, raw_bytes, stored_bytes, digest, stored_digest, stored_sum })
    }

    /// Length of header and stored bytes.
    pub(super) fn record_bytes(&self) -> u32 {
        HEADER_BYTES as u32 + self.stored_bytes
    }
}

/// Makes records; keeps what the compressor needs between two.
#[derive(Default)]
pub(super) struct Encoder {
    compressor: Option<Compressor<'static>>,
    record: Vec<u8>,
}

impl Encoder {
    /// The record of `chunk`, whose digest is `digest`.
    pub(super) fn encode(&mut self, digest: &Digest, chunk: &[u8]) -> &[u8] {
        // Less than a sixteenth gained is not worth the work of every reader.
        let limit = chunk.len() - chunk.len().div_ceil(16);
        self.record.clear();
        self.record.resize(HEADER_BYTES + limit, 0);
        let compressed = self.compress(chunk);
        let (form, stored_digest) = match compressed {
            Some(length) => {
                self.record.truncate(HEADER_BYTES + length);
                (Form::Zstd, Digest::of(&self.record[HEADER_BYTES..]))
            }
            None => {
                self.record.truncate(HEADER_BYTES);
                self.record.extend_from_slice(chunk);
                (Form::Plain, *digest)
            }
        };
        let stored = &self.record[HEADER_BYTES..];
        let header = Header {
            form,
            raw_bytes: chunk.len() as u32,
            stored_bytes: stored.len() as u32,
            digest: *digest,
            stored_digest,
            stored_sum: crc32fast::hash(stored),
        };
        self.record[..HEADER_BYTES].copy_from_slice(&header.encode());
        &self.record
    }

    /// Compresses into the record; none when the result does not fit there.
    fn compress(&mut self, chunk: &[u8]) -> Option<usize> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(LEVEL).ok()?),
        };
        compressor.compress_to_buffer(chunk, &mut self.record[HEADER_BYTES..]).ok()
    }
}

/// The header of `record` and what is stored behind it; none unless it is whole, as it was written, and said
/// to be that of the chunk `digest`. Finds what a disk did to it, not what somebody made up.
pub(super) fn intact<'a>(record: &'a [u8], digest: &Digest) -> Option<(Header, &'a [u8])> {
    let header = Header::decode(record)?;
    let stored = &record[HEADER_BYTES..];
    let is_intact = header.digest == *digest
        && stored.len() == header.stored_bytes as usize
        && crc32fast::hash(stored) == header.stored_sum;
    is_intact.then_some((header, stored))
}

/// Reads records; keeps what the decompressor needs between two.
#[derive(Default)]
pub(super) struct Decoder(Option<Decompressor<'static>>);

impl Decoder {
    /// The chunk in `record`; none when it is not, whole, the one with this digest.
    pub(super) fn decode<'a>(&mut self, record: &'a [u8], digest: &Digest) -> Option<Cow<'a, [u8]>> {
        self.decode_by(record, digest, Digest::of)
    }

    /// The same, where `hash` makes the digest of the chunk's bytes.
    pub(super) fn decode_by<'a>(
        &mut self,
        record: &'a [u8],
        digest: &Digest,
        hash: impl FnOnce(&[u8]) -> Digest,
    ) -> Option<Cow<'a, [u8]>> {
        // A checksum that a peer made up would be found only when the chunk is handed on.
        let (header, stored) = intact(record, digest)?;
        match header.form {
            Form::Plain => {
                let is_it = header.stored_digest == *digest && hash(stored) == *digest;
                is_it.then_some(Cow::Borrowed(stored))
            }
            Form::Zstd => {
                if Digest::of(stored) != header.stored_digest {
                    return None;
                }
                let decompressor = match &mut self.0 {
                    Some(decompressor) => decompressor,
                    none => none.insert(Decompressor::new().ok()?),
                };
                let chunk = decompressor.decompress(stored, header.raw_bytes as usize).ok()?;
                let is_it = chunk.len() == header.raw_bytes as usize && hash(&chunk) == *digest;
                is_it.then_some(Cow::Owned(chunk))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(chunk: &[u8]) -> Vec<u8> {
        Encoder::default().encode(&Digest::of(chunk), chunk).to_vec()
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn a_chunk_comes_back_and_is_compressed_where_that_helps() {
        for chunk in [vec![], vec![7], vec![7; CHUNK_MAX], noise(CHUNK_MAX), noise(100)] {
            let record = record(&chunk);
            assert!(record.len() <= HEADER_BYTES + chunk.len());
            assert_eq!(record.len() < HEADER_BYTES + chunk.len(), chunk == [7; CHUNK_MAX]);
            assert_eq!(Decoder::default().decode(&record, &Digest::of(&chunk)).as_deref(), Some(&chunk[..]));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for chunk in [[9; 300].as_slice(), &noise(40)] {
            let record = record(chunk);
            for bit in 0..record.len() * 8 {
                let mut bad = record.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Decoder::default().decode(&bad, &Digest::of(chunk)), None, "bit {bit}");
                assert_eq!(intact(&bad, &Digest::of(chunk)), None, "bit {bit}, by the checksum");
            }
        }
    }

    #[test]
    fn what_grows_beyond_its_declared_length_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 1).expect("compresses");
        let digest = Digest::of(&[0; 10_000]);
        let header = Header {
            form: Form::Zstd,
            raw_bytes: 10_000,
            stored_bytes: bomb.len() as u32,
            digest,
            stored_digest: Digest::of(&bomb),
            stored_sum: crc32fast::hash(&bomb),
        };
        let record = [header.encode().as_slice(), &bomb].concat();
        assert!(Header::decode(&record).is_some(), "the header itself is sound");
        assert_eq!(Decoder::default().decode(&record, &digest), None);
    }

    #[test]
    fn a_record_with_a_checksum_that_is_made_up_is_refused_though_its_digests_are_right() {
        let chunk = noise(40);
        let mut record = record(&chunk);
        record[76] ^= 1;
        let sum = crc32fast::hash(&record[..80]);
        record[80..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
        assert!(Header::decode(&record).is_some(), "the header itself is sound");
        assert_eq!(Decoder::default().decode(&record, &Digest::of(&chunk)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn strange_bytes_are_no_record(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(Decoder::default().decode(&bytes, &Digest::of(b"x")), None);
        }
    }
}
