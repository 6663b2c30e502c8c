//! What happens between nodes, as the journal tells it.
//!
//! Variants and fields are append-only: postcard writes them by position, and old journals stay readable.
//! Invariant: no event holds a ticket's secret.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xyn_store::Timestamp;
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::{Changes, TermRow};
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{Head, Invitation, Role};

/// A fact about this node and others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Records of a feed came from a peer and were verified.
    Admitted(Span),
    /// A ticket was given out.
    Invited(Invitation),
    /// A node came in on a ticket; the invitation names it.
    Joined(Invitation),
    /// A node no longer belongs.
    Revoked {
        /// Which.
        node: PublicKey,
        /// Why, for people.
        reason: String,
        /// The last records of it that count.
        last: Vec<(FeedId, Head)>,
    },
    /// A member's log is not what it was: the two checkpoints that it signed.
    Contradicted {
        /// Whose log.
        peer: PublicKey,
        /// What it signed before.
        before: Box<SignedCheckpoint>,
        /// What it signed then.
        now: Box<SignedCheckpoint>,
        /// How they disagree.
        why: String,
    },
    /// A member goes by another key.
    Rotated {
        /// Its key so far.
        node: PublicKey,
        /// The key that has its seat now.
        successor: PublicKey,
    },
    /// A ticket was given out for a membership that ends so many seconds after it begins.
    InvitedFor(Invitation, u64),
    /// A member has another certificate for its seat.
    Renewed {
        /// Which.
        node: PublicKey,
        /// What its principal may do with it from now on.
        role: Role,
        /// Until when others connect to it.
        expires: Option<Timestamp>,
    },
}

/// Records that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Whose.
    pub feed: FeedId,
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Who sent them.
    pub peer: PublicKey,
}

impl Event {
    /// The catalogue's name for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Admitted(_) => "xyn.sync.records.admitted",
            Self::Invited(_) | Self::InvitedFor(..) => "xyn.peer.invited",
            Self::Joined(_) => "xyn.peer.joined",
            Self::Revoked { .. } => "xyn.peer.revoked",
            Self::Contradicted { .. } => "xyn.peer.contradicted",
            Self::Rotated { .. } => "xyn.peer.rotated",
            Self::Renewed { .. } => "xyn.peer.renewed",
        }
    }

    /// Puts the rows that it carries.
    pub fn render(&self, changes: &mut Changes) {
        match self {
            Self::Invited(invitation) | Self::Joined(invitation) => changes.put(invitation),
            Self::InvitedFor(invitation, valid_for_s) => {
                changes.put(invitation);
                changes.put(&TermRow { ticket: invitation.id, valid_for_s: *valid_for_s });
            }
            Self::Admitted(_)
            | Self::Revoked { .. }
            | Self::Contradicted { .. }
            | Self::Rotated { .. }
            | Self::Renewed { .. } => {}
        }
    }

    /// What it is about: type and id.
    pub(crate) fn resource(&self) -> (&'static str, String) {
        match self {
            Self::Admitted(span) => ("feed", named(&span.feed)),
            Self::Invited(invitation) | Self::InvitedFor(invitation, _) => {
                ("ticket", invitation.id.to_string())
            }
            Self::Joined(invitation) => match invitation.redeemed_by() {
                Some(node) => ("peer", node.to_string()),
                None => ("ticket", invitation.id.to_string()),
            },
            Self::Revoked { node, .. } | Self::Rotated { node, .. } | Self::Renewed { node, .. } => {
                ("peer", node.to_string())
            }
            Self::Contradicted { peer, .. } => ("peer", peer.to_string()),
        }
    }

    /// What it says.
    pub(crate) fn data(&self) -> Value {
        match self {
            Self::Admitted(Span { feed, first, last, peer }) => json!({
                "feed": named(feed), "first": first, "last": last, "count": last - first + 1, "peer": peer,
            }),
            Self::Invited(invitation) => invited(invitation),
            Self::InvitedFor(invitation, valid_for_s) => {
                let mut data = invited(invitation);
                data["valid_for_seconds"] = json!(valid_for_s);
                data
            }
            Self::Joined(invitation) => {
                let mut data = invited(invitation);
                data["node"] = json!(invitation.redeemed_by());
                data
            }
            Self::Revoked { node, reason, last } => {
                let last: serde_json::Map<String, Value> =
                    last.iter().map(|(feed, head)| (named(feed), json!(head))).collect();
                json!({ "node": node, "reason": reason, "last": last })
            }
            Self::Contradicted { peer, before, now, why } => {
                json!({ "node": peer, "before": before, "now": now, "why": why })
            }
            Self::Rotated { node, successor } => json!({ "node": node, "successor": successor }),
            Self::Renewed { node, role, expires } => {
                json!({ "node": node, "role": role, "expires_at": expires })
            }
        }
    }
}

/// A feed as people and programs read it.
fn named(feed: &FeedId) -> String {
    format!("{}/{:016x}", feed.node, feed.incarnation)
}

fn invited(invitation: &Invitation) -> Value {
    json!({
        "ticket_id": invitation.id.to_string(),
        "principal": invitation.principal,
        "role": invitation.role,
        "expires_at": invitation.expires,
    })
}
