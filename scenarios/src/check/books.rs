//! The books: everything that authors signed, whether anybody heard of it or not.

use std::collections::{BTreeMap, BTreeSet};

use xyn_store::Digest;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::EntryId;
use xyn_store::simulation::Dice;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::fold::fold;
use xyn_store::timeline::frame::Frame;
use xyn_store::timeline::record::{Body, Record};
use xyn_store::trust::{Cut, EnvId, Head, Place};

/// Entries that people may still talk about.
const TOPICS: usize = 64;

/// Records by feed, number and hash: an attempt that failed may have left another one under the same number.
#[derive(Default)]
pub(crate) struct Books {
    records: BTreeMap<FeedId, BTreeMap<u64, Vec<Record>>>,
    /// The last record of each feed that was acknowledged to an honest author.
    pub(crate) acknowledged: BTreeMap<FeedId, Head>,
    topics: Vec<EntryId>,
}

impl Books {
    /// Answers the statements among what was signed, and where each stands.
    pub(crate) fn wrote(
        &mut self,
        env: &EnvId,
        feed: FeedId,
        frames: &[Vec<u8>],
        is_acknowledged: bool,
    ) -> Vec<(Vec<u8>, Place)> {
        let mut statements = Vec::new();
        for frame in frames {
            let records = Frame::open(&env.root(), frame).map(|frame| frame.records).unwrap_or_default();
            for record in records {
                if is_acknowledged {
                    self.acknowledged.insert(feed, Head { seq: record.seq, hash: record.hash });
                }
                if let Body::Statement(bytes) = &record.content.body {
                    let Record { feed, seq, hash, .. } = record;
                    statements.push((bytes.0.clone(), Place { feed, record: Head { seq, hash } }));
                }
                self.enter(record);
            }
        }
        statements
    }

    fn enter(&mut self, record: Record) {
        if self.topics.len() < TOPICS
            && let Some(id) = topic(&record)
        {
            self.topics.push(id);
        }
        let here = self.records.entry(record.feed).or_default().entry(record.seq).or_default();
        if here.iter().all(|known| known.hash != record.hash) {
            here.push(record);
        }
    }

    pub(crate) fn is_signed(&self, feed: &FeedId, seq: u64, hash: Digest) -> bool {
        self.find(feed, seq, hash).is_some()
    }

    /// The last record of a feed.
    pub(crate) fn last(&self, feed: &FeedId) -> Option<(u64, Digest)> {
        let (seq, records) = self.records.get(feed)?.last_key_value()?;
        Some((*seq, records.first()?.hash))
    }

    /// Feeds that nodes wrote besides their first.
    pub(crate) fn further_feeds(&self) -> usize {
        let authors: BTreeSet<_> = self.records.keys().map(|feed| feed.node).collect();
        self.records.len() - authors.len()
    }

    /// Whether a feed that ends with the record `head` has the one at `place`.
    pub(crate) fn leads_to(&self, mut head: Head, place: &Place) -> bool {
        while head.seq > place.record.seq
            && let Some(record) = self.find(&place.feed, head.seq, head.hash)
        {
            head = Head { seq: head.seq - 1, hash: record.prev };
        }
        head == place.record
    }

    fn find(&self, feed: &FeedId, seq: u64, hash: Digest) -> Option<&Record> {
        self.records.get(feed)?.get(&seq)?.iter().find(|record| record.hash == hash)
    }

    pub(crate) fn some_entry(&self, dice: &mut Dice) -> Option<EntryId> {
        match self.topics.len() as u64 {
            0 => None,
            count => self.topics.get(dice.below(count) as usize).copied(),
        }
    }

    /// A change of an entry or of a board that somebody else made than `author`.
    pub(crate) fn change_of_others(
        &self,
        author: PublicKey,
        is_board: bool,
        dice: &mut Dice,
    ) -> Option<Body> {
        let others = self.records.iter().filter(|(feed, _)| feed.node != author);
        let bodies = others.flat_map(|(_, records)| records.values().flatten()).map(|it| &it.content.body);
        let changes: Vec<&Body> = match is_board {
            true => bodies.filter(|body| matches!(body, Body::Board { .. })).collect(),
            false => bodies.filter(|body| matches!(body, Body::Entry { .. })).collect(),
        };
        match changes.len() as u64 {
            0 => None,
            count => changes.get(dice.below(count) as usize).copied().cloned(),
        }
    }

    /// The timeline that the records up to these heads add up to.
    pub(crate) fn expected(
        &self,
        heads: impl IntoIterator<Item = (FeedId, u64, Digest)>,
        cuts: impl Fn(&FeedId) -> Cut,
    ) -> Digest {
        let mut held = Vec::new();
        for (feed, mut seq, mut hash) in heads {
            while let Some(record) = self.find(&feed, seq, hash) {
                held.push(record);
                (seq, hash) = (seq - 1, record.prev);
            }
        }
        fold(held, cuts).digest()
    }
}

/// The entry that a record adds, when it adds one.
fn topic(record: &Record) -> Option<EntryId> {
    let Body::Entry { change, .. } = &record.content.body else { return None };
    let (_, entries) = xyn_store::timeline::document::materialise([change.0.clone()]).ok()?;
    entries.first().map(|(id, _)| *id)
}
