//! Reviews: what a moment changed, what is said of it, and merges of branches.

use axum::Router;

use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
}
