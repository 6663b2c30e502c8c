//! The sockets: connections are taken in, bounded, served and drained.
//!
//! Owns the limits of a connection: how many there are, how long a head may take and how large it may be.
//! HTTP/1.1 and HTTP/2 are served alike. Invariant: after the word to stop no request begins, and those
//! under way get time to end.

use std::sync::Arc;

use axum::Router;
use futures::future::select_all;
use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::lan;
use crate::limits::{
    ACCEPT_PAUSE, CONNECTIONS_MAX, DRAIN_TIMEOUT, H2_STREAMS_MAX, HEAD_MAX_BYTES, HEAD_READ_TIMEOUT,
    HEADERS_MAX, LAN_CONNECTIONS_MAX,
};
use crate::rate::Peer;
use crate::routes::router;
use crate::state::AppState;

/// Serves the API on `listeners` until `shutdown` is done and the requests under way have ended.
pub async fn serve(listeners: Vec<TcpListener>, state: AppState, shutdown: impl Future<Output = ()>) {
    let router = router(state.clone());
    connect(listeners, router, CONNECTIONS_MAX, shutdown, || state.stop()).await;
}

/// Serves the catalogue for the local network on `listeners`, likewise.
pub async fn serve_catalogue(
    listeners: Vec<TcpListener>,
    state: AppState,
    shutdown: impl Future<Output = ()>,
) {
    connect(listeners, lan::router(state), LAN_CONNECTIONS_MAX, shutdown, || ()).await;
}

/// Takes in at most `limit` connections at once until `shutdown` is done; `stopped` is called when none is taken any
/// more.
async fn connect(
    listeners: Vec<TcpListener>,
    router: Router,
    limit: usize,
    shutdown: impl Future<Output = ()>,
    stopped: impl FnOnce(),
) {
    let builder = builder();
    let places = Arc::new(Semaphore::new(limit));
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        // A place is taken before a connection, so that those over the limit wait in the system's queue.
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = places.clone().acquire_owned() => place,
        };
        let socket = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            socket = accept(&listeners) => socket,
        };
        let Some(socket) = socket else { continue };
        let (builder, router, stopping) = (builder.clone(), router.clone(), stopping.clone());
        connections.spawn(async move {
            let _place = place;
            serve_connection(&builder, socket, router, stopping).await;
        });
    }
    drop(listeners);
    stopped();
    stop.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_MAX_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_header_list_size(HEAD_MAX_BYTES as u32);
    builder
}

/// The next connection of any listener; none when the system refused one.
async fn accept(listeners: &[TcpListener]) -> Option<TcpStream> {
    if listeners.is_empty() {
        return std::future::pending().await;
    }
    let (accepted, _, _) = select_all(listeners.iter().map(|listener| Box::pin(listener.accept()))).await;
    match accepted {
        Ok((socket, _)) => {
            // Answers are small: waiting to fill a packet only delays them.
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY cannot be set");
            }
            Some(socket)
        }
        Err(error) => {
            tracing::warn!(%error, "a connection cannot be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn serve_connection(
    builder: &Builder<TokioExecutor>,
    socket: TcpStream,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    // A connection whose other end is gone already will not ask anything.
    let Ok(address) = socket.peer_addr() else { return };
    let service = TowerToHyperService::new(router.map_request(from_peer(Peer(address.ip()))));
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = told(&mut stopping) => None,
    };
    let result = match ended {
        Some(result) => result,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Notes where a request comes from.
fn from_peer<B>(peer: Peer) -> impl Fn(Request<B>) -> Request<B> + Clone {
    move |mut request| {
        request.extensions_mut().insert(peer);
        request
    }
}

/// Waits for the word to stop.
async fn told(stopping: &mut watch::Receiver<bool>) {
    // A server that is gone has stopped as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
