//! Tickets as they are made: the secret stays with whoever asked, its hash goes into the intent.
//!
//! Owns the one place where a ticket's secret is made. Keeps nothing: the intent `peer.invite` does. Invariant:
//! the intent's input holds nothing that opens anything.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::scope::Principal;
use xyn_store::trust::{EnvId, Role, Ticket, TicketId, TicketSecret};

/// Addresses that a ticket names: more would make its text longer than people like to copy.
const ADDRESSES_MAX: usize = 8;
/// How long a ticket is good at most.
pub const LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a certificate is good at most that has an end.
pub const VALID_FOR_MAX: Duration = Duration::from_secs(3_650 * 24 * 3600);

/// A ticket and the intent that makes it good. The ticket is shown once and kept nowhere.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The ticket. Its text is its `Display`.
    pub ticket: Ticket,
    /// The input of the intent `peer.invite`.
    pub input: Value,
}

impl Invite {
    /// Makes a ticket of `issuer`, which is reachable at `addresses`, for a device of `principal`.
    pub fn mint(
        env: EnvId,
        issuer: PublicKey,
        addresses: &[String],
        principal: &Principal,
        role: Role,
        expires: Timestamp,
    ) -> Result<Self, getrandom::Error> {
        let (mut id, mut secret) = ([0; 8], [0; 16]);
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut secret)?;
        let secret = TicketSecret::from_bytes(secret);
        let addresses = reachable(addresses);
        let ticket = Ticket { id: TicketId(id), env, issuer, addresses, secret, expires };
        let input = json!({
            "ticket_id": ticket.id.to_string(),
            "secret_hash": ticket.secret_hash(),
            "principal": principal,
            "role": role,
            "expires_at": expires,
        });
        Ok(Self { ticket, input })
    }

    /// The same, where whoever comes in on it belongs for this long and no longer.
    pub fn valid_for(mut self, valid_for: Duration) -> Self {
        self.input["valid_for_seconds"] = json!(valid_for.as_secs());
        self
    }
}

/// The addresses that a ticket names: without the peer id, which the ticket says, and those of this machine last.
fn reachable(addresses: &[String]) -> Vec<String> {
    let mut addresses: Vec<String> = addresses
        .iter()
        .map(|address| {
            address.split_once("/p2p/").map_or(address.as_str(), |(address, _)| address).to_owned()
        })
        .collect();
    addresses.dedup();
    addresses.sort_by_key(|address| is_loopback(address));
    addresses.truncate(ADDRESSES_MAX);
    addresses
}

/// Whether a multiaddr is one of this machine only.
pub(super) fn is_loopback(address: &str) -> bool {
    let host = address.split('/').nth(2).and_then(|host| host.parse::<IpAddr>().ok());
    host.is_some_and(|host| host.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: PublicKey = PublicKey::from_bytes([1; 32]);

    fn mint(addresses: &[String]) -> Invite {
        let principal = Principal::new("ada@home");
        let env = EnvId::rooted_in(ISSUER);
        Invite::mint(env, ISSUER, addresses, &principal, Role::User, Timestamp::MAX).expect("randomness")
    }

    #[test]
    fn the_intent_holds_nothing_that_opens_anything() {
        let Invite { ticket, input } = mint(&[]);
        let hex: String = ticket.secret.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!input.to_string().contains(&hex));
        assert_eq!(input["secret_hash"], json!(ticket.secret_hash()));
        assert_ne!(mint(&[]).ticket.secret, ticket.secret);
    }

    #[test]
    fn a_ticket_names_addresses_of_the_network_before_those_of_this_machine() {
        let addresses: Vec<String> = [
            "/ip6/::1/tcp/4311/p2p/12D3KooW",
            "/ip4/192.168.1.7/tcp/4311/p2p/12D3KooW",
            "/ip4/127.0.0.1/udp/4311/quic-v1/p2p/12D3KooW",
        ]
        .map(str::to_owned)
        .to_vec();
        let named = mint(&addresses).ticket.addresses;
        assert_eq!(
            named,
            ["/ip4/192.168.1.7/tcp/4311", "/ip6/::1/tcp/4311", "/ip4/127.0.0.1/udp/4311/quic-v1"]
        );
        assert_eq!(mint(&vec!["/ip4/10.0.0.1/tcp/1".to_owned(); 20]).ticket.addresses.len(), 1);
    }
}
