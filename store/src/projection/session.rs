//! Rows of open sessions. A closed one has none: its stream says what it was.

use serde::{Deserialize, Serialize};

use super::{Changes, Row};
use crate::clock::Timestamp;
use crate::ids::SessionId;
use crate::scope::Principal;
use crate::tables::{Key, Table};

/// An open session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// The session.
    pub session_id: SessionId,
    /// Whom it belongs to.
    pub principal: Principal,
    /// How it came: `loopback`, `token`, `browser`.
    pub via: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it ends by itself; none for one that lasts as long as the node runs.
    pub expires_at: Option<Timestamp>,
}

impl Row for SessionRow {
    const TABLE: Table = Table::Sessions;

    fn key(&self) -> Key {
        Self::key_of(self.session_id)
    }
}

impl SessionRow {
    /// The key of the session's row.
    pub fn key_of(session_id: SessionId) -> Key {
        Key::new().bytes(session_id.as_bytes())
    }

    /// Removes the row of a session that is closed.
    pub fn remove(session_id: SessionId, changes: &mut Changes) {
        changes.unmark(Self::TABLE, Self::key_of(session_id));
    }
}
