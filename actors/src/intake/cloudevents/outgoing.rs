//! A recorded event as a CloudEvent. Owns which fact becomes which attribute; sends nothing.

use serde_json::{Map, Value};
use xyn_store::Timestamp;
use xyn_store::ids::{EventId, RunId};
use xyn_store::scope::{CorrelationId, Principal};

use super::HEADER_PREFIX;
use super::percent::encoded;
use crate::intake::Resource;

/// A recorded event on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Its id.
    pub event_id: EventId,
    /// Its name.
    pub event_name: &'a str,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Environment of the node.
    pub env_id: &'a str,
    /// Who acted.
    pub actor: &'a Principal,
    /// The interaction it belongs to.
    pub correlation_id: &'a CorrelationId,
    /// The event that led to it.
    pub causation_id: Option<EventId>,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// The step it belongs to.
    pub step_id: Option<&'a str>,
    /// What it is about.
    pub resource: Option<&'a Resource>,
    /// What it says.
    pub data: &'a Value,
}

impl Outgoing<'_> {
    /// All attributes but the data's, by name. `source` is `/env/` and the environment's id.
    fn attributes(&self) -> Vec<(&'static str, String)> {
        let mut attributes = vec![
            ("specversion", "1.0".to_owned()),
            ("id", self.event_id.to_string()),
            ("source", format!("/env/{}", self.env_id)),
            ("type", self.event_name.to_owned()),
            ("time", self.occurred_at.to_string()),
            ("actor", self.actor.to_string()),
            ("correlationid", self.correlation_id.to_string()),
        ];
        let optional = [
            ("subject", self.resource.map(|resource| format!("{}/{}", resource.kind, resource.id))),
            ("causationid", self.causation_id.map(|id| id.to_string())),
            ("runid", self.run_id.map(|id| id.to_string())),
            ("stepid", self.step_id.map(str::to_owned)),
        ];
        attributes.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        attributes
    }

    /// The document of structured mode, `application/cloudevents+json`.
    pub fn to_structured(&self) -> Value {
        let attributes = self.attributes().into_iter().map(|(name, value)| (name.to_owned(), value.into()));
        let mut document: Map<String, Value> = attributes.collect();
        document.insert("datacontenttype".into(), "application/json".into());
        document.insert("data".into(), self.data.clone());
        Value::Object(document)
    }

    /// Headers and body of binary mode.
    pub fn to_binary(&self) -> (Vec<(String, String)>, Vec<u8>) {
        let mut headers: Vec<_> = self
            .attributes()
            .into_iter()
            .map(|(name, value)| (format!("{HEADER_PREFIX}{name}"), encoded(&value)))
            .collect();
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        (headers, self.data.to_string().into_bytes())
    }
}
