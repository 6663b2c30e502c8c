//! Which addresses a call may reach. Owns the classes of addresses and the judgement; does no name resolution
//! and no I/O. Invariant: an address that no class opens is refused, and a form that embeds an IPv4 address
//! is judged by it.
//!
//! Source: the IANA special-purpose address registries (RFC 6890 and its updates).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::actions::Egress;

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Anybody's.
    Public,
    /// This machine.
    Loopback,
    /// RFC 1918, unique local, carrier-grade NAT.
    Private,
    /// The link, and the metadata services of clouds.
    LinkLocal,
    /// No host at all: `0.0.0.0/8`, `::`.
    Unspecified,
    /// Many hosts at once.
    Multicast,
    /// All hosts of the link.
    Broadcast,
    /// Examples in texts.
    Documentation,
    /// Protocol assignments, benchmarks, the future.
    Reserved,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link_local",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Reserved => "reserved",
        })
    }
}

/// A target that must not be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("scheme `{0}` is not http or https")]
    Scheme(String),
    #[error("a URL must not carry a user name or password; use a header")]
    UserInfo,
    #[error("the URL names no host")]
    NoHost,
    #[error("`{0}` is a {1} address; a policy rule that opens egress `{1}` may allow it")]
    Closed(IpAddr, Class),
    #[error("`{0}` is a {1} address, which no policy can open")]
    Never(IpAddr, Class),
}

/// Checks everything about `url` that needs no name resolution. Literal addresses are judged here, because a
/// resolver never sees them.
pub(super) fn check_url(url: &Url, egress: Egress) -> Result<(), Refused> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::UserInfo);
    }
    match url.host() {
        None => Err(Refused::NoHost),
        Some(Host::Domain(_)) => Ok(()),
        Some(Host::Ipv4(address)) => check_address(address.into(), egress),
        Some(Host::Ipv6(address)) => check_address(address.into(), egress),
    }
}

/// Whether a connection to `address` may be opened.
pub(super) fn check_address(address: IpAddr, egress: Egress) -> Result<(), Refused> {
    let class = classify(address);
    let (open, can_open) = match class {
        Class::Public => (true, true),
        Class::Loopback => (egress.loopback, true),
        Class::Private => (egress.private, true),
        Class::LinkLocal => (egress.link_local, true),
        Class::Unspecified | Class::Multicast | Class::Broadcast | Class::Documentation | Class::Reserved => {
            (false, false)
        }
    };
    match (open, can_open) {
        (true, _) => Ok(()),
        (false, true) => Err(Refused::Closed(address, class)),
        (false, false) => Err(Refused::Never(address, class)),
    }
}

/// The class of `address`.
pub(super) fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => classify_v4(inner),
            None => classify_v6(address),
        },
    }
}

/// The metadata and DNS service of one large cloud sits on an address that is public by number only.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

fn classify_v4(address: Ipv4Addr) -> Class {
    match address.octets() {
        _ if address == AZURE_WIRE_SERVER => Class::LinkLocal,
        [0, ..] => Class::Unspecified,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Class::Private,
        [127, ..] => Class::Loopback,
        [169, 254, ..] => Class::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Class::Documentation,
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => Class::Reserved,
        [224..=239, ..] => Class::Multicast,
        [255, 255, 255, 255] => Class::Broadcast,
        [240..=255, ..] => Class::Reserved,
        _ => Class::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        [0xfc00..=0xfdff, ..] => Class::Private,
        // Site-local addresses are deprecated (RFC 3879) but still private where they are used.
        [0xfec0..=0xfeff, ..] => Class::Private,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        [0xff00..=0xffff, ..] => Class::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Class::Documentation,
        // Protocol assignments, Teredo among them, whose tunnels end somewhere else than they say.
        [0x2001, 0..=0x1ff, ..] => Class::Reserved,
        [0x2000..=0x3fff, ..] => Class::Public,
        _ => Class::Reserved,
    }
}

/// The IPv4 address that packets to `address` end up at: mapped, compatible, NAT64 and 6to4 forms.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => from(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => from(high, low),
        [0x2002, high, low, ..] => from(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
