//! Blueprints and drafts: written, checked as one types, compared, promoted.

use axum::Router;

use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
}
