//! The actor of the timeline: its one writer.
//!
//! A thin shell: one command, then its commit, then the next. The replica is taken out for the work and put
//! back after its commit, or where the command was refused and nothing was written. When the store or a commit
//! fails, the next command opens it anew. Invariant: between two commands, rows and heads say the same.

use std::sync::{Arc, Weak};

use actix::prelude::*;
use xyn_store::StoreError;
use xyn_store::ids::EntryId;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::entry::Note;
use xyn_store::timeline::fork::Proof;
use xyn_store::timeline::{Hearing, Replica};
use xyn_store::trust::SignedStatement;

use super::deed::Acceptance;
use super::desk::Desk;
use super::members::Change;
use super::{Sent, Shared, TimelineError};
use crate::runtime::Inner;

/// Where the actor lives.
pub(crate) type Arbiter = ArbiterHandle;

/// Something to write.
pub(crate) enum Command {
    /// What the node's own work came to, of the journal's entries from `from` to `to`.
    Milestones { milestones: Vec<(EntryId, Note)>, from: u64, to: u64 },
    /// Moments, by an intent.
    Say { moments: Vec<(EntryId, Note)>, by: Box<Acceptance> },
    /// An edit of a board, by an intent.
    Edit { board: Board, edits: Vec<Edit>, by: Box<Acceptance> },
    /// A word on who belongs, whatever it says.
    #[cfg(test)]
    State(Box<SignedStatement>),
    /// Who belongs changes, by an intent; said by the root, where a statement is brought that it signed.
    Belong { change: Change, signed: Option<Box<SignedStatement>>, by: Box<Acceptance> },
    /// Frames from others.
    Admit(Hearing<Sent>),
    /// A proof from others.
    AdmitProof(Box<Proof>),
}

impl Message for Command {
    type Result = Result<Vec<Verdict>, TimelineError>;
}

/// The way to the actor.
pub(super) struct Handle(Addr<Writer>);

impl Handle {
    pub(super) fn start(inner: Weak<Inner>, shared: Arc<Shared>, arbiter: &Arbiter) -> Self {
        let desk = Arc::new(Desk::new(inner, shared));
        Self(Writer::start_in_arbiter(arbiter, move |_| Writer { desk, replica: None }))
    }

    /// Has `command` carried out: the verdicts on what it brings from others.
    pub(super) async fn tell(&self, command: Command) -> Result<Vec<Verdict>, TimelineError> {
        match self.0.send(command).await {
            Ok(answer) => answer,
            Err(error) => Err(StoreError::Unavailable(error.to_string()).into()),
        }
    }
}

struct Writer {
    desk: Arc<Desk>,
    /// None before the first command, and after one that the store failed.
    replica: Option<Replica>,
}

impl Actor for Writer {
    type Context = Context<Self>;
}

impl Handler<Command> for Writer {
    type Result = AtomicResponse<Self, Result<Vec<Verdict>, TimelineError>>;

    fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Self::Result {
        let (desk, mut replica) = (self.desk.clone(), self.replica.take());
        let work = async move {
            let answer = desk.carry(&mut replica, command).await;
            (replica, answer)
        };
        AtomicResponse::new(Box::pin(work.into_actor(self).map(|(replica, answer), writer, _| {
            writer.replica = replica;
            answer
        })))
    }
}
