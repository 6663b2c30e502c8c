//! What other nodes can send of blobs: questions, answers and parcels.
//!
//! The checksum of a header is made right before a parcel is opened, so that what is behind it is tried as
//! well.

use std::fmt::Debug;

use xyn_net::driver::unpack;
use xyn_net::wire::blobs::{Answer, Ask, HEAD_BYTES};
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

/// Answers as the exchange reads them: parcels stay where they are, and mean what the codec says.
pub(super) mod answers {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        let read = Answer::read(bytes.to_vec()).ok();
        if let Some(answer) = &read {
            assert_eq!(Answer::read(wire::encode(answer)).as_ref().ok(), Some(answer), "own bytes");
        }
        if let Ok(answer) = wire::decode::<Answer>(bytes) {
            assert_eq!(read, Some(answer));
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let around = [&[0; HEAD_BYTES][..], b"parcel"].concat();
        questions::seeds().into_iter().chain([Answer::around(around)]).collect()
    }
}

/// Messages that travel packed: what comes out is as long as was said, and no longer than it may be.
pub(super) mod packed {
    use super::*;

    const MAX: usize = 1 << 20;

    pub(crate) fn run(bytes: &[u8]) {
        if let Ok(message) = unpack(bytes, MAX) {
            let said = bytes.first_chunk().map(|length| u32::from_be_bytes(*length) as usize);
            assert!(message.len() <= MAX && said == Some(message.len()), "{} of {said:?}", message.len());
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        // Frames of one block each, which is written out and says that it is the last: raw, and a run.
        let frame = |kind: u8, size: u8, block: &[u8]| {
            let head = [0x28, 0xb5, 0x2f, 0xfd, 0x20, size, size << 3 | kind << 1 | 1, 0, 0];
            [&[0, 0, 0, size][..], &head, block].concat()
        };
        vec![frame(0, 5, b"hello"), frame(1, 31, b"x")]
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
            .map(|chunks| store.blobs().parcel(&chunks, Vec::new(), 1 << 20).expect("reads"))
            .into()
    }
}
