//! Drafts of what the root of the environment says, for whoever keeps its key offline to sign.
//!
//! The signed statement comes back in the action it was drafted for, as `signed`. What policy denies is not drafted
//! either. A draft changes nothing but for `peer.rotate`, which makes the node's next key ready. Invariant: no secret
//! goes in or out.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::trust::EnvId;

use crate::error::ApiError;
use crate::extract::JsonBody;
use crate::headers::Caller;
use crate::routes::Fields;
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(draft))
}

/// An action that the root is to stand behind.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Which one.
    #[schema(schema_with = schema::rooted_action)]
    action: String,
    /// Its input, without `signed`.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    input: Fields,
}

/// A statement that is not signed yet.
#[derive(Serialize, ToSchema)]
struct Drafted {
    /// The environment, which is the root's public key.
    #[schema(schema_with = schema::digest)]
    env: EnvId,
    /// What the root is to sign, in hex digits. Read what it says before you sign it.
    #[schema(pattern = "^([0-9a-f]{2})+$")]
    statement: String,
}

/// Says what the environment's root key is to sign for an action. Whoever has that key signs it where the key is,
/// and does the action with the signed statement as `signed`: so the key itself goes nowhere. What policy denies is
/// refused here too, and that is recorded. A draft for `peer.rotate` makes the node's next key ready and holds its
/// present key's word for it: that one is refused also where an approval is asked for.
#[utoipa::path(
    post,
    path = "/api/v1/peers/drafts",
    tag = "peers",
    operation_id = "draft_statement",
    request_body = Wanted,
    responses((status = 200, body = Drafted), (status = 403), (status = 404), (status = 409))
)]
async fn draft(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(Wanted { action, input }): JsonBody<Wanted>,
) -> Result<Json<Drafted>, ApiError> {
    let statement = state.runtime().draft_statement(&caller.intent(&state, action, input.into())).await?;
    let text = statement.to_hex().map_err(|error| ApiError::unexpected(&error.to_string()))?;
    Ok(Json(Drafted { env: statement.env, statement: text }))
}
