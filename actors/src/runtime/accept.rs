//! Acceptance: an intent as it stands when it is recorded, and the key it claims.
//!
//! Invariant: the key is claimed in the append that records the intent for the first time, and the intent's row holds
//! the answer that every later intent with that key gets.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use uuid::Uuid;
use xyn_store::audit::key::NodeKey;
use xyn_store::projection::{Asked, ClaimRow, Fault, IntentRow, IntentStatus, Subject};
use xyn_store::scope::Stage;
use xyn_store::{Digest, Timestamp, ids};

use super::{Intent, decision_of};
use crate::actions::Context;
use crate::governance::Decision;
use crate::governance::approval::Elsewhere;

/// How long an idempotency key is remembered.
pub const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// What the node's secret for fingerprints is derived for.
const FINGERPRINTS: &str = "xyn intent fingerprint v1";

/// An intent that was decided on and is not recorded yet.
pub(crate) struct Accept {
    row: IntentRow,
    claim: Option<Claim>,
    /// What ids are derived from, when it is neither the key nor the intent.
    seed: Option<String>,
    /// When it was decided.
    pub(crate) now: Timestamp,
    /// Of a word that was given on another node: when, and on which question.
    pub(crate) elsewhere: Option<Elsewhere>,
}

/// How an intent comes to be submitted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// Somebody asks, here and now.
    Here,
    /// A step asks; the approvals that a policy may ask for were collected already, at a gate of its run.
    Cleared,
    /// Somebody gave a word on another node.
    Elsewhere(Elsewhere),
}

/// An intent that is recorded with what it brings about, and the key it claims.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) row: IntentRow,
    pub(crate) claim: Option<ClaimRow>,
    /// The action's output, where the subject does not say it all.
    pub(crate) output: Option<Value>,
}

impl Accept {
    /// `intent`, on which `decision` was made at `now`.
    pub(super) fn new(
        intent: &Intent,
        stage: Stage,
        decision: &Decision,
        claim: Option<Claim>,
        now: Timestamp,
    ) -> Self {
        let row = IntentRow {
            intent_id: intent.intent_id,
            action: intent.action.clone(),
            stage,
            actor: intent.identity.principal.clone(),
            correlation_id: intent.correlation_id.clone(),
            at: now,
            status: IntentStatus::Accepted,
            decision: decision.recorded(),
            subject: None,
            input: None,
            withheld: false,
            output: None,
            fault: None,
            asked: None,
            approvals: Vec::new(),
        };
        Self { row, claim, seed: None, now, elsewhere: None }
    }

    /// With what is known of where it comes from.
    pub(super) fn from(self, origin: Origin) -> Self {
        let elsewhere = match origin {
            Origin::Elsewhere(elsewhere) => Some(elsewhere),
            Origin::Here | Origin::Cleared => None,
        };
        Self { elsewhere, ..self }
    }

    /// With ids derived from `seed`.
    pub(super) fn seeded(self, seed: String) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// The acceptance of an intent that `row` shows and that is carried out now.
    pub(crate) fn of_row(row: IntentRow, now: Timestamp) -> Self {
        Self { row, claim: None, seed: None, now, elsewhere: None }
    }

    /// It is done with this append, and brought about `subject`.
    pub(crate) fn done(self, subject: Subject) -> Accepted {
        self.recorded(IntentStatus::Completed, Some(subject))
    }

    /// It reaches out behind this append.
    pub(crate) fn begun(self) -> Accepted {
        let subject = Subject::Intent(self.row.intent_id);
        self.recorded(IntentStatus::Accepted, Some(subject))
    }

    /// It waits for the approvals that are asked for.
    pub(crate) fn parked(mut self, asked: Asked) -> Accepted {
        self.row.asked = Some(asked);
        let subject = Subject::Intent(self.row.intent_id);
        self.recorded(IntentStatus::Parked, Some(subject))
    }

    /// It is refused, by a policy or because of `fault`; it claims no key.
    pub(super) fn denied(self, fault: Option<Fault>) -> IntentRow {
        let row = Self { claim: None, ..self }.recorded(IntentStatus::Denied, None).row;
        IntentRow { fault, ..row }
    }

    fn recorded(self, status: IntentStatus, subject: Option<Subject>) -> Accepted {
        let claim = self.claim.map(|claim| ClaimRow {
            key: claim.key,
            fingerprint: claim.fingerprint,
            intent_id: self.row.intent_id,
            expires_at: self.now.after(KEY_LIFETIME),
        });
        Accepted { row: IntentRow { status, subject, ..self.row }, claim, output: None }
    }

    /// When the word that it carries was given.
    pub(crate) fn made_at(&self) -> Timestamp {
        self.elsewhere.map_or(self.now, |elsewhere| elsewhere.made_at)
    }

    /// What the policies said of it.
    pub(crate) fn decision(&self) -> Decision {
        decision_of(&self.row.decision)
    }

    /// Stage of the target.
    pub(crate) fn stage(&self) -> Stage {
        self.row.stage
    }

    /// What ids of new things are derived from: the key, or the intent itself.
    pub(crate) fn seed(&self) -> String {
        let key = self.seed.as_ref().or(self.claim.as_ref().map(|claim| &claim.key));
        key.cloned().unwrap_or_else(|| self.row.intent_id.to_string())
    }

    /// An id for what this brings about: the same when the same intent comes again.
    pub(crate) fn derive<T: From<Uuid>>(&self, what: &str) -> T {
        ids::derived(self.now, &[self.seed().as_bytes(), what.as_bytes()])
    }

    /// What the action is told.
    pub(crate) fn context(&self, intent: &Intent, decision: &Decision) -> Context {
        Context {
            attribution: intent.attribution(),
            step: None,
            seed: self.seed(),
            // The key that is claimed leads to this very intent, and its id is nobody else's.
            idempotency_key: self.row.intent_id.to_string(),
            stage: self.row.stage,
            depth: 0,
            egress: decision.egress,
            now: self.now,
        }
    }
}

impl Accepted {
    /// With the output that the one who asked is given.
    pub(crate) fn answering(self, output: Value) -> Self {
        Self { output: Some(output), ..self }
    }
}

/// An idempotency key and what it was given for.
#[derive(Clone)]
pub(super) struct Claim {
    /// Principal and key: two principals may choose the same.
    pub(super) key: String,
    pub(super) shown: String,
    pub(super) fingerprint: Digest,
}

impl Claim {
    /// The claim of `intent`, if it has a key, on the node of `node`. What was asked for is remembered as a code that
    /// only this node can make: an input may hold a secret, and a short one could be found by trying.
    pub(super) fn of(intent: &Intent, node: &NodeKey) -> Option<Self> {
        let shown = intent.idempotency_key.clone()?;
        let input = intent.input.to_string();
        let stage = intent.stage.map_or("", |stage| stage.as_str());
        let key = format!("{}\n{shown}", intent.identity.principal);
        let secret = node.derived_secret(FINGERPRINTS);
        let mut code =
            Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of every length");
        for part in [&*intent.action, "\0", stage, "\0", &*input] {
            code.update(part.as_bytes());
        }
        let fingerprint = Digest::from_bytes(code.finalize().into_bytes().into());
        Some(Self { key, shown, fingerprint })
    }
}
