//! Peers: who belongs to the environment, who is here, whom to let in and whom to revoke.
//!
//! A file per concept below. Invariant: what is read here is answered whether a mesh runs or not.

mod drafts;
pub(crate) mod invitations;
pub(crate) mod members;
pub(crate) mod trace;

use utoipa_axum::router::OpenApiRouter;
use xyn_actors::services::mesh;

use crate::error::{ApiError, Code};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    members::routes().merge(drafts::routes()).merge(invitations::routes()).merge(trace::routes())
}

/// The mesh of a node that takes part in one.
fn mesh(state: &AppState) -> Result<&mesh::Service, ApiError> {
    let off = || ApiError::new(Code::MeshOff, "this node takes no part in a mesh");
    state.runtime().mesh().ok_or_else(off)
}
