//! The Time Machine: every moment of every branch, its state, and what can be done from it.

use axum::Router;

use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
}
