//! The actor of the timeline: its one writer.
//!
//! A thin shell: one command, then its commit, then the next. The timeline is taken out for the work and put
//! back after its commit alone, so that heads and rows agree: when a command or its commit fails, the next one
//! opens it anew. Invariant: whenever the roster changed, every feed is cut as it says before anything else is
//! written.

use std::sync::{Arc, Weak};

use actix::prelude::*;
use xyn_store::ids::{self, EntryId, EventId};
use xyn_store::projection::Changes;
use xyn_store::timeline::admit::{Admission, Refusal, Verdict};
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::entry::{Entry, Note};
use xyn_store::timeline::fork::Proof;
use xyn_store::timeline::record::Body;
use xyn_store::timeline::{Saying, Timeline};
use xyn_store::trust::{Roster, SignedStatement};
use xyn_store::{StoreError, Timestamp};

use super::deed::Acceptance;
use super::event::{self, Event};
use super::follower::FOLLOWER;
use super::{Shared, TimelineError};
use crate::node::actor::by_node;
use crate::record::Record;
use crate::runtime::{Inner, Recording, stream};

/// Where the actor lives.
pub(crate) type Arbiter = ArbiterHandle;

/// Who holds the files that a moment refers to.
const HOLDER: &str = "timeline";

/// Something to write.
pub(crate) enum Command {
    /// What the node's own work came to, of the journal's entries from `from` to `to`.
    Milestones { milestones: Vec<(EntryId, Note)>, from: u64, to: u64 },
    /// Moments, by an intent.
    Say { moments: Vec<(EntryId, Note)>, by: Box<Acceptance> },
    /// An edit of a board, by an intent.
    Edit { board: Board, edits: Vec<Edit>, by: Box<Acceptance> },
    /// A word on who belongs.
    State(Box<SignedStatement>),
    /// Frames from others.
    Admit(Vec<Vec<u8>>),
    /// Packs from others.
    AdmitPacks(Vec<Vec<u8>>),
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
        let desk = Arc::new(Desk { inner, shared });
        Self(Writer::start_in_arbiter(arbiter, move |_| Writer { desk, timeline: None }))
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
    /// None before the first command, and after one that failed.
    timeline: Option<Timeline>,
}

impl Actor for Writer {
    type Context = Context<Self>;
}

impl Handler<Command> for Writer {
    type Result = AtomicResponse<Self, Result<Vec<Verdict>, TimelineError>>;

    fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Self::Result {
        let (desk, timeline) = (self.desk.clone(), self.timeline.take());
        let work = async move { desk.carry(timeline, command).await };
        AtomicResponse::new(Box::pin(work.into_actor(self).map(|done, writer, _| {
            let (timeline, verdicts) = done?;
            writer.timeline = Some(timeline);
            Ok(verdicts)
        })))
    }
}

/// What a command is carried out with.
struct Desk {
    inner: Weak<Inner>,
    shared: Arc<Shared>,
}

/// A command that was carried out and is not durable yet.
#[derive(Default)]
struct Draft {
    recording: Recording,
    verdicts: Vec<Verdict>,
    /// Whether who belongs may have changed.
    is_about_members: bool,
}

