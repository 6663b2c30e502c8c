//! What nodes say to each other.
//!
//! Owns the shapes on the wire and the protocols as pure state machines. Opens no socket, asks no clock and
//! decides nothing for the node: what a peer asks for comes up as data. Invariant: nothing a peer sends is
//! held beyond a named limit.

pub mod proto;
pub mod wire;
