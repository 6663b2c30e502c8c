//! The actor around a run: receives commands, appends what they mean, performs what follows.
//!
//! A thin shell. It decides nothing, answers only after the append is durable, and puts itself away when the run
//! waits or has ended. Invariant: the state in memory is never ahead of the journal when a message is answered; when
//! an append fails the actor stops, and the next message loads the run again.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use serde_json::Value;
use xyn_store::ids::RunId;
use xyn_store::journal::AppendError;
use xyn_store::projection::StepKey;
use xyn_store::scope::Attribution;

use super::turn::TurnError;
use super::{Command, Event, Marks, Rejection, Shown, State, Turn, Work, World, take_turn};
use crate::actions::{Code, Failure};
use crate::blueprint::FailureKind;
use crate::record::Record;
use crate::runtime::{Accepted, Inner, Recording, Ticket};

/// A command for a run, and the intent that carries it.
#[derive(Clone, Debug)]
pub(crate) struct Tell {
    /// The command.
    pub(crate) command: Command,
    /// Who tells it.
    pub(crate) by: Attribution,
    /// The intent that the command carries out, if it comes from one.
    pub(crate) accepted: Option<Box<Accepted>>,
}

/// Answered with what the run says to it, where it says more than that it heard.
impl Message for Tell {
    type Result = Result<Option<Value>, TellError>;
}

/// Why a command was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum TellError {
    /// It means nothing to the run as it stands.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// It could not be made durable.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The run cannot be read, or its history does not fold.
    #[error("{0}")]
    Broken(String),
}

/// A run in memory.
pub(crate) struct RunActor {
    inner: Arc<Inner>,
    run: RunId,
    loaded: Result<Loaded, TellError>,
    /// Attempts under way.
    under_way: Vec<UnderWay>,
    /// The wall clock runs.
    is_timed: bool,
}

/// An attempt that was begun and has no result yet.
struct UnderWay {
    at: StepKey,
    attempt: u32,
    undoes: bool,
    handle: SpawnHandle,
}

/// A run's state and how far it was recorded and shown.
pub(crate) struct Loaded {
    pub(crate) state: State,
    pub(crate) seq: u64,
    pub(crate) shown: Shown,
    pub(crate) marks: Marks,
}

impl Loaded {
    /// `state`, of which nothing is recorded yet.
    pub(crate) fn new(state: State) -> Self {
        let shown = state.shown();
        Self { state, seq: 0, shown, marks: Marks::default() }
    }
}

impl RunActor {
    pub(crate) fn new(inner: Arc<Inner>, run: RunId, loaded: Result<Loaded, TellError>) -> Self {
        Self { inner, run, loaded, under_way: Vec::new(), is_timed: false }
    }

    /// Decides, applies and gathers what is to be appended.
    fn turn(&mut self, tell: Tell) -> Result<(Turn, Recording), TellError> {
        let loaded = self.loaded.as_mut().map_err(|error| error.clone())?;
        let catalog = self.inner.catalog.load();
        let now = self.inner.clock.now();
        let has_place = match &tell.command {
            Command::Create(created) if loaded.state.begin.is_none() && created.fault.is_none() => {
                self.inner.supervisor().admit(&Ticket::new(&loaded.state, created.priority, now))
            }
            Command::Advance | Command::Recover if loaded.state.is_held() => {
                Ticket::of(&loaded.state).is_some_and(|ticket| self.inner.supervisor().admit(&ticket))
            }
            _ => false,
        };
        let under_way = &self.under_way;
        let world = World {
            registry: &self.inner.registry,
            policies: catalog.policies(),
            env: &self.inner.env.env_id,
            now,
            around: &*self.inner,
            has_place,
            performs: &|at, undoes| under_way.iter().any(|other| (other.at, other.undoes) == (at, undoes)),
        };
        let mut turn =
            take_turn(&mut loaded.state, tell.command, &tell.by, &world).map_err(|error| match error {
                TurnError::Rejected(rejection) => TellError::Rejected(rejection),
                TurnError::Illegal(illegal) => TellError::Broken(illegal.to_string()),
            })?;
        let mut recording = Recording::default();
        if turn.events.is_empty() && tell.accepted.is_none() {
            return Ok((turn, recording));
        }
        let accepted = tell.accepted.map(|accepted| match turn.answer.clone() {
            Some(answer) => accepted.answering(answer),
            None => *accepted,
        });
        let record = accepted.and_then(|accepted| recording.accept(accepted, now, &tell.by));
        let mut records: Vec<Record> = record.into_iter().collect();
        let seq = loaded.seq + 1;
        loaded.state.render(seq, &turn.events, &mut loaded.shown, recording.changes());
        loaded.state.forget_ended_items();
        loaded.marks.note(seq, &turn.events);
        loaded.marks.render(&loaded.state, seq, recording.changes());
        turn.aborts = turn.events.iter().any(Event::aborts);
        let mut emitted = std::mem::take(&mut turn.emitted).into_iter().peekable();
        let events = turn.events.drain(..).map(Some).chain([None]);
        for (index, event) in events.enumerate() {
            while let Some(emitted) = emitted.next_if(|emitted| event.is_none() || emitted.behind <= index) {
                let step = Some((loaded.state.id, emitted.step));
                records.extend(recording.effects(emitted.effects, step, now, &tell.by));
            }
            records.extend(event.map(Record::Run));
        }
        recording.entry(loaded.state.stream(), loaded.seq, now, &tell.by, &records);
        Ok((turn, recording))
    }

