//! Members: who belongs, how they are connected, and renewing or revoking one.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::services::mesh;
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::{Cursor, Page};
use xyn_store::trust::{Member, Roster};

use crate::dto::{Connection, Peer};
use crate::error::ApiError;
use crate::extract::{JsonBody, OptionalJson, Params, PathId};
use crate::headers::Caller;
use crate::page::{Listing, PageQuery};
use crate::routes::{Fields, placed};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(revoke))
        .routes(routes!(rotate))
        .routes(routes!(confirm))
        .routes(routes!(renew))
}

/// A member that was revoked.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
struct Revoked {
    #[schema(schema_with = schema::digest)]
    node: PublicKey,
}

/// A key that is to take over from another.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
struct Rotation {
    /// The key so far.
    #[schema(schema_with = schema::digest)]
    node: PublicKey,
    /// The new one.
    #[schema(schema_with = schema::digest)]
    successor: PublicKey,
}

/// A member whose new key was confirmed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
struct Confirmed {
    /// The key that it had.
    #[schema(schema_with = schema::digest)]
    node: PublicKey,
}

/// A member that has another certificate.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
struct Renewed {
    #[schema(schema_with = schema::digest)]
    node: PublicKey,
}

/// Members of the environment, by key, and how they are connected. Those that were revoked stay listed.
#[utoipa::path(
    get,
    path = "/api/v1/peers",
    tag = "peers",
    operation_id = "list_peers",
    params(PageQuery),
    responses((status = 200, body = Listing<Peer>))
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Peer>>, ApiError> {
    let (cursor, limit) = query.place();
    let Some(sight) = Sight::of(&state).await? else {
        return Ok(Json(Listing { items: Vec::new(), next_cursor: None }));
    };
    let behind = cursor.as_ref().map_or(&[][..], Cursor::as_bytes);
    let mut members = sight.roster.members().filter(|(node, _)| node.as_bytes().as_slice() > behind);
    let items: Vec<_> = members.by_ref().take(limit).map(|(node, member)| sight.peer(node, member)).collect();
    let last = items.last().filter(|_| members.next().is_some());
    let next = last.map(|peer| Cursor::from_bytes(peer.node.as_bytes().to_vec()));
    Ok(Json(Listing::of(Page { items, next }, |peer| peer)))
}

/// One member.
#[utoipa::path(
    get,
    path = "/api/v1/peers/{node}",
    tag = "peers",
    operation_id = "get_peer",
    params(("node" = inline(schema::NodeKey), Path, description = "The key of the node.")),
    responses((status = 200, body = Peer), (status = 404))
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    PathId(node): PathId<PublicKey>,
) -> Result<Json<Peer>, ApiError> {
    find(&state, node).await?.map(Json).ok_or_else(|| ApiError::not_found("peer", &node.to_string()))
}

/// The member `node`, if it is one.
pub(crate) async fn find(state: &AppState, node: PublicKey) -> Result<Option<Peer>, ApiError> {
    let sight = Sight::of(state).await?;
    Ok(sight.as_ref().and_then(|sight| Some(sight.peer(node, sight.roster.member(node)?))))
}

/// Revokes a member: what it wrote until now still counts, what it writes from now on does not.
#[utoipa::path(
    post,
    path = "/api/v1/peers/{node}/revoke",
    tag = "peers",
    operation_id = "revoke_peer",
    params(("node" = inline(schema::NodeKey), Path, description = "The key of the node.")),
    extensions(("x-xyn-action" = json!("peer.revoke"))),
    responses((status = 200, body = Revoked), (status = 404))
)]
async fn revoke(
    State(state): State<AppState>,
    PathId(node): PathId<PublicKey>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Json<Value>, ApiError> {
    let input = placed(fields, "node", node.to_string())?;
    Ok(Json(state.submit(caller.intent(&state, "peer.revoke", input.into())).await?.output))
}

/// Gives this node a new key. It goes by it once a node above it has confirmed that, and starts anew then; until then
/// it writes nothing to the timeline. Where the root's key is kept, nobody else needs to be asked.
#[utoipa::path(
    post,
    path = "/api/v1/peers/rotate",
    tag = "peers",
    operation_id = "rotate_key",
    extensions(("x-xyn-action" = json!("peer.rotate"))),
    responses((status = 200, body = Rotation))
)]
async fn rotate(
    State(state): State<AppState>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(state.submit(caller.intent(&state, "peer.rotate", fields.into())).await?.output))
}

