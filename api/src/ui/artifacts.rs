//! Artifacts: what runs and people made, looked at and downloaded.

use axum::Router;

use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
}
