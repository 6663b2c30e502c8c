//! Deployments: a capsule passes the gates, is made ready, and takes over from the one that served before.
//!
//! Owns what serves where on this node. The row in the journal is the switch: what serves is brought about from it,
//! so a stop in the middle is before or after, and what was served is served again after any end. Invariant: what
//! served goes on serving until what follows it has answered its health check and is recorded.

mod build;
mod confirm;
mod event;
mod first_run;
mod front;
mod fronts;
mod gates;
mod install;
mod judge;
mod name;
mod needs;
mod passage;
mod process;
mod release;
mod rollback;
mod seeds;
mod site;
mod told;

use std::sync::Arc;

use serde_json::Value;
use xyn_store::ids::{self, EventId};
use xyn_store::projection::Target;
use xyn_store::scope::Stage;

use crate::governance::Decision;
use crate::record::Record;
use crate::runtime::{Accept, Held, Inner, Intent, Outcome, Recording, Refusal, Runtime, stream};

pub use confirm::Restatement;
pub use event::{Event, What};
pub(crate) use first_run::Reports;
pub use fronts::Served;
pub(crate) use fronts::{Fronts, serve as keep_serving, serve_all};
pub use gates::{Finding, Gate, Verdict};
pub use name::{DeploymentName, InvalidDeploymentName, Place};
pub(crate) use needs::SERVICES_MAX;
pub(crate) use release::end_orphans;
pub use told::app;

use gates::Ledger;

/// The action that deploys.
const DEPLOY: &str = "capsule.deploy";
/// The action that rolls back.
const ROLLBACK: &str = "capsule.rollback";

/// The words for what stops a deployment that began.
const WORDS: [&str; 5] = ["deploy_unfit", "unhealthy", "port_taken", "service_missing", "secret_missing"];

/// The refusal that `word` is of, when it is one of these.
pub(crate) fn of_word(word: &str, message: &str) -> Option<Refusal> {
    Refusal::conflict_of(&WORDS, word, message)
}

/// Whether `action` is one of deployments.
pub(crate) fn is_of(action: &str) -> bool {
    [DEPLOY, ROLLBACK].contains(&action)
}

/// Carries out an intent of deployments, whether or not whoever asked waits for it.
pub(crate) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let (inner, intent) = (inner.clone(), intent.clone());
    super::detached((), async move {
        match intent.action.as_str() {
            DEPLOY => install::serve(&inner, &intent, accept).await,
            ROLLBACK => rollback::serve(&inner, &intent, accept).await,
            other => Err(Refusal::NotFound { kind: "service", id: other.to_owned() }),
        }
    })
    .await
}

/// Leads an intent through the gates that come before the policies, and asks for the word that production needs. So
/// nobody is asked to approve what is not sound or was not meant, and a policy that denies says so last.
pub(crate) async fn preflight(
    inner: &Arc<Inner>,
    intent: &Intent,
    decision: &Decision,
) -> Result<(), Refusal> {
    match intent.action.as_str() {
        DEPLOY => passage::preflight(inner, intent, decision).await,
        ROLLBACK => rollback::preflight(inner, intent, decision).await,
        _ => Ok(()),
    }
}

/// The stage that an input of these actions names: the act is judged by it, whatever else was said of the intent.
pub(crate) fn stage(input: &Value) -> Option<Stage> {
    input.get("stage").and_then(Value::as_str)?.parse().ok()
}

/// The name under which one act at a time is done at `place`.
fn turn(place: &Place) -> String {
    format!("deployment\n{place}")
}

/// Keeps others away from `place`.
fn hold(inner: &Inner, place: &Place) -> Result<Held, Refusal> {
    let message = || format!("something is being deployed to `{place}`; ask again when it is done");
    inner.progress.take(&turn(place)).ok_or_else(|| busy(message()))
}

/// Keeps others from deploying `app` anywhere; none when somebody is at it.
pub(crate) fn hold_app(inner: &Inner, app: &str) -> Option<Vec<Held>> {
    let places = Stage::ALL
        .into_iter()
        .flat_map(|stage| [Target::Static, Target::Process].map(|target| (stage, target)));
    let turns = places.map(|(stage, target)| turn(&Place { app: app.to_owned(), stage, target }));
    turns.map(|turn| inner.progress.take(&turn)).collect()
}

fn busy(message: String) -> Refusal {
    Refusal::Conflict { code: "deployment_busy", message }
}

/// Records that a capsule was not deployed.
async fn tell(inner: &Inner, intent: &Intent, ledger: Ledger, why: &Refusal) {
    let input = &intent.input;
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let target: Option<Target> = text("target").and_then(|target| target.parse().ok());
    let Some(stage) = stage(input) else { return };
    let what = What { capsule: text("capsule").unwrap_or_default().to_owned(), stage, target };
    let (code, message) = (why.code().to_owned(), why.to_string());
    note(inner, intent, Event::Failed { what, gates: ledger.findings(), code, message }).await;
}

/// Records `event` beside the intent that it belongs to.
async fn note(inner: &Inner, intent: &Intent, event: Event) {
    let (now, by) = (inner.clock.now(), intent.attribution());
    let id: EventId = ids::fresh(now);
    let mut recording = Recording::default();
    recording.entry(stream(id), 0, now, &by, &[Record::Deployment(Box::new(event))]);
    if let Err(error) = recording.commit(inner).await {
        tracing::warn!(%error, "what happened to a deployment is not recorded");
    }
}

impl Runtime {
    /// The last that what runs at `place` said, at most `limit_bytes` of it.
    pub fn app_log(&self, place: &Place, limit_bytes: usize) -> std::io::Result<String> {
        process::tail(&release::log(&self.0, place), limit_bytes)
    }

    /// Whether what the rows say of `place` is served.
    pub fn served(&self, place: &Place) -> Served {
        self.0.fronts.served(place)
    }
}
