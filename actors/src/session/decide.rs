//! What a command means to a session: events, or a rejection. Pure; changes nothing.

use std::time::Duration;

use xyn_store::Timestamp;

use super::command::{Command, Rejection};
use super::event::{Event, Reason};
use super::state::State;

/// The longest that a session may last; whoever stays longer signs in again.
pub const LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What `command` means to a session in `state`.
pub fn decide(state: &State, command: Command, now: Timestamp) -> Result<Vec<Event>, Rejection> {
    match (command, state.open()) {
        (Command::Open { .. }, _) if state.opened.is_some() => Err(Rejection::Exists),
        (Command::Open { lifetime: Some(lifetime), .. }, _) if lifetime > LIFETIME_MAX => {
            Err(Rejection::TooLong)
        }
        (Command::Open { via, lifetime }, _) => {
            Ok(vec![Event::Opened { via, expires_at: lifetime.map(|lifetime| now.after(lifetime)) }])
        }
        (Command::Close(reason), Some(_)) => Ok(vec![Event::Closed { reason }]),
        (Command::Close(_), None) => Err(Rejection::Closed),
        (Command::Expire, Some(opened)) if opened.is_over(now) => {
            Ok(vec![Event::Closed { reason: Reason::Expired }])
        }
        (Command::Expire, _) => Ok(Vec::new()),
    }
}
