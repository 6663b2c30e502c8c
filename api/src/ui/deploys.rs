//! Deployments: what serves where, its health, logs and the way back.

use axum::Router;

use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
}
