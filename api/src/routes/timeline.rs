//! The timeline: its moments, what each is the state of, and what lies between two.
//!
//! A file per concept below; here is what they share.

pub(crate) mod branches;
mod diff;
mod digest;
mod marks;
pub(crate) mod moments;
mod scrub;
mod stream;
pub(crate) mod talk;
mod words;

use utoipa_axum::router::OpenApiRouter;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::EntryId;
use xyn_store::timeline::board::{Board, View};
use xyn_store::trust::{EnvId, Roster};
use xyn_store::{Reader, StoreError};

use crate::error::ApiError;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    moments::routes()
        .merge(scrub::routes())
        .merge(stream::routes())
        .merge(talk::routes())
        .merge(branches::routes())
        .merge(diff::routes())
        .merge(digest::routes())
        .merge(marks::routes())
        .merge(words::routes())
}

pub(crate) fn shown(reader: &Reader, board: &Board) -> Result<Option<View>, StoreError> {
    Ok(reader.board(board)?.map(|row| row.view))
}

/// Who belongs; nobody in a folder that belongs to no environment yet.
pub(crate) fn roster(reader: &Reader) -> Result<Roster, StoreError> {
    let nobody = || EnvId::rooted_in(PublicKey::from_bytes([0; 32]));
    let env = reader.environment()?;
    env.map_or_else(|| Ok(Roster::fold(nobody(), [], Default::default())), |env| reader.roster(env))
}

pub(crate) fn missing(entry_id: EntryId) -> ApiError {
    ApiError::not_found("moment", &entry_id.to_string())
}
