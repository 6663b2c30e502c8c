//! How a record shows as an event of the catalogue.
//!
//! Owns the shape that readers see. Invariant: every record shows as exactly one event, and the event's id
//! names its place in the journal or is the sender's own.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::json;
use xyn_store::envelope::Envelope;
use xyn_store::ids::{EventId, RunId};
use xyn_store::{Json, StoreError, Timestamp};

use super::{Record, decode, shape};
use crate::node;

/// An event as readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventView {
    /// Its id.
    pub event_id: EventId,
    /// Its name in the catalogue, or the sender's.
    pub event_name: Cow<'static, str>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// The interaction it belongs to.
    pub correlation_id: String,
    /// The event it follows from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// The run it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The step it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_id: Option<String>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceView>,
    /// What it says.
    pub data: Json,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceView {
    /// Its type, such as `run` or `artifact`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// The events that `envelope`, which is entry `offset`, shows as.
pub fn views(offset: u64, envelope: &Envelope) -> Result<Vec<EventView>, StoreError> {
    let records = decode(offset, envelope)?;
    Ok(records.iter().enumerate().map(|(index, record)| record.view(offset, index, envelope)).collect())
}

impl Record {
    /// This record, number `index` of `envelope`, as readers see it.
    pub fn view(&self, offset: u64, index: usize, envelope: &Envelope) -> EventView {
        let about = |kind: &str, id: String| Some(ResourceView { kind: kind.to_owned(), id });
        let mut view = EventView {
            event_id: EventId::placed(envelope.at, offset, index as u16),
            event_name: self.name(),
            occurred_at: envelope.at,
            actor: envelope.attribution.actor.to_string(),
            correlation_id: envelope.attribution.correlation_id.to_string(),
            causation_id: envelope.attribution.causation_id,
            run_id: None,
            step_id: None,
            resource: None,
            data: self.data(),
        };
        match self {
            Self::Event(event) => {
                view.event_id = event.event_id;
                view.occurred_at = event.occurred_at;
                view.resource = event.resource.as_ref().and_then(|(kind, id)| about(kind, id.clone()));
                if let Some((run_id, step)) = &event.emitted_by {
                    (view.run_id, view.step_id) = (Some(*run_id), Some(step.clone()));
                }
            }
            Self::Run(event) => {
                let run_id = RunId::from(uuid::Uuid::from(envelope.stream));
                view.run_id = Some(run_id);
                view.step_id = event.position().map(|at| at.to_string());
                view.resource = about("run", run_id.to_string());
            }
            Self::IntentAccepted(row, _)
            | Self::IntentDenied(row)
            | Self::IntentParked(row, _)
            | Self::IntentEnded(row)
            | Self::IntentAnswered(row) => {
                view.resource = about("intent", row.intent_id.to_string());
            }
            Self::ArtifactCreated(row) => {
                (view.run_id, view.step_id) = (row.run_id, row.step_id.clone());
                view.resource = about("artifact", row.artifact_id.to_string());
            }
            Self::Node(event) => {
                let (kind, id) = subject(event, envelope);
                view.resource = about(kind, id);
            }
            Self::Session(_) => {
                view.resource = about("session", envelope.stream.to_string());
            }
            Self::Mesh(event) => {
                let (kind, id) = event.resource();
                view.resource = about(kind, id);
            }
            Self::Workspace(event) => {
                view.resource = about("workspace", event.row().name.clone());
            }
            Self::Capsule(event) => {
                view.resource = event.capsule().and_then(|capsule| about("capsule", capsule));
            }
            Self::Deployment(event) => {
                view.resource = event.deployment().and_then(|place| about("deployment", place));
            }
            Self::Timeline(event) => {
                let (kind, id) = event.resource();
                view.resource = about(kind, id);
                if let Some(actor) = event.actor() {
                    view.actor = actor.to_owned();
                }
            }
        }
        view
    }

    /// What the event says, without what its other fields say already.
    fn data(&self) -> Json {
        let rendered = match self {
            Self::Event(event) => return event.data.clone(),
            Self::Run(event) => shape::run(event),
            Self::IntentAccepted(row, _)
            | Self::IntentDenied(row)
            | Self::IntentParked(row, _)
            | Self::IntentEnded(row)
            | Self::IntentAnswered(row) => shape::intent(row),
            Self::ArtifactCreated(row) => shape::artifact(row),
            Self::Node(event) => match event {
                node::Event::Started { version, incarnation } => {
                    json!({ "version": version, "incarnation": format!("{incarnation:016x}") })
                }
                node::Event::Stopped => json!({}),
                node::Event::Draft(_, row) => shape::draft(row),
                node::Event::BlueprintActivated(row) | node::Event::BlueprintDeprecated(row) => json!(row),
                node::Event::PolicyActivated(row) | node::Event::PolicyDeprecated(row) => json!(row),
            },
            Self::Session(event) => event.data(),
            Self::Mesh(event) => event.data(),
            Self::Timeline(event) => event.data(),
            Self::Workspace(event) => shape::workspace(event.row()),
            Self::Capsule(event) => event.data(),
            Self::Deployment(event) => event.data(),
        };
        Json::from(&rendered)
    }
}

/// What a fact about the node is about.
fn subject(event: &node::Event, envelope: &Envelope) -> (&'static str, String) {
    match event {
        node::Event::Started { .. } | node::Event::Stopped => ("node", envelope.stream.to_string()),
        node::Event::Draft(_, row) => ("draft", row.draft_id.to_string()),
        node::Event::BlueprintActivated(row) | node::Event::BlueprintDeprecated(row) => {
            ("blueprint", row.blueprint_id.clone())
        }
        node::Event::PolicyActivated(row) | node::Event::PolicyDeprecated(row) => {
            ("policy", row.policy_id.clone())
        }
    }
}
