//! Capsules in a node: packed from moments, taken in as files, fetched from members, proved.
//!
//! Owns which capsules this node has and whom it believes; how one is made and proved is the floor's below. What is
//! signed by members counts, as long as no key ring is in force and nobody names other keys. Invariant: a row stands for
//! bytes that were proved from the first to the last, and the row, the pin of the bytes and the moment that offers them
//! are in one append.

pub(crate) mod catalogue;
mod delta;
mod event;
pub(crate) mod evidence;
pub(crate) mod found;
pub(crate) mod gc;
pub(crate) mod generation;
mod import;
mod keep;
mod later;
mod name;
mod pack;
pub(crate) mod prove;
mod pull;
pub(crate) mod refusal;
pub(crate) mod report;
mod ring;
mod scratch;
pub(crate) mod trust;
pub(crate) mod verify;

use std::sync::Arc;

use serde_json::Value;
use xyn_store::ids::{self, EventId};
use xyn_store::journal::AppendError;
use xyn_store::projection::Subject;

use crate::record::Record;
use crate::runtime::{Accept, Accepted, Inner, Intent, Outcome, Recording, Refusal, stream};

pub use catalogue::{Found, find, find_here, list};
pub use event::Event;
pub use name::{CapsuleName, InvalidCapsuleName, NAME_MAX_CHARS, NAME_PATTERN};
pub(crate) use refusal::of_word;
pub use ring::KeyRing;
pub(crate) use scratch::clean;

/// Lets one capsule at a time become one of this node's, so that generations are counted.
#[derive(Default)]
pub(crate) struct Turn(tokio::sync::Mutex<()>);

impl Turn {
    pub(crate) async fn take(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.lock().await
    }
}

/// Carries out an intent of capsules, whether or not whoever asked waits for it.
pub(crate) async fn serve(inner: &Arc<Inner>, intent: &Intent, accept: Accept) -> Result<Outcome, Refusal> {
    let (inner, intent) = (inner.clone(), intent.clone());
    super::detached((), async move {
        let done = match intent.action.as_str() {
            "capsule.pack" => pack::serve(&inner, &intent, accept).await,
            "capsule.import" => import::serve(&inner, &intent, accept).await,
            "capsule.trust" => ring::serve(&inner, &intent, accept).await,
            "capsule.gc" => gc::serve(&inner, &intent, accept).await,
            "capsule.pull" => pull::serve(&inner, &intent, accept).await,
            "capsule.report" => report::serve(&inner, &intent, accept).await,
            "capsule.verify" => verify::serve(&inner, &intent, accept).await,
            other => Err(Refusal::NotFound { kind: "service", id: other.to_owned() }),
        };
        if let Err(refusal) = &done {
            tell(&inner, &intent, refusal).await;
        }
        done
    })
    .await
}

/// Records that a capsule was not packed or not taken. Other refusals are the intent's own business.
async fn tell(inner: &Inner, intent: &Intent, refusal: &Refusal) {
    let Some(event) = Event::of_refusal(&intent.action, &intent.input, refusal) else { return };
    if let Err(error) = note(inner, intent, event).await {
        tracing::warn!(%error, "a refused capsule is not recorded");
    }
}

/// Records `event` beside the intent that it belongs to.
async fn note(inner: &Inner, intent: &Intent, event: Event) -> Result<(), AppendError> {
    let (now, by) = (inner.clock.now(), intent.attribution());
    let mut recording = Recording::default();
    let id: EventId = ids::fresh(now);
    recording.entry(stream(id), 0, now, &by, &[Record::Capsule(Box::new(event))]);
    recording.commit(inner).await.map(drop)
}

/// Records an intent that is done, with what it came to.
async fn record(
    inner: &Inner,
    intent: &Intent,
    done: Accepted,
    event: Option<Event>,
) -> Result<Outcome, Refusal> {
    let output = done.output.clone().unwrap_or_default();
    let records = event.map(|event| Record::Capsule(Box::new(event))).into_iter().collect();
    let mut recording = Recording::default();
    recording.carry_out(done, inner.clock.now(), &intent.attribution(), records);
    match recording.commit(inner).await {
        Ok(_) => Ok(Outcome::new(intent.intent_id, Subject::Intent(intent.intent_id), output)),
        Err(error) => inner.answer_append(error, intent),
    }
}

/// The text of an input that may be missing.
fn given<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str)
}