/// Confirms that a member takes the new key that it asked for.
#[utoipa::path(
    post,
    path = "/api/v1/peers/{node}/confirm",
    tag = "peers",
    operation_id = "confirm_key",
    params(("node" = inline(schema::NodeKey), Path, description = "The key that the node has so far.")),
    extensions(("x-xyn-action" = json!("peer.confirm"))),
    responses((status = 200, body = Confirmed), (status = 404))
)]
async fn confirm(
    State(state): State<AppState>,
    PathId(node): PathId<PublicKey>,
    caller: Caller,
    OptionalJson(fields): OptionalJson<Fields>,
) -> Result<Json<Value>, ApiError> {
    let input = placed(fields, "node", node.to_string())?;
    Ok(Json(state.submit(caller.intent(&state, "peer.confirm", input.into())).await?.output))
}

/// Gives a member its next certificate: with another end (`expires_at`, null for none), another role, or both. The
/// newest one by whoever ranks above it is in force.
#[utoipa::path(
    post,
    path = "/api/v1/peers/{node}/renew",
    tag = "peers",
    operation_id = "renew_peer",
    params(("node" = inline(schema::NodeKey), Path, description = "The key of the node.")),
    extensions(("x-xyn-action" = json!("peer.renew"))),
    responses((status = 200, body = Renewed), (status = 404))
)]
async fn renew(
    State(state): State<AppState>,
    PathId(node): PathId<PublicKey>,
    caller: Caller,
    JsonBody(fields): JsonBody<Fields>,
) -> Result<Json<Value>, ApiError> {
    let input = placed(fields, "node", node.to_string())?;
    Ok(Json(state.submit(caller.intent(&state, "peer.renew", input.into())).await?.output))
}

/// What is known of members at this instant.
struct Sight<'a> {
    roster: Arc<Roster>,
    own: PublicKey,
    now: Timestamp,
    /// Records that are here, by who wrote them.
    records: BTreeMap<PublicKey, u64>,
    mesh: Option<&'a mesh::Service>,
    connected: BTreeMap<PublicKey, Connection>,
}

impl<'a> Sight<'a> {
    /// None when the folder belongs to no environment yet.
    async fn of(state: &'a AppState) -> Result<Option<Self>, ApiError> {
        let runtime = state.runtime();
        let knowing = runtime.clone();
        let read = state.scan(move |reader| {
            let mut records = BTreeMap::<_, u64>::new();
            for row in reader.feeds()? {
                *records.entry(row.feed.node).or_default() += row.head.seq;
            }
            Ok((knowing.roster(reader)?, records))
        });
        let (Some(roster), records) = read.await? else { return Ok(None) };
        let (mesh, status) = (runtime.mesh(), state.mesh_status().await.unwrap_or_default());
        let connected = status.peers.iter().map(|peer| (peer.node, Connection::from(peer))).collect();
        let (own, now) = (runtime.store().key().public(), runtime.clock().now());
        Ok(Some(Self { roster, own, now, records, mesh, connected }))
    }

    fn peer(&self, node: PublicKey, member: &Member) -> Peer {
        let mut peer = Peer::of(node, member, self.own, self.now);
        peer.records = self.records.get(&node).copied().unwrap_or_default();
        peer.last_seen_at = self.mesh.and_then(|mesh| mesh.trace().seen(node));
        peer.connection = self.connected.get(&node).cloned();
        peer
    }
}
