//! What must hold when faults have stopped: everybody has the same, all of it, and nothing else.

use std::collections::BTreeMap;

use xyn_net::wire::Known;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::frame::Frame;
use xyn_store::trust::Head;
use xyn_store::{Digest, Timestamp};

use super::{Broken, Check, READ_BACK_MAX, last_admitted};
use crate::node::Shelf;
use crate::span::Span;

/// What a node knows of each feed.
pub(crate) type Feeds<'a> = (usize, &'a BTreeMap<FeedId, Known>);

impl Check {
    /// After all this time two nodes do not have the same.
    pub(crate) fn apart(
        &mut self,
        now: Timestamp,
        (node, one): Feeds<'_>,
        (other, two): Feeds<'_>,
        within: Span,
    ) {
        let differs = |feed: &&FeedId| one.get(feed) != two.get(feed);
        let Some(feed) = one.keys().chain(two.keys()).find(differs) else { return };
        let shown = |known: Option<&Known>| match known {
            None => "nothing".to_owned(),
            Some(Known { head, fork }) => {
                let end = head.map_or("no records".to_owned(), |head| format!("{} records", head.seq));
                fork.map_or(end.clone(), |fork| format!("{end}, forked at {fork}"))
            }
        };
        let (has, others) = (shown(one.get(feed)), shown(two.get(feed)));
        let author = self.author(feed);
        self.broke(now, Broken::Apart { node, other, author, has, others, within: within.to_string() });
    }

    /// `shelves` have the same records: they must show the same, and exactly what the books say.
    pub(crate) fn agreed(
        &mut self,
        now: Timestamp,
        shelves: &[(usize, &Shelf)],
        running: &BTreeMap<FeedId, usize>,
    ) {
        // Before what follows from it.
        for (node, shelf) in shelves {
            self.nothing_missing(now, *node, shelf, running);
            self.nothing_disowned(now, *node, shelf);
        }
        let mut first: Option<(usize, Digest)> = None;
        for (node, shelf) in shelves {
            let digest = match shelf.digest() {
                Ok(digest) => digest,
                Err(error) => {
                    return self.broke(now, Broken::Unopened { node: *node, error: error.to_string() });
                }
            };
            match first {
                None => {
                    first = Some((*node, digest));
                    self.against_books(now, *node, shelf, digest);
                }
                Some((other, expected)) if digest != expected => {
                    self.broke(now, Broken::Differs { node: other, other: *node });
                }
                Some(_) => {}
            }
            if shelves.len() <= READ_BACK_MAX || shelves[0].0 == *node {
                self.read_back(now, *node, shelf);
            }
        }
    }

    /// Each acknowledged record of a node that runs and was not excluded is here.
    fn nothing_missing(
        &mut self,
        now: Timestamp,
        node: usize,
        shelf: &Shelf,
        running: &BTreeMap<FeedId, usize>,
    ) {
        for feed in running.keys() {
            let Some(Head { seq, .. }) = self.books.acknowledged.get(feed).copied() else { continue };
            let row = shelf.timeline().and_then(|timeline| timeline.feed(feed));
            let admitted = last_admitted(shelf.roster().cut(*feed));
            if row.map_or(0, |row| row.head.seq) < seq.min(admitted) {
                self.broke(now, Broken::Missing { node, author: self.author(feed), seq });
            }
        }
    }

    /// What is kept can be given to others: every record up to the last, as it was signed.
    fn read_back(&mut self, now: Timestamp, node: usize, shelf: &Shelf) {
        let rows: Vec<_> =
            shelf.timeline().into_iter().flat_map(|timeline| timeline.feeds()).copied().collect();
        for row in rows {
            let frames = shelf.read(row.feed, 0, row.head.seq, u32::MAX);
            let open = |bytes: &[u8]| Frame::open(&self.env.root(), bytes).ok();
            let end = frames.last().and_then(|frame| open(&frame.bytes)).map(|frame| frame.last().hash);
            let is_whole = frames.iter().all(|frame| open(&frame.bytes).is_some());
            if row.head.seq > 0 && (end != Some(row.head.hash) || !is_whole) {
                self.broke(now, Broken::Unreadable { node, author: self.author(&row.feed) });
            }
        }
    }

    fn against_books(&mut self, now: Timestamp, node: usize, shelf: &Shelf, found: Digest) {
        let feeds = shelf.feeds().unwrap_or_default().into_iter();
        let heads = feeds.filter_map(|(feed, known)| known.head.map(|head| (feed, head.seq, head.hash)));
        let expected = self.books.expected(heads, |feed| shelf.roster().cut(*feed));
        if expected != found {
            self.broke(now, Broken::Misfolded { node });
        }
    }

    /// Nodes that agree and have nothing to tell were left alone for a while.
    pub(crate) fn quiet(&mut self, now: Timestamp, messages: u64, limit: u64, within: Span) {
        if messages > limit {
            self.broke(now, Broken::Restless { messages, limit, within: within.to_string() });
        }
    }
}
