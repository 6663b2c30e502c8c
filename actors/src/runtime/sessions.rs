//! The sessions of a node: which are open, whom they let act, and that each is closed in the end.
//!
//! Every intent looks at the list of open sessions and none waits for an actor. Invariant: a session lets
//! somebody act only after its opening is durable, and not any more once its closing was begun.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use futures::future::join_all;
use xyn_store::ids::{self, SessionId};
use xyn_store::projection::SessionRow;
use xyn_store::scope::{Attribution, Principal};
use xyn_store::tables::Key;
use xyn_store::{Order, Timestamp};

use super::supervisor::Supervisor;
use super::{Inner, Refusal, Runtime};
use crate::node::actor::by_node;
use crate::session::actor::{self, Address, Home, TellError};
use crate::session::{Command, Opened, Reason, Rejection, State};

/// Sessions that may be open at once.
pub(crate) const OPEN_LIMIT: usize = 4_096;
/// Sessions of an earlier start that are closed side by side.
const BATCH: usize = 256;

impl Runtime {
    /// The session of whoever comes over loopback; none for a stopped node.
    pub fn session(&self) -> Option<SessionId> {
        self.0.sessions.get().map(Sessions::loopback)
    }

    /// Opens a session for `principal`, who proved `via` something who they are. It lasts for `lifetime`.
    pub async fn open_session(
        &self,
        principal: Principal,
        via: &str,
        lifetime: Duration,
    ) -> Result<SessionId, Refusal> {
        self.0.sessions()?.open(principal, via, lifetime).await
    }

    /// Closes `session`, which belongs to `principal`.
    pub async fn close_session(&self, session: SessionId, principal: Principal) -> Result<(), Refusal> {
        self.0.sessions()?.close(session, principal).await
    }
}

impl Inner {
    /// The sessions of a node that runs.
    pub(super) fn sessions(&self) -> Result<&Sessions, Refusal> {
        let sessions = self.sessions.get().filter(|_| !self.is_stopping());
        sessions.ok_or_else(|| Refusal::Unavailable("the node is not running".into()))
    }
}

/// The handle to the sessions of a node.
pub(crate) struct Sessions {
    home: Home,
    open: Open,
    loopback: SessionId,
}

impl Sessions {
    /// Closes what a killed node left open, and opens the session of whoever comes over loopback.
    pub(super) async fn start(inner: &Arc<Inner>, supervisor: &Supervisor) -> Result<Self, Refusal> {
        let open = Open::default();
        let home = Home::new(Arc::downgrade(inner), open.clone(), supervisor.system().clone());
        let sessions = Self { home, open, loopback: ids::fresh(inner.clock.now()) };
        sessions.close_left_open(inner).await?;
        sessions.open_as(sessions.loopback, Principal::local_operator(), "loopback", None).await?;
        Ok(sessions)
    }

    /// The session of whoever comes over loopback.
    pub(crate) fn loopback(&self) -> SessionId {
        self.loopback
    }

    /// Whether `who` may act in `session` at `now`.
    pub(crate) fn admits(
        &self,
        session: SessionId,
        who: &Principal,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let open = self.open.0.read().unwrap_or_else(PoisonError::into_inner);
        let opened = open.get(&session).and_then(|entry| entry.opened.as_ref());
        opened.ok_or(Rejection::Closed)?.admits(who, now)
    }

    /// Opens a session for `principal`, which came `via` something and lasts for `lifetime`.
    pub(crate) async fn open(
        &self,
        principal: Principal,
        via: &str,
        lifetime: Duration,
    ) -> Result<SessionId, Refusal> {
        let inner = self.home.inner()?;
        let session = ids::fresh(inner.clock.now());
        self.open_as(session, principal, via, Some(lifetime)).await?;
        Ok(session)
    }

