//! Asking a stopped node's folder: the API's router in this process, without a socket.
//!
//! Owns the way from a path to the router and back. Only ever sends GET.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};
use xyn_actors::runtime::Environment;

use super::{API, Reply};
use crate::failure::{Exit, Failure, with_causes};
use crate::{node, shell};

/// Answers a GET for a path and query.
pub(super) type Ask = Arc<dyn Fn(http::Uri) -> BoxFuture<'static, Result<Reply, Failure>> + Send + Sync>;

/// Opens the folder at `data` for reading.
pub(super) fn open(data: &Path, env: Environment) -> Result<Ask, Failure> {
    let (router, _store) = node::open_reader(data, env).map_err(|error| {
        let message = format!("no node answers, and its folder cannot be read: {}", with_causes(&error));
        Failure::new(Exit::Unreachable, "unreachable", message).hint(shell::doctor(data))
    })?;
    Ok(asking(router))
}

/// The path and query of a request to the API.
pub(super) fn uri(path: &str, query: &[(&str, String)]) -> Result<http::Uri, Failure> {
    let mut url = reqwest::Url::parse("http://localhost").expect("the base is a URL");
    url.set_path(&format!("{API}{path}"));
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url.as_str().parse().map_err(|error| Failure::usage(format!("`{path}` cannot be asked for: {error}")))
}

fn asking<S, Out>(service: S) -> Ask
where
    S: Service<Request<String>, Response = Response<Out>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Display,
    Out: BodyExt + Send + 'static,
    Out::Data: AsRef<[u8]>,
    Out::Error: Display,
{
    Arc::new(move |uri| {
        let service = service.clone();
        Box::pin(async move {
            let mut request = Request::new(String::new());
            *request.method_mut() = Method::GET;
            *request.uri_mut() = uri;
            request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
            let fail = |error: &dyn Display| {
                Failure::failed("unreadable", format!("cannot read the folder: {error}"))
                    .hint("see what is wrong with: xyn doctor")
            };
            let response = service.oneshot(request).await.map_err(|error| fail(&error))?;
            let (head, body) = response.into_parts();
            let body = body
                .into_data_stream()
                .map(move |chunk| chunk.map(|bytes| bytes.as_ref().to_vec()).map_err(|error| fail(&error)));
            Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: Box::pin(body) })
        })
    })
}
