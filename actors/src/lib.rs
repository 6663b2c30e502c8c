//! The authority of a Xyn node: everything that executes does so here, governed and recorded.

pub mod actions;
pub mod blueprint;
pub mod intake;
