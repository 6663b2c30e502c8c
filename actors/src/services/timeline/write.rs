//! Commands, written: what each comes to, before any of it is durable.
//!
//! Owns what a command is held against, and what of it goes where: to the node's feed, to the journal, to the pins.
//! Commits nothing. Invariant: whatever a command can be refused for is looked at before the timeline is written, so
//! that one that was refused leaves the timeline as it was.

use xyn_store::audit::key::NodeKey;
use xyn_store::blobs::TIMELINE;
use xyn_store::ids::EntryId;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::entry::Note;
use xyn_store::timeline::fork::Proof;
use xyn_store::timeline::{Hearing, Replica, Saying};
use xyn_store::trust::SignedStatement;
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
    key: &'a NodeKey,
    replica: &'a mut Replica,
    reader: Reader,
    now: Timestamp,
    draft: Draft,
}

impl<'a> Writing<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        shared: &'a Shared,
        replica: &'a mut Replica,
    ) -> Result<Self, TimelineError> {
        let (reader, key, now) = (inner.store.read()?, inner.store.key(), inner.clock.now());
        Ok(Self { inner, shared, key, replica, reader, now, draft: Draft::default() })
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
            Command::Admit(hearing) => self.admit(hearing),
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
        let sayings = milestones.into_iter().map(|(id, note)| Saying::Entry(id, Box::new(note))).collect();
        let written = self.replica.timeline_mut().say(self.key, self.now, sayings)?;
        let recording = &mut self.draft.recording;
        recording.changes().extend(written.changes);
        recording.changes().put_position(FOLLOWER, to);
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
        let people = People::of(self.replica.roster(), self.shared.own.node);
        let sayings = moments.into_iter().map(|(id, mut note)| {
            note.principal = people.outward(&note.principal);
            Saying::Entry(id, Box::new(note))
        });
        let written = self.replica.timeline_mut().say(self.key, self.now, sayings.collect())?;
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
        let written = self.replica.timeline_mut().edit(&self.reader, self.key, self.now, board, edits)?;
        self.draft.recording.changes().extend(written.changes);
        by.record(&mut self.draft.recording, self.now, Vec::new());
        Ok(())
    }

    fn state(&mut self, statement: &SignedStatement) -> Result<(), TimelineError> {
        let saying = Saying::Statement(statement.as_bytes().to_vec());
        let written = self.replica.timeline_mut().say(self.key, self.now, vec![saying])?;
        self.draft.recording.changes().extend(written.changes);
        Ok(())
    }

    fn belong(
        &mut self,
        change: Change,
        signed: Option<SignedStatement>,
        by: Acceptance,
    ) -> Result<(), TimelineError> {
        let (folder, me) = (self.inner.store.folder(), (self.key, self.shared.own));
        let word =
            members::word(&self.reader, folder, me, self.replica.roster(), (change, signed), self.now)?;
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

    fn admit(&mut self, mut hearing: Hearing<Sent>) -> Result<(), TimelineError> {
        let (judged, admission) = self.replica.judge(&self.reader, &mut hearing, self.now)?;
        self.draft.recording.changes().extend(admission.changes);
        self.draft.left_out = admission.left_out;
        let spans = spans(judged.into_iter().map(|frame| &hearing.frames[frame]), &admission.verdicts);
        self.draft.tell(&self.reader, self.shared.stream(), spans, self.now)?;
        self.draft.hearing = Some(hearing);
        Ok(())
    }

    fn admit_proof(&mut self, proof: &Proof) -> Result<(), TimelineError> {
        let (changes, verdict) = self.replica.judge_proof(&self.reader, proof, self.now)?;
        self.draft.recording.changes().extend(changes);
        self.draft.verdicts = vec![verdict];
        Ok(())
    }
}
