//! Actions that stand in for real ones.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use xyn_store::Digest;
use xyn_store::ids::EventId;

use super::phrases::fault;
use crate::actions::{
    Code, Content, Context, Effects, Failure, Idempotence, NewArtifact, NewEvent, Outside, Registry, Spec,
    Surroundings,
};
use crate::blueprint::FailureKind;

/// An action whose attempts the story itself performs.
struct Elsewhere;

impl Outside for Elsewhere {
    fn execute(&self, _: Value, _: Context) -> BoxFuture<'static, Result<Value, Failure>> {
        Box::pin(async { Ok(Value::Null) })
    }
}

/// Where one id is taken and a single large artifact has room.
pub(super) struct Narrow;

impl Surroundings for Narrow {
    fn blob_length(&self, _: &Digest) -> Option<u64> {
        None
    }

    fn is_taken(&self, id: EventId) -> bool {
        id.to_string() == TAKEN
    }

    fn room_bytes(&self) -> u64 {
        30_000
    }
}

/// The id that is taken.
pub(super) const TAKEN: &str = "01930000-0000-7000-8000-000000000001";

/// `out.once` may be done once, `out.same` any number of times, `in.note` and `in.keep` take effect inside.
pub(super) fn registry() -> Registry {
    let mut registry = Registry::default();
    let spec = |name, idempotent| Spec {
        name,
        description: "A stand-in.",
        input_schema: json!({ "type": "object" }),
        output_schema: json!({}),
        idempotent,
        risk: crate::governance::Risk::Low,
        redact: &["/secret"],
    };
    let outside = || Code::Outside(Arc::new(Elsewhere));
    for (spec, code) in [
        (spec("out.once", Idempotence::Never), outside()),
        (spec("out.same", Idempotence::Always), outside()),
        (spec("in.note", Idempotence::Always), Code::Inside(note)),
        (spec("in.keep", Idempotence::Always), Code::Inside(keep)),
    ] {
        registry.register(spec, code).expect("a schema");
    }
    registry
}

/// Keeps an artifact of as many bytes as it is told.
fn keep(input: &Value, context: &Context) -> Result<Effects, Failure> {
    let wanted = input["bytes"].as_u64().unwrap_or_default() as usize;
    let bytes = context.seed.bytes().cycle().take(wanted).collect();
    let artifact = NewArtifact {
        id: xyn_store::ids::derived(context.now, &[context.seed.as_bytes()]),
        name: "kept".into(),
        kind: "file".into(),
        content_type: "text/plain".into(),
        content: Content::Bytes(bytes),
        run_id: None,
        metadata: json!({}),
    };
    Ok(Effects { artifacts: vec![artifact], ..Effects::default() })
}

/// Emits one event, with an id of its own when it is given one; fails when it is told to.
fn note(input: &Value, context: &Context) -> Result<Effects, Failure> {
    if input["fail"] == json!(true) {
        return Err(fault(FailureKind::Other));
    }
    let derived = || xyn_store::ids::derived(context.now, &[context.seed.as_bytes()]);
    let event = NewEvent {
        id: input["event_id"].as_str().map_or_else(derived, |id| id.parse().expect("an id")),
        name: "test.noted".into(),
        occurred_at: None,
        resource: None,
        data: input.clone(),
    };
    Ok(Effects { output: input.clone(), events: vec![event], ..Effects::default() })
}
