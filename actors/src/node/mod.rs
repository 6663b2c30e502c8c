//! The node itself: its start and stop, and the library of drafts, blueprints and policies it keeps.
//!
//! [`decide`] says what a command means, given the rows it is about; the [`actor`] appends it and puts it in force.
//! Invariant: a promoted version never changes, and of every blueprint and policy one version is active.

pub(crate) mod actor;
mod decide;

pub(crate) use decide::{Change, Command, Compiled, Rejection, View, decide};
