//! The API, and the catalogue for the local network, on their sockets.
//!
//! Owns the bounds of a connection to them. Invariant: after the word to stop no request begins, and those
//! under way get time to end.

use axum::Router;
use http::Request;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceExt;
use xyn_actors::web::server::{self, Limits};

use crate::lan;
use crate::limits::{
    CONNECTIONS_MAX, DRAIN_TIMEOUT, H2_STREAMS_MAX, HEAD_MAX_BYTES, HEAD_READ_TIMEOUT, HEADERS_MAX,
    LAN_CONNECTIONS_MAX,
};
use crate::rate::Peer;
use crate::routes::router;
use crate::state::AppState;

/// Serves the API on `listeners` until `shutdown` is done and the requests under way have ended.
pub async fn serve(listeners: Vec<TcpListener>, state: AppState, shutdown: impl Future<Output = ()>) {
    let router = router(state.clone());
    let stopped = async {
        shutdown.await;
        state.stop();
    };
    connect(listeners, router, CONNECTIONS_MAX, stopped).await;
}

/// Serves the catalogue for the local network on `listeners`, likewise.
pub async fn serve_catalogue(
    listeners: Vec<TcpListener>,
    state: AppState,
    shutdown: impl Future<Output = ()>,
) {
    connect(listeners, lan::router(state), LAN_CONNECTIONS_MAX, shutdown).await;
}

/// Takes in at most `connections` at once until `shutdown` is done.
async fn connect(
    listeners: Vec<TcpListener>,
    router: Router,
    connections: usize,
    shutdown: impl Future<Output = ()>,
) {
    let limits = Limits {
        connections,
        head_read: HEAD_READ_TIMEOUT,
        head_bytes: HEAD_MAX_BYTES,
        headers: HEADERS_MAX,
        h2_streams: H2_STREAMS_MAX,
        drain: DRAIN_TIMEOUT,
    };
    let service = |from| TowerToHyperService::new(router.clone().map_request(from_peer(Peer(from))));
    server::serve(listeners, limits, service, shutdown).await;
}

/// Notes where a request comes from.
fn from_peer<B>(peer: Peer) -> impl Fn(Request<B>) -> Request<B> + Clone {
    move |mut request| {
        request.extensions_mut().insert(peer);
        request
    }
}