    /// What follows when the append is done.
    fn settle(
        &mut self,
        outcome: Result<(), AppendError>,
        turn: Turn,
        by: Attribution,
        context: &mut Context<Self>,
    ) -> Result<Option<Value>, TellError> {
        let Ok(loaded) = &mut self.loaded else { return Ok(None) };
        if let Err(error) = outcome {
            // The state is ahead of the journal: whoever comes next reads the run anew.
            self.inner.supervisor().put_away(loaded.state.id, &context.address(), true);
            context.stop();
            return Err(error.into());
        }
        loaded.seq += 1;
        let state = &loaded.state;
        if turn.goes_on {
            context.notify(Tell { command: Command::Advance, by: by.clone(), accepted: None });
        }
        let is_idle = !turn.goes_on && turn.work.is_empty() && is_idle(state);
        if state.status.is_final() {
            Ticket::of(state).iter().for_each(|ticket| self.inner.supervisor().leave(ticket));
            state.run_row(loaded.seq).into_iter().for_each(|row| self.inner.ended.announce(row));
        }
        let id = state.id;
        if turn.aborts {
            self.abort(&by, context);
        }
        if !turn.work.is_empty() {
            self.watch_clock(by, context);
        }
        for work in turn.work {
            self.perform(work, context);
        }
        if is_idle {
            self.inner.supervisor().put_away(id, &context.address(), false);
            context.stop();
        }
        Ok(turn.answer)
    }

    /// Tells the run when it has worked for as long as it may.
    fn watch_clock(&mut self, by: Attribution, context: &mut Context<Self>) {
        let now = self.inner.clock.now();
        let left = self.loaded.as_ref().ok().and_then(|loaded| loaded.state.time_left(now));
        let Some(left) = left.filter(|_| !self.is_timed) else { return };
        self.is_timed = true;
        // Never a zero-length timer; and timers and clock may differ, so that the end is looked at again.
        context.run_later(left.max(Duration::from_millis(1)), move |actor, context| {
            actor.is_timed = false;
            if left.is_zero() {
                context.notify(Tell { command: Command::WallClock, by, accepted: None });
            } else {
                actor.watch_clock(by, context);
            }
        });
    }

    /// Performs an attempt beside the mailbox; its result is a new command.
    fn perform(&mut self, work: Work, context: &mut Context<Self>) {
        let inner = self.inner.clone();
        let limit = self.loaded.as_ref().ok().and_then(|loaded| {
            loaded.state.plan.steps.get(usize::from(work.at.step)).and_then(|step| step.timeout)
        });
        let (at, number, undoes) = (work.at, work.attempt, work.undoes);
        let attempt = async move {
            let by = work.context.attribution.clone();
            let result = match limit {
                Some(limit) => tokio::time::timeout(limit, inner.execute(&work))
                    .await
                    .unwrap_or_else(|_| Err(timed_out(limit))),
                None => inner.execute(&work).await,
            };
            let (at, attempt) = (work.at, work.attempt);
            let command = if work.undoes {
                Command::FinishCompensation { at, attempt, result: result.map(drop) }
            } else {
                Command::Finish { at, attempt, result }
            };
            Tell { command, by, accepted: None }
        };
        let attempt = attempt.into_actor(self).map(move |tell, actor, context| {
            actor.under_way.retain(|other| (other.at, other.attempt, other.undoes) != (at, number, undoes));
            context.notify(tell);
        });
        let handle = context.spawn(attempt);
        self.under_way.push(UnderWay { at, attempt: number, undoes, handle });
    }

