//! The most that peers can make a node hold, whatever they send and however little they take of what they are sent.
//!
//! Owns the sums; each part is a limit that somebody else keeps. What a thing costs besides its bytes is not counted,
//! nor what stands on the disk and is read again: of what members say of who belongs,
//! [the store](xyn_store::timeline::STATEMENT_BYTES_PER_HOUR_MAX) says how much that is.
//! Invariant: a part that grows past its share of the sums stops the build.

use yamux::DEFAULT_CREDIT;

use super::behaviour::{DOOR_STREAMS_MAX, NEWS_WAITING_MAX, STRANGER_CONNECTIONS};
use super::codec::READING_BYTES_MAX;
use super::muxer::{STRANGER_BYTES_MAX, WINDOWS_BYTES_MAX};
use super::spare::SPARE_BYTES_MAX;
use super::transport::{QUIC_BYTES_MAX, READ_BYTES};
use crate::proto::blobs::{ANSWERS_MAX, IN_FLIGHT_MAX, MANIFEST_BYTES_MAX, OBJECTS_MAX};
use crate::proto::conduct::{BYTES_BURST, PASSED_ON_TIMES, UNHEARD_BYTES_MAX};
use crate::proto::join::door::STRANGERS_MAX;
use crate::wire::MESSAGE_BYTES_MAX;

const MIB: usize = 1 << 20;

/// Connections of one member that live: one each way, while both dial at once. An older one is closed when another
/// comes.
const MEMBER_CONNECTIONS: usize = 2;

/// Records that came and wait to be judged, of all peers together. Whoever judges keeps to it.
pub const JUDGED_BYTES_MAX: usize = 16 * MIB;

/// What one member can make a node hold: what it sent on its connections and nobody has read, news of it that have begun
/// (in room that doubles) and those that gossip has not asked about yet, messages and news to it that it does not take.
pub const MEMBER_BYTES_MAX: usize = MEMBER_CONNECTIONS
    * (larger(WINDOWS_BYTES_MAX, QUIC_BYTES_MAX) + READ_BYTES + 2 * MESSAGE_BYTES_MAX)
    + PASSED_ON_TIMES as usize * BYTES_BURST as usize
    + UNHEARD_BYTES_MAX
    + NEWS_WAITING_MAX * MESSAGE_BYTES_MAX;

/// What all strangers can, who may stand at the door.
pub const STRANGERS_BYTES_MAX: usize =
    STRANGERS_MAX * STRANGER_CONNECTIONS * (larger(STRANGER_BYTES_MAX, QUIC_BYTES_MAX) + READ_BYTES);

/// What all peers share, however many they are: messages that are being read, of blobs and of all else; answers about
/// blobs that are being made, and the memory of those before; records that wait to be judged.
pub const SHARED_BYTES_MAX: usize =
    2 * READING_BYTES_MAX + ANSWERS_MAX * MESSAGE_BYTES_MAX + SPARE_BYTES_MAX + JUDGED_BYTES_MAX;

/// What comes of blobs that this node itself asked for: chunks on their way, and lists of them.
pub const FETCHING_BYTES_MAX: usize = IN_FLIGHT_MAX as usize + OBJECTS_MAX * MANIFEST_BYTES_MAX as usize;

/// What `members` of an environment and any number of strangers can make a node hold together.
pub const fn held_bytes_max(members: usize) -> usize {
    SHARED_BYTES_MAX + FETCHING_BYTES_MAX + STRANGERS_BYTES_MAX + members * MEMBER_BYTES_MAX
}

const fn larger(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}

const _: () = assert!(MEMBER_BYTES_MAX <= 173 * MIB, "a member that floods is borne");
const _: () = assert!(STRANGERS_BYTES_MAX <= 260 * MIB, "so is a crowd at the door");
const _: () = assert!(SHARED_BYTES_MAX <= 120 * MIB && FETCHING_BYTES_MAX <= 160 * MIB);
const _: () = assert!(
    DOOR_STREAMS_MAX * DEFAULT_CREDIT as usize <= STRANGER_BYTES_MAX,
    "what a stranger has to say fits its connection"
);
