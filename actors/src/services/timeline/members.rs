//! Who belongs: the statements this node makes when it lets somebody in, renews or revokes a member, or takes another
//! key.
//!
//! Owns what must hold before such a statement is signed. Writes nothing: the desk puts statement, event and
//! invitation in one append. Invariant: an invitation lets in one key, whenever the node is killed.

use std::path::Path;
use std::time::Duration;

use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::ids::{self, StreamId};
use xyn_store::projection::TermRow;
use xyn_store::timeline::feed::FeedId;
use xyn_store::trust::{
    Certificate, Claim, InvalidStatement, Invitation, NotAdmitted, NotRedeemed, Revocation, Role, Roster,
    Seat, SignedStatement, Standing, Statement, TicketId,
};
use xyn_store::{Reader, Timestamp};

use super::{TimelineError, offline, rotation};
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
    /// Only those above a node may say what becomes of it.
    #[error("this node does not rank above node `{0}`: somebody who does must say it")]
    NotAbove(PublicKey),
    /// This node itself belongs no more.
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    /// It goes by another key.
    #[error("node `{node}` changed its key; its certificate is that of node `{heir}` now")]
    Retired {
        /// The key that it had.
        node: PublicKey,
        /// The one it has.
        heir: PublicKey,
    },
    /// Nobody gives a role that it has not.
    #[error("this node has the role {0} itself, and gives no higher one")]
    RoleTooHigh(Role),
    /// Nobody lets others belong for longer than itself.
    #[error("this node itself belongs until {0}, and lets nobody belong for longer")]
    EndTooLate(Timestamp),
    /// The newest certificate is in force, and none that is issued now would be it.
    #[error(
        "the certificate of node `{node}` is dated {at}, and one that is issued now would not come after it"
    )]
    DatedAhead {
        /// Whose certificate.
        node: PublicKey,
        /// Its date.
        at: Timestamp,
    },
    /// Another key than the root's.
    #[error(
        "the statement is signed by `{signed}`, and only `{root}`, the root of the environment, signs elsewhere"
    )]
    NotTheRoot {
        /// Who signed it.
        signed: PublicKey,
        /// Who may.
        root: PublicKey,
    },
    /// What the root signed is not what is asked, or the node has moved on since it was drafted.
    #[error("what the root signed is not what would be said now")]
    Outdated,
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
    /// The certificate of a node is followed by another one; what is not named stays as it is.
    Renew { node: PublicKey, role: Option<Role>, expires: Option<Option<Timestamp>> },
    /// This node takes another key.
    Rotate,
    /// A node below this one takes the key that it asked for.
    Confirm { node: PublicKey },
}

/// The statement of this node, by its key and the feed that it writes, that makes `change` so, and what the journal
/// is told; none when it is so already. What the root `signed` elsewhere is taken in the place of this node's own
/// word, if it says the same.
pub(super) fn word(
    reader: &Reader,
    folder: &Path,
    me: (&NodeKey, FeedId),
    roster: &Roster,
    (change, signed): (Change, Option<SignedStatement>),
    now: Timestamp,
) -> Result<Option<(SignedStatement, Option<Event>)>, TimelineError> {
    let root = match (&signed, &change) {
        (None, Change::Rotate) => rotation::root(folder, roster)?,
        _ => None,
    };
    let own = root.as_ref().unwrap_or(me.0);
    let issuer = if signed.is_some() { roster.env().root() } else { own.public() };
    let Some((statement, mut event)) = draft(reader, folder, me, roster, issuer, change, now)? else {
        return Ok(None);
    };
    let Some(signed) = signed else {
        return Ok(Some((statement.sign(own).map_err(MemberError::from)?, event)));
    };
    let signed = offline::agreed(signed, &statement, roster)?;
    if let (Claim::Revocation(said), Some(Event::Revoked { last, .. })) =
        (&signed.statement().claim, &mut event)
    {
        *last = said.last.clone().into_iter().collect();
    }
    Ok(Some((signed, event)))
}

/// What `issuer`, which is the node with `key` or the root, is to sign so that `change` comes to be. The node writes
/// the feed `own`.
pub(super) fn draft(
    reader: &Reader,
    folder: &Path,
    (key, own): (&NodeKey, FeedId),
    roster: &Roster,
    issuer: PublicKey,
    change: Change,
    now: Timestamp,
) -> Result<Option<(Statement, Option<Event>)>, TimelineError> {
    let (claim, event) = match change {
        Change::LetIn { ticket, node, consent } => match let_in(reader, key, ticket, (node, consent), now)? {
            Some(word) => word,
            None => return Ok(None),
        },
        Change::Revoke { node, reason } => revoke(reader, (issuer, key.public()), roster, node, reason)?,
        Change::Renew { node, role, expires } => renew(reader, issuer, roster, node, (role, expires))?,
        Change::Rotate => rotation::leave(reader, folder, (key, own), roster, issuer, now)?,
        Change::Confirm { node } => rotation::confirm(reader, issuer, roster, node)?,
    };
    let issued_at = date(roster, &claim, now)?;
    // A last word that nobody confirmed is no news yet.
    let is_news = !matches!(event, Event::Rotated { node, .. } if node == issuer);
    Ok(Some((Statement { env: roster.env(), issuer, issued_at, claim }, is_news.then_some(event))))
}

