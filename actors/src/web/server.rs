//! The sockets: connections are taken in, bounded, served and drained.
//!
//! Owns what holds for every connection: how many there are, how long a head may take and how large it may be.
//! HTTP/1.1 and HTTP/2 are served alike. Invariant: after the word to stop no request begins, and those
//! under way get time to end.

use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_all;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// How long to wait after the system refused a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bounds of what comes in.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// How long a connection may take to send the head of a request.
    pub head_read: Duration,
    /// Bytes of a request's head: line and headers.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Requests under way at once on an HTTP/2 connection.
    pub h2_streams: u32,
    /// How long requests under way may go on after the word to stop.
    pub drain: Duration,
}

/// Serves what comes to `listeners`, by a `service` for each address it comes from, until `shutdown` is done and the
/// requests under way have ended.
pub async fn serve<S, B>(
    listeners: Vec<TcpListener>,
    limits: Limits,
    service: impl Fn(IpAddr) -> S,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let builder = builder(&limits);
    let places = Arc::new(Semaphore::new(limits.connections));
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
        // A connection whose other end is gone already will not ask anything.
        let Ok(from) = socket.peer_addr() else { continue };
        let (builder, service, stopping) = (builder.clone(), service(from.ip()), stopping.clone());
        connections.spawn(async move {
            let _place = place;
            serve_connection(&builder, socket, service, stopping).await;
        });
    }
    drop(listeners);
    stop.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_read)
        .max_headers(limits.headers)
        .max_buf_size(limits.head_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
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

async fn serve_connection<S, B>(
    builder: &Builder<TokioExecutor>,
    socket: TcpStream,
    service: S,
    mut stopping: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(socket), service);
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

/// Waits for the word to stop.
async fn told(stopping: &mut watch::Receiver<bool>) {
    // A server that is gone has stopped as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
