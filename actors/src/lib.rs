//! The authority of a Xyn node: everything that executes does so here, governed and recorded.
//!
//! Owns blueprints, governance, runs, actions and the Runtime that ties them to the journal. Names no engine of the
//! journal and serves no API. Invariant: no effect without a recorded intent, policy decision and step start.

pub mod actions;
pub mod blueprint;
pub mod document;
pub mod events;
pub mod governance;
pub mod intake;
pub mod node;
pub mod projector;
pub mod record;
pub mod run;
pub mod runtime;
pub mod services;
pub mod session;
pub mod web;
pub mod wording;
