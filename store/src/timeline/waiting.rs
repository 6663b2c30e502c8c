//! Frames that came before what they follow.
//!
//! Owns the bound on how much of the future is kept. Invariant: what is kept was verified, and never exceeds
//! [`WAITING_MAX_BYTES`]; what does not fit is forgotten, and anti-entropy brings it again.

use std::collections::BTreeMap;

use super::feed::FeedId;
use super::frame::Frame;

/// Bytes of frames that wait, of all feeds together.
pub const WAITING_MAX_BYTES: usize = 8 << 20;
/// Frames of one feed that wait.
pub const WAITING_FRAMES_MAX: usize = 64;

/// The frames, by feed and first record.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    frames: BTreeMap<FeedId, BTreeMap<u64, (Frame, usize)>>,
    bytes: usize,
}

impl Waiting {
    /// Keeps `frame`, which took `bytes`, if there is room. A longer one takes the place of one that begins
    /// alike.
    pub(super) fn keep(&mut self, frame: Frame, bytes: usize) -> bool {
        let of_feed = self.frames.entry(frame.place.feed).or_default();
        let replaced = of_feed.get(&frame.place.seq).map(|(known, bytes)| (known.last().seq, *bytes));
        if let Some((last, _)) = replaced
            && last >= frame.last().seq
        {
            return true;
        }
        let freed = replaced.map_or(0, |(_, bytes)| bytes);
        let is_full = replaced.is_none() && of_feed.len() >= WAITING_FRAMES_MAX;
        if is_full || self.bytes - freed + bytes > WAITING_MAX_BYTES {
            return false;
        }
        self.bytes = self.bytes - freed + bytes;
        of_feed.insert(frame.place.seq, (frame, bytes));
        true
    }

    /// Takes out a frame that no longer waits, because `feed` has come to record `seq`.
    pub(super) fn take(&mut self, feed: &FeedId, seq: u64) -> Option<Frame> {
        let of_feed = self.frames.get_mut(feed)?;
        let first = *of_feed.first_key_value().filter(|(first, _)| **first <= seq + 1)?.0;
        let (frame, bytes) = of_feed.remove(&first)?;
        self.bytes -= bytes;
        if of_feed.is_empty() {
            self.frames.remove(feed);
        }
        Some(frame)
    }

    /// The most frames of one feed that are kept.
    pub(super) fn most_frames(&self) -> usize {
        self.frames.values().map(BTreeMap::len).max().unwrap_or_default()
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
