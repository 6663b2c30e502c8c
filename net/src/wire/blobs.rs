//! Blobs on the wire: a question and its answer on one stream.
//!
//! Owns how large either may be. Reads no manifest and no parcel: what comes is verified where it is kept.
//! Invariant: an answer never holds more than one message.

use serde::{Deserialize, Serialize};
use xyn_store::Digest;

use super::{Bounded, InvalidMessage, MESSAGE_BYTES_MAX, Message, Payload, VERSION, decode};

/// The most chunks that are asked for at once.
pub const CHUNKS_MAX: usize = 256;
/// The most bytes of the chunks in one answer, as they travel.
pub const PARCEL_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 64;
/// The most bytes of a manifest in one answer.
pub const PAGE_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 128;

/// A question about blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Do you have this blob, and of which chunks is it made?
    Manifest {
        /// The blob that a moment of the timeline names, and that leads to this one.
        root: Digest,
        /// The blob.
        object: Digest,
        /// Where in the manifest to begin.
        from: u32,
        /// How many bytes of it to send.
        credit: u32,
    },
    /// Send me chunks, in this order.
    Chunks {
        /// The blob that a moment of the timeline names, and that leads to them.
        root: Digest,
        /// Which.
        chunks: Bounded<Digest, CHUNKS_MAX>,
    },
}

/// The answer to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is not here, cannot be read now, or is not for you.
    Absent,
    /// I have the blob, whole and verified.
    Manifest {
        /// The digest of its manifest.
        name: Digest,
        /// How many bytes that has.
        length: u32,
        /// Those from where was asked on.
        page: Payload<PAGE_BYTES_MAX>,
    },
    /// Those of the chunks that are here and fit: a parcel.
    Chunks(Payload<PARCEL_BYTES_MAX>),
}

/// What an answer with a parcel begins with, behind the version: the number of its variant.
const CHUNKS: u8 = 2;
/// Room in front of a parcel for all that an answer begins with: these two bytes, and a length.
pub const HEAD_BYTES: usize = 2 + 3;

impl Answer {
    /// The page of a manifest's `bytes` that begins at `from`, of `credit` bytes at most.
    pub fn page(bytes: &[u8], from: u32, credit: u32) -> Option<Self> {
        Self::page_of(Digest::of(bytes), bytes, from, credit)
    }

    /// The same, where the manifest's `name` is known: nothing but the page is looked at.
    pub fn page_of(name: Digest, bytes: &[u8], from: u32, credit: u32) -> Option<Self> {
        let rest = bytes.get(from as usize..).unwrap_or_default();
        let page = Payload::new(&rest[..rest.len().min(credit as usize).min(PAGE_BYTES_MAX)])?;
        Some(Self::Manifest { name, length: u32::try_from(bytes.len()).ok()?, page })
    }

    /// The bytes of an answer with the parcel that stands behind [`HEAD_BYTES`] in `bytes`, where it is.
    pub fn around(mut bytes: Vec<u8>) -> Vec<u8> {
        let length = bytes.len().saturating_sub(HEAD_BYTES);
        let head = postcard::to_stdvec(&(VERSION, CHUNKS, length)).expect("numbers always encode");
        bytes.splice(..HEAD_BYTES.min(bytes.len()), head);
        bytes
    }

    /// The answer in `bytes`. A parcel stays where it is in them: most of what goes to and fro is parcels.
    pub fn read(bytes: Vec<u8>) -> Result<Self, InvalidMessage> {
        let [VERSION, CHUNKS, rest @ ..] = bytes.as_slice() else {
            return decode(&bytes);
        };
        let malformed = InvalidMessage::Malformed;
        let (length, parcel) =
            postcard::take_from_bytes::<usize>(rest).map_err(|error| malformed(Some(error)))?;
        if length != parcel.len() {
            return Err(malformed(None));
        }
        let from = bytes.len() - length;
        Payload::behind(from, bytes).map(Self::Chunks).ok_or(malformed(None))
    }
}

impl Message for Ask {
    const PROTOCOL: &'static str = "/xyn/blobs/1";
    const BYTES_MAX: usize = 16 << 10;
}

impl Message for Answer {
    const PROTOCOL: &'static str = Ask::PROTOCOL;
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{InvalidMessage, decode, encode};

    fn asks() -> Vec<Ask> {
        let chunks = [Digest::of(b"a"), Digest::of(b"b")];
        vec![
            Ask::Manifest { root: Digest::of(b"r"), object: Digest::of(b"x"), from: 300, credit: 4096 },
            Ask::Chunks { root: Digest::of(b"r"), chunks: Bounded::new(chunks.to_vec()).expect("two") },
        ]
    }

    fn answers() -> Vec<Answer> {
        let page = Payload::new(b"page").expect("short");
        vec![
            Answer::Absent,
            Answer::Manifest { name: Digest::of(b"y"), length: 300, page },
            Answer::Chunks(Payload::new(b"parcel").expect("short")),
        ]
    }

    fn samples() -> Vec<Vec<u8>> {
        asks().iter().map(encode).chain(answers().iter().map(encode)).collect()
    }

    #[test]
    fn every_question_and_answer_survives_its_bytes() {
        for ask in asks() {
            assert_eq!(decode::<Ask>(&encode(&ask)).expect("own bytes"), ask);
        }
        for answer in answers() {
            assert_eq!(decode::<Answer>(&encode(&answer)).expect("own bytes"), answer);
            assert_eq!(Answer::read(encode(&answer)).expect("own bytes"), answer);
        }
    }

    #[test]
    fn a_parcel_with_room_in_front_becomes_an_answer_where_it_is() {
        for length in [0, 1, 127, 128, 16_383, 16_384, PARCEL_BYTES_MAX] {
            let parcel = vec![7; length];
            let answer = Answer::Chunks(Payload::new(&parcel).expect("at the bound at most"));
            assert_eq!(Answer::around([vec![0; HEAD_BYTES], parcel].concat()), encode(&answer), "{length}");
        }
    }

    #[test]
    fn version_1_bytes_stay_what_they_are() {
        let golden = "692e7e090b0dca020c788143f7b3f22e36bf94e100965a7421e0327ba23e4895";
        assert_eq!(Digest::of(&samples().concat()).to_string(), golden, "the encoding is frozen");
    }

    #[test]
    fn the_largest_fit_and_more_is_refused() {
        let chunks = Bounded::new(vec![Digest::of(b""); CHUNKS_MAX]).expect("at the bound");
        assert!(encode(&Ask::Chunks { root: Digest::of(b""), chunks }).len() <= Ask::BYTES_MAX);
        let page = Payload::new(&vec![0; PAGE_BYTES_MAX]).expect("at the bound");
        let manifest = Answer::Manifest { name: Digest::of(b""), length: u32::MAX, page };
        let parcel = Answer::Chunks(Payload::new(&vec![0; PARCEL_BYTES_MAX]).expect("at the bound"));
        assert!([manifest, parcel].iter().all(|answer| encode(answer).len() <= Answer::BYTES_MAX));
        let long = vec![1; Ask::BYTES_MAX + 1];
        assert!(matches!(decode::<Ask>(&long), Err(InvalidMessage::TooLarge { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn mutated_messages_never_panic(
            sample in prop::sample::select(samples()),
            changes in vec((any::<prop::sample::Index>(), prop_oneof![Just(0xff), any::<u8>()]), 1..4),
        ) {
            let mut bytes = sample;
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = decode::<Ask>(&bytes);
            let copied = decode::<Answer>(&bytes);
            prop_assert_eq!(Answer::read(bytes).ok(), copied.ok(), "a parcel is the same where it stands");
        }
    }
}
