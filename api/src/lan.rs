//! The catalogue for the local network: capsules whose makers let everybody there have them, for reading.
//!
//! Owns two routes, on sockets of their own that are open to other machines. Knows no caller and carries out nothing.
//! Invariant: what is neither `lan` nor `public` is not here, by none of its names.

use axum::extract::State;
use axum::middleware;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};
use xyn_actors::services::capsules::{self, CapsuleName};
use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::CapsuleRow;
use xyn_store::timeline::Visibility;
use xyn_store::{Digest, Timestamp};

use crate::error::{ApiError, Code};
use crate::extract::{Params, PathId};
use crate::headers::Known;
use crate::page::{Listing, PageQuery};
use crate::routes::{Asked, answer, capsule_bytes};
use crate::state::AppState;

/// The catalogue as a service.
pub(crate) fn router(state: AppState) -> Router {
    Router::new()
        .route("/capsules", get(list))
        .route("/capsule/{capsule}", get(download))
        .fallback(async || {
            ApiError::new(Code::NoRoute, "there are `/capsules` and `/capsule/{capsule}` here")
        })
        .method_not_allowed_fallback(async || ApiError::new(Code::NoMethod, "the catalogue is for reading"))
        .layer(middleware::from_fn_with_state(state.clone(), crate::edge::pass))
        .with_state(state)
}

/// A capsule that everybody on the local network may have.
#[derive(Serialize)]
struct Shown {
    capsule: Digest,
    id: String,
    name: String,
    version: String,
    generation: u64,
    visibility: Visibility,
    tree: Digest,
    sha256: Digest,
    size_bytes: u64,
    created_at: Timestamp,
    created_by: String,
    /// Public keys whose signatures this node counted.
    signers: Vec<PublicKey>,
    /// Where its bytes are.
    href: String,
}

impl From<CapsuleRow> for Shown {
    fn from(row: CapsuleRow) -> Self {
        Self {
            href: format!("/capsule/{}", row.capsule),
            capsule: row.capsule,
            id: row.id,
            name: row.name,
            version: row.version,
            generation: row.generation,
            visibility: row.visibility,
            tree: row.tree,
            sha256: row.file,
            size_bytes: row.size_bytes,
            created_at: row.created_at,
            created_by: row.created_by,
            signers: row.signers,
        }
    }
}

/// No parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Whether everybody on the local network may have the capsule.
pub(crate) fn is_open(row: &CapsuleRow) -> bool {
    row.visibility >= Visibility::Lan
}

async fn list(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Shown>>, ApiError> {
    let (cursor, limit) = query.place();
    let mut page = state.scan(move |reader| reader.capsules(None, cursor.as_ref(), limit)).await?;
    page.items.retain(is_open);
    Ok(Json(Listing::of(page, Shown::from)))
}

async fn download(
    State(state): State<AppState>,
    PathId(name): PathId<CapsuleName>,
    Params(Nothing {}): Params<Nothing>,
    method: Method,
    known: Known,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let missing = ApiError::not_found("capsule", &name.to_string());
    let row = state.scan(move |reader| capsules::find_here(reader, &name, is_open)).await?.ok_or(missing)?;
    answer(&state, &capsule_bytes(&row), async || Ok(()), Asked { method, known, headers }).await
}
