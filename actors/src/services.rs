//! The services of the Runtime: each carries out a few kinds of intent and does nothing else.
//!
//! A service is handed an allowed intent and records its acceptance together with what it brings about. It asks no
//! policy and retries nothing. Invariant: an intent that was accepted is recorded in the same append as its effect.

pub(crate) mod approvals;
pub mod capsules;
pub(crate) mod content;
pub mod deploy;
pub(crate) mod library;
pub mod mesh;
pub(crate) mod outside;
pub(crate) mod replay;
pub mod runs;
pub mod secrets;
pub(crate) mod settle;
pub mod timeline;
pub(crate) mod workcell;
pub mod workspace;

use std::sync::Arc;

use serde_json::Value;
use xyn_store::ids;

use crate::actions::Failure;
use crate::blueprint::FailureKind;
use crate::governance::Identity;
use crate::run::Work;
use crate::runtime::{Accept, Inner, Intent, Origin, Outcome, Refusal};

/// Carries out `intent`, which was allowed.
pub(crate) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    match intent.action.as_str() {
        "runs.start" => runs::start(inner, intent, accept).await,
        "runs.cancel" => runs::cancel(inner, intent, accept).await,
        "runs.retry" | "runs.fork" => runs::again(inner, intent, accept).await,
        "runs.replay" => replay::replay(inner, intent, accept).await,
        "gates.answer" => approvals::answer_gate(inner, intent, accept).await,
        "intents.answer" => approvals::answer_intent(inner, intent, accept).await,
        "drafts.save" => library::save_draft(inner, intent, accept).await,
        "blueprints.validate" => library::validate_draft(inner, intent, accept).await,
        "blueprints.promote" => library::promote_draft(inner, intent, accept).await,
        "policies.activate" => library::activate_policy(inner, intent, accept).await,
        action if action.starts_with("timeline.") => timeline::serve(inner, intent, accept).await,
        action if action.starts_with("peer.") => mesh::serve(inner, intent, accept).await,
        action if deploy::is_of(action) => deploy::serve(inner, intent, accept).await,
        action if action.starts_with("capsule.") => capsules::serve(inner, intent, accept).await,
        action if secrets::is_of(action) => secrets::serve(inner, intent, accept).await,
        action if action.starts_with("workspace.") => workspace::serve(inner, intent, accept).await,
        other => Err(Refusal::NotFound { kind: "service", id: other.to_owned() }),
    }
}

impl Inner {
    /// Carries out the action of a step as a child intent under the run's principal. A step that a policy wants
    /// approved began only when it was, at a gate of its run.
    pub(crate) async fn serve_step(self: &Arc<Self>, work: &Work) -> Result<Value, Failure> {
        let context = &work.context;
        let intent = Intent {
            intent_id: ids::fresh(self.clock.now()),
            action: work.action.clone(),
            input: work.input.clone(),
            stage: Some(context.stage),
            identity: Identity::bare(context.attribution.actor.clone()),
            session: None,
            correlation_id: context.attribution.correlation_id.clone(),
            causation_id: context.attribution.causation_id,
            idempotency_key: Some(context.idempotency_key.clone()),
            depth: context.depth,
        };
        match Box::pin(self.submit(intent, Origin::Cleared)).await {
            Ok(outcome) => Ok(outcome.output),
            Err(refusal) => Err(failure(&refusal)),
        }
    }
}

/// A refused intent as the failure of the step that asked for it, or as the end of one that began. A service claims
/// the key with its effect, so trying again after an unknown outcome is safe.
pub(crate) fn failure(refusal: &Refusal) -> Failure {
    let kind = match refusal {
        Refusal::Unavailable(_) | Refusal::QuotaReached { .. } => FailureKind::Server,
        Refusal::Overloaded { .. } | Refusal::InProgress { .. } => FailureKind::RateLimit,
        _ => FailureKind::Client,
    };
    Failure::certain(kind, refusal.code(), refusal.to_string())
}

/// Runs what reads and writes files away from the threads that serve requests.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Refusal::Unavailable(error.to_string()))?
}

/// Does `work` to its end, also when whoever asked goes away meanwhile; `held` is let go of then.
pub(crate) async fn detached<H: Send + 'static>(
    held: H,
    work: impl Future<Output = Result<Outcome, Refusal>> + Send + 'static,
) -> Result<Outcome, Refusal> {
    let done = tokio::spawn(async move {
        let outcome = work.await;
        drop(held);
        outcome
    });
    done.await.map_err(|error| Refusal::Unavailable(error.to_string()))?
}

/// A field of an input that the schema has checked.
pub(crate) fn field<'a>(input: &'a Value, name: &str) -> &'a str {
    input.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// An id in an input.
pub(crate) fn id<T: std::str::FromStr<Err = ids::InvalidId>>(
    input: &Value,
    name: &str,
) -> Result<T, Refusal> {
    let text = field(input, name);
    text.parse().map_err(|error: ids::InvalidId| {
        Refusal::invalid("invalid_id", format!("/{name}"), error.to_string())
    })
}
