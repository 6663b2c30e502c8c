//! The clients that connect, and what their errors mean. Owns name resolution behind the guard.
//!
//! Invariant: a connection is only ever made to an address that [`guard`] let through for the call's egress;
//! clients and their pools are therefore never shared between egress settings.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, retry};

use super::guard::{self, Refused};
use super::request::Request;
use crate::actions::{Egress, Failure};
use crate::blueprint::FailureKind;

/// Longest wait for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may lie idle. Common servers close theirs after five seconds; a request that meets
/// the closing would be uncertain.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// Idle connections kept for one host.
const POOL_PER_HOST: usize = 16;

/// One client per egress setting, made when first needed.
#[derive(Default)]
pub(super) struct Clients([OnceLock<Result<Client, String>>; 8]);

impl Clients {
    /// The client for calls that `egress` bounds.
    pub(super) fn get(&self, egress: Egress) -> Result<&Client, Failure> {
        let bits = [egress.loopback, egress.private, egress.link_local];
        let index = bits.into_iter().fold(0, |index, bit| index * 2 + usize::from(bit));
        self.0[index].get_or_init(|| build(egress).map_err(|e| deepest(&e).to_string())).as_ref().map_err(
            |e| Failure::certain(FailureKind::Other, "client_unavailable", format!("no HTTP client: {e}")),
        )
    }
}

fn build(egress: Egress) -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("xyn/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(GuardedResolver(egress))
        // A proxy would resolve and connect behind the guard's back.
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        // Attempts are the run's business.
        .retry(retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_PER_HOST)
        .build()
}

/// The system's resolver, of whose answers only permitted addresses are handed on.
struct GuardedResolver(Egress);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            permitted(found, egress).map(|list| Box::new(list.into_iter()) as Addrs)
        })
    }
}

fn permitted(
    found: Vec<SocketAddr>,
    egress: Egress,
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let mut refused = None;
    let mut open = Vec::with_capacity(found.len());
    for address in found {
        match guard::check_address(address.ip(), egress) {
            Ok(()) => open.push(address),
            Err(why) => refused = Some(why),
        }
    }
    match refused {
        Some(why) if open.is_empty() => Err(why.into()),
        _ => Ok(open),
    }
}

/// What it means that the guard refused the target of `request`.
pub(super) fn refused(request: &Request, why: &Refused) -> Failure {
    let code = match why {
        Refused::Scheme(_) | Refused::UserInfo | Refused::NoHost => "invalid_url",
        Refused::Closed(..) | Refused::Never(..) => "egress_denied",
    };
    certain(request, FailureKind::Other, code, why)
}

/// What it means that sending `request` or reading its answer failed with `error`.
pub(super) fn failure(request: &Request, error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if let Some(why) = causes(&error).find_map(|cause| cause.downcast_ref::<Refused>()) {
        return refused(request, why);
    }
    let io_kind =
        causes(&error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).last();
    let deepest = deepest(&error);
    if error.is_builder() {
        certain(request, FailureKind::Other, "invalid_input", deepest)
    } else if error.is_dns() {
        certain(request, FailureKind::Connect, "name_not_resolved", deepest)
    } else if error.is_connect() {
        let code = match io_kind {
            Some(io::ErrorKind::ConnectionRefused) => "connection_refused",
            _ if error.is_timeout() => "connect_timeout",
            _ => "connect_failed",
        };
        certain(request, FailureKind::Connect, code, deepest)
    } else if error.is_timeout() {
        timed_out(request)
    } else {
        let message =
            format!("{}: the connection broke before the answer was complete: {deepest}", request.label());
        Failure::uncertain(FailureKind::Other, "connection_broken", message)
    }
}

/// What it means that the call's time ran out.
pub(super) fn timed_out(request: &Request) -> Failure {
    let message = format!("{}: no complete answer within {:?}", request.label(), request.timeout);
    Failure::uncertain(FailureKind::Timeout, "timeout", message)
}

/// This hop certainly had no effect; an earlier one may have.
fn certain(request: &Request, kind: FailureKind, code: &str, why: &dyn std::fmt::Display) -> Failure {
    let message = format!("{}: {why}", request.label());
    Failure { uncertain: request.took_effect, ..Failure::certain(kind, code, message) }
}

fn deepest<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
