//! Folds recorded events into the state. An event that does not fit the state means a damaged journal.

use xyn_store::Timestamp;
use xyn_store::scope::Attribution;

use super::event::Event;
use super::state::{Opened, State};

/// A recorded event that cannot follow on the state.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot follow: {}", .event, .reason)]
pub struct IllegalEvent {
    /// The event's name.
    event: &'static str,
    /// What does not fit.
    reason: &'static str,
}

impl State {
    /// Folds `event`, recorded at `at` by `by`.
    pub fn apply(&mut self, event: &Event, at: Timestamp, by: &Attribution) -> Result<(), IllegalEvent> {
        let illegal = |reason| Err(IllegalEvent { event: event.name(), reason });
        match event {
            Event::Opened { .. } if self.opened.is_some() => illegal("the session was opened before"),
            Event::Opened { via, expires_at } => {
                let (principal, via) = (by.actor.clone(), via.clone());
                self.opened = Some(Opened { principal, via, at, expires_at: *expires_at });
                Ok(())
            }
            Event::Closed { .. } if self.open().is_none() => illegal("the session is not open"),
            Event::Closed { reason } => {
                self.closed = Some(*reason);
                Ok(())
            }
        }
    }
}
