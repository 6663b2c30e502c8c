//! What the root of the environment says, whose key is kept elsewhere: drafted here, signed there, taken in here.
//!
//! Owns what must hold before such a statement is put into this node's feed. The root's secret is never here. Invariant:
//! what is taken in is what this node would have the root say now, or has said.

use std::sync::Arc;
use std::time::Duration;

use xyn_store::StoreError;
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::{Certificate, Claim, Placed, Roster, SignedStatement, Statement};

use super::members::{self, Change, MemberError};
use super::{TimelineError, refusal};
use crate::runtime::{Inner, Refusal};

/// How far ahead of now the root is asked to date what it signs: whoever answers for its key signs nothing further off.
const AHEAD_MAX: Duration = Duration::from_secs(5 * 60);

/// What the root is to sign so that `change` comes to be.
pub(crate) async fn draft(inner: &Arc<Inner>, change: Change) -> Result<Statement, Refusal> {
    let inner = inner.clone();
    let work = move || -> Result<Option<Statement>, TimelineError> {
        let timeline = inner.timeline()?;
        let (roster, reader) = (timeline.roster(), inner.store.read()?);
        let (folder, me, now) =
            (inner.store.folder(), (inner.store.key(), timeline.own()), inner.clock.now());
        let root = roster.env().root();
        let drafted = members::draft(&reader, folder, me, &roster, root, change, now)?;
        let Some((statement, _)) = drafted else { return Ok(None) };
        match &statement.claim {
            Claim::Certificate(Certificate { node, .. }) if statement.issued_at > now.after(AHEAD_MAX) => {
                let (node, at) = (*node, statement.issued_at);
                Err(MemberError::DatedAhead { node, at }.into())
            }
            _ => Ok(Some(statement)),
        }
    };
    let done = tokio::task::spawn_blocking(work).await;
    let drafted = done.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    // Only who shows a ticket twice is told nothing new, and that is nothing for the root.
    drafted.map_err(refusal)?.ok_or_else(|| refusal(MemberError::Outdated.into()))
}

/// Whether `node` has said that the root revokes `subject`.
pub(super) fn has_said(statements: &[Placed], root: PublicKey, node: PublicKey, subject: PublicKey) -> bool {
    statements.iter().any(|Placed { statement, place }| {
        let said = statement.statement();
        let is_it = matches!(&said.claim, Claim::Revocation(revocation) if revocation.node == subject);
        is_it && said.issuer == root && place.is_some_and(|place| place.feed.node == node)
    })
}

/// `signed`, if the root signed in it what `drafted` says.
pub(super) fn agreed(
    signed: SignedStatement,
    drafted: &Statement,
    roster: &Roster,
) -> Result<SignedStatement, MemberError> {
    let said = signed.statement();
    let root = roster.env().root();
    if said.issuer != root {
        return Err(MemberError::NotTheRoot { signed: said.issuer, root });
    }
    let is_same = match (&said.claim, &drafted.claim) {
        // How much of a feed counts is the root's to say; the member may have gone on writing since the draft.
        (Claim::Revocation(said), Claim::Revocation(drafted)) => {
            (said.node, &said.reason) == (drafted.node, &drafted.reason)
        }
        // Older than the one in force it would change nothing.
        (Claim::Certificate(certificate), _) => {
            let before = roster.member(certificate.node).map(|member| member.issued_at);
            said.claim == drafted.claim && before.is_none_or(|before| before < said.issued_at)
        }
        _ => false,
    };
    if is_same { Ok(signed) } else { Err(MemberError::Outdated) }
}
