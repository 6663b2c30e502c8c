//! A connected peer: how much it is asked for, and how much it may ask.
//!
//! Owns its window and its pace. Invariant: the window follows what the peer delivers, between two named
//! limits.

use std::collections::VecDeque;
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::blobs::{CHUNK_MAX, PARCEL_OVERHEAD_BYTES};

use super::{ASKS_PER_PEER, FAST, HEDGE_AFTER, SLOW, WINDOW_FIRST, WINDOW_MAX, WINDOW_MIN};
use crate::proto::conduct::{
    Allowance, BYTES_BURST, BYTES_PER_SECOND, Conduct, MESSAGES_BURST, MESSAGES_PER_SECOND,
};
use crate::wire::blobs::{Ask, PARCEL_BYTES_MAX};

/// This node asks half as often as a peer allows: an honest one never floods.
const RESTRAINT: u64 = 2;

#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) conduct: Conduct,
    messages: Allowance,
    bytes: Allowance,
    window_bytes: u64,
    /// How long its answers take.
    took: Duration,
    /// Until when nothing is asked of it.
    pub(super) paused: Timestamp,
    /// What it asked and is not being answered yet.
    pub(super) queue: VecDeque<(u64, Ask)>,
    /// Answers to it that are being read or sent.
    pub(super) serving: usize,
}

impl Peer {
    pub(super) fn new(conduct: Conduct, now: Timestamp) -> Self {
        Self {
            conduct,
            messages: Allowance::new(MESSAGES_BURST / RESTRAINT, MESSAGES_PER_SECOND / RESTRAINT, now),
            bytes: Allowance::new(BYTES_BURST / RESTRAINT, BYTES_PER_SECOND / RESTRAINT, now),
            window_bytes: WINDOW_FIRST,
            took: Duration::ZERO,
            paused: Timestamp::EPOCH,
            queue: VecDeque::new(),
            serving: 0,
        }
    }

    /// Whether it may be asked now with a message of so many bytes, with `open` questions open.
    pub(super) fn may_be_asked(&mut self, bytes: usize, open: usize, now: Timestamp) -> bool {
        self.paused <= now
            && open < ASKS_PER_PEER
            && self.messages.spend(1, now)
            && self.bytes.spend(bytes as u64, now)
    }

    /// How many bytes to ask of it next, while so many are under way; none when that is enough.
    pub(super) fn room_bytes(&self, in_flight_bytes: u64) -> Option<u64> {
        let one_chunk = (CHUNK_MAX + PARCEL_OVERHEAD_BYTES) as u64;
        // Two questions at least fill the window, so that the next is on its way while one is answered.
        let share = (self.window_bytes / 2).clamp(one_chunk, PARCEL_BYTES_MAX as u64);
        (in_flight_bytes == 0 || in_flight_bytes + share <= self.window_bytes).then_some(share)
    }

    /// How long what others were asked for is left to them.
    pub(super) fn hedge_after(&self) -> Duration {
        HEDGE_AFTER.max(self.took * 2)
    }

    /// It sent so many bytes, in this time.
    pub(super) fn delivered(&mut self, bytes: u64, took: Duration) {
        self.took = (self.took * 3 + took) / 4;
        if took <= FAST {
            self.window_bytes = (self.window_bytes + bytes).min(WINDOW_MAX);
        } else if took >= SLOW {
            self.slow_down();
        }
    }

    pub(super) fn slow_down(&mut self) {
        self.window_bytes = (self.window_bytes / 2).max(WINDOW_MIN);
    }
}
