//! Capsules: the catalogue of the environment, what is said of each, their bytes; packed, taken in, fetched, proved.

pub(crate) mod import;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, header};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::services::capsules::{self, CapsuleName, Found};
use xyn_capsules::container::{BlobSource, Cover};
use xyn_capsules::sign::Envelope;
use xyn_store::blobs::Blobs;
use xyn_store::projection::CapsuleRow;

use super::downloads::{Asked, Bytes, answer};
use super::{Fields, created, placed};
use crate::dto::{Capsule, CapsuleKept, CapsuleProved};
use crate::error::{ApiError, Code};
use crate::extract::{JsonBody, OptionalJson, Params, PathId};
use crate::headers::{Caller, Known};
use crate::page::{Listing, PageQuery};
use crate::schema;
use crate::state::{AppState, blocking};

/// The media type of a capsule.
const CONTENT_TYPE: &str = "application/vnd.xyn.capsule";

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, pack))
        .merge(import::routes())
        .routes(routes!(get))
        .routes(routes!(manifest))
        .routes(routes!(download))
        .routes(routes!(pull))
        .routes(routes!(verify))
}

/// Capsules of the environment: those that are here in front, then those that members offer; each by app, the highest
/// generation first.
#[utoipa::path(
    get,
    path = "/api/v1/capsules",
    tag = "capsules",
    operation_id = "list_capsules",
    params(PageQuery),
    responses((status = 200, body = Listing<Capsule>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Capsule>>, ApiError> {
    let (cursor, limit) = query.place();
    let page = state.scan(move |reader| capsules::list(reader, cursor.as_ref(), limit)).await?;
    let next_cursor = page.next.map(|next| next.to_string());
    Ok(Json(Listing { items: page.items.into_iter().filter_map(Capsule::of).collect(), next_cursor }))
}

/// Seals the files of a moment, or of a workspace as it is now, into a capsule that this node signs and offers to
/// members.
#[utoipa::path(
    post,
    path = "/api/v1/capsules",
    tag = "capsules",
    operation_id = "pack_capsule",
    extensions(("x-xyn-action" = json!("capsule.pack"))),
    responses((status = 201, body = CapsuleKept), (status = 507))
)]
async fn pack(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Response, ApiError> {
    let outcome = state.submit(caller.intent(&state, "capsule.pack", fields.into())).await?;
    Ok(made(outcome.output))
}

/// What is known of one capsule: of one that is here what was proved, of another what members offer.
#[utoipa::path(
    get,
    path = "/api/v1/capsules/{capsule}",
    tag = "capsules",
    operation_id = "get_capsule",
    params((
        "capsule" = inline(schema::CapsuleName), Path,
        description = "The capsule's digest or that of its content, `APP@VERSION`, or `APP`: the newest of it."
    )),
    responses((status = 200, body = Capsule), (status = 304), (status = 404))
)]
async fn get(
    State(state): State<AppState>,
    PathId(name): PathId<CapsuleName>,
    known: Known,
) -> Result<Response, ApiError> {
    let missing = ApiError::not_found("capsule", &name.to_string());
    let found = state.scan(move |reader| capsules::find(reader, &name)).await?;
    known.json(&found.and_then(Capsule::of).ok_or(missing)?)
}

