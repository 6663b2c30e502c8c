//! The mesh: how this node takes part, where it listens, and what went to and fro.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::services::mesh::Reach;
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::EnvId;

use crate::error::ApiError;
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get))
}

/// How this node takes part in the mesh.
#[derive(Serialize, ToSchema)]
pub(crate) struct MeshView {
    #[schema(schema_with = schema::mesh_mode)]
    pub(crate) mode: &'static str,
    /// The key of this node.
    #[schema(schema_with = schema::digest)]
    pub(crate) node: PublicKey,
    /// The environment: its root key; null before it has one.
    #[schema(schema_with = schema::optional_digest)]
    pub(crate) env: Option<EnvId>,
    /// Where this node is reachable, as multiaddrs.
    pub(crate) listening: Vec<String>,
    /// Members that are connected.
    pub(crate) peers_connected: usize,
    /// The most records that one of them says it has and this node has not.
    pub(crate) lag_records: u64,
    /// What went to and fro since the mesh was started last.
    pub(crate) traffic: TrafficView,
}

/// What went to and fro.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrafficView {
    /// Records that came from peers and were new.
    pub(crate) records_in: u64,
    /// Records sent: to peers that asked, and as news, once for all.
    pub(crate) records_out: u64,
    /// Bytes of messages received.
    pub(crate) bytes_in: u64,
    /// Bytes of messages sent.
    pub(crate) bytes_out: u64,
    /// Peers and messages that were refused, by reason.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// Records, proofs and tickets that were refused, by reason, since the node came up.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub(crate) said_refused: BTreeMap<&'static str, u64>,
}

/// How this node takes part in the mesh.
#[utoipa::path(
    get,
    path = "/api/v1/mesh",
    tag = "peers",
    operation_id = "get_mesh",
    responses((status = 200, body = MeshView))
)]
pub(crate) async fn get(State(state): State<AppState>) -> Result<Json<MeshView>, ApiError> {
    let runtime = state.runtime();
    let mode = match runtime.mesh().map(|mesh| mesh.settings().reach) {
        None => "off",
        Some(Reach::Anywhere) => "on",
        Some(Reach::Lan) => "lan",
    };
    let status = state.mesh_status().await.unwrap_or_default();
    let traffic = status.traffic;
    Ok(Json(MeshView {
        mode,
        node: runtime.store().key().public(),
        env: state.read(|reader| reader.environment())?,
        listening: status.listening,
        peers_connected: status.peers.len(),
        lag_records: status.peers.iter().map(|peer| peer.lag_records).max().unwrap_or_default(),
        traffic: TrafficView {
            records_in: traffic.records_in,
            records_out: traffic.records_out,
            bytes_in: traffic.bytes_in,
            bytes_out: traffic.bytes_out,
            refused: traffic.refused,
            said_refused: runtime.mesh().map(|mesh| mesh.refused()).unwrap_or_default(),
        },
    }))
}
