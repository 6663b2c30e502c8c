//! Commands, written: what each comes to, before any of it is durable.
//!
//! Owns what a command is held against, and what of it goes where: to the node's feed, to the journal, to the pins.
//! Commits nothing. Invariant: whatever a command can be refused for is looked at before the timeline is written, so
//! that one that was refused leaves the timeline as it was.

use std::sync::Arc;

use xyn_store::audit::key::NodeKey;
use xyn_store::blobs::TIMELINE;
use xyn_store::ids::EntryId;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::entry::Note;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::fork::Proof;
use xyn_store::timeline::{Saying, Timeline};
use xyn_store::trust::{Roster, SignedStatement};
use xyn_store::{Reader, Timestamp};

use super::actor::Command;
use super::deed::{Acceptance, keeps_base, takes_moments};
use super::draft::{Draft, added, spans};
use super::follower::FOLLOWER;
use super::members::Change;
use super::{Sent, Shared, TimelineError, members};
use crate::node::actor::by_node;
use crate::runtime::{Inner, stream};
use crate::services::approvals::people::People;
use crate::services::mesh;

/// One command that is being written.
pub(super) struct Writing<'a> {
    inner: &'a Inner,
    shared: &'a Shared,
    timeline: &'a mut Timeline,
    reader: Reader,
    roster: Arc<Roster>,
    now: Timestamp,
    draft: Draft,
}

impl<'a> Writing<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        shared: &'a Shared,
        timeline: &'a mut Timeline,
    ) -> Result<Self, TimelineError> {
        let (reader, now) = (inner.store.read()?, inner.clock.now());
        let (roster, draft) = (shared.roster.load_full(), Draft::default());
        Ok(Self { inner, shared, timeline, reader, roster, now, draft })
    }

    /// What `command` comes to.
    pub(super) fn write(mut self, command: Command) -> Result<Draft, TimelineError> {
        match command {
            Command::Milestones { milestones, from, to } => self.milestones(milestones, from, to),
            Command::Say { moments, by } => self.say(moments, *by),
            Command::Edit { board, edits, by } => self.edit(&board, &edits, *by),
            #[cfg(test)]
            Command::State(statement) => self.state(&statement),
            Command::Belong { change, signed, by } => self.belong(change, signed.map(|it| *it), *by),
            Command::Admit(frames) => self.admit(&frames),
            Command::AdmitProof(proof) => self.admit_proof(&proof),
        }?;
        Ok(self.draft)
    }

    fn milestones(
        &mut self,
        milestones: Vec<(EntryId, Note)>,
        from: u64,
        to: u64,
    ) -> Result<(), TimelineError> {
        // Whoever asks may not know that an append succeeded whose answer was lost.
        if self.reader.position(FOLLOWER)? != from {
            return Err(TimelineError::Said);
        }
        let written = self.timeline.say_milestones(self.key(), self.now, milestones, FOLLOWER, to)?;
        let recording = &mut self.draft.recording;
        recording.changes().extend(written.changes);
        for made in written.entries.iter().flat_map(|entry| &entry.note.refs.artifacts) {
            recording.changes().pin(TIMELINE, &made.sha256);
        }
        if let Some(first) = written.entries.first() {
            // The stream of a batch is named after its first moment: the same batch conflicts with itself.
            let stream = stream(first.entry_id);
            recording.entry(stream, 0, self.now, &by_node(self.now), &added(written.entries));
        }
        Ok(())
    }

    fn say(&mut self, moments: Vec<(EntryId, Note)>, by: Acceptance) -> Result<(), TimelineError> {
        moments.iter().try_for_each(|(_, note)| takes_moments(&self.reader, &note.branch))?;
        let people = People::of(&self.roster, self.shared.own.node);
        let sayings = moments.into_iter().map(|(id, mut note)| {
            note.principal = people.outward(&note.principal);
            Saying::Entry(id, Box::new(note))
        });
        let written = self.timeline.say(self.key(), self.now, sayings.collect())?;
        let recording = &mut self.draft.recording;
        recording.changes().extend(written.changes);
        for content in written.entries.iter().flat_map(|entry| entry.note.refs.contents()) {
            recording.changes().pin(TIMELINE, &content);
        }
        by.record(recording, self.now, added(written.entries));
        Ok(())
    }

    fn edit(&mut self, board: &Board, edits: &[Edit], by: Acceptance) -> Result<(), TimelineError> {
        keeps_base(&self.reader, board, edits)?;
        let written = self.timeline.edit(&self.reader, self.key(), self.now, board, edits)?;
        self.draft.recording.changes().extend(written.changes);
        by.record(&mut self.draft.recording, self.now, Vec::new());
        Ok(())
    }

    fn state(&mut self, statement: &SignedStatement) -> Result<(), TimelineError> {
        let saying = Saying::Statement(statement.as_bytes().to_vec());
        let written = self.timeline.say(self.key(), self.now, vec![saying])?;
        self.draft.recording.changes().extend(written.changes);
        self.draft.is_about_members = true;
        Ok(())
    }

    fn belong(
        &mut self,
        change: Change,
        signed: Option<SignedStatement>,
        by: Acceptance,
    ) -> Result<(), TimelineError> {
        let (folder, me) = (self.inner.store.folder(), (self.key(), self.shared.own));
        let word = members::word(&self.reader, folder, me, &self.roster, (change, signed), self.now)?;
        if let Some((statement, event)) = word {
            self.state(&statement)?;
            let stream = match &event {
                Some(mesh::Event::Joined(invitation)) => members::stream_of(invitation.id),
                _ => self.shared.stream(),
            };
            self.draft.tell(&self.reader, stream, event.into_iter().collect(), self.now)?;
        }
        by.record(&mut self.draft.recording, self.now, Vec::new());
        Ok(())
    }

    fn admit(&mut self, frames: &[Sent]) -> Result<(), TimelineError> {
        let cuts = |feed: &FeedId| self.roster.cut(*feed);
        let admission = self.timeline.admit(&self.reader, frames, self.now, cuts)?;
        self.draft.admitted(admission);
        let spans = spans(frames, &self.draft.verdicts);
        Ok(self.draft.tell(&self.reader, self.shared.stream(), spans, self.now)?)
    }

    fn admit_proof(&mut self, proof: &Proof) -> Result<(), TimelineError> {
        let cuts = |feed: &FeedId| self.roster.cut(*feed);
        let (changes, verdict) = self.timeline.admit_proof(&self.reader, proof, self.now, cuts)?;
        self.draft.recording.changes().extend(changes);
        self.draft.is_about_members = matches!(verdict, Verdict::Forked { .. });
        self.draft.verdicts = vec![verdict];
        Ok(())
    }

    fn key(&self) -> &'a NodeKey {
        self.inner.store.key()
    }
}
