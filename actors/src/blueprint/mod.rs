//! Blueprints: parse, check, compile to a [`Plan`].

pub mod plan;

pub use plan::{FailureKind, Plan};
