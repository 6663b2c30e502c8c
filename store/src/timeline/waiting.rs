//! Frames that came before what they follow.
//!
//! Owns how much of the future is kept. What is too much makes room: an author's oldest frame for its newest, and where
//! the bytes of all are too many, the oldest of the author who has most of them. So a frame whose turn never comes is
//! gone in time, and whoever makes up gaps loses its own. Invariant: what is kept was verified, and never exceeds
//! [`WAITING_MAX_BYTES`], nor [`WAITING_FRAMES_MAX`] of one author; what is forgotten, anti-entropy brings again.

use std::collections::BTreeMap;

use super::feed::FeedId;
use super::frame::Frame;
use crate::audit::signature::PublicKey;

/// Bytes of frames that wait, of all authors together.
pub const WAITING_MAX_BYTES: usize = 8 << 20;
/// Frames of one author that wait.
pub const WAITING_FRAMES_MAX: usize = 64;

/// The frames by author, where there are any.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    authors: BTreeMap<PublicKey, Author>,
    bytes: usize,
    /// How many came so far.
    came: u64,
}

/// What waits of one author.
#[derive(Clone, Debug, Default)]
struct Author {
    /// By incarnation and first record.
    frames: BTreeMap<(u64, u64), Kept>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Kept {
    frame: Frame,
    bytes: usize,
    /// The lower, the older.
    number: u64,
}

impl Waiting {
    /// Keeps `frame`, which took `bytes`. A longer one takes the place of one that begins alike.
    pub(super) fn keep(&mut self, frame: Frame, bytes: usize) {
        let (FeedId { node, incarnation }, first) = (frame.place.feed, frame.place.seq);
        let place = (incarnation, first);
        let known = self.authors.get(&node).and_then(|author| author.frames.get(&place));
        if known.is_some_and(|known| known.frame.last().seq >= frame.last().seq) {
            return;
        }
        self.remove(node, place);
        self.came += 1;
        self.bytes += bytes;
        let author = self.authors.entry(node).or_default();
        author.bytes += bytes;
        author.frames.insert(place, Kept { frame, bytes, number: self.came });
        if author.frames.len() > WAITING_FRAMES_MAX {
            self.forget_oldest(node);
        }
        while self.bytes > WAITING_MAX_BYTES
            && let Some((&most, _)) = self.authors.iter().max_by_key(|(_, author)| author.bytes)
        {
            self.forget_oldest(most);
        }
    }

    /// Takes out a frame that no longer waits, because `feed` has come to record `seq`.
    pub(super) fn take(&mut self, feed: &FeedId, seq: u64) -> Option<Frame> {
        let of_feed = (feed.incarnation, 0)..=(feed.incarnation, seq.saturating_add(1));
        let (&place, _) = self.authors.get(&feed.node)?.frames.range(of_feed).next()?;
        self.remove(feed.node, place)
    }

    /// Forgets what is not to be kept: asked for each frame by its feed and first record.
    pub(super) fn retain(&mut self, keeps: impl Fn(&FeedId, u64) -> bool) {
        let places = |(node, author): (&PublicKey, &Author)| -> Vec<(PublicKey, (u64, u64))> {
            author.frames.keys().map(|place| (*node, *place)).collect()
        };
        let all: Vec<_> = self.authors.iter().flat_map(places).collect();
        for (node, place) in all {
            if !keeps(&FeedId { node, incarnation: place.0 }, place.1) {
                self.remove(node, place);
            }
        }
    }

    /// The most frames of one author that are kept.
    pub(super) fn most_frames(&self) -> usize {
        self.authors.values().map(|author| author.frames.len()).max().unwrap_or_default()
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn forget_oldest(&mut self, node: PublicKey) {
        let frames = self.authors.get(&node).into_iter().flat_map(|author| &author.frames);
        if let Some((&place, _)) = frames.min_by_key(|(_, kept)| kept.number) {
            self.remove(node, place);
        }
    }

    fn remove(&mut self, node: PublicKey, place: (u64, u64)) -> Option<Frame> {
        let author = self.authors.get_mut(&node)?;
        let Kept { frame, bytes, .. } = author.frames.remove(&place)?;
        author.bytes -= bytes;
        self.bytes -= bytes;
        if author.frames.is_empty() {
            self.authors.remove(&node);
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::world::{Author, env, moment};
    use super::*;

    /// A frame of the second record of a feed.
    fn gap(secret: u8, incarnation: u64) -> Frame {
        let mut author = Author::new(secret, incarnation);
        let records = ["first", "second"].map(|title| author.entry(moment(1), title));
        Frame::seal(&author.key(), env(), records[1..].to_vec()).expect("a record")
    }

    #[test]
    fn whoever_makes_up_gaps_loses_its_own_oldest_ones_and_nobody_else_s() {
        let (mut waiting, honest) = (Waiting::default(), gap(2, 1));
        let feed = honest.place.feed;
        waiting.keep(honest, WAITING_MAX_BYTES / 64);
        for life in 0..1_000 {
            waiting.keep(gap(1, life), WAITING_MAX_BYTES / 16);
            assert!(waiting.bytes <= WAITING_MAX_BYTES);
        }
        let lives: Vec<u64> =
            waiting.authors[&gap(1, 0).place.feed.node].frames.keys().map(|it| it.0).collect();
        assert_eq!(lives, (985..1_000).collect::<Vec<_>>());
        assert!(waiting.take(&feed, 0).is_none(), "its turn has not come");
        assert!(waiting.take(&feed, 1).is_some());
        assert_eq!(waiting.authors.len(), 1, "nothing is left of it");
    }

    #[test]
    fn of_one_author_so_many_frames_wait_over_all_its_feeds() {
        let mut waiting = Waiting::default();
        (0..1_000).for_each(|life| waiting.keep(gap(1, life), 100));
        assert_eq!((waiting.most_frames(), waiting.bytes()), (WAITING_FRAMES_MAX, 100 * WAITING_FRAMES_MAX));
        waiting.keep(gap(1, 999), 100);
        assert_eq!(waiting.bytes(), 100 * WAITING_FRAMES_MAX, "the same again changes nothing");
        waiting.retain(|feed, first| feed.incarnation < 999 && first == 2);
        assert_eq!(waiting.most_frames(), WAITING_FRAMES_MAX - 1);
        waiting.retain(|_, _| false);
        assert!(waiting.authors.is_empty() && waiting.bytes() == 0);
    }
}
