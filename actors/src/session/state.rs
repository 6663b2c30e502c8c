//! The state of a session: the fold of its events, and whom it lets act.

use xyn_store::Timestamp;
use xyn_store::ids::{SessionId, StreamId};
use xyn_store::projection::{Changes, SessionRow};
use xyn_store::scope::Principal;

use super::command::Rejection;
use super::event::Reason;

/// What is true of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The session.
    pub id: SessionId,
    /// How it began; none before it was opened.
    pub opened: Option<Opened>,
    /// Why it ended; none while it is open.
    pub closed: Option<Reason>,
}

/// How a session began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whom it belongs to.
    pub principal: Principal,
    /// How it came.
    pub via: String,
    /// When.
    pub at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl Opened {
    /// Whether `who` may act in it at `now`, as long as it was not closed.
    pub fn admits(&self, who: &Principal, now: Timestamp) -> Result<(), Rejection> {
        if self.is_over(now) {
            return Err(Rejection::Closed);
        }
        if self.principal == *who { Ok(()) } else { Err(Rejection::Foreign) }
    }

    /// Whether its time is over at `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

impl State {
    /// A session before its first event.
    pub fn new(id: SessionId) -> Self {
        Self { id, opened: None, closed: None }
    }

    /// The session's stream.
    pub fn stream(&self) -> StreamId {
        StreamId::from(uuid::Uuid::from(self.id))
    }

    /// How it began, while it is open.
    pub fn open(&self) -> Option<&Opened> {
        self.opened.as_ref().filter(|_| self.closed.is_none())
    }

    /// Renders its row: an open session has one.
    pub fn render(&self, changes: &mut Changes) {
        match self.open() {
            Some(opened) => changes.put(&SessionRow {
                session_id: self.id,
                principal: opened.principal.clone(),
                via: opened.via.clone(),
                opened_at: opened.at,
                expires_at: opened.expires_at,
            }),
            None => SessionRow::remove(self.id, changes),
        }
    }
}