    async fn open_as(
        &self,
        session: SessionId,
        principal: Principal,
        via: &str,
        lifetime: Option<Duration>,
    ) -> Result<(), Refusal> {
        let inner = self.home.inner()?;
        let by = Attribution { actor: principal, session: Some(session), ..by_node(inner.clock.now()) };
        let address = {
            let mut open = self.open.change();
            if open.len() >= OPEN_LIMIT {
                let message = format!("{OPEN_LIMIT} sessions are open already; close some");
                return Err(Refusal::Overloaded { message });
            }
            let address = self.home.actor(State::new(session), 0);
            open.insert(session, Entry { address: address.clone(), opened: None });
            address
        };
        let told = address.tell(Command::Open { via: via.to_owned(), lifetime }, by).await;
        if told.is_err() {
            self.open.shut(session);
        }
        Ok(told?)
    }

    /// Closes `session`, which belongs to `principal`.
    pub(crate) async fn close(&self, session: SessionId, principal: Principal) -> Result<(), Refusal> {
        let inner = self.home.inner()?;
        let now = inner.clock.now();
        self.admits(session, &principal, now)?;
        let by = Attribution { actor: principal, session: Some(session), ..by_node(now) };
        Ok(self.end(session, Reason::Asked, by).await?)
    }

    /// Lets nobody in any more, whatever becomes of the record: at worst the next start makes it.
    async fn end(&self, session: SessionId, reason: Reason, by: Attribution) -> Result<(), TellError> {
        let address = self.open.shut(session).ok_or(Rejection::Closed)?;
        address.tell(Command::Close(reason), by).await
    }

    /// Closes all of them.
    pub(crate) async fn stop(&self) {
        let Ok(inner) = self.home.inner() else { return };
        let open: Vec<SessionId> = self.open.change().keys().copied().collect();
        let by = by_node(inner.clock.now());
        let closed = open.into_iter().map(|session| self.end(session, Reason::NodeStopped, by.clone()));
        for error in join_all(closed).await.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "a session's end could not be recorded; the next start does");
        }
    }

    /// Closes the sessions that an earlier start of the node left open.
    async fn close_left_open(&self, inner: &Inner) -> Result<(), Refusal> {
        let by = by_node(inner.clock.now());
        let mut cursor = None;
        loop {
            let page = inner.store.read()?.page::<SessionRow>(
                &Key::new(),
                Order::Ascending,
                cursor.as_ref(),
                BATCH,
                |_| true,
            )?;
            let closed = page.items.iter().map(|row| async {
                let (state, seq) = actor::load(inner, row.session_id)?;
                self.home.actor(state, seq).tell(Command::Close(Reason::NodeKilled), by.clone()).await
            });
            for error in join_all(closed).await.into_iter().filter_map(Result::err) {
                tracing::warn!(%error, "a session that an earlier start left open could not be closed");
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// Sessions that are open or just being opened.
#[derive(Clone, Default)]
pub(crate) struct Open(Arc<RwLock<BTreeMap<SessionId, Entry>>>);

struct Entry {
    address: Address,
    /// None while it is being opened.
    opened: Option<Opened>,
}

impl Open {
    fn change(&self) -> RwLockWriteGuard<'_, BTreeMap<SessionId, Entry>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `session` lets its principal act, unless its closing was begun meanwhile.
    pub(crate) fn let_in(&self, session: SessionId, opened: &Opened) {
        if let Some(entry) = self.change().get_mut(&session) {
            entry.opened = Some(opened.clone());
        }
    }

    /// From now on `session` lets nobody act. Answers its actor, if it was in the list.
    pub(crate) fn shut(&self, session: SessionId) -> Option<Address> {
        self.change().remove(&session).map(|entry| entry.address)
    }
}

impl From<TellError> for Refusal {
    fn from(error: TellError) -> Self {
        match error {
            TellError::Rejected(rejection) => rejection.into(),
            TellError::Append(error) => error.into(),
            TellError::Store(error) => error.into(),
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let message = rejection.to_string();
        match rejection {
            Rejection::Closed => Self::Forbidden { code: "session_closed", message },
            Rejection::Foreign => Self::Forbidden { code: "forbidden", message },
            Rejection::TooLong => Self::invalid("invalid_input", "/lifetime", message),
            Rejection::Exists => Self::Conflict { code: "conflict", message },
        }
    }
}
