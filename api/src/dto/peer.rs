//! Other nodes: members of the environment, invitations, and what happened lately between nodes.
//!
//! Invariant: a ticket's secret is in one answer only, that which made the ticket.

use serde::Serialize;
use utoipa::ToSchema;
use xyn_actors::services::mesh;
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::scope::Principal;
use xyn_store::trust::{self, Invitation, Member, Role};

use crate::schema;

/// How a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    Active,
    Expired,
    Retired,
    Revoked,
}

/// A member of the environment, as this node sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Peer {
    /// Its key: who it is.
    #[schema(schema_with = schema::digest)]
    pub(crate) node: PublicKey,
    /// What people compare aloud.
    pub(crate) fingerprint: String,
    /// Whether it is the node that answers.
    pub(crate) is_self: bool,
    /// Whose device it is.
    #[schema(value_type = String)]
    pub(crate) principal: Principal,
    #[schema(schema_with = schema::role)]
    pub(crate) role: Role,
    #[schema(schema_with = schema::standing)]
    pub(crate) standing: Standing,
    /// Why it was revoked, as who revoked it said; null when it was not.
    pub(crate) revoked_because: Option<String>,
    /// Steps below the environment's root key.
    pub(crate) rank: u8,
    /// The key that certified it.
    #[schema(schema_with = schema::digest)]
    pub(crate) issuer: PublicKey,
    /// When, by the issuer's clock.
    #[schema(schema_with = schema::instant)]
    pub(crate) issued_at: Timestamp,
    /// Until when others connect to it; null for ever.
    #[schema(schema_with = schema::optional_instant)]
    pub(crate) expires_at: Option<Timestamp>,
    /// Records of its feeds that are here.
    pub(crate) records: u64,
    /// When it came or left last, since this node came up; null when it was not here since then.
    #[schema(schema_with = schema::optional_instant)]
    pub(crate) last_seen_at: Option<Timestamp>,
    /// How it is connected; null when it is not.
    pub(crate) connection: Option<Connection>,
}

/// A connection to a member.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct Connection {
    /// Where it is, as a multiaddr.
    pub(crate) address: String,
    /// Since when.
    #[schema(schema_with = schema::instant)]
    pub(crate) since: Timestamp,
    /// How long a ping takes; null before the first one.
    pub(crate) round_trip_ms: Option<f64>,
    /// Records that it says it has and this node has not.
    pub(crate) lag_records: u64,
}

/// A ticket that may still be used.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationView {
    #[schema(schema_with = schema::ticket_id)]
    pub(crate) ticket_id: String,
    /// Whose device it lets in.
    #[schema(value_type = String)]
    pub(crate) principal: Principal,
    #[schema(schema_with = schema::role)]
    pub(crate) role: Role,
    /// Until when.
    #[schema(schema_with = schema::instant)]
    pub(crate) expires_at: Timestamp,
}

/// A ticket as it is made.
#[derive(Serialize, ToSchema)]
pub(crate) struct Invited {
    #[serde(flatten)]
    pub(crate) invitation: InvitationView,
    /// What the newcomer is given. It is shown this once and kept nowhere.
    #[schema(pattern = "^xyn1[a-z2-7]+$")]
    pub(crate) ticket: String,
    /// Where the newcomer will look for this node, as multiaddrs.
    pub(crate) addresses: Vec<String>,
}

/// Something that happened between this node and others.
#[derive(Serialize, ToSchema)]
pub(crate) struct TraceLine {
    /// Counts lines since the node came up.
    pub(crate) seq: u64,
    #[schema(schema_with = schema::instant)]
    pub(crate) at: Timestamp,
    #[schema(schema_with = schema::trace_kind)]
    pub(crate) what: &'static str,
    /// The node it is about; null when it is this one, or when nobody knows.
    #[schema(schema_with = schema::optional_digest)]
    pub(crate) node: Option<PublicKey>,
    /// The word under which a refusal is counted; null when nobody was refused.
    pub(crate) reason: Option<&'static str>,
    /// It in words; empty when there is nothing to add.
    pub(crate) message: String,
}

impl Peer {
    /// The member with this key at `now`, without what only a running mesh knows.
    pub(crate) fn of(node: PublicKey, member: &Member, own: PublicKey, now: Timestamp) -> Self {
        let is_expired = member.expires.is_some_and(|expires| expires <= now);
        Self {
            node,
            fingerprint: node.fingerprint(),
            is_self: node == own,
            principal: member.principal.clone(),
            role: member.role,
            standing: match member.standing() {
                trust::Standing::Active if is_expired => Standing::Expired,
                trust::Standing::Active => Standing::Active,
                trust::Standing::Retired => Standing::Retired,
                trust::Standing::Revoked => Standing::Revoked,
            },
            revoked_because: member.revoked_because.clone(),
            rank: member.rank,
            issuer: member.issuer,
            issued_at: member.issued_at,
            expires_at: member.expires,
            records: 0,
            last_seen_at: None,
            connection: None,
        }
    }
}

impl From<&mesh::Peer> for Connection {
    fn from(peer: &mesh::Peer) -> Self {
        Self {
            address: peer.address.clone(),
            since: peer.since,
            round_trip_ms: peer.round_trip.map(|took| took.as_secs_f64() * 1e3),
            lag_records: peer.lag_records,
        }
    }
}

impl From<Invitation> for InvitationView {
    fn from(invitation: Invitation) -> Self {
        Self {
            ticket_id: invitation.id.to_string(),
            principal: invitation.principal,
            role: invitation.role,
            expires_at: invitation.expires,
        }
    }
}

impl From<mesh::Line> for TraceLine {
    fn from(line: mesh::Line) -> Self {
        let what = match line.what {
            mesh::What::Listening => "listening",
            mesh::What::Connected => "connected",
            mesh::What::Disconnected => "disconnected",
            mesh::What::Refused => "refused",
            mesh::What::Witnessed => "witnessed",
            mesh::What::Alarm => "alarm",
        };
        let mesh::Line { seq, at, node, reason, message, .. } = line;
        Self { seq, at, what, node, reason, message }
    }
}
