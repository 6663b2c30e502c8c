//! What a command comes to, before it is durable.
//!
//! Owns what the journal is told of it. Commits nothing. Invariant: what was admitted is told once, whoever sent it.

use xyn_store::ids::StreamId;
use xyn_store::timeline::Hearing;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::board::LeftOut;
use xyn_store::timeline::entry::Entry;
use xyn_store::{Reader, StoreError, Timestamp};

use super::{Event, Sent};
use crate::node::actor::by_node;
use crate::record::Record;
use crate::runtime::Recording;
use crate::services::mesh;

/// A command that was carried out and is not durable yet.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) recording: Recording,
    /// Frames from others that were judged, and may have to be again.
    pub(super) hearing: Option<Hearing<Sent>>,
    /// On what else came from others.
    pub(super) verdicts: Vec<Verdict>,
    /// What was admitted and shows on no board.
    pub(super) left_out: Vec<LeftOut>,
}

impl Draft {
    /// Tells the journal.
    pub(super) fn tell(
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
}

/// That `entries` were put on the timeline.
pub(super) fn added(entries: Vec<Entry>) -> Vec<Record> {
    entries.into_iter().map(|entry| Record::Timeline(Event::EntryAdded(Box::new(entry)))).collect()
}

/// What was admitted: one event for consecutive records of one feed that came from one peer.
pub(super) fn spans<'a>(frames: impl Iterator<Item = &'a Sent>, verdicts: &[Verdict]) -> Vec<mesh::Event> {
    let mut spans: Vec<mesh::Span> = Vec::new();
    for (Sent { from: peer, .. }, verdict) in frames.zip(verdicts) {
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
