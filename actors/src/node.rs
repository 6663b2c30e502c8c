//! The node itself: its start and stop, and the library of drafts, blueprints and policies it keeps.
//!
//! A pure core with the shape of all: [`decide`] says what a command means, [`State::apply`] folds it; the `actor`
//! appends it and puts it in force. Invariant: a promoted version never changes, and of every blueprint and policy
//! one version is active.

pub(crate) mod actor;
mod apply;
mod command;
mod decide;
mod event;
mod state;

#[cfg(test)]
mod tests;

pub use apply::IllegalEvent;
pub use command::{Command, Compiled, Rejection};
pub use decide::{Change, decide};
pub use event::{DraftChange, Event};
pub use state::State;
