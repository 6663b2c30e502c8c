//! Secrets: values that a node keeps, uses where they are meant for, and never shows.
//!
//! Owns putting and removing them as intents; the value of one is in no record, only its name. Refuses to read one
//! back: what needs it is given it in the moment it does. Invariant: no value of a secret is in an event, a log, an
//! answer or an error.

mod name;
mod scrub;
mod vault;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{blocking, field, outside};
use crate::actions::Failure;
use crate::blueprint::FailureKind;
use crate::runtime::{Accept, Inner, Intent, Outcome, Refusal, Runtime};

pub use name::{InvalidSecretName, NAME_MAX_CHARS, NAME_PATTERN, SecretName};
pub(crate) use scrub::Scrub;
pub use vault::{Known, VALUE_MAX_BYTES, VaultError};
pub(crate) use vault::{Secret, Secrets, Vault};

/// The action that puts one.
const PUT: &str = "secret.put";

/// Whether `action` is one of secrets.
pub(crate) fn is_of(action: &str) -> bool {
    action.starts_with("secret.")
}

/// Carries out an intent of secrets: that it begins and how it ends is recorded, and never the value.
pub(crate) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let unknown = || Refusal::NotFound { kind: "action", id: intent.action.clone() };
    let action = inner.registry.get(&intent.action).ok_or_else(unknown)?.clone();
    let name = named(&intent.input)?;
    if intent.action != PUT {
        let (reading, wanted) = (inner.clone(), name.clone());
        let known = blocking(move || Ok(reading.vault.list()?.iter().any(|known| known.name == wanted)));
        if !known.await? {
            return Err(Refusal::NotFound { kind: "secret", id: name.to_string() });
        }
    }
    let under_way = intent.intent_id.to_string();
    let _under_way = inner.progress.take(&under_way).ok_or(Refusal::InProgress { key: under_way })?;
    let begun = match outside::begin(inner, intent, accept, &action).await {
        Ok(begun) => begun,
        Err(answer) => return answer,
    };
    let (working, asked) = (inner.clone(), intent.clone());
    let done = blocking(move || change(&working, &asked, &name)).await;
    outside::end(inner, intent, begun, &action, done.map_err(|refusal| failure(&refusal))).await
}

fn change(inner: &Inner, intent: &Intent, name: &SecretName) -> Result<Value, Refusal> {
    if intent.action != PUT {
        inner.vault.delete(name)?;
        return Ok(json!({ "name": name }));
    }
    let value = Secret::new(field(&intent.input, "value"));
    let version = inner.vault.put(name, value, &intent.identity.principal, inner.clock.now())?;
    Ok(json!({ "name": name, "version": version }))
}

/// The secret that an input names.
fn named(input: &Value) -> Result<SecretName, Refusal> {
    let name = field(input, "name").parse();
    name.map_err(|error: InvalidSecretName| Refusal::invalid("invalid_input", "/name", error.to_string()))
}

fn failure(refusal: &Refusal) -> Failure {
    Failure::certain(FailureKind::Server, refusal.code(), refusal.to_string())
}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        let message = error.to_string();
        match error {
            VaultError::Full => Self::QuotaReached { message },
            _ => Self::Conflict { code: "secrets_closed", message },
        }
    }
}

/// The refusal that `word` is of, when it is one of these.
pub(crate) fn of_word(word: &str, message: &str) -> Option<Refusal> {
    Refusal::conflict_of(&["secrets_closed"], word, message)
}

impl Runtime {
    /// The secrets of this node, by name, without their values.
    pub fn secrets(&self) -> Result<Vec<Known>, Refusal> {
        Ok(self.0.vault.list()?)
    }
}
