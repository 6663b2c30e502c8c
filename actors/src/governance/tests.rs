//! Tests through the public face.

mod approvals;
mod combination;
mod evaluation;
mod properties;
mod reading;
mod tables;
