//! A turn: everything that follows from one command without reaching out.
//!
//! Decides and applies move after move, lets inside actions take effect at once, and gathers what is to be
//! recorded in one append and what is to be done after it. Pure: what an inside action wants, it returns.

use serde_json::Value;
use xyn_store::ids::EventId;
use xyn_store::projection::StepKey;
use xyn_store::scope::Attribution;

use super::apply::IllegalEvent;
use super::command::{Command, Rejection};
use super::decide::{
    PAYLOAD_MAX_BYTES, World, call_context, call_input, compensation_input, decide, standing,
};
use super::event::Event;
use super::state::State;
use crate::actions::{Code, Context, Effects, Pledged};

/// Events of one turn; a longer one goes on in the next.
pub(super) const TURN_LIMIT: usize = 2_048;
/// Bytes of inputs and outputs of one turn, behind which it goes on in the next.
const TURN_BYTES: usize = PAYLOAD_MAX_BYTES;

/// What a turn came to.
#[derive(Debug, Default)]
pub struct Turn {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What inside actions want recorded with it, and the step that wants it.
    pub emitted: Vec<Emitted>,
    /// Attempts to perform once it is durable.
    pub work: Vec<Work>,
    /// The turn was cut at its limit: advance again.
    pub goes_on: bool,
    /// Attempts under way are to be ended.
    pub aborts: bool,
    /// What whoever told the run is answered: where the gate stands behind their word.
    pub answer: Option<Value>,
}

/// What an inside action of a step wants recorded.
#[derive(Debug)]
pub struct Emitted {
    /// Events of the turn that come before.
    pub behind: usize,
    /// The step's name.
    pub step: String,
    /// What it wants.
    pub effects: Effects,
}

/// An attempt to perform.
#[derive(Clone, Debug)]
pub struct Work {
    /// Which step or item.
    pub at: StepKey,
    /// Which attempt.
    pub attempt: u32,
    /// Whether it undoes the step.
    pub undoes: bool,
    /// The action's name.
    pub action: String,
    /// Its input.
    pub input: Value,
    /// What the action is told.
    pub context: Context,
}

/// Why a turn was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The command means nothing to the run as it stands.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The core decided something it then did not accept: a fault of this program.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
}

/// Takes a turn: `command` and all that follows from it. `by` is who told the run; `state` moves along.
pub fn take_turn(
    state: &mut State,
    command: Command,
    by: &Attribution,
    world: &World<'_>,
) -> Result<Turn, TurnError> {
    take_turn_within(TURN_LIMIT, state, command, by, world)
}

/// Takes a turn that is cut behind `limit` events.
pub(super) fn take_turn_within(
    limit: usize,
    state: &mut State,
    command: Command,
    by: &Attribution,
    world: &World<'_>,
) -> Result<Turn, TurnError> {
    let mut turn = Turn::default();
    let mut pledged = Pledged::beside(EventId::from(uuid::Uuid::from(state.id)));
    let mut bytes = 0;
    let mut moves = decide(state, command, world)?;
    loop {
        let mut finished = Vec::new();
        for event in moves {
            state.apply(&event, world.now, by)?;
            match &event {
                Event::StepStarted { at, attempt, .. } => {
                    let attempt = (*at, *attempt, false);
                    finished.extend(begin(state, attempt, world, &mut turn, &mut pledged));
                }
                Event::CompensationStarted { at, attempt, .. } => {
                    let attempt = (*at, *attempt, true);
                    finished.extend(begin(state, attempt, world, &mut turn, &mut pledged));
                }
                _ => {}
            }
            bytes += payload_bytes(&event);
            turn.events.push(event);
        }
        let mut next = Vec::new();
        for command in finished {
            next.extend(decide(state, command, world)?);
        }
        if next.is_empty() {
            if state.begin.is_none() || state.status.is_final() {
                break;
            }
            next = decide(state, Command::Advance, world)?;
            let is_long = turn.events.len() >= limit || bytes >= TURN_BYTES;
            turn.goes_on = !next.is_empty() && is_long;
        }
        if next.is_empty() || turn.goes_on {
            break;
        }
        moves = next;
    }
    turn.answer = turn.events.first().and_then(|event| standing(state, event));
    Ok(turn)
}

fn payload_bytes(event: &Event) -> usize {
    match event {
        Event::StepStarted { input: Some(payload), .. } | Event::StepCompleted { output: payload, .. } => {
            payload.as_str().len()
        }
        _ => 0,
    }
}

/// An attempt to do or undo began: inside actions end it at once, as the command says, others become work.
fn begin(
    state: &State,
    (at, attempt, undoes): (StepKey, u32, bool),
    world: &World<'_>,
    turn: &mut Turn,
    pledged: &mut Pledged,
) -> Option<Command> {
    let called = if undoes { compensation_input(state, at) } else { call_input(state, at) };
    let (call, input) = called?;
    let action = world.registry.get(&call.action)?;
    let context = call_context(state, at, call, undoes, world);
    let Code::Inside(run) = &action.run else {
        let action = call.action.clone();
        turn.work.push(Work { at, attempt, undoes, action, input, context });
        return None;
    };
    let checked = run(&input, &context).and_then(|effects| {
        pledged.take(&effects, world.around)?;
        Ok(effects)
    });
    let result = checked.map(|effects| {
        let output = effects.output.clone();
        turn.emitted.push(Emitted { behind: turn.events.len() + 1, step: state.step_name(at), effects });
        output
    });
    Some(if undoes {
        Command::FinishCompensation { at, attempt, result: result.map(drop) }
    } else {
        Command::Finish { at, attempt, result }
    })
}