/// When `claim` is said: a certificate later than the one in force, which by a clock that was wrong may be of the
/// future and must not hold for ever.
fn date(roster: &Roster, claim: &Claim, now: Timestamp) -> Result<Timestamp, MemberError> {
    let Claim::Certificate(Certificate { node, .. }) = claim else { return Ok(now) };
    let Some(before) = roster.member(*node).map(|member| member.issued_at) else { return Ok(now) };
    let later = before.after(Duration::from_micros(1));
    if later == before {
        return Err(MemberError::DatedAhead { node: *node, at: before });
    }
    Ok(now.max(later))
}

/// The stream of an invitation: given out, then redeemed.
pub(crate) fn stream_of(ticket: TicketId) -> StreamId {
    ids::derived(Timestamp::EPOCH, &[b"invitation", &ticket.0])
}

/// Certifies whoever shows a ticket; none when it was let in on this very ticket before.
fn let_in(
    reader: &Reader,
    key: &NodeKey,
    ticket: TicketId,
    (node, consent): (PublicKey, Signature),
    now: Timestamp,
) -> Result<Option<(Claim, Event)>, TimelineError> {
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
    let term: Option<TermRow> = reader.get(&Invitation::key_of(ticket))?;
    let certificate = Certificate {
        node,
        seat: Seat::Under(key.public()),
        principal: invitation.principal.clone(),
        role: invitation.role,
        expires: term.map(|term| now.after(Duration::from_secs(term.valid_for_s))),
        consent,
    };
    Ok(Some((Claim::Certificate(certificate), Event::Joined(invitation.redeemed(node)))))
}

/// Turns `node` out: what it wrote until now, as far as it is here, still counts. What the root says is said again where
/// the node `own` has not said it: from others some may never hear it.
fn revoke(
    reader: &Reader,
    (issuer, own): (PublicKey, PublicKey),
    roster: &Roster,
    node: PublicKey,
    reason: String,
) -> Result<(Claim, Event), TimelineError> {
    let member = roster.member(node).ok_or(MemberError::Stranger(node))?;
    if member.standing() == Standing::Revoked {
        let root = roster.env().root();
        if issuer != root || offline::has_said(&reader.statements(roster.env())?, root, own, node) {
            return Err(MemberError::Revoked(node).into());
        }
    }
    if !roster.ranks_above(issuer, node) {
        return Err(MemberError::NotAbove(node).into());
    }
    let last = reader.last_records(&roster.succession(node), None)?;
    let event = Event::Revoked { node, reason: reason.clone(), last: last.clone().into_iter().collect() };
    Ok((Claim::Revocation(Revocation { node, last, reason }), event))
}

/// Goes on from the certificate of `node` with another role or end.
fn renew(
    reader: &Reader,
    issuer: PublicKey,
    roster: &Roster,
    node: PublicKey,
    (role, expires): (Option<Role>, Option<Option<Timestamp>>),
) -> Result<(Claim, Event), TimelineError> {
    let member = roster.member(node).ok_or(MemberError::Stranger(node))?;
    match member.standing() {
        Standing::Active => {}
        Standing::Revoked => return Err(MemberError::Revoked(node).into()),
        Standing::Retired => return Err(MemberError::Retired { node, heir: roster.heir(node) }.into()),
    }
    let statements = reader.statements(roster.env())?;
    let certificate = roster.renewable(&statements, issuer, node).ok_or(MemberError::NotAbove(node))?;
    let role = role.unwrap_or(member.role);
    if let Some(own) = roster.member(issuer) {
        if role > own.role {
            return Err(MemberError::RoleTooHigh(own.role).into());
        }
        // What is not said does not change, and ends as it does.
        if let (Some(asked), Some(end)) = (expires, own.expires)
            && asked.is_none_or(|asked| asked > end)
        {
            return Err(MemberError::EndTooLate(end).into());
        }
    }
    let expires = expires.unwrap_or_else(|| member.end_by(issuer));
    let certificate = Certificate { role, expires, ..certificate.clone() };
    Ok((Claim::Certificate(certificate), Event::Renewed { node, role, expires }))
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
            MemberError::Retired { .. } => Self::Conflict { code: "key_changed", message },
            MemberError::RoleTooHigh(_) => Self::Forbidden { code: "role_too_high", message },
            MemberError::EndTooLate(_) => Self::invalid("invalid_input", "/expires_at", message),
            MemberError::DatedAhead { .. } => Self::Conflict { code: "dated_ahead", message },
            MemberError::NotTheRoot { .. } => Self::Forbidden { code: "not_the_root", message },
            MemberError::Outdated => Self::Conflict { code: "draft_outdated", message },
            MemberError::NotAbove(_) => Self::Forbidden { code: "not_above", message },
            MemberError::Statement(_) => Self::invalid("invalid_input", "", message),
        }
    }
}
