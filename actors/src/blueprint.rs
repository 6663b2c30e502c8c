//! Blueprints: parse, check, compile to a [`Plan`].
//!
//! Owns everything between an author's document and a plan that a run can follow: rules, templates, patterns
//! and schemas. Performs nothing. Invariant: the same bytes, registry and limits always give the same plan or
//! the same issues.

pub mod check;
mod limits;
pub mod pattern;
pub mod plan;
pub mod sample;
pub mod schema;
pub mod source;
pub mod template;

pub use check::{compile, compile_promoted};
pub use limits::NodeLimits;
pub use pattern::{EventPattern, MAX_EVENT_NAME_BYTES, check_event_name};
pub use plan::{FailureKind, Plan};
pub use schema::{InvalidSchema, Schema, SchemaFault};
pub use source::json_schema;
pub use template::{Expression, Scope, Template, TemplateError};
