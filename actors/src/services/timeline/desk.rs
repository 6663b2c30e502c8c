//! Commands to the timeline, carried out.
//!
//! Owns the way of a command from its draft to durable rows: what is done on which thread, what is committed when, and
//! who is told. What follows from what the replica says. Invariant: nothing is written or judged before all that
//! followed from the command before is durable.

use std::sync::{Arc, Weak};
use std::time::Duration;

use xyn_store::StoreError;
use xyn_store::journal::AppendError;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::board::LeftOut;
use xyn_store::timeline::{Hearing, Pace, Replica};

use super::actor::Command;
use super::draft::Draft;
use super::write::Writing;
use super::{Shared, TimelineError};
use crate::runtime::{Inner, Recording};

/// How long the store takes to open itself anew, as a rule.
const REOPENED_WITHIN: Duration = Duration::from_secs(1);

/// What a command is carried out with.
pub(super) struct Desk {
    inner: Weak<Inner>,
    shared: Arc<Shared>,
    /// Of all replicas that are opened here, one after the other.
    pace: Pace,
}

impl Desk {
    pub(super) fn new(inner: Weak<Inner>, shared: Arc<Shared>) -> Self {
        Self { inner, shared, pace: Pace::default() }
    }

    /// Carries out `command` and makes it durable, with all that follows from it. Opens the replica where there is none,
    /// and leaves it there when rows and heads agree: when all went well, or nothing was written.
    pub(super) async fn carry(
        self: Arc<Self>,
        slot: &mut Option<Replica>,
        mut command: Command,
    ) -> Result<Vec<Verdict>, TimelineError> {
        let stopping = || StoreError::Unavailable("the node is stopping".into());
        let inner = self.inner.upgrade().ok_or_else(stopping)?;
        let mut replica = match slot.take() {
            Some(replica) => replica,
            None => {
                let (own, roster) = (self.shared.own, self.shared.roster.load_full());
                let replica = Replica::open(&inner.store.read()?, own, roster, self.pace.clone())?;
                // A stop may have come between statements and the cuts that follow from them.
                self.settle(&inner, replica).await?
            }
        };
        loop {
            let draft;
            (replica, draft) = self.draft(&inner, replica, command).await?;
            let Draft { recording, hearing, verdicts, left_out } = match draft {
                Ok(draft) => draft,
                Err(refused) => {
                    *slot = Some(replica);
                    return Err(refused);
                }
            };
            self.commit(&inner, recording).await?;
            account(&inner, &left_out);
            replica = self.settle(&inner, replica).await?;
            match hearing {
                Some(hearing) if hearing.is_open(&replica) => command = Command::Admit(hearing),
                heard => {
                    *slot = Some(replica);
                    return Ok(heard.map_or(verdicts, Hearing::into_verdicts));
                }
            }
        }
    }

    /// Drafts `command` away from the actor's thread, which others share. The replica comes back with the draft, and
    /// with the word on a command that is refused; not where the store failed, for it may be ahead of the rows then.
    async fn draft(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        mut replica: Replica,
        command: Command,
    ) -> Result<(Replica, Result<Draft, TimelineError>), TimelineError> {
        let (desk, inner) = (self.clone(), inner.clone());
        let work = move || {
            let writing = Writing::new(&inner, &desk.shared, &mut replica)?;
            match writing.write(command) {
                Err(error) if !error.is_refusal() => Err(error),
                drafted => Ok((replica, drafted)),
            }
        };
        unblocked(work).await
    }

    async fn commit(&self, inner: &Inner, mut recording: Recording) -> Result<(), TimelineError> {
        if recording.changes().is_empty() {
            return Ok(());
        }
        match recording.commit(inner).await {
            Ok(_) => self.shared.news.send_modify(|commits| *commits += 1),
            Err(error) => {
                if let AppendError::Unavailable(_) = error {
                    self.have_it_looked_at();
                }
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// What was to be committed may be there: whoever follows looks, when the store had time to open itself anew.
    fn have_it_looked_at(&self) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            tokio::time::sleep(REOPENED_WITHIN).await;
            shared.news.send_modify(|commits| *commits += 1);
        });
    }

    /// Commits what the replica comes to, step by step, and tells of who belongs.
    async fn settle(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        mut replica: Replica,
    ) -> Result<Replica, TimelineError> {
        while !replica.is_settled() {
            let (env, own, settling) = (self.shared.env, self.shared.own, inner.clone());
            let work = move || -> Result<_, StoreError> {
                let (reader, key) = (settling.store.read()?, settling.store.key());
                let now = settling.clock.now();
                let written = replica.settle(&reader, key, now, |reader| reader.members(env, own))?;
                Ok((replica, written.changes))
            };
            let changes;
            (replica, changes) = unblocked(work).await?;
            let mut recording = Recording::default();
            recording.changes().extend(changes);
            self.commit(inner, recording).await?;
            if !Arc::ptr_eq(&self.shared.roster.load(), replica.roster()) {
                self.shared.roster.store(replica.roster().clone());
                self.shared.news.send_modify(|commits| *commits += 1);
            }
        }
        Ok(replica)
    }
}

/// Has the mesh tell of what was admitted and shows on no board.
fn account(inner: &Inner, left_out: &[LeftOut]) {
    if let Some(mesh) = inner.mesh() {
        mesh.account_for(inner.clock.now(), left_out);
    }
}

/// Does `work` away from the threads that others share.
async fn unblocked<T: Send + 'static, E: From<StoreError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Unavailable(error.to_string()))?
}
