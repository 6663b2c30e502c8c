//! What happens between nodes, as the journal tells it.
//!
//! Variants and fields are append-only: postcard writes them by position, and old journals stay readable.
//! Invariant: no event holds a ticket's secret.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::Changes;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{Head, Invitation};

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
            Self::Invited(_) => "xyn.peer.invited",
            Self::Joined(_) => "xyn.peer.joined",
            Self::Revoked { .. } => "xyn.peer.revoked",
            Self::Contradicted { .. } => "xyn.peer.contradicted",
            Self::Rotated { .. } => "xyn.peer.rotated",
        }
    }

    /// Puts the row that it carries.
    pub fn render(&self, changes: &mut Changes) {
        match self {
            Self::Invited(invitation) | Self::Joined(invitation) => changes.put(invitation),
            Self::Admitted(_) | Self::Revoked { .. } | Self::Contradicted { .. } | Self::Rotated { .. } => {}
        }
    }

    /// What it is about: type and id.
    pub(crate) fn resource(&self) -> (&'static str, String) {
        match self {
            Self::Admitted(span) => ("feed", named(&span.feed)),
            Self::Invited(invitation) => ("ticket", invitation.id.to_string()),
            Self::Joined(invitation) => match invitation.redeemed_by() {
                Some(node) => ("peer", node.to_string()),
                None => ("ticket", invitation.id.to_string()),
            },
            Self::Revoked { node, .. } | Self::Rotated { node, .. } => ("peer", node.to_string()),
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
