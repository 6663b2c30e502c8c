//! The protocols as pure state machines: `handle(input, now) -> outputs`.
//!
//! Owns what a node says next. Never waits, reads a clock or rolls dice, so that a driver and a simulator run
//! the same code. Reading, verifying and keeping records are outputs whose results come back as inputs.
//! Invariant: the same inputs at the same times give the same outputs.

pub mod blobs;
pub mod conduct;
pub mod contacts;
pub mod dial;
mod dice;
pub mod gossip;
pub mod held;
pub mod join;
pub mod runs;
pub mod seats;
pub mod sync;
pub mod witness;
