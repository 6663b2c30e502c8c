//! What members are told of this node's runs: what its own people are shown, and no more.
//!
//! Owns who may know. Keeps nothing of what was asked but that it was denied, where that is news. Invariant: nothing is
//! told of a run that no moment of this node names, nor against a policy, nor to one who is no member at that instant.

use std::sync::Arc;

use serde_json::json;
use xyn_net::wire::runs::{Account, Part, Question, Run, STEPS_MAX, Step, Withheld};
use xyn_net::wire::{self, Bounded};
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::RunId;
use xyn_store::projection::{RunRow, StepKey, StepRow};
use xyn_store::{Reader, StoreError};

use crate::actions;
use crate::governance::Identity;
use crate::runtime::{Inner, Intent, Refusal};
use crate::services::approvals::people::People;
use crate::services::blocking;

/// Bytes of steps behind which an account holds no further one.
const STEPS_BYTES: usize = 1 << 20;

/// What `peer` is told. Where a policy denies it, that is recorded if it `is_news`.
pub(crate) async fn account(
    inner: &Arc<Inner>,
    peer: PublicKey,
    question: Question,
    is_news: impl FnOnce() -> bool,
) -> Result<Vec<u8>, Withheld> {
    permitted(inner, peer, &question, is_news).await?;
    let reading = inner.clone();
    let account = blocking(move || {
        let people = reading.timeline()?.people();
        Ok(read(&reading.store.read()?, &people, &question)?.map(|account| wire::encode(&account)))
    });
    account.await.map_err(unavailable)?.ok_or(Withheld::Unknown)
}

/// Whether `peer` may know, as things are now.
async fn permitted(
    inner: &Arc<Inner>,
    peer: PublicKey,
    question: &Question,
    is_news: impl FnOnce() -> bool,
) -> Result<(), Withheld> {
    let now = inner.clock.now();
    let timeline = inner.timeline().map_err(|error| unavailable(error.into()))?;
    let (roster, own) = (timeline.roster(), inner.store.key().public());
    let member = roster.admit(peer, now).map_err(|_| Withheld::Unknown)?;
    let identity = Identity::of_member(timeline.people().inward(&member.principal), member.role);
    let (run, moment, reading, heirs) = (question.run, question.moment, inner.clone(), roster.clone());
    let is_named = blocking(move || {
        // What it said under a key that it had before is its word as well.
        Ok(reading.store.read()?.names_run(moment, run, |node| heirs.heir(node) == own)?)
    });
    if !is_named.await.map_err(unavailable)? {
        return Err(Withheld::Unknown);
    }
    let input = json!({ "run_id": run, "entry_id": moment });
    let intent = Intent::new(now, actions::READ_RUN, input, identity);
    // Nobody waits for an approval here, so what would wait for one is denied.
    let permitted = inner.permit(&intent, &actions::read_run(), true, is_news).await;
    permitted.map_err(|refusal| match refusal {
        Refusal::Denied(_) => Withheld::Denied,
        other => unavailable(other),
    })
}

fn unavailable(refusal: Refusal) -> Withheld {
    tracing::warn!(%refusal, "a member cannot be told of a run");
    Withheld::Unavailable
}

/// What `question` asks for; none where there is no such run here.
fn read(reader: &Reader, people: &People, question: &Question) -> Result<Option<Account>, StoreError> {
    let Some(row) = reader.get::<RunRow>(&RunRow::key_of(question.run))? else { return Ok(None) };
    Ok(Some(match &question.part {
        Part::Whole => {
            let actor = people.outward(&row.actor);
            Account::Run(Box::new(Run::of(row, actor)))
        }
        Part::Steps { after, limit } => steps(reader, question.run, *after, *limit)?,
        Part::Step(name) => {
            let row = match std::str::from_utf8(name) {
                Ok(name) => reader.step(question.run, name)?,
                Err(_) => None,
            };
            Account::Step(row.map(|row| Box::new(row.into())))
        }
    }))
}

/// As many steps as an account holds, and as are asked for. Read one by one: each may be as long as two messages.
fn steps(reader: &Reader, run: RunId, after: Option<StepKey>, limit: u16) -> Result<Account, StoreError> {
    let limit = usize::from(limit).clamp(1, STEPS_MAX);
    let (mut steps, mut bytes) = (Vec::<Step>::new(), 0);
    let mut next = after.map(|after| StepRow::cursor(run, after));
    loop {
        let page = reader.steps(run, next.as_ref(), 1)?;
        steps.extend(page.items.into_iter().map(Step::from));
        bytes += steps.last().map_or(0, Step::long_bytes);
        next = page.next;
        if next.is_none() || steps.len() >= limit || bytes >= STEPS_BYTES {
            break;
        }
    }
    Ok(Account::Steps { steps: Bounded::new(steps).unwrap_or_default(), has_more: next.is_some() })
}
