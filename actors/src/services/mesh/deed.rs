//! What people decide about who belongs, as intents: who is invited, let in, renewed and revoked.
//!
//! Reads what an intent asks for. Invitations are recorded here; certificates and revocations are words on the
//! timeline, which its writer records. Invariant: the fact and the intent's acceptance are in one append.

use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::legible::is_hidden;
use xyn_store::projection::Subject;
use xyn_store::scope::Principal;
use xyn_store::trust::{Invitation, Role, SignedStatement, Statement, TicketId};
use xyn_store::{Digest, StoreError, Timestamp};

use super::Event;
use super::invite::{LIFETIME_MAX, VALID_FOR_MAX};
use crate::record::Record;
use crate::runtime::{Accept, Inner, Intent, Outcome, Recording, Refusal, Runtime};
use crate::services::field;
use crate::services::timeline::actor::Command;
use crate::services::timeline::{self, Acceptance, Change, TimelineError, stream_of};

/// Carries out an intent about who belongs.
pub(crate) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let input = &intent.input;
    if intent.action == "peer.invite" {
        return invite(inner, intent, accept).await;
    }
    let signed = signed(inner, input)?;
    let change = change(&intent.action, input, accept.now)?;
    let output = match &change {
        Change::LetIn { ticket, node, .. } => json!({ "node": node, "ticket_id": ticket.to_string() }),
        Change::Renew { node, .. } | Change::Revoke { node, .. } | Change::Confirm { node } => {
            json!({ "node": node })
        }
        Change::Rotate => rotation(inner).await?,
    };
    tell(inner, intent, accept, output, (change, signed)).await
}

impl Runtime {
    /// What the root of the environment is to sign so that `intent` is carried out with what it `signed`; of those
    /// actions that take that. Refused by policy as the intent itself would be, and the refusal is recorded. Changes
    /// nothing, but for `peer.rotate`: then the node's next key is made ready, and what is drafted holds the word of
    /// its present key that names it. So where the policies have a person asked first, that one is denied.
    pub async fn draft_statement(&self, intent: &Intent) -> Result<Statement, Refusal> {
        let (inner, Intent { action, input, .. }) = (&self.0, intent);
        let known = inner.registry.get(action).filter(|known| known.spec.is_rooted());
        let known = known.ok_or_else(|| {
            Refusal::invalid("invalid_input", "/action", "the root signs no statement for this action")
        })?;
        if let Some(wrong) = known.input.validate(input).into_iter().next() {
            return Err(Refusal::invalid("invalid_input", format!("/input{}", wrong.path), wrong.message));
        }
        let change = change(action, input, inner.clock.now())?;
        inner.permit(intent, &known.spec, matches!(change, Change::Rotate), || true).await?;
        timeline::offline::draft(inner, change).await
    }
}

/// What an intent asks for, but for an invitation.
fn change(action: &str, input: &Value, now: Timestamp) -> Result<Change, Refusal> {
    if action == "peer.rotate" {
        return Ok(Change::Rotate);
    }
    let node: PublicKey = read(input, "node")?;
    Ok(match action {
        "peer.join" => {
            let consent = serde_json::from_value::<Signature>(input["consent"].clone());
            let consent = consent.map_err(|error| invalid("consent", error.to_string()))?;
            Change::LetIn { ticket: read(input, "ticket_id")?, node, consent }
        }
        "peer.confirm" => Change::Confirm { node },
        "peer.renew" => renewal(input, node, now)?,
        "peer.revoke" => Change::Revoke { node, reason: field(input, "reason").to_owned() },
        other => return Err(Refusal::NotFound { kind: "service", id: other.to_owned() }),
    })
}

fn renewal(input: &Value, node: PublicKey, now: Timestamp) -> Result<Change, Refusal> {
    let role = input.get("role").map(|_| read::<Role>(input, "role")).transpose()?;
    let expires = match input.get("expires_at") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(_) => Some(Some(read::<Timestamp>(input, "expires_at")?)),
    };
    if role.is_none() && expires.is_none() {
        return Err(invalid("expires_at", "say what changes: `expires_at`, `role`, or both"));
    }
    if expires.flatten().is_some_and(|expires| expires <= now) {
        let message = "a certificate ends after now; to take the node out, revoke it";
        return Err(invalid("expires_at", message));
    }
    if expires.flatten().is_some_and(|expires| expires > now.after(VALID_FOR_MAX)) {
        let message = "a certificate ends within ten years, or never (`null`)";
        return Err(invalid("expires_at", message));
    }
    Ok(Change::Renew { node, role, expires })
}

/// What the root signed elsewhere, if the intent brings something.
fn signed(inner: &Inner, input: &Value) -> Result<Option<SignedStatement>, Refusal> {
    if input.get("signed").is_none() {
        return Ok(None);
    }
    let signed = SignedStatement::from_hex(field(input, "signed"), inner.timeline()?.env());
    signed.map(Some).map_err(|error| invalid("signed", error.to_string()))
}