/// The manifest of a capsule that is here: the very document that its signers signed.
#[utoipa::path(
    get,
    path = "/api/v1/capsules/{capsule}/manifest",
    tag = "capsules",
    operation_id = "get_capsule_manifest",
    params((
        "capsule" = inline(schema::CapsuleName), Path,
        description = "The capsule's digest or that of its content, `APP@VERSION`, or `APP`: the newest of it."
    )),
    responses((status = 200, description = "The manifest.", body = Object), (status = 404), (status = 409))
)]
async fn manifest(
    State(state): State<AppState>,
    PathId(name): PathId<CapsuleName>,
) -> Result<Response, ApiError> {
    let row = here(&state, &name).await?;
    let blobs = state.runtime().store().blobs().clone();
    let bytes = blocking(move || Ok(opened(&blobs, &row)?.1)).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// What a capsule that is here says before its files, and its manifest: the very bytes that its signers signed.
pub(crate) fn opened(blobs: &Blobs, row: &CapsuleRow) -> Result<(Cover<BlobSource>, Vec<u8>), ApiError> {
    let source = BlobSource::from(blobs.content(&row.file)?);
    let damaged = |error: String| ApiError::new(Code::BlobDamaged, error);
    let cover = Cover::read(source).map_err(|error| damaged(error.to_string()))?;
    let envelope = Envelope::read(cover.manifest()).map_err(|error| damaged(error.to_string()))?;
    // It was proved when it came; only the disk could have changed it.
    match envelope.digest() == row.capsule {
        true => Ok((cover, envelope.unverified().to_vec())),
        false => Err(damaged("the capsule is another one than was kept".to_owned())),
    }
}

/// The bytes of a capsule that is here, as a `.caps` file. A range of them resumes a download that broke off.
#[utoipa::path(
    get,
    path = "/api/v1/capsules/{capsule}/download",
    tag = "capsules",
    operation_id = "download_capsule",
    params((
        "capsule" = inline(schema::CapsuleName), Path,
        description = "The capsule's digest or that of its content, `APP@VERSION`, or `APP`: the newest of it."
    )),
    responses(
        (status = 200, description = "The bytes.", body = inline(schema::Anything), content_type = "*/*"),
        (
            status = 206,
            description = "The bytes asked for.",
            body = inline(schema::Anything),
            content_type = "*/*"
        ),
        (status = 304),
        (status = 404),
        (status = 409),
        (status = 416)
    )
)]
async fn download(
    State(state): State<AppState>,
    PathId(name): PathId<CapsuleName>,
    method: Method,
    known: Known,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = here(&state, &name).await?;
    answer(&state, &bytes(&row), async || Ok(()), Asked { method, known, headers }).await
}

/// The file of a capsule.
pub(crate) fn bytes(row: &CapsuleRow) -> Bytes {
    Bytes {
        name: format!("{}-{}.caps", row.app, row.version),
        content_type: CONTENT_TYPE.to_owned(),
        byte_length: row.size_bytes,
        sha256: row.file,
    }
}

/// Fetches a capsule that members offer, proves it and keeps it.
#[utoipa::path(
    post,
    path = "/api/v1/capsules/{capsule}/pull",
    tag = "capsules",
    operation_id = "pull_capsule",
    params((
        "capsule" = inline(schema::CapsuleName), Path,
        description = "The capsule's digest or that of its content, `APP@VERSION`, or `APP`: the newest of it."
    )),
    extensions(("x-xyn-action" = json!("capsule.pull"))),
    responses((status = 200, body = CapsuleKept), (status = 507))
)]
async fn pull(
    State(state): State<AppState>,
    PathId(name): PathId<CapsuleName>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    act(&state, &name, caller, "capsule.pull", fields).await
}

/// Proves a capsule that is here: who signed it, and every byte of it.
#[utoipa::path(
    post,
    path = "/api/v1/capsules/{capsule}/verify",
    tag = "capsules",
    operation_id = "verify_capsule",
    params((
        "capsule" = inline(schema::CapsuleName), Path,
        description = "The capsule's digest or that of its content, `APP@VERSION`, or `APP`: the newest of it."
    )),
    extensions(("x-xyn-action" = json!("capsule.verify"))),
    responses((status = 200, body = CapsuleProved))
)]
async fn verify(
    State(state): State<AppState>,
    PathId(name): PathId<CapsuleName>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    act(&state, &name, caller, "capsule.verify", fields).await
}

async fn act(
    state: &AppState,
    name: &CapsuleName,
    caller: Caller,
    action: &str,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let input = placed(fields, "capsule", name.to_string())?;
    Ok(Json(state.submit(caller.intent(state, action, input.into())).await?.output))
}

fn made(output: Value) -> Response {
    let location = format!("/api/v1/capsules/{}", output["capsule"].as_str().unwrap_or_default());
    created(&location, output)
}

/// The row of a capsule that is here.
pub(crate) async fn here(state: &AppState, name: &CapsuleName) -> Result<CapsuleRow, ApiError> {
    let wanted = name.clone();
    match state.scan(move |reader| capsules::find(reader, &wanted)).await? {
        Some(Found::Here(row)) => Ok(*row),
        Some(Found::Elsewhere(_)) => {
            let message = format!("the capsule `{name}` is with members, and not here");
            Err(ApiError::new(Code::CapsuleElsewhere, message))
        }
        None => Err(ApiError::not_found("capsule", &name.to_string())),
    }
}
