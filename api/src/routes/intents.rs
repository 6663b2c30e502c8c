//! Intents: anything the node can be asked, by the name of its action.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::Order;
use xyn_store::ids::IntentId;
use xyn_store::projection::{Cursor, IntentRow, IntentStatus, Page, Payload};
use xyn_store::scope::Stage;
use xyn_store::tables::Key;

use super::{Fields, created};
use crate::dto::{IntentView, OutcomeView};
use crate::error::ApiError;
use crate::extract::{JsonBody, Params, Parsed, PathId};
use crate::headers::{Caller, Known};
use crate::page::{self, Limit, Listing};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, submit)).routes(routes!(get))
}

/// Which intents a list shows.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only intents that stand here.
    #[param(value_type = schema::IntentStatus, inline, required = false)]
    status: Option<IntentStatus>,
    /// Only intents of this action.
    action: Option<String>,
    /// Rows of the page.
    #[param(value_type = schema::Limit, inline, required = false)]
    limit: Option<Parsed<Limit>>,
    /// The `next_cursor` of the page before.
    #[param(value_type = schema::Cursor, inline, required = false)]
    cursor: Option<Parsed<Cursor>>,
}

/// Something to be done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewIntent {
    /// The action, as `GET /api/v1/actions` names it.
    action: String,
    /// What it is given; its schema is the action's.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    input: Fields,
    /// Stage of the target; the environment's own when left out.
    #[schema(schema_with = schema::optional_stage, required = false)]
    stage: Option<Stage>,
}

/// Intents, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/intents",
    tag = "intents",
    operation_id = "list_intents",
    params(ListQuery),
    responses((status = 200, body = Listing<IntentView>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Listing<IntentView>>, ApiError> {
    let limit = page::rows(query.limit.as_ref());
    let (status, action, cursor) = (query.status, query.action, query.cursor.map(|cursor| cursor.0));
    let page = state.scan(move |reader| {
        let admit = |row: &IntentRow| {
            status.is_none_or(|status| row.status == status)
                && action.as_ref().is_none_or(|action| row.action == *action)
        };
        let Page { items, next } =
            reader.page(&Key::new(), Order::Descending, cursor.as_ref(), limit, admit)?;
        let items = items.into_iter().map(|row| IntentView::of(row, reader)).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    });
    Ok(Json(Listing::of(page.await?, |view| view)))
}

/// Asks for an action.
#[utoipa::path(
    post,
    path = "/api/v1/intents",
    tag = "intents",
    operation_id = "submit_intent",
    extensions(("x-xyn-intent" = json!(true))),
    request_body = NewIntent,
    responses((status = 201, body = OutcomeView), (status = 404), (status = 502))
)]
async fn submit(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(new): JsonBody<NewIntent>,
) -> Result<Response, ApiError> {
    let mut intent = caller.intent(&state, new.action, new.input.into());
    intent.stage = new.stage;
    let outcome = state.submit(intent).await?;
    Ok(created(&format!("/api/v1/intents/{}", outcome.intent_id), OutcomeView::from(outcome)))
}

/// One intent.
#[utoipa::path(
    get,
    path = "/api/v1/intents/{intent_id}",
    tag = "intents",
    operation_id = "get_intent",
    params(("intent_id" = inline(schema::Id), Path)),
    responses(
        (status = 200, body = IntentView),
        (status = 304),
        (status = 404)
    )
)]
async fn get(
    State(state): State<AppState>,
    PathId(intent_id): PathId<IntentId>,
    known: Known,
) -> Result<Response, ApiError> {
    let mut row: IntentRow = state.row(&IntentRow::key_of(intent_id), "intent", intent_id)?;
    let store = state.runtime().store();
    for payload in [&mut row.input, &mut row.output].into_iter().flatten() {
        *payload = Payload::Json(store.payload(payload)?);
    }
    known.json(&state.read(|reader| IntentView::of(row, reader))?)
}
