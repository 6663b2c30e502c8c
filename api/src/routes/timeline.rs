//! The timeline: its moments, what each is the state of, and what lies between two.
//!
//! A file per concept below; here is what they share.

pub(crate) mod branches;
mod diff;
mod digest;
mod marks;
pub(crate) mod moments;
mod promote;
mod scrub;
mod stream;
pub(crate) mod talk;
mod words;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use xyn_actors::runtime::{Refusal, Runtime};
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::EntryId;
use xyn_store::projection::{Cursor, Page};
use xyn_store::timeline::board::{Board, View};
use xyn_store::timeline::entry::Branch;
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
        .merge(promote::routes())
}

pub(crate) fn shown(reader: &Reader, board: &Board) -> Result<Option<View>, StoreError> {
    Ok(reader.board(board)?.map(|row| row.view))
}

/// Who belongs; nobody in a folder that belongs to no environment yet.
pub(crate) fn roster(runtime: &Runtime, reader: &Reader) -> Result<Arc<Roster>, StoreError> {
    let nobody = || EnvId::rooted_in(PublicKey::from_bytes([0; 32]));
    let known = runtime.roster(reader)?;
    Ok(known.unwrap_or_else(|| Arc::new(Roster::fold(nobody(), [], Default::default()))))
}

/// Whether there is the branch that an empty page is asked of: somebody began it, or it is always there.
pub(crate) fn is_branch(reader: &Reader, branch: &Branch) -> Result<bool, StoreError> {
    Ok(*branch == Branch::main() || shown(reader, &Board::Branch(branch.clone()))?.is_some())
}

/// Refuses to show nothing of a branch that is not there. A page with a cursor is behind another one.
pub(crate) fn of_branch<T>(
    reader: &Reader,
    branch: Option<&Branch>,
    cursor: Option<&Cursor>,
    page: Page<T>,
) -> Result<Result<Page<T>, ApiError>, StoreError> {
    match branch {
        Some(branch) if page.items.is_empty() && cursor.is_none() && !is_branch(reader, branch)? => {
            Ok(Err(no_branch(branch)))
        }
        _ => Ok(Ok(page)),
    }
}

pub(crate) fn no_branch(branch: &Branch) -> ApiError {
    Refusal::NotFound { kind: "branch", id: branch.to_string() }.into()
}

pub(crate) fn missing(entry_id: EntryId) -> ApiError {
    ApiError::not_found("moment", &entry_id.to_string())
}