impl Desk {
    async fn carry(
        self: Arc<Self>,
        timeline: Option<Timeline>,
        command: Command,
    ) -> Result<(Timeline, Vec<Verdict>), TimelineError> {
        let stopping = || StoreError::Unavailable("the node is stopping".into());
        let inner = self.inner.upgrade().ok_or_else(stopping)?;
        let mut timeline = match timeline {
            Some(timeline) => timeline,
            None => {
                let timeline = Timeline::open(&inner.store.read()?, self.shared.env.root(), self.shared.own)?;
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
        let Draft { recording, mut verdicts, mut is_about_members } = draft;
        self.commit(&inner, recording).await?;
        // The certificate of an author may come with the author's own frames: those are judged again.
        while is_about_members {
            timeline = self.recut(&inner, timeline).await?;
            let refused: Vec<usize> = past_cut(&verdicts).filter(|index| *index < again.len()).collect();
            if refused.is_empty() {
                break;
            }
            let frames = refused.iter().map(|index| std::mem::take(&mut again[*index])).collect();
            let draft;
            (timeline, draft) = self.draft(&inner, timeline, Command::Admit(frames)).await?;
            self.commit(&inner, draft.recording).await?;
            refused.into_iter().zip(draft.verdicts).for_each(|(index, verdict)| verdicts[index] = verdict);
            again.clear();
            is_about_members = draft.is_about_members;
        }
        Ok((timeline, verdicts))
    }

    /// Carries out `command` away from the actor's thread, which others share.
    async fn draft(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        mut timeline: Timeline,
        command: Command,
    ) -> Result<(Timeline, Draft), TimelineError> {
        let (desk, inner) = (self.clone(), inner.clone());
        let work = move || {
            let draft = desk.write(&inner, &mut timeline, command)?;
            Ok((timeline, draft))
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    fn write(
        &self,
        inner: &Inner,
        timeline: &mut Timeline,
        command: Command,
    ) -> Result<Draft, TimelineError> {
        let (reader, key, now) = (inner.store.read()?, inner.store.key(), inner.clock.now());
        let roster = self.shared.roster.load();
        let cuts = |feed: &_| roster.cut(*feed);
        let mut draft = Draft::default();
        match command {
            Command::Milestones { milestones, from, to } => {
                // Whoever asks may not know that an append succeeded whose answer was lost.
                if reader.position(FOLLOWER)? != from {
                    return Err(TimelineError::Said);
                }
                let written = timeline.say_milestones(key, now, milestones, FOLLOWER, to)?;
                draft.recording.changes().extend(written.changes);
                if let Some(first) = written.entries.first() {
                    // The stream of a batch is named after its first moment: the same batch conflicts with itself.
                    let stream = stream(first.entry_id);
                    draft.recording.entry(stream, 0, now, &by_node(now), &added(written.entries));
                }
            }
            Command::Say { moments, by } => {
                let sayings = moments.into_iter().map(|(id, note)| Saying::Entry(id, Box::new(note)));
                let written = timeline.say(key, now, sayings.collect())?;
                draft.recording.changes().extend(written.changes);
                for root in written.entries.iter().filter_map(|entry| entry.note.refs.after) {
                    draft.recording.changes().pin(HOLDER, &root);
                }
                by.record(&mut draft.recording, now, added(written.entries));
            }
            Command::Edit { board, edits, by } => {
                let written = timeline.edit(&reader, key, now, &board, &edits)?;
                draft.recording.changes().extend(written.changes);
                by.record(&mut draft.recording, now, Vec::new());
            }
            Command::State(statement) => {
                let saying = Saying::Statement(statement.as_bytes().to_vec());
                draft.recording.changes().extend(timeline.say(key, now, vec![saying])?.changes);
                draft.is_about_members = true;
            }
            Command::Admit(frames) => draft.admitted(timeline.admit(&reader, &frames, now, cuts)?, now),
            Command::AdmitPacks(packs) => {
                draft.admitted(timeline.admit_packs(&reader, &packs, now, cuts)?, now);
            }
            Command::AdmitProof(proof) => {
                let (changes, is_new) = timeline.admit_proof(&reader, &proof, cuts)?;
                draft.recording.changes().extend(changes);
                draft.is_about_members = is_new;
            }
        }
        Ok(draft)
    }

    async fn commit(&self, inner: &Inner, mut recording: Recording) -> Result<(), TimelineError> {
        if !recording.changes().is_empty() {
            recording.commit(inner).await?;
            self.shared.news.send_modify(|commits| *commits += 1);
        }
        Ok(())
    }

    /// Reads the roster anew and cuts every feed as it says.
    async fn recut(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        mut timeline: Timeline,
    ) -> Result<Timeline, TimelineError> {
        let (env, reading) = (self.shared.env, inner.clone());
        let work = move || -> Result<(Timeline, Roster, Changes), StoreError> {
            let reader = reading.store.read()?;
            let roster = reader.roster(env)?;
            let changes = timeline.recut(&reader, |feed| roster.cut(*feed))?;
            Ok((timeline, roster, changes))
        };
        let done = tokio::task::spawn_blocking(work).await;
        let (timeline, roster, changes) =
            done.map_err(|error| StoreError::Unavailable(error.to_string()))??;
        let mut recording = Recording::default();
        recording.changes().extend(changes);
        self.commit(inner, recording).await?;
        self.shared.roster.store(Arc::new(roster));
        Ok(timeline)
    }
}

impl Draft {
    fn admitted(&mut self, admission: Admission, now: Timestamp) {
        let Admission { changes, verdicts, elsewhere, proofs } = admission;
        let is_statement = |body: &Body| matches!(body, Body::Statement(_));
        self.is_about_members =
            !proofs.is_empty() || elsewhere.iter().any(|record| is_statement(&record.content.body));
        self.recording.changes().extend(changes);
        let ranges = event::admitted(&verdicts);
        if !ranges.is_empty() {
            let record = Record::Timeline(Event::RecordsAdmitted(ranges));
            let stream = stream(ids::fresh::<EventId>(now));
            self.recording.entry(stream, 0, now, &by_node(now), &[record]);
        }
        self.verdicts = verdicts;
    }
}

/// That `entries` were put on the timeline.
fn added(entries: Vec<Entry>) -> Vec<Record> {
    entries.into_iter().map(|entry| Record::Timeline(Event::EntryAdded(Box::new(entry)))).collect()
}

/// The frames that were refused because of who wrote them.
fn past_cut(verdicts: &[Verdict]) -> impl Iterator<Item = usize> {
    let is_past_cut = |verdict: &Verdict| matches!(verdict, Verdict::Refused(Refusal::PastCut(_)));
    verdicts.iter().enumerate().filter(move |(_, verdict)| is_past_cut(verdict)).map(|(index, _)| index)
}
