//! What nodes say to each other.
//!
//! Owns the shapes on the wire, the protocols as pure state machines, how the records of a store are told in those
//! shapes, and the driver that runs the protocols on sockets. Decides nothing for the node: what a peer asks for
//! comes up as data. Invariant: nothing a peer sends is held beyond a named limit.

pub mod driver;
pub mod proto;
pub mod records;
pub mod wire;
