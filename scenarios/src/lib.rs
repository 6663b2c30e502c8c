//! The mesh simulator: worlds of nodes that run the real cores, under every fault, from one seed.
//!
//! Owns virtual time, the network between nodes, what goes wrong, and what must hold all the same. Opens no
//! file and no socket, and knows no clock but its own. Invariant: a scenario says everything; running it twice,
//! on any machine, delivers the same events in the same order.

pub mod batch;
pub mod check;
pub mod fault;
pub mod mix;
mod network;
mod node;
mod people;
pub mod report;
pub mod scenario;
pub mod shrink;
pub mod span;
pub mod tally;
mod trace;
pub mod trial;
mod workload;
pub mod world;
