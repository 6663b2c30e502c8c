//! What a session can be told.

use std::time::Duration;

use super::decide::LIFETIME_MAX;
use super::event::Reason;

/// Something a session is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Begin, for the principal who tells it.
    Open {
        /// How it came: `loopback`, `token`, `browser`.
        via: String,
        /// How long it lasts; none for as long as the node runs.
        lifetime: Option<Duration>,
    },
    /// End.
    Close(Reason),
    /// Its time may be over.
    Expire,
}

/// Why a session does not do what it is told, or does not let somebody act in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It was opened before.
    #[error("the session was opened before")]
    Exists,
    /// It is closed, its time is over, or it never was.
    #[error("the session is closed")]
    Closed,
    /// Somebody else opened it.
    #[error("the session belongs to somebody else")]
    Foreign,
    /// It would last for too long.
    #[error("a session lasts for {} hours at most", LIFETIME_MAX.as_secs() / 3_600)]
    TooLong,
}
