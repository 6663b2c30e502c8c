//! The supervisor of runs: which ones are in memory, on which thread, and how a command finds its run.
//!
//! Owns the actor system's threads. A run is brought into memory by the first command for it and put away when it
//! waits. What the node does by itself waits until there is room; what people ask for does not. Invariant: at most one
//! actor of a run accepts commands; the journal's sequence check stands behind it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use actix::prelude::*;
use serde_json::Value;
use tokio::sync::Notify;
use xyn_store::ids::RunId;
use xyn_store::scope::{Attribution, CorrelationId, Principal};

use super::Inner;
use super::load::load;
use super::places::{Places, Ticket};
use crate::run::actor::{Loaded, RunActor, Tell, TellError};
use crate::run::{Command, State};

/// How often a command is brought to a run that is just being put away.
const DELIVERY_LIMIT: usize = 8;
/// How long a run whose append failed rests before it is tried again.
const REVIVAL_DELAY: Duration = Duration::from_secs(1);

/// Runs in memory and the threads they live on.
pub(crate) struct Supervisor {
    inner: Weak<Inner>,
    system: System,
    arbiters: Vec<ArbiterHandle>,
    runs: Mutex<Runs>,
    /// A run was put away while others wait to be woken.
    freed: Notify,
}

/// Runs in memory, and who comes next.
struct Runs {
    actors: HashMap<RunId, Addr<RunActor>>,
    places: Places,
}

/// Room for one run to be woken, until it is dropped.
pub(crate) struct Room<'a>(&'a Supervisor);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut runs = self.0.lock();
        runs.places.woken();
        self.0.call(runs);
    }
}

