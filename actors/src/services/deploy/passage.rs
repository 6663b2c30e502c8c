//! The way through the gates up to the switch: once before anybody is asked to approve, by what a capsule says of
//! itself, and once before it is made ready, by every byte of it.
//!
//! Invariant: both go through the same gates in the same order, and nothing behind one that stopped.

use std::sync::Arc;

use xyn_store::scope::Stage;

use super::confirm::Restatement;
use super::gates::{Gate, Ledger};
use super::judge::{Depth, Judged, Wish, judge};
use super::needs::Given;
use super::tell;
use crate::governance::{Decision, Effect};
use crate::runtime::{Inner, Intent, Refusal};
use crate::services::blocking;

/// Leads the capsule that `intent` names through the gates, by what it says of itself. That `decision` denies it is
/// told, and left to whoever asked to refuse.
pub(super) async fn preflight(
    inner: &Arc<Inner>,
    intent: &Intent,
    decision: &Decision,
) -> Result<(), Refusal> {
    let wish = Wish::read(&intent.input)?;
    let (ledger, passed) = pass(inner, intent, &wish, Depth::Manifest, decision).await?;
    let Err(refusal) = passed else { return Ok(()) };
    tell(inner, intent, ledger, &refusal).await;
    match refusal {
        Refusal::Denied(_) => Ok(()),
        refusal => Err(refusal),
    }
}

/// Leads the capsule of `wish` through the gates; answers what it is given. Only a store that cannot be read has no
/// ledger.
pub(super) async fn pass(
    inner: &Arc<Inner>,
    intent: &Intent,
    wish: &Wish,
    depth: Depth,
    decision: &Decision,
) -> Result<(Ledger, Result<(Judged, Given), Refusal>), Refusal> {
    let (reading, wanted) = (inner.clone(), wish.clone());
    let (mut ledger, judged) = blocking(move || {
        let mut ledger = Ledger::default();
        let judged = judge(&reading, &wanted, depth, &mut ledger);
        Ok((ledger, judged))
    })
    .await?;
    let passed = match judged {
        Ok(judged) => behind(inner, intent, wish, judged, decision, &mut ledger).await,
        Err(refusal) => Err(refusal),
    };
    Ok((ledger, passed))
}

/// The gates behind the first ones.
async fn behind(
    inner: &Arc<Inner>,
    intent: &Intent,
    wish: &Wish,
    judged: Judged,
    decision: &Decision,
    ledger: &mut Ledger,
) -> Result<(Judged, Given), Refusal> {
    ledger.pass(
        Gate::Policy,
        match decision.effect {
            Effect::Deny => Err(Refusal::Denied(Box::new(decision.clone()))),
            Effect::Allow | Effect::RequireApproval => Ok(((), decision.to_string())),
        },
    )?;
    let given = judged.given(inner, wish).await;
    let given = ledger.pass(Gate::Services, given)?;
    // Envelopes are read and checked there.
    let (reading, wanted, mut noted) = (inner.clone(), decision.evidence.clone(), std::mem::take(ledger));
    let proving = blocking(move || {
        let proved = judged.evidence(&reading, &wanted, &mut noted);
        Ok((judged, noted, proved))
    });
    let (judged, noted, proved) = proving.await?;
    *ledger = noted;
    proved?;
    confirmed(inner, intent, wish, &judged, ledger)?;
    Ok((judged, given))
}

/// The gate of production.
fn confirmed(
    inner: &Inner,
    intent: &Intent,
    wish: &Wish,
    judged: &Judged,
    ledger: &mut Ledger,
) -> Result<(), Refusal> {
    if wish.stage != Stage::Prod {
        ledger.skip(Gate::Confirmation, "only production asks for one");
        return Ok(());
    }
    let Judged { row, manifest, place, before, .. } = judged;
    let moment = match row.entry_id {
        Some(entry_id) => {
            let entry = inner.store.read()?.entry(entry_id)?;
            entry.map(|entry| (entry.note.branch.to_string(), entry_id))
        }
        None => None,
    };
    let restatement = Restatement {
        verb: "deploy",
        principal: intent.identity.principal.clone(),
        id: row.id.clone(),
        name: row.name.clone(),
        generation: row.generation,
        capsule: row.capsule,
        tree: row.tree,
        packed_by: row.created_by.clone(),
        moment,
        build: manifest.build.steps.iter().map(ToString::to_string).collect(),
        env: inner.env.env_id.clone(),
        stage: place.stage,
        target: place.target,
        replaces: before.as_ref().map(|row| row.current.id.clone()),
        replaces_since: before.as_ref().map(|row| row.current.at),
        services: judged.attached(wish).into_iter().collect(),
        seeds: Vec::new(),
    };
    ledger.pass(Gate::Confirmation, restatement.confirmed(wish.confirm.as_deref()))
}
