//! Who belongs: the statements this node makes when it lets somebody in, revokes somebody or takes another key.
//!
//! Owns what must hold before such a statement is signed. Writes nothing: the desk puts statement, event and
//! invitation in one append. Invariant: an invitation lets in one key, whenever the node is killed.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::ids::{self, StreamId};
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{
    Certificate, Claim, HEADS_MAX, Head, InvalidStatement, Invitation, NotAdmitted, NotRedeemed, Revocation,
    Roster, Seat, SignedStatement, Standing, Statement, TicketId,
};
use xyn_store::{Reader, StoreError, Timestamp};

use super::{TimelineError, rotation};
use crate::runtime::Refusal;
use crate::services::mesh::Event;

/// Why who belongs is not changed.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The ticket lets nobody in.
    #[error(transparent)]
    NotRedeemed(#[from] NotRedeemed),
    /// Nobody ever certified it.
    #[error("node `{0}` is no member of this environment")]
    Stranger(PublicKey),
    /// It was revoked before.
    #[error("node `{0}` was revoked already")]
    Revoked(PublicKey),
    /// Only those above a node may revoke it.
    #[error("this node does not rank above node `{0}`, which somebody above it must revoke")]
    NotAbove(PublicKey),
    /// This node itself belongs no more.
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    /// It said no last word that waits for another's.
    #[error("node `{0}` does not ask for another key, or has it already")]
    NotLeaving(PublicKey),
    /// A name or reason that no statement may hold, or a consent that was not given.
    #[error("the statement cannot be made: {0}")]
    Statement(#[from] InvalidStatement),
}

/// How who belongs changes.
pub(crate) enum Change {
    /// A node shows a ticket, and gives its word that it takes the seat below this one.
    LetIn { ticket: TicketId, node: PublicKey, consent: Signature },
    /// A node no longer belongs.
    Revoke { node: PublicKey, reason: String },
    /// This node takes another key.
    Rotate,
    /// A node below this one takes the key that it asked for.
    Confirm { node: PublicKey },
}

/// The statement of the node with `key`, whose feed is `own`, that makes `change` so, and what the journal is told;
/// none when it is so already.
pub(super) fn word(
    reader: &Reader,
    folder: &Path,
    (key, own): (&NodeKey, FeedId),
    roster: &Roster,
    change: Change,
    now: Timestamp,
) -> Result<Option<(SignedStatement, Option<Event>)>, TimelineError> {
    let (statement, event) = match change {
        Change::LetIn { ticket, node, consent } => {
            match let_in(reader, key, roster, ticket, (node, consent), now)? {
                Some(word) => word,
                None => return Ok(None),
            }
        }
        Change::Revoke { node, reason } => revoke(reader, key, roster, node, reason, now)?,
        Change::Rotate => return rotation::leave(reader, folder, (key, own), roster, now).map(Some),
        Change::Confirm { node } => rotation::confirm(reader, key, roster, node, now)?,
    };
    Ok(Some((statement, Some(event))))
}

/// The stream of an invitation: given out, then redeemed.
pub(crate) fn stream_of(ticket: TicketId) -> StreamId {
    ids::derived(Timestamp::EPOCH, &[b"invitation", &ticket.0])
}

/// Certifies whoever shows a ticket; none when it was let in on this very ticket before.
fn let_in(
    reader: &Reader,
    key: &NodeKey,
    roster: &Roster,
    ticket: TicketId,
    (node, consent): (PublicKey, Signature),
    now: Timestamp,
) -> Result<Option<(SignedStatement, Event)>, TimelineError> {
    let invitation: Option<Invitation> = reader.get(&Invitation::key_of(ticket))?;
    let invitation = invitation.ok_or(MemberError::NotRedeemed(NotRedeemed::Unknown))?;
    match invitation.redeemed_by() {
        Some(first) if first == node => return Ok(None),
        Some(_) => return Err(MemberError::NotRedeemed(NotRedeemed::Used).into()),
        None if invitation.expires <= now => {
            return Err(MemberError::NotRedeemed(NotRedeemed::Expired).into());
        }
        None => {}
    }
    let certificate = Certificate {
        node,
        seat: Seat::Under(key.public()),
        principal: invitation.principal.clone(),
        role: invitation.role,
        expires: None,
        consent,
    };
    let statement = state(key, roster, Claim::Certificate(certificate), now)?;
    Ok(Some((statement, Event::Joined(invitation.redeemed(node)))))
}

/// Turns `node` out: what it wrote until now, as far as it is here, still counts.
fn revoke(
    reader: &Reader,
    key: &NodeKey,
    roster: &Roster,
    node: PublicKey,
    reason: String,
    now: Timestamp,
) -> Result<(SignedStatement, Event), TimelineError> {
    let member = roster.member(node).ok_or(MemberError::Stranger(node))?;
    if member.standing() == Standing::Revoked {
        return Err(MemberError::Revoked(node).into());
    }
    if !roster.ranks_above(key.public(), node) {
        return Err(MemberError::NotAbove(node).into());
    }
    let last = last_records(reader, roster, node, None)?;
    let event = Event::Revoked { node, reason: reason.clone(), last: last.clone().into_iter().collect() };
    let claim = Claim::Revocation(Revocation { node, last, reason });
    Ok((state(key, roster, claim, now)?, event))
}

/// The last records that count of a node and of the keys that took its seat, by feed. Of more feeds than a statement
/// names those with the most records, and `present` before all others; the rest do not count any more. A node begins a
/// feed with each life of its folder, so whoever has so many made them up, and must not be safe behind them.
pub(super) fn last_records(
    reader: &Reader,
    roster: &Roster,
    node: PublicKey,
    present: Option<FeedId>,
) -> Result<BTreeMap<FeedId, Head>, StoreError> {
    let line = roster.succession(node);
    let mut last = Vec::new();
    for row in reader.feeds()?.into_iter().filter(|row| line.contains(&row.feed.node)) {
        last.extend(reader.last_shared(&row)?.map(|head| (row.feed, head)));
    }
    last.sort_by_key(|(feed, head)| Reverse((Some(*feed) == present, head.seq)));
    if last.len() > HEADS_MAX {
        tracing::warn!(%node, feeds = last.len(), named = HEADS_MAX, "what is in its shortest feeds does not count any more");
    }
    last.truncate(HEADS_MAX);
    Ok(last.into_iter().collect())
}

pub(super) fn state(
    key: &NodeKey,
    roster: &Roster,
    claim: Claim,
    now: Timestamp,
) -> Result<SignedStatement, MemberError> {
    Ok(Statement { env: roster.env(), issuer: key.public(), issued_at: now, claim }.sign(key)?)
}

impl From<MemberError> for Refusal {
    fn from(error: MemberError) -> Self {
        let message = error.to_string();
        match error {
            MemberError::NotRedeemed(NotRedeemed::Unknown) => {
                Self::Conflict { code: "unknown_ticket", message }
            }
            MemberError::NotRedeemed(NotRedeemed::Used) => Self::Conflict { code: "ticket_used", message },
            MemberError::NotRedeemed(_) => Self::Conflict { code: "ticket_expired", message },
            MemberError::Stranger(node) => Self::NotFound { kind: "peer", id: node.to_string() },
            MemberError::Revoked(_) => Self::Conflict { code: "revoked_already", message },
            MemberError::NotAdmitted(_) => Self::Forbidden { code: "excluded", message },
            MemberError::NotLeaving(_) => Self::Conflict { code: "not_rotating", message },
            MemberError::NotAbove(_) => Self::Forbidden { code: "not_above", message },
            MemberError::Statement(_) => Self::invalid("invalid_input", "", message),
        }
    }
}
