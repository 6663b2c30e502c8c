//! Commands to the timeline, carried out.
//!
//! Owns the way of a command from its draft to durable rows, and the cuts that follow where it changed who
//! belongs. Invariant: whenever the roster changed, every feed is cut as it says before anything else is
//! written.

use std::sync::{Arc, Weak};
use std::time::Duration;

use xyn_store::StoreError;
use xyn_store::journal::AppendError;
use xyn_store::projection::Changes;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::board::LeftOut;
use xyn_store::timeline::{Pace, Recut, Saying, Timeline, WriteError};
use xyn_store::trust::{Roster, SignedStatement};

use super::actor::Command;
use super::draft::{Draft, past_cut};
use super::write::Writing;
use super::{Shared, TimelineError};
use crate::runtime::{Inner, Recording};

/// How long the store takes to open itself anew, as a rule.
const REOPENED_WITHIN: Duration = Duration::from_secs(1);

/// What a command is carried out with.
pub(super) struct Desk {
    inner: Weak<Inner>,
    shared: Arc<Shared>,
    /// Of all timelines that are opened here, one after the other.
    pace: Pace,
}

impl Desk {
    pub(super) fn new(inner: Weak<Inner>, shared: Arc<Shared>) -> Self {
        Self { inner, shared, pace: Pace::default() }
    }

    /// Carries out `command` and makes it durable. Opens the timeline where there is none, and leaves it there when rows
    /// and heads agree: when all went well, or nothing was written.
    pub(super) async fn carry(
        self: Arc<Self>,
        slot: &mut Option<Timeline>,
        command: Command,
    ) -> Result<Vec<Verdict>, TimelineError> {
        let stopping = || StoreError::Unavailable("the node is stopping".into());
        let inner = self.inner.upgrade().ok_or_else(stopping)?;
        let mut timeline = match slot.take() {
            Some(timeline) => timeline,
            None => {
                let timeline = Timeline::open(&inner.store.read()?, self.shared.env.root(), self.shared.own)?;
                let timeline = timeline.paced(self.pace.clone());
                // A stop may have come between statements and the cuts that follow from them.
                self.recut(&inner, timeline).await?
            }
        };
        let mut again = match &command {
            Command::Admit(frames) => frames.clone(),
            _ => Vec::new(),
        };
        let draft;
        (timeline, draft) = self.draft(&inner, timeline, command).await?;
        let Draft { recording, mut verdicts, left_out, mut is_about_members } = match draft {
            Ok(draft) => draft,
            Err(refused) => {
                *slot = Some(timeline);
                return Err(refused);
            }
        };
        self.commit(&inner, recording).await?;
        account(&inner, &left_out);
        // The certificate of an author may come with the author's own frames: those are judged again.
        while is_about_members {
            timeline = self.recut(&inner, timeline).await?;
            let refused: Vec<usize> = past_cut(&verdicts).filter(|index| *index < again.len()).collect();
            if refused.is_empty() {
                break;
            }
            let frames = refused.iter().map(|index| again[*index].clone()).collect();
            let draft;
            (timeline, draft) = self.draft(&inner, timeline, Command::Admit(frames)).await?;
            let draft = draft?;
            self.commit(&inner, draft.recording).await?;
            account(&inner, &draft.left_out);
            refused.into_iter().zip(draft.verdicts).for_each(|(index, verdict)| verdicts[index] = verdict);
            again.clear();
            is_about_members = draft.is_about_members;
        }
        *slot = Some(timeline);
        Ok(verdicts)
    }

    /// Drafts `command` away from the actor's thread, which others share. The timeline comes back with the draft, and
    /// with the word on a command that is refused; not where the store failed, for it may be ahead of the rows then.
    async fn draft(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        mut timeline: Timeline,
        command: Command,
    ) -> Result<(Timeline, Result<Draft, TimelineError>), TimelineError> {
        let (desk, inner) = (self.clone(), inner.clone());
        let work = move || {
            let writing = Writing::new(&inner, &desk.shared, &mut timeline)?;
            match writing.write(command) {
                Err(error) if !error.is_refusal() => Err(error),
                drafted => Ok((timeline, drafted)),
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

    /// Reads the roster anew and cuts every feed as it says: step by step, so that nobody waits for a long feed.
    async fn recut(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        mut timeline: Timeline,
    ) -> Result<Timeline, TimelineError> {
        let (env, own, reading) = (self.shared.env, self.shared.own, inner.clone());
        let work = move || -> Result<_, StoreError> {
            let reader = reading.store.read()?;
            let statements = reader.statements(env)?;
            let roster = Roster::fold(env, &statements, reader.fork_cuts()?);
            let unsaid: Vec<_> = roster.unsaid(&statements, own).into_iter().cloned().collect();
            Ok((Arc::new(roster), unsaid))
        };
        let (roster, unsaid) = unblocked(work).await?;
        let mut is_done = false;
        while !is_done {
            let (reading, members) = (inner.clone(), roster.clone());
            let work = move || -> Result<(Timeline, Recut), StoreError> {
                let mut step = timeline.recut(&reading.store.read()?, |feed| members.cut(*feed))?;
                if members.is_out(own.node) {
                    step.changes.extend(timeline.silence());
                }
                Ok((timeline, step))
            };
            let step;
            (timeline, step) = unblocked(work).await?;
            is_done = step.is_done;
            let mut recording = Recording::default();
            recording.changes().extend(step.changes);
            self.commit(inner, recording).await?;
        }
        if **self.shared.roster.load() != *roster {
            self.shared.roster.store(roster);
            self.shared.news.send_modify(|commits| *commits += 1);
        }
        match unsaid.is_empty() {
            true => Ok(timeline),
            false => self.say_again(inner, timeline, unsaid).await,
        }
    }

    /// Says what the root said also in this node's feed. Where it cannot now, it does when who belongs changes next.
    async fn say_again(
        &self,
        inner: &Arc<Inner>,
        mut timeline: Timeline,
        statements: Vec<SignedStatement>,
    ) -> Result<Timeline, TimelineError> {
        let writing = inner.clone();
        let work = move || -> Result<_, StoreError> {
            let sayings = statements.iter().map(|it| Saying::Statement(it.as_bytes().to_vec())).collect();
            match timeline.say(writing.store.key(), writing.clock.now(), sayings) {
                Ok(written) => Ok((timeline, written.changes)),
                Err(WriteError::Store(error)) => Err(error),
                Err(error) => {
                    tracing::warn!(%error, "what the root said is not said again here");
                    Ok((timeline, Changes::new()))
                }
            }
        };
        let (timeline, changes) = unblocked(work).await?;
        let mut recording = Recording::default();
        recording.changes().extend(changes);
        self.commit(inner, recording).await?;
        Ok(timeline)
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