async fn invite(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let (invitation, term) = (invitation(inner, intent, &accept)?, term(&intent.input)?);
    let subject = Subject::Intent(intent.intent_id);
    let output = json!({ "ticket_id": invitation.id.to_string(), "expires_at": invitation.expires });
    let accepted = accept.done(subject.clone()).answering(output.clone());
    let (now, stream) = (inner.clock.now(), stream_of(invitation.id));
    let mut recording = Recording::default();
    let event = match term {
        Some(valid_for_s) => Event::InvitedFor(invitation, valid_for_s),
        None => Event::Invited(invitation),
    };
    let event = Record::Mesh(Box::new(event));
    recording.entry(stream, 0, now, &intent.attribution(), &[event]);
    Acceptance::of(accepted, intent.attribution(), Vec::new()).record(&mut recording, now, Vec::new());
    match recording.commit(inner).await {
        Ok(_) => Ok(Outcome::new(intent.intent_id, subject, output)),
        Err(error) => inner.answer_append(error, intent),
    }
}

fn invitation(inner: &Inner, intent: &Intent, accept: &Accept) -> Result<Invitation, Refusal> {
    let input = &intent.input;
    let roster = inner.timeline()?.roster();
    let (ticket, secret_hash): (TicketId, Digest) = (read(input, "ticket_id")?, read(input, "secret_hash")?);
    let principal = Principal::new(field(input, "principal"));
    if !principal.is_person() || principal.as_str().contains(is_hidden) {
        return Err(invalid(
            "principal",
            "a person is written like `ada@lab`, with nothing that is not seen",
        ));
    }
    // What waits for an approval may have been asked for before roles had one spelling.
    let role = Role::from_former(field(input, "role")).map_err(|error| invalid("role", error.to_string()))?;
    let own = roster
        .admit(inner.store.key().public(), accept.now)
        .map_err(|error| Refusal::Forbidden { code: "excluded", message: error.to_string() })?;
    if role > own.role {
        let message = format!("this node has the role {} itself, and gives no higher one", own.role);
        return Err(Refusal::Forbidden { code: "role_too_high", message });
    }
    let expires = read(input, "expires_at")?;
    if expires <= accept.now || expires > accept.now.after(LIFETIME_MAX) {
        let days = LIFETIME_MAX.as_secs() / 86_400;
        return Err(invalid("expires_at", format!("a ticket is good for {days} days at most, from now on")));
    }
    Ok(Invitation::hashed(ticket, roster.env(), principal, role, expires, secret_hash))
}

/// For how many seconds whoever comes in belongs; none without end.
fn term(input: &Value) -> Result<Option<u64>, Refusal> {
    let Some(seconds) = input.get("valid_for_seconds") else { return Ok(None) };
    // A schema takes `60.0` for a whole number, and nobody is to belong for ever by a point.
    let whole = seconds.as_u64().ok_or_else(|| invalid("valid_for_seconds", "write it without a point"));
    whole.map(Some)
}

/// The keys of a node that is to rotate.
async fn rotation(inner: &Arc<Inner>) -> Result<Value, Refusal> {
    let folder = inner.store.folder().to_owned();
    // Before its name is given out, the key is on the disk.
    let prepared = tokio::task::spawn_blocking(move || NodeKey::prepare_next(&folder)).await;
    let prepared = prepared.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let successor = prepared.map_err(StoreError::from)?.public();
    Ok(json!({ "node": inner.store.key().public(), "successor": successor }))
}

async fn tell(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    output: Value,
    (change, signed): (Change, Option<SignedStatement>),
) -> Result<Outcome, Refusal> {
    let subject = Subject::Intent(intent.intent_id);
    let accepted = accept.done(subject.clone()).answering(output.clone());
    let by = Box::new(Acceptance::of(accepted, intent.attribution(), Vec::new()));
    let signed = signed.map(Box::new);
    match inner.timeline()?.tell(Command::Belong { change, signed, by }).await {
        Ok(_) => Ok(Outcome::new(intent.intent_id, subject, output)),
        Err(TimelineError::Append(error)) => inner.answer_append(error, intent),
        Err(error) => Err(timeline::refusal(error)),
    }
}

/// A field that the schema has let through, as what it is.
fn read<T: FromStr<Err: std::fmt::Display>>(input: &Value, name: &str) -> Result<T, Refusal> {
    field(input, name).parse().map_err(|error: T::Err| invalid(name, error.to_string()))
}

fn invalid(name: &str, message: impl Into<String>) -> Refusal {
    Refusal::invalid("invalid_input", format!("/{name}"), message)
}
