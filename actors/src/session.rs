//! A session: a principal's context, as a pure core.
//!
//! A session belongs to a token, a browser login or whoever comes over loopback, not to a request. Owns who
//! it belongs to, how long it lasts and how it ends; the shell is `actor`. It keeps no secret and knows
//! nothing of how somebody proved who they are. Invariant: a closed session is never open again.

pub(crate) mod actor;
mod apply;
mod command;
mod decide;
mod event;
mod state;

#[cfg(test)]
mod tests;

pub use apply::IllegalEvent;
pub use command::{Command, Rejection};
pub use decide::{LIFETIME_MAX, decide};
pub use event::{Event, Reason};
pub use state::{Opened, State};
