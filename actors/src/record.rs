//! Records: what an envelope of the journal holds.
//!
//! Owns the encoding of facts, their names in the catalogue and the rows they carry; how one shows is in
//! `view`. Variants are append-only: postcard writes them by position. Invariant: every record shows as
//! exactly one event, and the event's id names its place in the journal or is the sender's own.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use xyn_store::envelope::Envelope;
use xyn_store::ids::{EventId, RunId, StreamId};
use xyn_store::projection::{ArtifactRow, Changes, ClaimRow, IntentRow, IntentStatus};
use xyn_store::{Json, StoreError, Timestamp};

use crate::actions::NewEvent;
use crate::services::capsules::Event as CapsuleEvent;
use crate::services::deploy::Event as DeploymentEvent;
use crate::services::mesh;
use crate::services::timeline::Event as TimelineEvent;
use crate::services::workspace::Event as WorkspaceEvent;
use crate::{node, run, session};

pub mod shape;
mod view;

pub use view::{EventView, ResourceView, views};

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// An intent was allowed and is carried out.
    ///
    /// With the idempotency key it claims.
    IntentAccepted(Box<IntentRow>, Option<Box<ClaimRow>>),
    /// An intent was refused.
    IntentDenied(Box<IntentRow>),
    /// An intent waits for approvals.
    ///
    /// With the idempotency key it claims.
    IntentParked(Box<IntentRow>, Option<Box<ClaimRow>>),
    /// An intent that reached out has ended, or one that was parked has without being carried out.
    IntentEnded(Box<IntentRow>),
    /// Something was said about a parked intent; the last of its words is the new one.
    IntentAnswered(Box<IntentRow>),
    /// An event from outside, or one that an action emitted.
    Event(Box<OutsideEvent>),
    /// A fact about a run.
    Run(run::Event),
    /// An artifact was kept.
    ArtifactCreated(Box<ArtifactRow>),
    /// A fact about the node or its library.
    Node(node::Event),
    /// A fact about a session.
    Session(session::Event),
    /// A fact about this node and others.
    Mesh(Box<mesh::Event>),
    /// A fact about the timeline.
    Timeline(TimelineEvent),
    /// A fact about a workspace.
    Workspace(WorkspaceEvent),
    /// A fact about a capsule.
    Capsule(Box<CapsuleEvent>),
    /// A fact about a deployment.
    Deployment(Box<DeploymentEvent>),
}

/// An event from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideEvent {
    /// The sender's id, or one given at intake.
    pub event_id: EventId,
    /// Its name.
    pub name: String,
    /// When it happened, as the sender says.
    pub occurred_at: Timestamp,
    /// What it is about: type and id.
    pub resource: Option<(String, String)>,
    /// The run and step that emitted it.
    pub emitted_by: Option<(RunId, String)>,
    /// What it says.
    pub data: Json,
}

/// The first byte of encoded records: how to read the rest.
const VERSION: u8 = 1;

/// Encodes records for an envelope.
pub fn encode(records: &[Record]) -> Vec<u8> {
    let bytes = vec![VERSION];
    postcard::to_extend(records, bytes).expect("records hold no type that postcard refuses")
}

/// Decodes the records of `envelope`, which is entry `offset`.
pub fn decode(offset: u64, envelope: &Envelope) -> Result<Vec<Record>, StoreError> {
    let unfoldable = |reason: String| StoreError::Unfoldable { stream: envelope.stream, reason };
    match envelope.records.split_first() {
        Some((&VERSION, bytes)) => {
            postcard::from_bytes(bytes).map_err(|e| unfoldable(format!("entry {offset}: {e}")))
        }
        version => Err(unfoldable(format!("entry {offset} has records of unknown version {version:?}"))),
    }
}

/// What `envelope`, which is entry `offset`, says about its run.
pub(crate) fn run_events(offset: u64, envelope: &Envelope) -> Result<Vec<run::Event>, StoreError> {
    let event = |record| match record {
        Record::Run(event) => Some(event),
        _ => None,
    };
    Ok(decode(offset, envelope)?.into_iter().filter_map(event).collect())
}

/// The names of `records`, each once.
pub(crate) fn names(records: &[Record]) -> Vec<Cow<'static, str>> {
    let mut names: Vec<_> = records.iter().map(Record::name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Record {
    /// The event's name in the catalogue, or the sender's.
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Event(event) => return Cow::Owned(event.name.clone()),
            Self::Run(event) => event.name(),
            Self::IntentAccepted(..) => "xyn.intent.accepted",
            Self::IntentDenied(_) => "xyn.intent.denied",
            Self::IntentParked(..) => "xyn.intent.parked",
            Self::IntentEnded(row) => match row.status {
                IntentStatus::Failed => "xyn.intent.failed",
                IntentStatus::Uncertain => "xyn.intent.uncertain",
                IntentStatus::Denied => "xyn.intent.expired",
                _ => "xyn.intent.completed",
            },
            Self::IntentAnswered(row) if row.approvals.last().is_some_and(|word| word.approve) => {
                "xyn.intent.approved"
            }
            Self::IntentAnswered(_) => "xyn.intent.rejected",
            Self::ArtifactCreated(_) => "xyn.artifact.created",
            Self::Node(event) => event.name(),
            Self::Session(event) => event.name(),
            Self::Mesh(event) => event.name(),
            Self::Timeline(event) => event.name(),
            Self::Workspace(event) => event.name(),
            Self::Capsule(event) => event.name(),
            Self::Deployment(event) => event.name(),
        })
    }

    /// The run that an event which `view` shows came from.
    pub(crate) fn run_behind(&self, view: &EventView) -> Option<RunId> {
        match self {
            Self::Timeline(event) => event.run(),
            _ => view.run_id,
        }
    }

    /// Puts the rows that the record carries. Those of runs and sessions are rendered from their state instead, and the
    /// timeline's from its own records.
    pub(crate) fn render(&self, changes: &mut Changes) {
        match self {
            Self::IntentAccepted(row, claim) | Self::IntentParked(row, claim) => {
                row.write(changes);
                if let Some(claim) = claim {
                    changes.put(claim.as_ref());
                }
            }
            Self::IntentDenied(row) | Self::IntentEnded(row) | Self::IntentAnswered(row) => {
                row.write(changes);
            }
            Self::ArtifactCreated(row) => row.write(changes),
            Self::Node(event) => event.render(changes),
            Self::Mesh(event) => event.render(changes),
            Self::Workspace(event) => event.render(changes),
            Self::Capsule(event) => event.render(changes),
            Self::Deployment(event) => event.render(changes),
            Self::Event(_) | Self::Run(_) | Self::Session(_) | Self::Timeline(_) => {}
        }
    }
}

/// The stream of an outside event: its own, so that a second event with its id conflicts.
pub fn stream_of(event_id: EventId) -> StreamId {
    StreamId::from(uuid::Uuid::from(event_id))
}

/// The record of an event that an action emits.
pub(crate) fn event(event: NewEvent, emitted_by: Option<(RunId, String)>, at: Timestamp) -> Record {
    Record::Event(Box::new(OutsideEvent {
        event_id: event.id,
        name: event.name,
        occurred_at: event.occurred_at.unwrap_or(at),
        resource: event.resource,
        emitted_by,
        data: Json::from(&event.data),
    }))
}
