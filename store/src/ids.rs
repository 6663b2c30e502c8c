//! Identifiers: UUIDv7, one type per entity, ordered by time.
//!
//! Fresh ids are made by shells ([`fresh`]); pure code derives them ([`derived`]), so that a replay gives the same.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::{NoContext, Uuid};

use crate::clock::Timestamp;
use crate::legible::quoted;

/// A text that is not a UUID.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a UUID, which looks like `{EXAMPLE}`")]
pub struct InvalidId(String);

/// What an id looks like.
pub const EXAMPLE: &str = "0190f5fe-7c00-7a00-8000-000000000001";

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl $name {
            /// The sixteen bytes, in the order that sorts by time.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self).map_err(|_| InvalidId(quoted(text)))
            }
        }
    )*};
}

id! {
    /// An event: an immutable input or fact.
    EventId,
    /// A request to do something.
    IntentId,
    /// One execution of a blueprint.
    RunId,
    /// A principal's context.
    SessionId,
    /// Generated output.
    ArtifactId,
    /// A working blueprint.
    DraftId,
    /// The events of one actor. A run's stream has the run's id, a session's the session's, and so on.
    StreamId,
    /// A deployed instance.
    NodeId,
    /// A moment on the timeline.
    EntryId,
    /// A comment in a thread.
    CommentId,
}

/// A new UUIDv7 at `now` with random low bits.
pub fn fresh<T: From<Uuid>>(now: Timestamp) -> T {
    let (secs, nanos) = (now.as_micros() / 1_000_000, now.as_micros() % 1_000_000 * 1000);
    T::from(Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, secs as u64, nanos as u32)))
}

/// A UUIDv7 at `now` whose low bits are SHA-256 of `parts`: the same arguments give the same id.
pub fn derived<T: From<Uuid>>(now: Timestamp, parts: &[&[u8]]) -> T {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let hash: [u8; 32] = hasher.finalize().into();
    let mut low = [0; 10];
    low.copy_from_slice(&hash[..10]);
    T::from(uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &low).into_uuid())
}

impl RunId {
    /// When it was made, to the millisecond.
    pub fn made_at(&self) -> Timestamp {
        let millis = self.as_bytes()[..6].iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte));
        Timestamp::from_micros(millis * 1000)
    }
}

impl EventId {
    /// The id of record `index` of the entry at `offset` of a journal, written at `at`: a UUIDv7 whose free bits hold
    /// the place and a checksum of it, so that the record is found without an index.
    pub fn placed(at: Timestamp, offset: u64, index: u16) -> Self {
        let offset = offset & OFFSET_MASK;
        let index = index & INDEX_MASK;
        let low = (offset << 22) | u64::from(place_checksum(at.as_millis(), offset, index));
        let mut free = [0; 10];
        free[..2].copy_from_slice(&index.to_be_bytes());
        free[2..].copy_from_slice(&low.to_be_bytes());
        Self(uuid::Builder::from_unix_timestamp_millis(at.as_millis(), &free).into_uuid())
    }

    /// The place that the id names, offset and index; none when it is not a placed id.
    pub fn place(&self) -> Option<(u64, u16)> {
        let bytes = self.0.as_bytes();
        let (mut millis, mut index, mut low) = ([0; 8], [0; 2], [0; 8]);
        millis[2..].copy_from_slice(&bytes[..6]);
        index.copy_from_slice(&bytes[6..8]);
        low.copy_from_slice(&bytes[8..]);
        let index = u16::from_be_bytes(index) & INDEX_MASK;
        let low = u64::from_be_bytes(low) & (u64::MAX >> 2);
        let (offset, checksum) = (low >> 22, (low & 0x3f_ffff) as u32);
        (checksum == place_checksum(u64::from_be_bytes(millis), offset, index)).then_some((offset, index))
    }
}

const OFFSET_MASK: u64 = (1 << 40) - 1;
const INDEX_MASK: u16 = (1 << 12) - 1;

fn place_checksum(millis: u64, offset: u64, index: u16) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&millis.to_be_bytes());
    hasher.update(&offset.to_be_bytes());
    hasher.update(&index.to_be_bytes());
    hasher.finalize() & 0x3f_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_and_sort_by_time() {
        let early: RunId = fresh(Timestamp::from_micros(1_000_000));
        let late: RunId = fresh(Timestamp::from_micros(2_000_000));
        assert!(early < late);
        assert_eq!(Uuid::from(early).get_version_num(), 7);
    }

    #[test]
    fn a_run_says_when_it_was_made() {
        let at = Timestamp::from_micros(1_700_000_000_123_456);
        assert_eq!(fresh::<RunId>(at).made_at(), Timestamp::from_micros(1_700_000_000_123_000));
        assert_eq!(derived::<RunId>(Timestamp::EPOCH, &[b"run"]).made_at(), Timestamp::EPOCH);
        assert!(RunId::from(Uuid::max()).made_at() > at);
    }

    #[test]
    fn a_placed_event_id_names_its_place_and_others_do_not() {
        let at = Timestamp::from_micros(1_700_000_000_123_456);
        for (offset, index) in [(0, 0), (1, 9), (1 << 39, 4095)] {
            let id = EventId::placed(at, offset, index);
            assert_eq!(id.place(), Some((offset, index)));
            assert_eq!(Uuid::from(id).get_version_num(), 7);
        }
        let strangers =
            (0..1000_u32).filter(|n| derived::<EventId>(at, &[&n.to_le_bytes()]).place().is_some());
        assert_eq!(strangers.count(), 0);
    }

    #[test]
    fn a_derived_id_depends_on_every_part_and_its_bounds() {
        let at = Timestamp::from_micros(5_000_000);
        let id = |parts: &[&[u8]]| derived::<EventId>(at, parts);
        assert_eq!(id(&[b"a", b"b"]), id(&[b"a", b"b"]));
        assert_ne!(id(&[b"a", b"b"]), id(&[b"ab", b""]));
        assert_eq!(Uuid::from(id(&[b"a"])).get_version_num(), 7);
    }
}
