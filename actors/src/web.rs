//! What every HTTP face of a node shares: its sockets, and how a reader says what it has and which bytes it wants.
//!
//! Owns no route and no content. Invariant: whoever serves by these rules drops no request that it took in.

pub mod known;
pub mod range;
pub mod server;
