//! Events.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;
use xyn_actors::record::{EventView, ResourceView};
use xyn_store::ids::{EventId, RunId};
use xyn_store::{Json, Timestamp};

use crate::schema;

/// An immutable input or fact.
#[derive(Serialize, ToSchema)]
pub(crate) struct Event {
    #[schema(schema_with = schema::id)]
    pub(crate) event_id: EventId,
    #[schema(value_type = String)]
    pub(crate) event_name: Cow<'static, str>,
    #[schema(schema_with = schema::instant)]
    pub(crate) occurred_at: Timestamp,
    /// The environment it happened in.
    pub(crate) env_id: String,
    /// Who did it.
    pub(crate) actor: String,
    /// The interaction it belongs to.
    pub(crate) correlation_id: String,
    /// The event it follows from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub(crate) causation_id: Option<EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub(crate) run_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) step_id: Option<String>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) resource: Option<Resource>,
    /// What it says: as its sender said it, or in the shape in which other routes show what it is about.
    #[schema(schema_with = schema::any)]
    pub(crate) data: Json,
}

/// What an event is about.
#[derive(Serialize, ToSchema)]
pub(crate) struct Resource {
    /// Its type, such as `run` or `artifact`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) id: String,
}

/// Names an accepted event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
pub(crate) struct EventRef {
    #[schema(schema_with = schema::id)]
    event_id: EventId,
}

impl From<ResourceView> for Resource {
    fn from(view: ResourceView) -> Self {
        Self { kind: view.kind, id: view.id }
    }
}

impl Event {
    /// An event of the environment `env_id`.
    pub(crate) fn of(view: EventView, env_id: &str) -> Self {
        Self {
            event_id: view.event_id,
            event_name: view.event_name,
            occurred_at: view.occurred_at,
            env_id: env_id.to_owned(),
            actor: view.actor,
            correlation_id: view.correlation_id,
            causation_id: view.causation_id,
            run_id: view.run_id,
            step_id: view.step_id,
            resource: view.resource.map(Resource::from),
            data: view.data,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_has_these_fields_and_no_others() {
        let id = "0190f5fe-7c00-7a00-8000-000000000001";
        let view = EventView {
            event_id: id.parse().expect("an id"),
            event_name: "checkmk.alert".into(),
            occurred_at: Timestamp::EPOCH,
            actor: "webhook:checkmk".into(),
            correlation_id: "c-1".into(),
            causation_id: None,
            run_id: None,
            step_id: None,
            resource: Some(ResourceView { kind: "host".into(), id: "web-1".into() }),
            data: Json::from(&json!({"severity": "critical"})),
        };
        let expected = json!({
            "event_id": id,
            "event_name": "checkmk.alert",
            "occurred_at": "1970-01-01T00:00:00.000000Z",
            "env_id": "home",
            "actor": "webhook:checkmk",
            "correlation_id": "c-1",
            "resource": {"type": "host", "id": "web-1"},
            "data": {"severity": "critical"},
        });
        assert_eq!(serde_json::to_value(Event::of(view, "home")).expect("renders"), expected);
    }
}
