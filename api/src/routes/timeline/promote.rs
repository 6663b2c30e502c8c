//! Promoting a moment: what it sealed or served goes into service in another stage.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::ids::EntryId;

use super::missing;
use crate::dto::Switched;
use crate::error::{ApiError, Code};
use crate::extract::{JsonBody, Parsed};
use crate::headers::Caller;
use crate::routes::deployments::switch;
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(promote))
}

/// What is promoted, and where to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Promotion {
    /// The moment whose capsule it is.
    #[schema(schema_with = schema::id)]
    entry_id: Parsed<EntryId>,
    /// Where it is to serve.
    #[schema(schema_with = schema::stage)]
    stage: Value,
    /// What confirms it in production.
    #[schema(value_type = String, required = false)]
    confirm: Option<Value>,
}

/// Deploys the capsule of a moment in a stage; where a port or keys are to be named, deploy the capsule itself. In
/// production it is first answered with what is about to happen, and asked again with what confirms that.
#[utoipa::path(
    post,
    path = "/api/v1/timeline/promote",
    tag = "timeline",
    operation_id = "promote_moment",
    extensions(("x-xyn-intent" = json!(true))),
    request_body = Promotion,
    responses((status = 201, body = Switched), (status = 507))
)]
async fn promote(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(Promotion { entry_id: Parsed(entry_id), stage, confirm }): JsonBody<Promotion>,
) -> Result<Response, ApiError> {
    let found = state.scan(move |reader| Ok((reader.entry(entry_id)?, reader.is_contested(entry_id)?)));
    let (moment, is_contested) = found.await?;
    let moment = moment.ok_or_else(|| missing(entry_id))?;
    // Who claims the id of another one's moment must not choose what is deployed in its place.
    if is_contested {
        return Err(ApiError::new(
            Code::Conflict,
            "several moments claim this id; deploy the capsule itself",
        ));
    }
    let Some(capsule) = moment.note.refs.capsule else {
        return Err(ApiError::invalid(
            "entry_id",
            "this moment has no capsule; pack it, and promote that moment",
        ));
    };
    let mut input = json!({ "capsule": capsule, "stage": stage });
    if let Some(confirm) = confirm {
        input["confirm"] = confirm;
    }
    switch(&state, caller.intent(&state, "capsule.deploy", input)).await
}
