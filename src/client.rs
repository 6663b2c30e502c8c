//! The client: one way to ask, whether a node runs or its folder lies still.
//!
//! Owns finding the node and turning its answers into values or failures. Changes nothing by itself and knows no
//! route. Invariant: a stopped folder is only ever read, and one that does not exist is never made.

mod folder;
mod place;
mod route;
pub(crate) mod sse;

use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use crate::failure::{Exit, Failure, with_causes};
use place::unreachable;
pub(crate) use place::{Need, Place, node_file};
pub(crate) use route::route;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often is looked whether the other end is still there, while nothing comes.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Longest wait for a whole answer; streams, large bodies and acts on capsules have none.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Most bytes of a JSON answer.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Where the API begins.
pub(crate) const API: &str = "/api/v1";

/// Bytes of an answer as they come.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Failure>> + Send>>;

/// An answer: status, headers, and the body as it comes.
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: u16,
    /// Headers.
    pub(crate) headers: HeaderMap,
    /// Body.
    pub(crate) body: Chunks,
}

/// A way to ask.
#[derive(Clone)]
pub(crate) struct Client(Way);

#[derive(Clone)]
enum Way {
    Node { http: reqwest::Client, base: String },
    Folder(folder::Ask),
}

impl Client {
    /// Finds the node at `place`, or its folder where `need` allows.
    pub(crate) async fn find(place: &Place, need: Need) -> Result<Self, Failure> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(KEEPALIVE)
            .user_agent(concat!("xyn/", env!("CARGO_PKG_VERSION")));
        // Only https asks whom the system trusts: a small machine without certificates still finds its own node.
        let is_tls = place.url.as_ref().is_some_and(|url| url.starts_with("https://"));
        let builder = if is_tls { builder } else { builder.tls_certs_only([]) };
        let http = builder.build().map_err(|error| {
            Failure::failed("client", with_causes(&error)).hint(
                "https needs the certificates that the system trusts, such as the package ca-certificates",
            )
        })?;
        if let Some(url) = &place.url {
            let base = url.trim_end_matches('/').to_owned();
            if !base.starts_with("http://") && !base.starts_with("https://") {
                return Err(Failure::usage(format!("`{url}` is no address such as http://127.0.0.1:4310"))
                    .at("--url or XYN_URL"));
            }
            return Ok(Self(Way::Node { http, base }));
        }
        for base in place.addresses() {
            let health = http.get(format!("{base}{API}/health")).timeout(CONNECT_TIMEOUT);
            if health.send().await.is_ok() {
                return Ok(Self(Way::Node { http, base }));
            }
        }
        if need == Need::Read && place.data.join(xyn_store::DATABASE_FILE).exists() {
            return Ok(Self(Way::Folder(folder::open(&place.data, place.env.clone())?)));
        }
        Err(unreachable(&place.data))
    }

    /// The address of the node; none for a stopped folder.
    pub(crate) fn address(&self) -> Option<&str> {
        match &self.0 {
            Way::Node { base, .. } => Some(base),
            Way::Folder(_) => None,
        }
    }

    /// The document at `path` of the API.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.get_with(path, &[]).await
    }

    /// The document at `path` of the API with these query parameters.
    pub(crate) async fn get_with(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        let reply = self.open(path, query, None).await?;
        document(reply).await
    }

    /// Up to `limit` items of the list at `path`, page by page, as a list document.
    pub(crate) async fn list(
        &self,
        path: &str,
        query: &[(&str, String)],
        limit: usize,
    ) -> Result<Value, Failure> {
        /// Most items the API gives at once.
        const PAGE: usize = 200;
        let (mut items, mut cursor) = (Vec::new(), Value::Null);
        if limit == 0 {
            return Ok(serde_json::json!({ "items": items, "next_cursor": cursor }));
        }
        loop {
            let mut query = query.to_vec();
            query.push(("limit", (limit - items.len()).min(PAGE).to_string()));
            query.extend(cursor.as_str().map(|cursor| ("cursor", cursor.to_owned())));
            let Value::Object(mut page) = self.get_with(path, &query).await? else {
                return Err(Failure::unexpected("the answer is no list"));
            };
            cursor = page.remove("next_cursor").unwrap_or_default();
            if let Some(Value::Array(found)) = page.remove("items") {
                items.extend(found);
            }
            if items.len() >= limit || cursor.is_null() {
                return Ok(serde_json::json!({ "items": items, "next_cursor": cursor }));
            }
        }
    }

    /// Posts `body` to `path` of the API.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let (http, base) = self.node()?;
        let request = http.post(format!("{base}{API}{path}")).json(body).timeout(ANSWER_TIMEOUT);
        document(self.send(request).await?).await
    }

    /// Posts `body` to `path` of the API, for what takes as long as a node reads and writes.
    pub(crate) async fn post_at_length(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let (http, base) = self.node()?;
        document(self.send(http.post(format!("{base}{API}{path}")).json(body)).await?).await
    }

    /// Posts `body` to `path` of the API: the answer, and the failure to end with where it waits for approval first.
    pub(crate) async fn post_or_wait(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<(Value, Option<Failure>), Failure> {
        let (http, base) = self.node()?;
        let request = http.post(format!("{base}{API}{path}")).json(body).timeout(ANSWER_TIMEOUT);
        let reply = self.send(request).await?;
        if reply.status >= 300 {
            return Err(refusal(reply).await);
        }
        let status = reply.status;
        let bytes = whole(reply.body).await?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let waits = (status == 202).then(|| Failure::from_api(status, &value));
        Ok((value, waits))
    }

    /// Posts a form with a file to `path` of the API; takes as long as it takes.
    pub(crate) async fn upload(&self, path: &str, form: reqwest::multipart::Form) -> Result<Value, Failure> {
        let (http, base) = self.node()?;
        let request = http.post(format!("{base}{API}{path}")).multipart(form);
        document(self.send(request).await?).await
    }

    /// Posts bytes to `path` of the API; takes as long as it takes.
    pub(crate) async fn post_bytes(
        &self,
        path: &str,
        bytes: impl Into<reqwest::Body>,
    ) -> Result<Value, Failure> {
        let (http, base) = self.node()?;
        let request = http.post(format!("{base}{API}{path}"));
        document(self.send(request.header(CONTENT_TYPE, "application/octet-stream").body(bytes)).await?).await
    }

    /// The bytes at `path` of the API; a refusal becomes a failure.
    pub(crate) async fn download(&self, path: &str) -> Result<Reply, Failure> {
        let reply = self.open(path, &[], None).await?;
        if reply.status < 300 { Ok(reply) } else { Err(refusal(reply).await) }
    }

    /// The events at `path` of the API from behind `last_event_id` on.
    pub(crate) async fn events(
        &self,
        path: &str,
        query: &[(&str, String)],
        last_event_id: Option<&str>,
    ) -> Result<Reply, Failure> {
        self.node()?;
        let reply = self.open(path, query, Some(last_event_id)).await?;
        if reply.status < 300 { Ok(reply) } else { Err(refusal(reply).await) }
    }

    /// Sends a GET; `stream` asks for events, from behind the id it may hold.
    async fn open(
        &self,
        path: &str,
        query: &[(&str, String)],
        stream: Option<Option<&str>>,
    ) -> Result<Reply, Failure> {
        match &self.0 {
            Way::Node { http, base } => {
                let mut request = http.get(format!("{base}{API}{path}")).query(query);
                if let Some(last) = stream {
                    request = request.header(ACCEPT, "text/event-stream");
                    if let Some(last) = last {
                        request = request.header("last-event-id", last);
                    }
                }
                self.send(request).await
            }
            Way::Folder(ask) => ask(folder::uri(path, query)?).await,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, Failure> {
        let response = request.send().await.map_err(|error| {
            let is_connect = error.is_connect();
            let error = error.without_url();
            if is_connect { gone(self.address(), &error) } else { broken(&error) }
        })?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response
            .bytes_stream()
            .map(|chunk| chunk.map(|bytes| bytes.to_vec()).map_err(|error| broken(&error)));
        Ok(Reply { status, headers, body: Box::pin(body) })
    }

    fn node(&self) -> Result<(&reqwest::Client, &str), Failure> {
        match &self.0 {
            Way::Node { http, base } => Ok((http, base)),
            Way::Folder(_) => Err(Failure::new(Exit::Unreachable, "unreachable", "no node runs here")
                .hint("start it with: xyn up")),
        }
    }
}

/// The whole body as a document; a refusal becomes a failure.
async fn document(reply: Reply) -> Result<Value, Failure> {
    if reply.status >= 300 {
        return Err(refusal(reply).await);
    }
    let bytes = whole(reply.body).await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::unexpected(format!("the answer is no JSON: {error}")))?;
    // What waits for approval is accepted, and explained like an error. A run that failed has an `error` too.
    let waits = reply.status == 202 && value["error"]["code"].is_string();
    if waits { Err(Failure::from_api(reply.status, &value)) } else { Ok(value) }
}

async fn refusal(reply: Reply) -> Failure {
    let bytes = whole(reply.body).await.unwrap_or_default();
    Failure::from_api(reply.status, &serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn whole(mut body: Chunks) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend(chunk?);
        if bytes.len() > MAX_ANSWER_BYTES {
            let message = format!("the answer is longer than {MAX_ANSWER_BYTES} bytes");
            return Err(Failure::failed("answer_too_long", message).hint("ask for less with --limit"));
        }
    }
    Ok(bytes)
}

fn gone(address: Option<&str>, error: &reqwest::Error) -> Failure {
    let address = address.unwrap_or("the node");
    let why = with_causes(error);
    if address.starts_with("https://") && why.contains("InvalidContentType") {
        let message = format!("{address} does not speak https");
        return Failure::new(Exit::Unreachable, "unreachable", message)
            .hint("write http:// instead of https://");
    }
    Failure::new(Exit::Unreachable, "unreachable", format!("{address} cannot be reached: {why}"))
        .hint("see whether the node runs with: xyn doctor")
}

fn broken(error: &reqwest::Error) -> Failure {
    Failure::new(
        Exit::Unreachable,
        "interrupted",
        format!("the connection to the node broke: {}", with_causes(error)),
    )
    .hint("whether it was done is not known; look before you try again")
}