impl Supervisor {
    /// Starts the actor system with `threads` threads for runs, of which `limit` may work at once.
    pub(crate) fn start(inner: Weak<Inner>, threads: usize, limit: u32) -> std::io::Result<Self> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new().name("actors".into()).spawn(move || {
            let runner = System::new();
            let arbiters: Vec<ArbiterHandle> = (0..threads.max(1)).map(|_| Arbiter::new().handle()).collect();
            // The receiver waits for exactly this message.
            let _ = sender.send((System::current(), arbiters));
            if let Err(error) = runner.run() {
                tracing::error!(%error, "the actor system ended badly");
            }
        })?;
        let (system, arbiters) = receiver.recv().map_err(std::io::Error::other)?;
        let runs = Mutex::new(Runs { actors: HashMap::new(), places: Places::new(limit) });
        Ok(Self { inner, system, arbiters, runs, freed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells `run` something and waits until it is durable.
    pub(crate) async fn tell(&self, run: RunId, tell: Tell) -> Result<Option<Value>, TellError> {
        for _ in 0..DELIVERY_LIMIT {
            let address = self.address(run, || None)?;
            match address.send(tell.clone()).await {
                Ok(answer) => return answer,
                // It was put away while the message was under way.
                Err(MailboxError::Closed | MailboxError::Timeout) => self.put_away(run, &address, false),
            }
        }
        Err(TellError::Broken(format!("run {run} does not stay in memory")))
    }

    /// Begins `state`, a run that has no history yet.
    pub(crate) async fn begin(&self, state: State, tell: Tell) -> Result<Option<Value>, TellError> {
        let run = state.id;
        let address = self.address(run, || Some(Loaded::new(state)))?;
        match address.send(tell).await {
            Ok(answer) => answer,
            Err(error) => Err(TellError::Broken(error.to_string())),
        }
    }

    /// The actor of `run`: the one in memory, or one around `fresh` or its history.
    fn address(
        &self,
        run: RunId,
        fresh: impl FnOnce() -> Option<Loaded>,
    ) -> Result<Addr<RunActor>, TellError> {
        let mut runs = self.lock();
        if let Some(address) = runs.actors.get(&run).filter(|address| address.connected()) {
            return Ok(address.clone());
        }
        let inner = self.inner.upgrade().ok_or_else(|| TellError::Broken("the node is stopping".into()))?;
        let arbiter = &self.arbiters[usize::from(run.as_bytes()[15]) % self.arbiters.len()];
        let fresh = fresh();
        let address = RunActor::start_in_arbiter(arbiter, move |_| {
            let loaded = fresh.map_or_else(|| load(&inner, run), Ok);
            RunActor::new(inner, run, loaded)
        });
        runs.actors.insert(run, address.clone());
        Ok(address)
    }

    /// Forgets the actor at `address`, which stops. With `revive`, the run is recovered after a rest.
    pub(crate) fn put_away(&self, run: RunId, address: &Addr<RunActor>, revive: bool) {
        let mut runs = self.lock();
        if runs.actors.get(&run) == Some(address) {
            runs.actors.remove(&run);
        }
        self.call(runs);
        if revive && let Some(inner) = self.inner.upgrade() {
            tokio::spawn(async move {
                tokio::time::sleep(REVIVAL_DELAY).await;
                inner.recover(run).await;
            });
        }
    }

    /// Whether the run of `ticket`, which is in memory, may begin. If not it is in line, and is told when it may.
    pub(crate) fn admit(&self, ticket: &Ticket<'_>) -> bool {
        let mut runs = self.lock();
        let in_memory = runs.actors.len();
        let may_begin = runs.places.admit(ticket, in_memory);
        self.call(runs);
        may_begin
    }

    /// Whether the line that a run of `blueprint` may have to join is as long as `limit` allows.
    pub(super) fn is_full(&self, blueprint: &str, limit: u32) -> bool {
        self.lock().places.is_full(blueprint, limit)
    }

    /// The run of `ticket` has ended.
    pub(crate) fn leave(&self, ticket: &Ticket<'_>) {
        let mut runs = self.lock();
        runs.places.leave(ticket);
        self.call(runs);
    }

    /// Changes what is known of who was under way and in line at the last stop.
    pub(super) fn restore<T>(&self, change: impl FnOnce(&mut Places) -> T) -> T {
        let mut runs = self.lock();
        let answer = change(&mut runs.places);
        self.call(runs);
        answer
    }

    /// Waits until there is room for one more run to work.
    pub(crate) async fn room(&self) -> Room<'_> {
        let mut sleeps = false;
        loop {
            let freed = self.freed.notified();
            let may_wake = {
                let mut runs = self.lock();
                let in_memory = runs.actors.len();
                runs.places.wake(in_memory, &mut sleeps)
            };
            if may_wake {
                return Room(self);
            }
            freed.await;
        }
    }

    /// Has whoever may work now do so.
    fn call(&self, mut runs: MutexGuard<'_, Runs>) {
        if runs.places.has_sleepers() {
            self.freed.notify_waiters();
        }
        let in_memory = runs.actors.len();
        let called = runs.places.call(in_memory);
        drop(runs);
        let Some(inner) = self.inner.upgrade().filter(|_| !called.is_empty()) else { return };
        for run in called {
            let inner = inner.clone();
            tokio::spawn(async move {
                while !inner.wake(run, Command::Advance).await && !inner.is_stopping() {
                    tokio::time::sleep(REVIVAL_DELAY).await;
                }
            });
        }
    }

    /// The thread of the node's own actor.
    pub(crate) fn system(&self) -> &ArbiterHandle {
        self.system.arbiter()
    }

    /// Runs in memory.
    pub(crate) fn in_memory(&self) -> usize {
        self.lock().actors.len()
    }

    /// Runs that have not begun.
    pub(crate) fn in_line(&self) -> usize {
        self.lock().places.in_line()
    }

    /// Ends the actor threads. What was not appended is recovered at the next start.
    pub(crate) fn stop(&self) {
        self.system.stop();
    }
}

/// The attribution of what the node does by itself for a run.
pub(crate) fn by_node(run: RunId) -> Attribution {
    let correlation = CorrelationId::from(xyn_store::ids::EventId::from(uuid::Uuid::from(run)));
    Attribution {
        actor: Principal::new("node"),
        session: None,
        correlation_id: correlation,
        causation_id: None,
    }
}

impl Inner {
    /// Has `run` take up what a stop of the node, or of its actor, left open.
    pub(crate) async fn recover(&self, run: RunId) {
        for command in [Command::Recover, Command::Advance] {
            self.wake(run, command).await;
        }
    }

    /// Has `run` go on by itself; false when the store does not let it at the moment.
    async fn wake(&self, run: RunId, command: Command) -> bool {
        let tell = Tell { command, by: by_node(run), accepted: None };
        let Err(error) = self.supervisor().tell(run, tell).await else { return true };
        tracing::warn!(%run, %error, "the run cannot go on");
        let is_lasting = !matches!(error, TellError::Append(_));
        if is_lasting {
            self.supervisor().restore(|places| places.forget(run));
        }
        is_lasting
    }
}
