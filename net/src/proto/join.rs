//! Joining: a ticket for a certificate.
//!
//! Owns both sides of the door. The [`Door`] answers strangers, and this is all that strangers are answered;
//! the node decides who may come in. The [`Guest`] believes nothing that does not follow from the root key in
//! its ticket. Invariant: what strangers can make a node hold or do is bounded, however many there are.

pub mod door;
pub mod guest;
#[cfg(test)]
mod tests;

pub use door::Door;
pub use guest::Guest;
