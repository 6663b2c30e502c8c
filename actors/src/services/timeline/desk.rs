//! Commands to the timeline, carried out.
//!
//! Owns the way from a command to its rows: written, committed, and where it changed who belongs, followed by
//! the cuts. Invariant: whenever the roster changed, every feed is cut as it says before anything else is
//! written.

use std::sync::{Arc, Weak};

use xyn_store::audit::key::NodeKey;
use xyn_store::blobs::TIMELINE;
use xyn_store::ids::{self, StreamId};
use xyn_store::projection::Changes;
use xyn_store::timeline::admit::{Admission, Refusal, Verdict};
use xyn_store::timeline::entry::Entry;
use xyn_store::timeline::record::Body;
use xyn_store::timeline::{Saying, Timeline, WriteError};
use xyn_store::trust::{Roster, SignedStatement};
use xyn_store::{Reader, StoreError, Timestamp};

use super::actor::Command;
use super::follower::FOLLOWER;
use super::members;
use super::{Event, Sent, Shared, TimelineError};
use crate::node::actor::by_node;
use crate::record::Record;
use crate::runtime::{Inner, Recording, stream};
use crate::services::approvals::people::People;
use crate::services::mesh;

/// What a command is carried out with.
pub(super) struct Desk {
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
    pub(super) fn new(inner: Weak<Inner>, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    /// Carries out `command` and makes it durable. Opens the timeline where none is handed over.
    pub(super) async fn carry(
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
            let frames = refused.iter().map(|index| again[*index].clone()).collect();
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
                for made in written.entries.iter().flat_map(|entry| &entry.note.refs.artifacts) {
                    draft.recording.changes().pin(TIMELINE, &made.sha256);
                }
                if let Some(first) = written.entries.first() {
                    // The stream of a batch is named after its first moment: the same batch conflicts with itself.
                    let stream = stream(first.entry_id);
                    draft.recording.entry(stream, 0, now, &by_node(now), &added(written.entries));
                }
            }
            Command::Say { moments, by } => {
                let people = People::of(&roster, self.shared.own.node);
                let sayings = moments.into_iter().map(|(id, mut note)| {
                    note.principal = people.outward(&note.principal);
                    Saying::Entry(id, Box::new(note))
                });
                let written = timeline.say(key, now, sayings.collect())?;
                draft.recording.changes().extend(written.changes);
                for root in written.entries.iter().filter_map(|entry| entry.note.refs.after) {
                    draft.recording.changes().pin(TIMELINE, &root);
                }
                by.record(&mut draft.recording, now, added(written.entries));
            }
            Command::Edit { board, edits, by } => {
                let written = timeline.edit(&reader, key, now, &board, &edits)?;
                draft.recording.changes().extend(written.changes);
                by.record(&mut draft.recording, now, Vec::new());
            }
            Command::State(statement) => {
                draft.state(timeline, key, now, &statement)?;
            }
            Command::Belong { change, by } => {
                let folder = inner.store.folder();
                let word = members::word(&reader, folder, key, &roster, change, now)?;
                if let Some((statement, event)) = word {
                    draft.state(timeline, key, now, &statement)?;
                    let stream = match &event {
                        Some(mesh::Event::Joined(invitation)) => members::stream_of(invitation.id),
                        _ => self.stream(),
                    };
                    draft.tell(&reader, stream, event.into_iter().collect(), now)?;
                }
                by.record(&mut draft.recording, now, Vec::new());
            }
            Command::Admit(frames) => {
                draft.admitted(timeline.admit(&reader, &frames, now, cuts)?);
                draft.tell(&reader, self.stream(), spans(&frames, &draft.verdicts), now)?;
            }
            Command::AdmitPacks(packs) => {
                draft.admitted(timeline.admit_packs(&reader, &packs, now, cuts)?);
                draft.tell(&reader, self.stream(), spans(&packs, &draft.verdicts), now)?;
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
        if **self.shared.roster.load() != roster {
            self.shared.roster.store(Arc::new(roster));
            self.shared.news.send_modify(|commits| *commits += 1);
        }
        Ok(timeline)
    }

    /// The stream of what the timeline tells the journal.
    fn stream(&self) -> StreamId {
        ids::derived(Timestamp::EPOCH, &[b"timeline", self.shared.own.node.as_bytes()])
    }
}

impl Draft {
    /// Writes a word on who belongs.
    fn state(
        &mut self,
        timeline: &mut Timeline,
        key: &NodeKey,
        now: Timestamp,
        statement: &SignedStatement,
    ) -> Result<(), WriteError> {
        let saying = Saying::Statement(statement.as_bytes().to_vec());
        self.recording.changes().extend(timeline.say(key, now, vec![saying])?.changes);
        self.is_about_members = true;
        Ok(())
    }

    /// Tells the journal.
    fn tell(
        &mut self,
        reader: &Reader,
        stream: StreamId,
        events: Vec<mesh::Event>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if !events.is_empty() {
            let records: Vec<Record> =
                events.into_iter().map(|event| Record::Mesh(Box::new(event))).collect();
            self.recording.entry(stream, reader.last_seq(stream)?, now, &by_node(now), &records);
        }
        Ok(())
    }

    fn admitted(&mut self, admission: Admission) {
        let Admission { changes, verdicts, elsewhere, proofs } = admission;
        let is_statement = |body: &Body| matches!(body, Body::Statement(_));
        self.is_about_members =
            !proofs.is_empty() || elsewhere.iter().any(|record| is_statement(&record.content.body));
        self.recording.changes().extend(changes);
        self.verdicts = verdicts;
    }
}

/// That `entries` were put on the timeline.
fn added(entries: Vec<Entry>) -> Vec<Record> {
    entries.into_iter().map(|entry| Record::Timeline(Event::EntryAdded(Box::new(entry)))).collect()
}

/// What was admitted: one event for consecutive records of one feed that came from one peer.
fn spans(frames: &[Sent], verdicts: &[Verdict]) -> Vec<mesh::Event> {
    let mut spans: Vec<mesh::Span> = Vec::new();
    for (Sent { from: peer, .. }, verdict) in frames.iter().zip(verdicts) {
        let &Verdict::Admitted { feed, first, last, .. } = verdict else { continue };
        let continued =
            spans.iter_mut().find(|it| (it.feed, it.peer, it.last.saturating_add(1)) == (feed, *peer, first));
        match continued {
            Some(span) => span.last = last,
            None => spans.push(mesh::Span { feed, first, last, peer: *peer }),
        }
    }
    spans.into_iter().map(mesh::Event::Admitted).collect()
}

/// The frames that were refused because of who wrote them.
fn past_cut(verdicts: &[Verdict]) -> impl Iterator<Item = usize> {
    let is_past_cut = |verdict: &Verdict| matches!(verdict, Verdict::Refused(Refusal::PastCut(_)));
    verdicts.iter().enumerate().filter(move |(_, verdict)| is_past_cut(verdict)).map(|(index, _)| index)
}
