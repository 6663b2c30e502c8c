//! The HTTP face of a Xyn node: `/api/v1`, its documentation, health and metrics.
//!
//! Owns shapes, headers, limits and errors of the API. Decides nothing: what is to be done becomes an
//! intent, what is to be known is read from projections. Invariant: no handler writes to the store by
//! itself.

mod dto;
mod edge;
mod error;
mod extract;
mod guard;
mod headers;
mod lan;
pub mod limits;
mod metrics;
mod openapi;
mod page;
mod rate;
mod routes;
mod schema;
mod server;
mod sse;
mod state;
#[cfg(test)]
mod tests;
mod trace;
mod ui;
mod upload;

pub use axum::Router;
pub use error::Code;
pub use guard::Guard;
pub use routes::{document, router};
pub use server::{serve, serve_catalogue};
pub use state::AppState;
