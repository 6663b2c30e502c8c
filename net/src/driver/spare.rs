//! Memory of long messages, used again.
//!
//! What is given back goes to the operating system, and whatever is taken of it anew costs a fault a page: measured,
//! some 0.4 s of CPU per GB of content, of both ends together. Owns how much is kept. Invariant: no more than
//! [`SPARE_BYTES_MAX`] is, and nothing once content is no longer exchanged.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::wire::MESSAGE_BYTES_MAX;

/// Bytes that are kept at most: as many messages as one peer is answered with at a time.
pub(super) const SPARE_BYTES_MAX: usize = SPARES_MAX * MESSAGE_BYTES_MAX;
const SPARES_MAX: usize = 8;
/// Messages from this length on are worth it.
const LONG_BYTES: usize = MESSAGE_BYTES_MAX / 4;

/// Memory that is not in use.
#[derive(Clone, Default)]
pub(super) struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    /// Memory for a message of `length` bytes, which holds as many; what they are is left from before.
    pub(super) fn take(&self, length: usize) -> Vec<u8> {
        if length < LONG_BYTES {
            return vec![0; length];
        }
        let spare = self.kept().pop();
        let mut bytes = spare.unwrap_or_else(|| Vec::with_capacity(length.max(MESSAGE_BYTES_MAX)));
        bytes.resize(length, 0);
        bytes
    }

    /// Memory that is not needed any more.
    pub(super) fn give(&self, bytes: Vec<u8>) {
        let mut kept = self.kept();
        if bytes.capacity() == MESSAGE_BYTES_MAX && kept.len() < SPARES_MAX {
            kept.push(bytes);
        }
    }

    /// Keeps none.
    pub(super) fn clear(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_long_messages_is_used_again_and_only_so_much_is_kept() {
        let spare = Spare::default();
        let message = |length| {
            let bytes = spare.take(length);
            assert_eq!(bytes.len(), length);
            bytes
        };
        let long = message(MESSAGE_BYTES_MAX - 7);
        let place = long.as_ptr();
        spare.give(long);
        spare.give(message(LONG_BYTES - 1));
        assert_eq!(spare.kept().len(), 1, "of a short one nothing is");
        let again = message(LONG_BYTES);
        assert_eq!(again.as_ptr(), place);
        let many: Vec<_> = (0..SPARES_MAX + 3).map(|_| message(MESSAGE_BYTES_MAX)).collect();
        many.into_iter().for_each(|bytes| spare.give(bytes));
        assert_eq!(spare.kept().iter().map(Vec::capacity).sum::<usize>(), SPARE_BYTES_MAX);
        spare.clear();
        assert!(spare.kept().is_empty());
    }
}
