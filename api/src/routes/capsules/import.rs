//! Capsules that come as files from outside: in one request, or as a blob that was uploaded before.

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::wording;

use super::made;
use crate::dto::CapsuleKept;
use crate::error::ApiError;
use crate::headers::Caller;
use crate::routes::Fields;
use crate::state::AppState;
use crate::upload;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(import))
}

/// A form with the file of a capsule.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "documents the parts of a form")]
struct CapsuleForm {
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Proves an uploaded file that is a capsule, keeps it and offers it to members: a JSON object with the digest of a
/// blob uploaded before, or a multipart form whose part `file` is the capsule.
#[utoipa::path(
    post,
    path = "/api/v1/capsule-imports",
    tag = "capsules",
    operation_id = "import_capsule",
    extensions(("x-xyn-action" = json!("capsule.import"))),
    request_body(content((CapsuleForm = "multipart/form-data"))),
    responses((status = 201, body = CapsuleKept), (status = 507))
)]
async fn import(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let fields = upload::fields(&state, request, form_of).await?;
    Ok(made(take_in(&state, caller, fields).await?))
}

/// The fields of a multipart form, whose file is a blob already.
pub(crate) async fn form_of(state: &AppState, request: Request) -> Result<Fields, ApiError> {
    let mut form = upload::form(state, request).await?;
    let mut fields = Fields::new();
    while let Some(part) = form.next_field().await? {
        match part.name() {
            Some("file") if fields.is_empty() => {
                let (digest, _) = upload::keep(state, part).await?;
                fields.insert("sha256".to_owned(), digest.to_string().into());
            }
            Some("file") => return Err(ApiError::invalid("file", wording::twice("file"))),
            name => {
                let name = name.unwrap_or_default();
                return Err(ApiError::invalid(name, wording::unknown(name, ["file"])));
            }
        }
    }
    if fields.is_empty() {
        return Err(ApiError::invalid("file", wording::missing("file")));
    }
    Ok(fields)
}

/// Takes in the file that `fields` name.
pub(crate) async fn take_in(state: &AppState, caller: Caller, fields: Fields) -> Result<Value, ApiError> {
    Ok(state.submit(caller.intent(state, "capsule.import", fields.into())).await?.output)
}
