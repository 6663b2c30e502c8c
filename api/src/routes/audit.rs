//! The audit log: what the node vouches for, and proofs that need no trust in it.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::log::{self, ProofError};
use xyn_store::{Digest, Timestamp};

use crate::error::ApiError;
use crate::extract::{Params, Parsed};
use crate::headers::Known;
use crate::page::Number;
use crate::schema;
use crate::state::{AppState, blocking};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(state))
        .routes(routes!(checkpoint))
        .routes(routes!(inclusion))
        .routes(routes!(consistency))
}

/// The audit log as it stands.
#[derive(Serialize, ToSchema)]
struct AuditState {
    /// The node's public key.
    node: String,
    /// The key in short, for people to compare.
    fingerprint: String,
    /// Which life of the data folder; another life is another log.
    incarnation: String,
    /// Entries of the log.
    size: u64,
    /// Root of the tree over them.
    #[schema(schema_with = schema::digest)]
    root: Digest,
    /// The newest signed statement; left out until there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    checkpoint: Option<CheckpointView>,
}

/// A signed statement of the log's size and root.
#[derive(Serialize, ToSchema)]
struct CheckpointView {
    /// The public key that signed it.
    node: String,
    incarnation: String,
    size: u64,
    #[schema(schema_with = schema::digest)]
    root: Digest,
    #[schema(schema_with = schema::instant)]
    at: Timestamp,
    /// Ed25519, in hex.
    signature: String,
}

/// The proof that an entry is in the log.
#[derive(Serialize, ToSchema)]
pub(crate) struct InclusionProof {
    pub(crate) offset: u64,
    pub(crate) size: u64,
    /// The entry's leaf.
    #[schema(schema_with = schema::digest)]
    pub(crate) leaf: Digest,
    /// The hashes beside its path, from the leaf up.
    #[schema(value_type = Vec<String>)]
    pub(crate) hashes: Vec<Digest>,
}

/// The proof that a log continues an earlier state of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsistencyProof {
    pub(crate) old_size: u64,
    pub(crate) new_size: u64,
    #[schema(value_type = Vec<String>)]
    pub(crate) hashes: Vec<Digest>,
}

/// Which entry of which log.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct InclusionQuery {
    /// The entry, from 0.
    #[param(value_type = schema::Count, inline, required = true)]
    offset: Parsed<Number>,
    /// Entries of the log; as many as there are when left out.
    #[param(value_type = schema::Count, inline, required = false)]
    size: Option<Parsed<Number>>,
}

/// Which two states of the log.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ConsistencyQuery {
    /// Entries of the earlier one.
    #[param(value_type = schema::Count, inline, required = true)]
    old_size: Parsed<Number>,
    /// Entries of the later one; as many as there are when left out.
    #[param(value_type = schema::Count, inline, required = false)]
    new_size: Option<Parsed<Number>>,
}

/// Size and root of the audit log, and the newest checkpoint.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "audit",
    operation_id = "audit_state",
    responses((status = 200, body = AuditState))
)]
async fn state(State(state): State<AppState>) -> Result<Json<AuditState>, ApiError> {
    let ((size, root), checkpoint) =
        state.read(|reader| Ok((log::state(reader)?, log::latest_checkpoint(reader)?)))?;
    let store = state.runtime().store();
    let key = store.key().public();
    Ok(Json(AuditState {
        node: key.to_string(),
        fingerprint: key.fingerprint(),
        incarnation: life(store.incarnation().id),
        size,
        root,
        checkpoint: checkpoint.map(CheckpointView::from),
    }))
}

/// The newest signed checkpoint.
#[utoipa::path(
    get,
    path = "/api/v1/audit/checkpoint",
    tag = "audit",
    operation_id = "audit_checkpoint",
    responses((status = 200, body = CheckpointView), (status = 304), (status = 404))
)]
async fn checkpoint(State(state): State<AppState>, known: Known) -> Result<Response, ApiError> {
    let newest = state.read(log::latest_checkpoint)?;
    let newest = newest.ok_or_else(|| ApiError::not_found("checkpoint", "latest"))?;
    known.json(&CheckpointView::from(newest))
}

/// The proof that an entry is in the log, to be held against a checkpoint's root.
#[utoipa::path(
    get,
    path = "/api/v1/audit/proof/inclusion",
    tag = "audit",
    operation_id = "audit_inclusion",
    params(InclusionQuery),
    responses((status = 200, body = InclusionProof), (status = 404))
)]
async fn inclusion(
    State(state): State<AppState>,
    Params(query): Params<InclusionQuery>,
) -> Result<Json<InclusionProof>, ApiError> {
    Ok(Json(included(&state, query.offset.0.0, query.size.map(|size| size.0.0)).await?))
}

/// The proof that the entry `offset` is in the log of `size` entries, or of as many as there are.
pub(crate) async fn included(
    state: &AppState,
    offset: u64,
    size: Option<u64>,
) -> Result<InclusionProof, ApiError> {
    let size = within(state, "size", size)?;
    if offset >= size {
        return Err(ApiError::not_found("entry", &offset.to_string()).at("offset"));
    }
    let store = state.runtime().store().clone();
    let (leaf, hashes) = blocking(move || Ok(log::inclusion(&store.read()?, offset, size)?)).await?;
    Ok(InclusionProof { offset, size, leaf, hashes })
}

/// The proof that the log continues an earlier state of it and rewrote nothing.
#[utoipa::path(
    get,
    path = "/api/v1/audit/proof/consistency",
    tag = "audit",
    operation_id = "audit_consistency",
    params(ConsistencyQuery),
    responses((status = 200, body = ConsistencyProof), (status = 404))
)]
async fn consistency(
    State(state): State<AppState>,
    Params(query): Params<ConsistencyQuery>,
) -> Result<Json<ConsistencyProof>, ApiError> {
    Ok(Json(continued(&state, query.old_size.0.0, query.new_size.map(|size| size.0.0)).await?))
}

/// The proof that the log of `new_size` entries, or of as many as there are, continues that of `old_size`.
pub(crate) async fn continued(
    state: &AppState,
    old_size: u64,
    new_size: Option<u64>,
) -> Result<ConsistencyProof, ApiError> {
    let new_size = within(state, "new_size", new_size)?;
    if old_size > new_size {
        return Err(ApiError::not_found("log of size", &old_size.to_string()).at("old_size"));
    }
    let store = state.runtime().store().clone();
    let hashes = blocking(move || Ok(log::consistency(&store.read()?, old_size, new_size)?)).await?;
    Ok(ConsistencyProof { old_size, new_size, hashes })
}

/// The size asked for, when the log has come so far, or the size it has.
fn within(state: &AppState, name: &str, asked: Option<u64>) -> Result<u64, ApiError> {
    let (size, _) = state.read(log::state)?;
    match asked {
        Some(asked) if asked > size => Err(ApiError::not_found("log of size", &asked.to_string()).at(name)),
        Some(asked) => Ok(asked),
        None => Ok(size),
    }
}

impl From<SignedCheckpoint> for CheckpointView {
    fn from(signed: SignedCheckpoint) -> Self {
        let stated = signed.checkpoint;
        Self {
            node: stated.node.to_string(),
            incarnation: life(stated.incarnation),
            size: stated.size,
            root: stated.root,
            at: stated.at,
            signature: signed.signature.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

impl From<ProofError> for ApiError {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Store(error) => error.into(),
            ProofError::Invalid(error) => Self::invalid("size", error.to_string()),
        }
    }
}

/// How the life of a data folder is shown.
fn life(incarnation: u64) -> String {
    format!("{incarnation:016x}")
}
