//! What happened lately between this node and others: a page of it, and as it happens.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;
use futures::stream;
use http::HeaderMap;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::services::mesh::Line;
use xyn_store::projection::{Cursor, Page};

use super::mesh;
use crate::dto::TraceLine;
use crate::error::ApiError;
use crate::extract::{Params, Parsed};
use crate::limits::STREAM_BATCH;
use crate::page::{Listing, Number, PageQuery};
use crate::schema;
use crate::sse::{self, Seat, respond};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(follow))
}

/// Where a stream begins.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct FollowQuery {
    /// Go on behind the line with this number, or `0` for all that are kept; the header `Last-Event-ID` wins.
    #[param(value_type = schema::LineNumber, inline, required = false)]
    after: Option<Parsed<Number>>,
}

/// Who came, who left and who was refused lately, and why: newest first. Forgotten when the node stops.
#[utoipa::path(
    get,
    path = "/api/v1/peers/trace",
    tag = "peers",
    operation_id = "trace_peers",
    params(PageQuery),
    responses((status = 200, body = Listing<TraceLine>))
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<TraceLine>>, ApiError> {
    let (cursor, limit) = query.place();
    let before = cursor.as_ref().map_or(u64::MAX, number);
    let mut items = match state.runtime().mesh() {
        Some(mesh) => mesh.trace().before(before, limit + 1),
        None => Vec::new(),
    };
    let has_more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| has_more);
    let next = last.map(|line| Cursor::from_bytes(line.seq.to_be_bytes().to_vec()));
    Ok(Json(Listing::of(Page { items, next }, TraceLine::from)))
}

/// The number that a cursor holds; of a shorter one, the first that begins like it.
fn number(cursor: &Cursor) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(cursor.as_bytes()).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(bytes)
}

/// The same as it happens (server-sent events). Each line carries its number as `id`; `Last-Event-ID` goes on
/// behind it.
#[utoipa::path(
    get,
    path = "/api/v1/peers/trace/stream",
    tag = "peers",
    operation_id = "follow_trace",
    params(FollowQuery),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 409), (status = 429))
)]
async fn follow(
    State(state): State<AppState>,
    Params(query): Params<FollowQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let last = mesh(&state)?.trace().last();
    let newest = *last.borrow();
    let resumed = sse::resumed(&headers)?.or(query.after.map(|after| after.0));
    let after = resumed.map_or(newest, |Number(after)| after);
    // A number behind the newest is one of another life of the node: its reader gets what is to come.
    let follower = Follower { seat: Seat::take(&state)?, last, after: after.min(newest), batch: Vec::new() };
    Ok(respond(stream::unfold((state, follower), |(state, mut follower)| async move {
        let line = follower.next(&state).await?;
        let id = line.seq.to_string();
        let data = serde_json::to_string(&TraceLine::from(line)).expect("lines have string keys");
        Some((Ok(Event::default().id(id).data(data)), (state, follower)))
    })))
}

/// A reader that goes along with the trace.
struct Follower {
    seat: Seat,
    last: tokio::sync::watch::Receiver<u64>,
    after: u64,
    /// Lines to show, the next one last.
    batch: Vec<Line>,
}

impl Follower {
    /// The next line; none when the node stops.
    async fn next(&mut self, state: &AppState) -> Option<Line> {
        loop {
            if self.seat.is_stopping() {
                return None;
            }
            if let Some(line) = self.batch.pop() {
                self.after = line.seq;
                return Some(line);
            }
            self.last.borrow_and_update();
            self.batch = state.runtime().mesh()?.trace().after(self.after, STREAM_BATCH);
            self.batch.reverse();
            if self.batch.is_empty() && !self.seat.wait(self.last.changed()).await {
                return None;
            }
        }
    }
}
