//! The timeline: what a team sees of each other's work, merged offline.
//!
//! Owns feeds of records (the truth) and their fold into entries and boards. Never opens a socket and never
//! asks a clock: time, keys and the roster are arguments. Invariant: the fold is a function of the set of
//! records and the roster, whatever the order in which they came.

pub mod admit;
mod ancestor;
pub mod approval;
pub mod board;
mod bytes;
mod canonical;
mod change;
pub mod document;
mod draft;
pub mod entry;
mod excluded;
pub mod feed;
pub mod fold;
pub mod fork;
pub mod frame;
mod head;
mod heard;
pub mod hlc;
mod limit;
mod log;
mod made;
mod memo;
mod offer;
mod pace;
mod page;
mod pen;
mod rebuild;
pub mod record;
mod recut;
mod replica;
mod roster;
mod rows;
mod runs;
mod said;
mod scrub;
mod state;
#[cfg(test)]
mod tests;
mod waiting;

pub use bytes::Bytes;
pub use canonical::{Moment, Sum};
pub use change::{ChangeError, DOCUMENT_MAX_BYTES, OPERATIONS_MAX, merge_documents};
pub use excluded::{Excluded, Matter, Why};
pub use head::FeedHead;
pub use heard::{STATEMENT_BYTES_PER_FEED, STATEMENTS_PER_FEED};
pub use limit::{BEHIND_CUT_MAX, Limit};
pub use log::{Saying, Timeline, WriteError, Written};
pub use made::Made;
pub use memo::MEMO_FRAMES_MAX;
pub use offer::{APP_ID_MAX_CHARS, Delta, Offer, Visibility};
pub use pace::{
    BYTES_PER_MINUTE_MAX, DOCUMENTS_PER_MINUTE_MAX, FEEDS_PER_HOUR_MAX, OPERATIONS_PER_MINUTE_MAX, Pace,
    RECORDS_PER_MINUTE_MAX, STATEMENT_BYTES_PER_HOUR_MAX, STATEMENTS_PER_HOUR_MAX,
};
pub use page::EntryFilter;
pub use replica::{Hearing, Replica};
pub use roster::first_certificate;
pub use rows::{BoardRow, FeedRow};
pub use scrub::{Stop, Track};
pub use state::{FACETS_MAX, Facet, State};
pub use waiting::{WAITING_FRAMES_MAX, WAITING_MAX_BYTES};
