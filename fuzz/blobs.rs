//! What other nodes can send of blobs: questions, answers and parcels.
//!
//! The checksum of a header is made right before a parcel is opened, so that what is behind it is tried as
//! well.

use std::fmt::Debug;

use xyn_net::wire::blobs::{Answer, Ask};
use xyn_net::wire::{self, Bounded, Message, Payload};
use xyn_store::blobs::Parcel;
use xyn_store::{Digest, Options, Store};

/// Questions about blobs, and answers.
pub(super) mod questions {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        fn again<M: Message + PartialEq + Debug>(bytes: &[u8]) {
            if let Ok(message) = wire::decode::<M>(bytes) {
                assert_eq!(wire::decode::<M>(&wire::encode(&message)).expect("own bytes"), message);
            }
        }
        again::<Ask>(bytes);
        again::<Answer>(bytes);
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let object = Digest::of(b"blob");
        let asks = [
            Ask::Manifest { root: object, object, from: 7, credit: 4096 },
            Ask::Chunks { root: object, chunks: Bounded::new(vec![object; 3]).expect("three") },
        ];
        let page = Payload::new(&[7; 48]).expect("fits");
        let answers = [
            Answer::Absent,
            Answer::Manifest { name: object, length: 48, page },
            Answer::Chunks(Payload::new(b"parcel").expect("fits")),
        ];
        asks.iter().map(wire::encode).chain(answers.iter().map(wire::encode)).collect()
    }
}

/// Chunks as they travel: whatever comes out is what its digest names.
pub(super) mod parcels {
    use super::*;

    const SUM_AT: usize = 80;

    pub(crate) fn run(bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        if let Some((head, sum)) = bytes.split_at_mut_checked(SUM_AT)
            && let Some(sum) = sum.first_chunk_mut()
        {
            *sum = crc32(head).to_le_bytes();
        }
        for chunk in Parcel::new(&bytes).flatten() {
            assert_eq!(Digest::of(chunk.bytes()), chunk.digest());
        }
    }

    /// CRC-32 (IEEE), as a header has it.
    fn crc32(bytes: &[u8]) -> u32 {
        let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
        !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Options::default()).expect("opens");
        let put = |bytes: &[u8]| store.blobs().put(bytes).expect("there is room");
        let (text, few) = (put(&b"a text that can be compressed ".repeat(9)), put(&[1, 9, 8, 4]));
        [vec![text], vec![few], vec![few, text]]
            .map(|chunks| store.blobs().parcel(&chunks, 0, 1 << 20).expect("reads"))
            .into()
    }
}
