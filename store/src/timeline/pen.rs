//! The pen: writes the records of a call one behind the other, and signs them.
//!
//! Owns the order of a feed's records and who may add to it. Invariant: until it is put down, the timeline is as it
//! was.

use super::Bytes;
use super::entry::Entry;
use super::feed::FeedId;
use super::frame::{FRAME_MAX_BYTES, Frame, PACK_RECORDS, sign};
use super::head::{Effect, FeedHead};
use super::hlc::HybridClock;
use super::limit::Limit;
use super::log::{Timeline, WriteError, Written};
use super::record::{Body, Content, Record, RecordError};
use super::rows::{self, FeedRow};
use super::said::Said;
use crate::audit::key::NodeKey;
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::trust::{Cut, EnvId};

/// Bytes of records behind which an author signs, so that any piece of its feed fits a frame.
const SIGN_BYTES: usize = FRAME_MAX_BYTES / 2;

/// Writes records one behind the other, and signs them.
pub(super) struct Pen<'a> {
    key: &'a NodeKey,
    env: PublicKey,
    pub(super) feed: FeedId,
    pub(super) head: FeedHead,
    /// What its member has said of others, with this.
    said: Said,
    clock: HybridClock,
    unsigned: Vec<Record>,
    unsigned_bytes: usize,
    written: Written,
}

impl<'a> Pen<'a> {
    pub(super) fn new(timeline: &Timeline, key: &'a NodeKey, now: Timestamp) -> Result<Self, WriteError> {
        if key.public() != timeline.own().node {
            return Err(WriteError::WrongKey);
        }
        // First: once its new key is confirmed, the feed under the old one is cut, and nobody has to join anew for
        // that.
        if timeline.said.is_leaving {
            return Err(WriteError::Leaving);
        }
        let FeedRow { head, limit, .. } = timeline.row(&timeline.own(), Cut::Nowhere);
        // Whoever is cut may not go on, even where the cut is further than it has come.
        if limit != Limit::NONE {
            return Err(WriteError::Excluded(limit.counts));
        }
        Ok(Self {
            key,
            env: timeline.env,
            feed: timeline.own(),
            head,
            said: timeline.said,
            // What it writes may build on anything that is here, whenever that came.
            clock: timeline.clock.hearing(timeline.feeds().map(|row| row.head.hlc), now),
            unsigned: Vec::new(),
            unsigned_bytes: 0,
            written: Written::default(),
        })
    }

    pub(super) fn write(
        &mut self,
        now: Timestamp,
        body: Body,
        effect: &Effect,
    ) -> Result<&Record, RecordError> {
        let is_pack_full = self.head.seq.is_multiple_of(PACK_RECORDS);
        if is_pack_full || self.unsigned_bytes >= SIGN_BYTES {
            self.sign();
        }
        let hlc = self.clock.tick(now);
        let record = self.head.place(self.env, self.feed).write(Content { hlc, body })?;
        self.head = FeedHead { seq: record.seq, hash: record.hash, hlc, ..self.head };
        rows::put_record(&mut self.written.changes, &record);
        rows::put_effect(&mut self.written.changes, &record, effect, true);
        if let Effect::Entry(entry_id, note) = effect {
            let (entry_id, note) = (*entry_id, note.as_ref().clone());
            self.written.entries.push(Entry { entry_id, at: hlc, node: self.feed.node, note });
        }
        self.unsigned_bytes += record.payload.len();
        self.unsigned.push(record);
        Ok(self.unsigned.last().expect("it was just pushed"))
    }

    /// Writes a word on who belongs, while this member may still make one.
    pub(super) fn state(&mut self, now: Timestamp, bytes: Vec<u8>) -> Result<(), WriteError> {
        self.said.add(EnvId::rooted_in(self.env), &bytes)?;
        self.write(now, Body::Statement(Bytes(bytes)), &Effect::Statement)?;
        Ok(())
    }

    fn sign(&mut self) {
        let signature = sign(self.key, &self.head.hash);
        let records = std::mem::take(&mut self.unsigned);
        self.unsigned_bytes = 0;
        if let Some(frame) = Frame::of(self.env, records, signature) {
            rows::put_signature(&mut self.written.changes, &self.feed, self.head.seq, &signature);
            self.written.frames.push(frame.encode());
        }
    }

    /// Signs what is left and moves the timeline's head.
    pub(super) fn put_down(mut self, timeline: &mut Timeline) -> Written {
        self.sign();
        let row = FeedRow { head: self.head, ..timeline.row(&self.feed, Cut::Nowhere) };
        self.written.changes.put(&row);
        timeline.is_stale |= timeline.said != self.said;
        (timeline.clock, timeline.said) = (self.clock, self.said);
        timeline.feeds.insert(self.feed, row);
        self.written
    }
}
