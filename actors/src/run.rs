//! A run: one execution of a blueprint, as a pure core.
//!
//! Owns what a run means: its commands, events, state, and the rows that show it. The actor around it is
//! [`actor`](crate::runtime); nothing here reads a clock or reaches out. Invariant: the same events in the
//! same order give the same state.

pub(crate) mod actor;
mod apply;
mod command;
pub mod decide;
mod event;
mod inputs;
mod legal;
mod replay;
mod rows;
mod scope;
mod snapshot;
mod state;
mod turn;
mod work;

#[cfg(test)]
mod tests;

pub use apply::IllegalEvent;
pub use command::{Command, Rejection};
pub use decide::{World, decide};
pub use event::{Arrival, Created, Event, GateRequest};
pub use inputs::{InvalidInput, resolve_inputs};
pub use replay::Replay;
pub use rows::Shown;
pub use snapshot::{Marks, Snapshot};
pub use state::{Begin, Course, Phase, State, StepState, Undoing};
pub use turn::{Emitted, Turn, Work, take_turn};