    /// Ends the attempts under way: their connections are dropped, and what became of them is uncertain.
    fn abort(&mut self, by: &Attribution, context: &mut Context<Self>) {
        let (aborted, kept) =
            std::mem::take(&mut self.under_way).into_iter().partition(|attempt| !attempt.undoes);
        self.under_way = kept;
        for UnderWay { at, attempt, handle, .. } in aborted {
            context.cancel_future(handle);
            let failure =
                Failure::uncertain(FailureKind::Other, "aborted", "the run was stopped during the attempt");
            let command = Command::Finish { at, attempt, result: Err(failure) };
            context.notify(Tell { command, by: by.clone(), accepted: None });
        }
    }
}

/// Whether nobody need keep the run in memory: it waits, or has ended.
fn is_idle(state: &State) -> bool {
    state.is_held() || !super::decide::is_active(state)
}

fn timed_out(limit: Duration) -> Failure {
    let message = format!("no answer within {} s", limit.as_secs_f64());
    Failure::uncertain(FailureKind::Timeout, "timeout", message)
}

impl Inner {
    /// Carries out one attempt.
    async fn execute(self: &Arc<Self>, work: &Work) -> Result<Value, Failure> {
        let unknown = || {
            let message = format!("there is no action `{}`", work.action);
            Failure::certain(FailureKind::Other, "unknown_action", message)
        };
        match &self.registry.get(&work.action).ok_or_else(unknown)?.run {
            Code::Outside(action) => action.execute(work.input.clone(), work.context.clone()).await,
            Code::Inside(action) => action(&work.input, &work.context).map(|effects| effects.output),
            Code::Service => self.serve_step(work).await,
        }
    }
}

impl Actor for RunActor {
    type Context = Context<Self>;
}

impl Handler<Tell> for RunActor {
    type Result = AtomicResponse<Self, Result<Option<Value>, TellError>>;

    fn handle(&mut self, tell: Tell, _: &mut Context<Self>) -> Self::Result {
        let by = tell.by.clone();
        match self.turn(tell) {
            Err(error) => self.answer(Err(error)),
            Ok((_, recording)) if recording.is_empty() => self.answer(Ok(None)),
            Ok((turn, recording)) => {
                let inner = self.inner.clone();
                let append = async move { recording.commit(&inner).await.map(drop) };
                let settled = append
                    .into_actor(self)
                    .map(move |outcome, actor, context| actor.settle(outcome, turn, by, context));
                AtomicResponse::new(Box::pin(settled))
            }
        }
    }
}

impl RunActor {
    /// Answers a command that led to nothing, and puts the run away when nothing else keeps it in memory.
    fn answer(
        &self,
        answer: Result<Option<Value>, TellError>,
    ) -> AtomicResponse<Self, Result<Option<Value>, TellError>> {
        let is_broken = matches!(answer, Err(TellError::Append(_) | TellError::Broken(_)));
        let state = self.loaded.as_ref().ok().map(|loaded| &loaded.state);
        let is_idle = state.is_some_and(is_idle);
        if let Some(ticket) = state.filter(|state| state.status.is_final()).and_then(Ticket::of) {
            self.inner.supervisor().leave(&ticket);
        }
        // The actor stops behind the answer: one that stops before it takes the answer along.
        AtomicResponse::new(Box::pin(fut::ready(answer).map(move |answer, actor: &mut Self, context| {
            if is_broken || is_idle {
                actor.inner.supervisor().put_away(actor.run, &context.address(), false);
                context.stop();
            }
            answer
        })))
    }
}
