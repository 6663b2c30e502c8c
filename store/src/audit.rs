//! The audit chain: what makes the journal evidence.
//!
//! Owns the tree over the journal's envelopes, its proofs and the checkpoints a node signs. Reads and writes
//! no journal: it is handed leaves. Invariant: whoever holds a checkpoint and a proof needs to trust nobody
//! else.

pub mod checkpoint;
mod hex;
pub mod key;
pub mod leaf;
pub mod log;
pub mod merkle;
pub mod proof;
pub mod signature;
pub(crate) mod tiles;
