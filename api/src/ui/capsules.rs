//! Capsules: what each holds, who signed it, what was checked.

use axum::Router;

use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
}
