//! The ground floor of a Xyn node: everything that is kept.
//!
//! Owns the journal and all that is derived from it, projections, blobs, timers and the audit chain; and the timeline
//! that members share, with the roster of who they are. Decides nothing about what an event of the journal means; the
//! floors above hand it opaque records and the rows they imply.
//! Invariant: nothing is acknowledged before it is durable.

pub mod audit;
pub mod blobs;
pub mod clock;
#[cfg(test)]
mod crash_tests;
mod database;
pub mod digest;
pub mod durable;
pub mod duration;
pub mod envelope;
mod error;
mod handover;
pub mod ids;
mod incarnation;
pub mod journal;
pub mod json;
pub mod legible;
pub mod panics;
pub mod projection;
mod reader;
pub mod rebuild;
pub mod scope;
mod scratch;
pub mod simulation;
mod store;
pub mod tables;
pub mod timeline;
pub mod trust;
pub mod verify;

pub use clock::{Clock, Timestamp};
pub use digest::Digest;
pub use error::StoreError;
pub use incarnation::Incarnation;
pub use json::Json;
pub use reader::{Order, Reader, SCAN_LIMIT};
pub use store::{DATABASE_FILE, Options, Store};
