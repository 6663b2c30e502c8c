//! The trace: one hash over everything that was delivered.
//!
//! Owns the order and the bytes that two runs must share. Invariant: runs with equal hashes delivered the same
//! messages to the same nodes at the same virtual times.

use xyn_store::{Digest, Timestamp};

/// Bytes that are hashed together.
const BLOCK_BYTES: usize = 64 << 10;

/// A hash in the making.
pub(crate) struct Trace {
    hash: Digest,
    block: Vec<u8>,
    /// Events so far.
    pub(crate) steps: u64,
}

impl Trace {
    pub(crate) fn new(seed: u64) -> Self {
        Self { hash: Digest::of(&seed.to_be_bytes()), block: Vec::with_capacity(BLOCK_BYTES), steps: 0 }
    }

    /// Something of this `kind` happened to `node`.
    pub(crate) fn note(&mut self, at: Timestamp, kind: u8, node: usize, parts: &[&[u8]]) {
        self.steps += 1;
        self.block.extend_from_slice(&at.as_micros().to_be_bytes());
        self.block.push(kind);
        self.block.extend_from_slice(&(node as u32).to_be_bytes());
        for part in parts {
            self.block.extend_from_slice(&(part.len() as u32).to_be_bytes());
            self.block.extend_from_slice(part);
        }
        if self.block.len() >= BLOCK_BYTES {
            self.close_block();
        }
    }

    /// The hash of all of it.
    pub(crate) fn finish(mut self) -> Digest {
        self.close_block();
        self.hash
    }

    fn close_block(&mut self) {
        self.hash = Digest::of_parts(&[self.hash.as_bytes(), &self.block]);
        self.block.clear();
    }
}
