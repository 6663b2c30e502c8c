//! The mesh: who belongs, who is connected, how far each is behind.

use axum::Router;

use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
}
