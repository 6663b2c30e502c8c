//! Branches: each with where it begins and where it has come to.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::projection::{Cursor, Page};
use xyn_store::timeline::BoardRow;
use xyn_store::timeline::board::{Board, View};
use xyn_store::timeline::entry::Branch;
use xyn_store::{Reader, StoreError, Timestamp};

use super::shown;
use crate::dto::BranchView;
use crate::error::ApiError;
use crate::extract::Params;
use crate::page::{Listing, PageQuery};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(branches))
}

/// Branches by name; the one that every timeline has comes first.
#[utoipa::path(
    get,
    path = "/api/v1/timeline/branches",
    tag = "timeline",
    operation_id = "list_branches",
    params(PageQuery),
    responses((status = 200, body = Listing<BranchView>))
)]
async fn branches(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<BranchView>>, ApiError> {
    let (cursor, limit) = query.place();
    let now = state.runtime().clock().now();
    let read = move |reader: &Reader| branch_page(reader, cursor.as_ref(), limit, now);
    Ok(Json(Listing::of(state.scan(read).await?, |branch| branch)))
}

pub(crate) fn branch_page(
    reader: &Reader,
    cursor: Option<&Cursor>,
    limit: usize,
    now: Timestamp,
) -> Result<Page<BranchView>, StoreError> {
    let mut items = Vec::new();
    if cursor.is_none() {
        let main = View::Branch { base: None, head: None, contenders: Default::default(), is_closed: false };
        let opened = shown(reader, &Board::Branch(Branch::main()))?;
        items.extend(branch_view(reader, Branch::main(), opened.unwrap_or(main), now)?);
    }
    let Page { items: rows, next } = reader.branches(cursor, limit.saturating_sub(items.len()).max(1))?;
    for BoardRow { board, view, .. } in rows {
        match board {
            Board::Branch(name) if name != Branch::main() => {
                items.extend(branch_view(reader, name, view, now)?);
            }
            _ => {}
        }
    }
    Ok(Page { items, next })
}

fn branch_view(
    reader: &Reader,
    name: Branch,
    view: View,
    now: Timestamp,
) -> Result<Option<BranchView>, StoreError> {
    let View::Branch { base, head, contenders, is_closed } = view else { return Ok(None) };
    let head = reader.newest_entry(Some(&name), now)?.map(|entry| entry.entry_id).or(head);
    Ok(Some(BranchView { name, base, head, contenders, is_closed }))
}
