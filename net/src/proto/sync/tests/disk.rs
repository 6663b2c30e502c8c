//! What a node of the bed keeps: hash-linked records with a checksum for a signature.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xyn_store::Digest;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::Head;

use super::super::{Proof, Refused};
use crate::wire::{Frame, Known, Payload};

/// Records in a frame: enough that a want often begins in the middle of one.
const FRAME: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    feed: FeedId,
    seq: u64,
    prev: Option<Digest>,
    body: Vec<u8>,
    signature: Digest,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    records: BTreeMap<FeedId, Vec<Record>>,
    forks: BTreeMap<FeedId, (u64, Vec<u8>)>,
    /// What comes from others is not kept, for this reason.
    pub(crate) refuses: Option<Refused>,
}

impl Record {
    fn new(feed: FeedId, seq: u64, prev: Option<Digest>, body: &[u8]) -> Self {
        let mut record = Self { feed, seq, prev, body: body.to_vec(), signature: Digest::of(b"") };
        record.signature = record.signed();
        record
    }

    fn signed(&self) -> Digest {
        Digest::of(&postcard::to_stdvec(&(self.feed, self.seq, self.prev, &self.body)).expect("plain data"))
    }

    fn hash(&self) -> Digest {
        Digest::of(&postcard::to_stdvec(self).expect("plain data"))
    }

    /// The pair in an order that does not depend on who found it.
    fn in_order(self, other: Self) -> (Self, Self) {
        if self.hash() < other.hash() { (self, other) } else { (other, self) }
    }

    fn is_signed(&self, feed: FeedId) -> bool {
        self.feed == feed && self.signature == self.signed()
    }
}

impl Disk {
    pub(crate) fn feeds(&self) -> impl Iterator<Item = FeedId> {
        self.records.keys().copied()
    }

    pub(crate) fn known(&self, feed: FeedId) -> Known {
        let last = self.records.get(&feed).and_then(|records| records.last());
        let head = last.map(|record| Head { seq: record.seq, hash: record.hash() });
        Known { head, fork: self.forks.get(&feed).map(|(seq, _)| *seq) }
    }

    pub(crate) fn write(&mut self, feed: FeedId, body: &[u8]) {
        let records = self.records.entry(feed).or_default();
        let prev = records.last().map(Record::hash);
        records.push(Record::new(feed, records.len() as u64 + 1, prev, body));
    }

    /// Forgets the end of a feed, as a restored backup does.
    pub(crate) fn rewind(&mut self, feed: FeedId, to: u64) {
        self.records.entry(feed).or_default().truncate(to as usize);
    }

    pub(crate) fn head_at(&self, feed: FeedId, seq: u64) -> Head {
        Head { seq, hash: self.records[&feed][seq as usize - 1].hash() }
    }

    pub(crate) fn read(&self, feed: FeedId, after: u64, to: u64, credit: u32) -> Vec<Frame> {
        let all = self.records.get(&feed).map(Vec::as_slice).unwrap_or_default();
        let mut left = credit as usize;
        let frames = all[..(to as usize).min(all.len())]
            .chunks(FRAME)
            .filter(|chunk| chunk[chunk.len() - 1].seq > after);
        let mut chosen = Vec::new();
        for chunk in frames {
            let bytes = postcard::to_stdvec(chunk).expect("plain data");
            if bytes.len() > left && !chosen.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes.len());
            let (from, to) = (chunk[0].seq, chunk[chunk.len() - 1].seq);
            chosen.push(Frame { from, to, bytes: Payload::new(&bytes).expect("a few records") });
        }
        chosen
    }

    pub(crate) fn admit(&mut self, feed: FeedId, frames: &[Frame]) -> Result<Known, Refused> {
        if let Some(reason) = self.refuses {
            return Err(reason);
        }
        for frame in frames {
            let records: Vec<Record> = postcard::from_bytes(&frame.bytes).map_err(|_| Refused::False)?;
            let numbers = records.iter().map(|record| record.seq);
            if !numbers.eq(frame.from..=frame.to) || !records.iter().all(|record| record.is_signed(feed)) {
                return Err(Refused::False);
            }
            records.into_iter().try_for_each(|record| self.append(record))?;
        }
        Ok(self.known(feed))
    }

    fn append(&mut self, record: Record) -> Result<(), Refused> {
        let records = self.records.entry(record.feed).or_default();
        if self.forks.get(&record.feed).is_some_and(|(seq, _)| record.seq >= *seq) {
            return Ok(());
        }
        match records.get(record.seq as usize - 1) {
            Some(mine) if *mine == record => Ok(()),
            Some(mine) if mine.prev == record.prev => {
                let proof = postcard::to_stdvec(&mine.clone().in_order(record.clone())).expect("plain data");
                self.fork(record.feed, record.seq, proof);
                Ok(())
            }
            Some(_) => Err(Refused::Unlinked),
            None if record.seq == records.len() as u64 + 1
                && record.prev == records.last().map(Record::hash) =>
            {
                records.push(record);
                Ok(())
            }
            None => Err(Refused::Unlinked),
        }
    }

    fn fork(&mut self, feed: FeedId, seq: u64, proof: Vec<u8>) {
        if self.forks.get(&feed).is_none_or(|(known, _)| seq < *known) {
            self.rewind(feed, seq - 1);
            self.forks.insert(feed, (seq, proof));
        }
    }

    pub(crate) fn proof(&self, feed: FeedId) -> Option<Proof> {
        Payload::new(&self.forks.get(&feed)?.1)
    }

    pub(crate) fn admit_proof(&mut self, feed: FeedId, proof: &[u8]) -> Result<Known, Refused> {
        let (a, b): (Record, Record) = postcard::from_bytes(proof).map_err(|_| Refused::False)?;
        let holds = a != b && a.seq == b.seq && a.prev == b.prev && a.is_signed(feed) && b.is_signed(feed);
        if !holds {
            return Err(Refused::False);
        }
        self.fork(feed, a.seq, proof.to_vec());
        Ok(self.known(feed))
    }
}
