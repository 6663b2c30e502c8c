//! Actions that stand in for real ones.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::phrases::fault;
use crate::actions::{Code, Context, Effects, Failure, Idempotence, NewEvent, Outside, Registry, Spec};
use crate::blueprint::FailureKind;

/// An action whose attempts the story itself performs.
struct Elsewhere;

impl Outside for Elsewhere {
    fn execute(&self, _: Value, _: Context) -> BoxFuture<'static, Result<Value, Failure>> {
        Box::pin(async { Ok(Value::Null) })
    }
}

/// `out.once` may be done once, `out.same` any number of times, `in.note` takes effect inside.
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
    ] {
        registry.register(spec, code).expect("a schema");
    }
    registry
}

/// Emits one event; fails when it is told to.
fn note(input: &Value, context: &Context) -> Result<Effects, Failure> {
    if input["fail"] == json!(true) {
        return Err(fault(FailureKind::Other));
    }
    let event = NewEvent {
        id: xyn_store::ids::derived(context.now, &[context.seed.as_bytes()]),
        name: "test.noted".into(),
        occurred_at: None,
        resource: None,
        data: input.clone(),
    };
    Ok(Effects { output: input.clone(), events: vec![event], ..Effects::default() })
}
