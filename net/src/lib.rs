//! What nodes say to each other.
//!
//! Owns the shapes on the wire, the protocols as pure state machines, and the driver that runs them on
//! sockets. Decides nothing for the node: what a peer asks for comes up as data. Invariant: nothing a peer
//! sends is held beyond a named limit.

pub mod driver;
pub mod proto;
pub mod wire;
