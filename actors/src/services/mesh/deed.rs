//! What people decide about who belongs, as intents: who is invited, let in, and revoked.
//!
//! Reads what an intent asks for. Invitations are recorded here; certificates and revocations are words on the
//! timeline, which its writer records. Invariant: the fact and the intent's acceptance are in one append.

use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::projection::Subject;
use xyn_store::scope::Principal;
use xyn_store::trust::{Invitation, Role, TicketId};
use xyn_store::{Digest, StoreError};

use super::Event;
use super::invite::LIFETIME_MAX;
use crate::record::Record;
use crate::runtime::{Accept, Inner, Intent, Outcome, Recording, Refusal};
use crate::services::field;
use crate::services::timeline::actor::Command;
use crate::services::timeline::{self, Acceptance, Change, TimelineError, stream_of};

/// Carries out an intent about who belongs.
pub(crate) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    match intent.action.as_str() {
        "peer.invite" => invite(inner, intent, accept).await,
        "peer.join" => let_in(inner, intent, accept).await,
        "peer.rotate" => rotate(inner, intent, accept).await,
        "peer.confirm" => confirm(inner, intent, accept).await,
        "peer.revoke" => revoke(inner, intent, accept).await,
        other => Err(Refusal::NotFound { kind: "service", id: other.to_owned() }),
    }
}

async fn invite(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let invitation = invitation(inner, intent, &accept)?;
    let subject = Subject::Intent(intent.intent_id);
    let output = json!({ "ticket_id": invitation.id.to_string(), "expires_at": invitation.expires });
    let accepted = accept.done(subject.clone()).answering(output.clone());
    let (now, stream) = (inner.clock.now(), stream_of(invitation.id));
    let mut recording = Recording::default();
    let event = Record::Mesh(Box::new(Event::Invited(invitation)));
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
    if !principal.is_person() {
        return Err(invalid("principal", "a person is written like `ada@lab`"));
    }
    let role: Role =
        serde_json::from_value(input["role"].clone()).map_err(|error| invalid("role", error.to_string()))?;
    let own = roster
        .admit(inner.store.key().public(), accept.now)
        .map_err(|error| Refusal::Forbidden { code: "excluded", message: error.to_string() })?;
    if role > own.role {
        let message = format!("this node has the role {:?} itself, and gives no higher one", own.role);
        return Err(Refusal::Forbidden { code: "role_too_high", message });
    }
    let expires = read(input, "expires_at")?;
    if expires <= accept.now || expires > accept.now.after(LIFETIME_MAX) {
        let days = LIFETIME_MAX.as_secs() / 86_400;
        return Err(invalid("expires_at", format!("a ticket is good for {days} days at most, from now on")));
    }
    Ok(Invitation::hashed(ticket, roster.env(), principal, role, expires, secret_hash))
}

async fn let_in(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let input = &intent.input;
    let (ticket, node): (TicketId, PublicKey) = (read(input, "ticket_id")?, read(input, "node")?);
    let consent = serde_json::from_value::<Signature>(input["consent"].clone());
    let consent = consent.map_err(|error| invalid("consent", error.to_string()))?;
    let output = json!({ "node": node, "ticket_id": ticket.to_string() });
    tell(inner, intent, accept, output, Change::LetIn { ticket, node, consent }).await
}

async fn revoke(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let node: PublicKey = read(&intent.input, "node")?;
    let reason = field(&intent.input, "reason").to_owned();
    let output = json!({ "node": node });
    tell(inner, intent, accept, output, Change::Revoke { node, reason }).await
}

async fn rotate(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let folder = inner.store.folder().to_owned();
    // Before its name is given out, the key is on the disk.
    let prepared = tokio::task::spawn_blocking(move || NodeKey::prepare_next(&folder)).await;
    let prepared = prepared.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let successor = prepared.map_err(StoreError::from)?.public();
    let output = json!({ "node": inner.store.key().public(), "successor": successor });
    tell(inner, intent, accept, output, Change::Rotate).await
}

async fn confirm(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let node: PublicKey = read(&intent.input, "node")?;
    let output = json!({ "node": node });
    tell(inner, intent, accept, output, Change::Confirm { node }).await
}

async fn tell(
    inner: &Arc<Inner>,
    intent: &Intent,
    accept: Accept,
    output: Value,
    change: Change,
) -> Result<Outcome, Refusal> {
    let subject = Subject::Intent(intent.intent_id);
    let accepted = accept.done(subject.clone()).answering(output.clone());
    let by = Box::new(Acceptance::of(accepted, intent.attribution(), Vec::new()));
    match inner.timeline()?.tell(Command::Belong { change, by }).await {
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
