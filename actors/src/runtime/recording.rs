//! A recording: the one append that an act leaves, gathered piece by piece.
//!
//! Large blobs are written before the entry that names them; everything else is in the entry's own transaction.

use serde_json::Value;
use xyn_store::blobs::is_inline;
use xyn_store::ids::{self, EventId, RunId, StreamId};
use xyn_store::journal::{Append, AppendError, Entry, Receipt};
use xyn_store::projection::{ArtifactRow, Payload};
use xyn_store::scope::Attribution;
use xyn_store::{Digest, Json, StoreError, Timestamp};

use super::{Accepted, Inner, stream};
use crate::actions::{Content, Effects};
use crate::record::{self, Record};

/// What is about to be appended.
#[derive(Default)]
pub(crate) struct Recording {
    append: Append,
    large_blobs: Vec<Vec<u8>>,
}

impl Recording {
    /// Adds an entry to `stream` behind `expected`, and the rows that its records carry.
    pub(crate) fn entry(
        &mut self,
        stream: StreamId,
        expected: u64,
        at: Timestamp,
        attribution: &Attribution,
        records: &[Record],
    ) {
        records.iter().for_each(|record| record.render(&mut self.append.changes));
        let (attribution, names) = (attribution.clone(), record::names(records));
        let records = record::encode(records);
        self.append.entries.push(Entry { stream, expected, at, attribution, names, records });
    }

    /// Whether there is nothing to append.
    pub(crate) fn is_empty(&self) -> bool {
        self.append.entries.is_empty()
    }

    /// The rows of the append.
    pub(crate) fn changes(&mut self) -> &mut xyn_store::projection::Changes {
        &mut self.append.changes
    }

    /// Claims the key of the intent that this carries out; answers the record of its acceptance, for the caller's
    /// entry.
    ///
    /// That of an intent which was parked goes to the intent's own stream instead, behind the words on it: whoever
    /// carries it out a second time is in conflict there, so that its approval counts once.
    pub(crate) fn accept(
        &mut self,
        accepted: Accepted,
        at: Timestamp,
        attribution: &Attribution,
    ) -> Option<Record> {
        let Accepted { mut row, claim, output } = accepted;
        row.output = output.map(|output| self.payload(&output));
        self.append.claim = claim.clone();
        let (id, parked_seq) = (row.intent_id, row.parked_seq());
        let record = Record::IntentAccepted(Box::new(row), claim.map(Box::new));
        let Some(parked_seq) = parked_seq else { return Some(record) };
        self.entry(stream(id), parked_seq, at, attribution, &[record]);
        None
    }

    /// Accepts an intent and adds what came of it, in one entry.
    pub(crate) fn carry_out(
        &mut self,
        accepted: Accepted,
        at: Timestamp,
        attribution: &Attribution,
        came_of: Vec<Record>,
    ) {
        let intent_id = accepted.row.intent_id;
        let accepted = self.accept(accepted, at, attribution);
        // An intent that was parked has its acceptance in its own stream already.
        let stream = match accepted {
            Some(_) => stream(intent_id),
            None => stream(ids::fresh::<EventId>(at)),
        };
        let records: Vec<Record> = accepted.into_iter().chain(came_of).collect();
        if !records.is_empty() {
            self.entry(stream, 0, at, attribution, &records);
        }
    }

    /// Claims the key of an intent that waits for approvals; answers the record that says so.
    pub(crate) fn park(&mut self, parked: Accepted) -> Record {
        self.append.claim = parked.claim.clone();
        Record::IntentParked(Box::new(parked.row), parked.claim.map(Box::new))
    }

    /// `document` as a row holds it: a large one is kept as a blob.
    pub(crate) fn payload(&mut self, document: &Value) -> Payload {
        let json = Json::from(document);
        if json.as_str().len() <= Payload::INLINE_MAX {
            return Payload::Json(json);
        }
        let bytes = json.as_str().as_bytes().to_vec();
        Payload::Blob { byte_length: bytes.len() as u64, sha256: self.keep(bytes) }
    }

    /// Adds what an inside action wants recorded: events to streams of their own, artifacts as records for the
    /// caller's entry.
    pub(crate) fn effects(
        &mut self,
        effects: Effects,
        emitted_by: Option<(RunId, String)>,
        at: Timestamp,
        attribution: &Attribution,
    ) -> Vec<Record> {
        for event in effects.events {
            let stream = record::stream_of(event.id);
            self.entry(stream, 0, at, attribution, &[record::event(event, emitted_by.clone(), at)]);
        }
        let artifacts = effects.artifacts.into_iter().map(|artifact| {
            let (sha256, byte_length) = match artifact.content {
                Content::Bytes(bytes) => {
                    let length = bytes.len() as u64;
                    (self.keep(bytes), length)
                }
                Content::Stored { sha256, byte_length } => (sha256, byte_length),
            };
            let (run_id, step_id) = emitted_by.clone().unzip();
            let row = ArtifactRow {
                artifact_id: artifact.id,
                name: artifact.name,
                kind: artifact.kind,
                content_type: artifact.content_type,
                byte_length,
                created_at: at,
                created_by: attribution.actor.clone(),
                run_id: run_id.or(artifact.run_id),
                step_id,
                sha256,
                metadata: Json::from(&artifact.metadata),
            };
            Record::ArtifactCreated(Box::new(row))
        });
        artifacts.collect()
    }

    /// Keeps `bytes`: small ones in the append, large ones as a file written before it.
    pub(crate) fn keep(&mut self, bytes: Vec<u8>) -> Digest {
        if is_inline(bytes.len() as u64) {
            return self.append.changes.keep_blob(&bytes);
        }
        let digest = Digest::of(&bytes);
        self.large_blobs.push(bytes);
        digest
    }

    /// Makes it durable.
    pub(crate) async fn commit(self, inner: &Inner) -> Result<Receipt, AppendError> {
        for bytes in self.large_blobs {
            let blobs = inner.store.blobs().clone();
            let written = tokio::task::spawn_blocking(move || blobs.put(&bytes)).await;
            let failed = |error: StoreError| AppendError::Unavailable(std::sync::Arc::new(error));
            written
                .map_err(|error| failed(StoreError::Unavailable(error.to_string())))?
                .map_err(|error| failed(error.into()))?;
        }
        let commit = inner.journal.append(self.append);
        #[cfg(test)]
        let commit = inner.env.fuse.guard(commit);
        commit.await
    }
}
