//! Frames that were verified and taken: gossip brings each from several peers, and a signature is verified
//! once.
//!
//! Invariant: what is remembered is in the database, or the timeline that remembers it is thrown away.

use std::collections::{BTreeSet, VecDeque};

use crate::digest::Digest;

/// Frames that are remembered; of more, the oldest is forgotten and verified again when it comes again.
pub const MEMO_FRAMES_MAX: usize = 4096;

/// Digests of frames, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Memo {
    known: BTreeSet<Digest>,
    order: VecDeque<Digest>,
}

impl Memo {
    pub(super) fn knows(&self, frame: &Digest) -> bool {
        self.known.contains(frame)
    }

    pub(super) fn count(&self) -> usize {
        self.order.len()
    }

    pub(super) fn remember(&mut self, frame: Digest) {
        if !self.known.insert(frame) {
            return;
        }
        self.order.push_back(frame);
        if self.order.len() > MEMO_FRAMES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let frame = |number: usize| Digest::of(&number.to_be_bytes());
        let mut memo = Memo::default();
        (0..=MEMO_FRAMES_MAX).for_each(|number| memo.remember(frame(number)));
        memo.remember(frame(1));
        assert!(!memo.knows(&frame(0)));
        assert!((1..=MEMO_FRAMES_MAX).all(|number| memo.knows(&frame(number))));
    }
}
