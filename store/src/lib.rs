//! The ground floor of a Xyn node: everything that is kept.
//!
//! Owns the journal and all that is derived from it: projections, blobs, timers and the audit chain. Decides
//! nothing about what an event means; the floors above hand it opaque records and the rows they imply.
//! Invariant: nothing is acknowledged before it is durable.

pub mod audit;
pub mod blobs;
pub mod clock;
pub mod digest;
mod durable;
pub mod ids;
pub mod json;
pub mod scope;

pub use clock::{Clock, Timestamp};
pub use digest::Digest;
pub use json::Json;
