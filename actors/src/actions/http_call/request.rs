//! A request under way, and what a redirect makes of it. Pure: opens no connection.
//!
//! Owns what is sent where. Refuses to carry an author's headers to another origin. Invariant: once an unsafe
//! method was answered, the request remembers that the effect may have taken place.

use std::time::Duration;

use reqwest::header::{self, HeaderMap};
use reqwest::{Method, StatusCode};
use url::Url;

use super::{IDEMPOTENCY_KEY, TRACEPARENT};
use crate::actions::Failure;
use crate::blueprint::FailureKind;

/// Headers that follow a redirect to another origin; any other may carry a secret meant for the first.
const HARMLESS_HEADERS: [&str; 6] =
    ["accept", "accept-language", "content-type", "user-agent", IDEMPOTENCY_KEY, TRACEPARENT];

/// A request that can be sent.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    pub(super) timeout: Duration,
    pub(super) max_bytes: u64,
    pub(super) follow_redirects: bool,
    pub(super) expect_status: Option<Vec<u16>>,
    /// An earlier hop answered "done, look over there": whatever happens now, the effect has taken place.
    pub(super) took_effect: bool,
}

impl Request {
    /// Whether an answer with `status` is a success.
    pub(super) fn expects(&self, status: StatusCode) -> bool {
        match &self.expect_status {
            Some(list) => list.contains(&status.as_u16()),
            None => status.is_success() || (!self.follow_redirects && status.is_redirection()),
        }
    }

    /// `METHOD scheme://host/path`, for messages: a query and credentials are secrets.
    pub(super) fn label(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        // Only URLs without a host have no room for credentials, and those carry none.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        format!("{} {url}", self.method)
    }

    /// Turns this request into the one that a redirect with `status` to `location` asks for, as browsers do.
    pub(super) fn redirect(&mut self, status: StatusCode, location: &str) -> Result<(), Failure> {
        let refused = |code: &str, why: &str| {
            let message = format!("{} answered {}: {why}", self.label(), status.as_u16());
            self.after_answer(FailureKind::Other, code, message)
        };
        let mut target = self
            .url
            .join(location)
            .map_err(|e| refused("invalid_redirect", &format!("bad location: {e}")))?;
        target.set_fragment(None);
        if self.url.scheme() == "https" && target.scheme() == "http" {
            return Err(refused("insecure_redirect", "a redirect from https to http is not followed"));
        }
        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.took_effect |= !self.method.is_safe();
            self.method = Method::GET;
            self.body = None;
            self.headers.remove(header::CONTENT_TYPE);
        }
        if self.url.origin() != target.origin() {
            self.headers = harmless(&self.headers);
        }
        self.url = target;
        Ok(())
    }

    /// A failure after an answer came back. A safe method changed nothing; any other may have done its work.
    pub(super) fn after_answer(&self, kind: FailureKind, code: &str, message: String) -> Failure {
        let uncertain = self.took_effect || !self.method.is_safe();
        Failure { uncertain, ..Failure::certain(kind, code, message) }
    }
}

fn harmless(headers: &HeaderMap) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| HARMLESS_HEADERS.contains(&name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}
