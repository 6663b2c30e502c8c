//! Who may talk to a node in open loopback mode: programs of this machine, and pages that the node itself
//! served.
//!
//! Owns the checks of `Host`, `Origin` and `Sec-Fetch-Site`. A page elsewhere can make a browser send
//! requests to loopback (cross-site requests), or make its own name resolve to it (DNS rebinding); both
//! show in these headers. Invariant: a request that a foreign page caused never reaches a route.

use http::{HeaderMap, HeaderName, Method, Request, header};

use crate::error::{ApiError, Code};

/// What a node checks about where a request comes from.
#[derive(Clone, Debug)]
pub struct Guard(Mode);

#[derive(Clone, Debug)]
enum Mode {
    Loopback { ports: Vec<u16> },
    InProcess,
    Anybody,
}

const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
const HTTP_PORT: u16 = 80;
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

impl Guard {
    /// Lets in what is addressed to this machine on one of `ports`, and is not sent by a foreign page.
    pub fn loopback(ports: Vec<u16>) -> Self {
        Self(Mode::Loopback { ports })
    }

    /// Lets everything in: there is no socket, the caller is this process.
    pub fn in_process() -> Self {
        Self(Mode::InProcess)
    }

    /// Lets in whoever reaches the socket: for what everybody may read.
    pub fn anybody() -> Self {
        Self(Mode::Anybody)
    }

    /// Refuses what a foreign page caused.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<(), ApiError> {
        let Mode::Loopback { ports } = &self.0 else { return Ok(()) };
        let host = authority(request)?;
        if !is_local(host, ports) {
            let message = format!("this node does not answer for the host `{}`", shown(host));
            return Err(ApiError::new(Code::ForeignHost, message).at("Host"));
        }
        check_origin(request.headers(), host)?;
        check_fetch_site(request)
    }
}

/// The host and port that the request is for: HTTP/2 has them in the target, HTTP/1.1 in a header.
fn authority<B>(request: &Request<B>) -> Result<&str, ApiError> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) => request.uri().authority().map(http::uri::Authority::as_str),
        (Some(_), Some(_)) => None,
    };
    host.ok_or_else(|| ApiError::invalid("Host", "the request names no host, or not just one"))
}

fn is_local(host: &str, ports: &[u16]) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
        _ => (host, Some(HTTP_PORT)),
    };
    let ours = port.is_some_and(|port| ports.contains(&port));
    ours && LOCAL_NAMES.iter().any(|local| local.eq_ignore_ascii_case(name))
}

fn check_origin(headers: &HeaderMap, host: &str) -> Result<(), ApiError> {
    let same = |origin: &str| {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    match headers.get_all(header::ORIGIN).iter().find(|origin| !origin.to_str().is_ok_and(same)) {
        None => Ok(()),
        Some(origin) => Err(foreign(&shown(&String::from_utf8_lossy(origin.as_bytes())))),
    }
}

/// Browsers say where a request comes from. A link that a person follows is harmless: it only reads, and
/// the page that holds the link does not see the answer.
fn check_fetch_site<B>(request: &Request<B>) -> Result<(), ApiError> {
    let says = |name: &HeaderName| request.headers().get(name).map(http::HeaderValue::as_bytes);
    match says(&FETCH_SITE) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) if *request.method() == Method::GET && says(&FETCH_MODE) == Some(b"navigate") => Ok(()),
        Some(site) => Err(foreign(&shown(&String::from_utf8_lossy(site)))),
    }
}

fn foreign(origin: &str) -> ApiError {
    let message = format!("pages of `{origin}` may not talk to this node");
    ApiError::new(Code::ForeignOrigin, message).at("Origin")
}

/// At most 80 characters of what a stranger sent.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: Method, headers: &[(&str, &str)]) -> Result<(), String> {
        let mut request = Request::builder().method(method).uri("/api/v1/runs");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let checked = Guard::loopback(vec![4310]).check(&request);
        checked.map_err(|error| error.fault().code.word().to_owned())
    }

    #[test]
    fn only_names_of_this_machine_on_our_port_are_answered() {
        for host in ["localhost:4310", "LOCALHOST:4310", "127.0.0.1:4310", "[::1]:4310"] {
            assert_eq!(verdict(Method::GET, &[("host", host)]), Ok(()), "{host}");
        }
        let foreign = [
            "evil.example:4310",
            "localhost.evil.example:4310",
            "localhost.:4310",
            "localhost",
            "localhost:4311",
            "localhost:",
            "127.0.0.2:4310",
            "[::1]",
            "::1:4310",
            "user@localhost:4310",
            "",
        ];
        for host in foreign {
            assert_eq!(verdict(Method::GET, &[("host", host)]), Err("foreign_host".into()), "{host}");
        }
    }

    #[test]
    fn a_request_without_a_host_or_with_two_is_refused() {
        assert_eq!(verdict(Method::GET, &[]), Err("invalid".into()));
        let twice = [("host", "localhost:4310"), ("host", "evil.example")];
        assert_eq!(verdict(Method::GET, &twice), Err("invalid".into()));
    }

    #[test]
    fn only_pages_of_the_node_itself_are_answered() {
        let from = |origin| verdict(Method::POST, &[("host", "localhost:4310"), ("origin", origin)]);
        assert_eq!(from("http://localhost:4310"), Ok(()));
        let foreign = [
            "http://evil.example",
            "http://localhost:3000",
            "http://127.0.0.1:4310",
            "null",
            "localhost:4310",
        ];
        for origin in foreign {
            assert_eq!(from(origin), Err("foreign_origin".into()), "{origin}");
        }
    }

    #[test]
    fn what_a_browser_calls_cross_site_is_refused_unless_a_person_follows_a_link() {
        let host = ("host", "localhost:4310");
        let site = |method, headers: &[_]| verdict(method, &[&[host], headers].concat());
        assert_eq!(site(Method::GET, &[("sec-fetch-site", "same-origin")]), Ok(()));
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        assert_eq!(site(Method::GET, &link), Ok(()));
        assert_eq!(site(Method::POST, &link), Err("foreign_origin".into()));
        for from in ["cross-site", "same-site", "?"] {
            assert_eq!(site(Method::GET, &[("sec-fetch-site", from)]), Err("foreign_origin".into()));
        }
    }

    #[test]
    fn a_caller_in_this_process_needs_no_host() {
        assert!(Guard::in_process().check(&Request::new(())).is_ok());
    }
}
