//! `http.call`: one HTTP request and its redirects, behind a guard against reaching where nobody allowed.
//!
//! Owns the exchange. Refuses proxies, cookies, retries of its own and every address the policy did not open.
//! Invariant: once a byte of the request may have left, a failure without an answer is uncertain.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::header;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize as _;
use serde_json::Value;

use self::input::{Input, Verb};
use self::request::Request;
use super::{Context, Failure, Idempotence, Outside, Spec};
use crate::blueprint::FailureKind;
use crate::governance::Risk;

mod guard;
mod input;
mod request;
mod response;
mod retry_after;
#[cfg(test)]
mod tests;
mod trace;
mod transport;

/// Header that carries the call's key.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Header that says which trace the call belongs to.
const TRACEPARENT: &str = "traceparent";
/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// What of an input is never recorded.
const REDACT: [&str; 11] = [
    "/headers/authorization",
    "/headers/proxy-authorization",
    "/headers/cookie",
    "/headers/x-api-key",
    "/headers/api-key",
    "/headers/x-auth-token",
    "/headers/x-access-token",
    "/query/access_token",
    "/query/api_key",
    "/query/apikey",
    "/query/token",
];
/// What everybody may know about `http.call`.
pub fn spec() -> Spec {
    Spec {
        name: "http.call",
        description: "Sends an HTTP request; addresses that are not public only where a policy opens them.",
        input_schema: schemars::schema_for!(Input).into(),
        output_schema: response::output_schema(),
        idempotent: Idempotence::ByInput(is_idempotent),
        risk: Risk::Medium,
        redact: &REDACT,
    }
}

/// Whether a call with `input` may be done twice: GET (also by default), HEAD, OPTIONS, PUT and DELETE may.
pub fn is_idempotent(input: &Value) -> bool {
    match input.get("method") {
        None | Some(Value::Null) => true,
        Some(method) => Verb::deserialize(method).is_ok_and(Verb::is_idempotent),
    }
}

/// Whether the field `name` of `section` of an input carries a secret.
fn is_secret(section: &str, name: &str) -> bool {
    let fields = REDACT.iter().filter_map(|pointer| pointer.strip_prefix('/')?.split_once('/'));
    fields.into_iter().any(|(of, field)| of == section && field.eq_ignore_ascii_case(name))
}

/// The code of `http.call`. Connections are kept between calls with the same egress.
#[derive(Clone, Default)]
pub struct HttpCall {
    clients: Arc<transport::Clients>,
}

impl Outside for HttpCall {
    fn execute(&self, input: Value, context: Context) -> BoxFuture<'static, Result<Value, Failure>> {
        let clients = Arc::clone(&self.clients);
        async move {
            let mut request = input::parse(input, &context)?;
            let client = clients.get(context.egress)?;
            let limit = request.timeout;
            match tokio::time::timeout(limit, exchange(client, &mut request, &context)).await {
                Ok(result) => result,
                Err(_) => Err(transport::timed_out(&request)),
            }
        }
        .boxed()
    }
}

async fn exchange(client: &Client, request: &mut Request, context: &Context) -> Result<Value, Failure> {
    for _ in 0..=MAX_REDIRECTS {
        guard::check_url(&request.url, context.egress).map_err(|why| transport::refused(request, &why))?;
        let response = send(client, request).await?;
        match redirect_target(request, &response) {
            Some(target) => request.redirect(response.status(), &target)?,
            None => return response::read(request, response, context.now).await,
        }
    }
    let message = format!("{}: more than {MAX_REDIRECTS} redirects", request.label());
    Err(request.after_answer(FailureKind::Other, "too_many_redirects", message))
}

async fn send(client: &Client, request: &Request) -> Result<Response, Failure> {
    let mut builder =
        client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
    if let Some(body) = &request.body {
        builder = builder.body(body.clone());
    }
    builder.send().await.map_err(|error| transport::failure(request, error))
}

fn redirect_target(request: &Request, response: &Response) -> Option<String> {
    let is_redirect = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(header::LOCATION)?;
    (is_redirect && request.follow_redirects)
        .then(|| String::from_utf8_lossy(location.as_bytes()).into_owned())
}
