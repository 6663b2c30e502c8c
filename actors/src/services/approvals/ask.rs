//! What this node asks people, as the timeline carries it to those on other nodes.
//!
//! Owns how an open gate and a parked intent read elsewhere. Invariant: what is asked always fits an entry;
//! what people wrote is shortened, and who may answer is never widened.

use xyn_store::projection::{GateMode, GateRow, IntentRow};
use xyn_store::scope::Principal;
use xyn_store::timeline::approval::{Approvals, Ask, Matter, Reason};
use xyn_store::timeline::entry::{NAME_MAX_CHARS, REFS_MAX, TITLE_MAX_CHARS};
use xyn_store::{Json, Timestamp};

use super::people::People;
use crate::run::GateRequest;
use crate::services::timeline::milestone::fitting;

/// Bytes of what one moment asks: well below what a record holds.
const ASKS_MAX_BYTES: usize = 32 << 10;
/// Bytes of an ask besides its texts, with room to spare.
const ASK_REST_BYTES: usize = 256;

/// Why people are asked at a gate; none when a clock or an event decides it.
pub(crate) fn reason(mode: &GateMode) -> Option<Reason> {
    match mode {
        GateMode::Manual => Some(Reason::Manual),
        GateMode::Uncertain => Some(Reason::Uncertain),
        GateMode::Policy => Some(Reason::Policy),
        GateMode::Timer | GateMode::Event(_) => None,
    }
}

/// The gate of `row`, as it is called elsewhere.
pub(crate) fn matter(row: &GateRow) -> Matter {
    let step = match row.position.item {
        Some(item) => format!("{}.{item}", row.step),
        None => row.step.clone(),
    };
    Matter::Gate(row.run_id, step)
}

/// What the gate of `row` asked when it was requested at `asked_at`; none when it is not for people.
pub(crate) fn of_gate(
    row: &GateRow,
    request: &GateRequest,
    asked_at: Timestamp,
    people: &People,
) -> Option<Ask> {
    let prompt = request.prompt.as_ref().map(shown).filter(|prompt| !prompt.is_empty());
    let title = prompt.unwrap_or_else(|| format!("`{}`", row.step));
    Some(Ask {
        matter: matter(row),
        reason: reason(&request.mode)?,
        title: fitting(&title, TITLE_MAX_CHARS),
        asked_at,
        expires_at: request.expires_at,
        approvers: approvers(request.approvers.iter().map(ToString::to_string), people),
        min: request.min,
        allow_requester: request.allow_requester,
        requester: requester(&row.requester, people),
        stage: row.stage,
    })
}

/// What the parked intent of `row` asks.
pub(crate) fn of_intent(row: &IntentRow, people: &People) -> Option<Ask> {
    let asked = row.asked.as_ref()?;
    Some(Ask {
        matter: Matter::Intent(row.intent_id),
        reason: Reason::Policy,
        title: fitting(&row.action, TITLE_MAX_CHARS),
        asked_at: row.at,
        expires_at: Some(asked.expires_at),
        approvers: approvers(asked.approvers.iter().cloned(), people),
        min: asked.min,
        allow_requester: asked.allow_requester,
        requester: requester(&row.actor, people),
        stage: row.stage,
    })
}

/// `approvals`, as much of it as one entry takes; none when there is nothing. What is left out can be
/// answered on this node alone.
pub(crate) fn within_bounds(mut approvals: Approvals) -> Option<Box<Approvals>> {
    let mut room = ASKS_MAX_BYTES;
    let asked = approvals.asks.len();
    approvals.asks.retain(|ask| {
        let texts = ask.approvers.iter().map(|approver| approver.len() + 2).sum::<usize>();
        let bytes = texts + ask.title.len() + ask.requester.as_str().len() + ASK_REST_BYTES;
        let fits = ask.approvers.len() <= REFS_MAX && bytes <= room;
        room -= if fits { bytes } else { 0 };
        fits
    });
    approvals.asks.truncate(REFS_MAX);
    approvals.settled.truncate(REFS_MAX);
    if approvals.asks.len() < asked {
        tracing::warn!(
            asked,
            told = approvals.asks.len(),
            "not all that is asked at once is told to other nodes"
        );
    }
    (approvals != Approvals::default()).then(|| Box::new(approvals))
}

fn approvers(approvers: impl Iterator<Item = String>, people: &People) -> Vec<String> {
    // One that is shortened names nobody.
    approvers.map(|approver| fitting(&people.approver_outward(&approver), TITLE_MAX_CHARS)).collect()
}

fn requester(principal: &Principal, people: &People) -> Principal {
    Principal::new(fitting(people.outward(principal).as_str(), NAME_MAX_CHARS))
}

fn shown(prompt: &Json) -> String {
    match prompt.to_value() {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}
