//! Requests handed on to a process, and its answers.
//!
//! Each request has a connection of its own: one that was kept could be closed by the process in the very instant in
//! which a request goes out. Invariant: a request that the process did not take in is tried again or answered, and an
//! instance stays until its last answer is through.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONNECTION, HOST, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::Instance;
use crate::services::deploy::site::{Body, empty, plain};

/// Headers that are between two neighbours, RFC 9110 section 7.6.1.
const BETWEEN_NEIGHBOURS: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
/// What says from where a request came.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// How long a request waits for a process that is being started again.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// How long it rests until it looks for the process again.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(20);

/// What `instance` answers to `request`, which came from `from`.
pub(in super::super) async fn answer(
    instance: Arc<Instance>,
    mut request: Request<Incoming>,
    from: IpAddr,
) -> Response<Body> {
    let Some(socket) = connect(&instance).await else {
        let builder = Response::builder().header(http::header::RETRY_AFTER, "1");
        return plain(builder, StatusCode::SERVICE_UNAVAILABLE, "the app is not running; its log says why\n");
    };
    let upgrade = request.headers().get(UPGRADE).cloned();
    let ours = upgrade.as_ref().map(|_| hyper::upgrade::on(&mut request));
    hand_on(&mut request, from, upgrade);
    let mut answer = match send(socket, request).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%error, "a process did not answer");
            return plain(Response::builder(), StatusCode::BAD_GATEWAY, "the app broke off; ask again\n");
        }
    };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(ours) = ours
    {
        tokio::spawn(join(instance, ours, hyper::upgrade::on(&mut answer)));
        let (parts, _) = answer.into_parts();
        return Response::from_parts(parts, empty());
    }
    strip(answer.headers_mut());
    *answer.version_mut() = Version::HTTP_11;
    answer.map(|body| Holding { body, _instance: instance }.map_err(io::Error::other).boxed_unsync())
}

/// A connection to the process, as soon as it listens. None when it does not in time.
async fn connect(instance: &Instance) -> Option<TcpStream> {
    let connecting = async {
        loop {
            let port = instance.ready().await?;
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                Ok(socket) => return Some(socket),
                // It ended just now, and the next is waited for as soon as that is noticed.
                Err(_) => tokio::time::sleep(ATTEMPT_PAUSE).await,
            }
        }
    };
    tokio::time::timeout(READY_WITHIN, connecting).await.ok().flatten()
}

async fn send(socket: TcpStream, request: Request<Incoming>) -> hyper::Result<Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(async move {
        // Whoever reads the answer learns of it, too.
        let _ = connection.with_upgrades().await;
    });
    sender.send_request(request).await
}

/// Lets bytes to and fro until both sides have ended.
async fn join(instance: Arc<Instance>, ours: OnUpgrade, theirs: OnUpgrade) {
    if let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) {
        // Either side may break off as it likes.
        let _ = copy_bidirectional(&mut TokioIo::new(ours), &mut TokioIo::new(theirs)).await;
    }
    drop(instance);
}

/// Makes of a request that came here one to the process.
fn hand_on(request: &mut Request<Incoming>, from: IpAddr, upgrade: Option<HeaderValue>) {
    let uri = request.uri();
    let host = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    strip(headers);
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade);
    }
    if let Some(host) = host {
        headers.insert(HOST, host);
    }
    if let Some(host) = headers.get(HOST).cloned() {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    let before = headers.get(FORWARDED_FOR).and_then(|value| value.to_str().ok());
    let chain = before.map_or_else(|| from.to_string(), |before| format!("{before}, {from}"));
    if let Ok(chain) = HeaderValue::from_str(&chain) {
        headers.insert(FORWARDED_FOR, chain);
    }
}

/// Takes away what was between neighbours only, and what `Connection` names as such.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    named.iter().for_each(|name| drop(headers.remove(name)));
    BETWEEN_NEIGHBOURS.iter().for_each(|name| drop(headers.remove(*name)));
}

/// A body that holds the instance it comes from.
struct Holding {
    body: Incoming,
    _instance: Arc<Instance>,
}

impl HttpBody for Holding {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_neighbours_is_not_handed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-mine"),
            ("x-mine", "1"),
            ("transfer-encoding", "chunked"),
            ("accept", "*/*"),
        ] {
            headers.append(name.parse::<HeaderName>().expect("a name"), HeaderValue::from_static(value));
        }
        strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
