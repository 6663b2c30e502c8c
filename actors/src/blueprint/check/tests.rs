//! What the checker says, and that it says all of it.

use serde_json::json;

use super::*;
use crate::actions::{Code as Run, Effects, Idempotence, Spec};
use crate::blueprint::sample;
use crate::document::MAX_ISSUES;

mod faults;
mod hostile;
mod plans;
mod twelve;
mod variables;

fn spec(name: &'static str, input_schema: serde_json::Value, idempotent: bool) -> Spec {
    let description = "A stand-in.";
    Spec {
        name,
        description,
        input_schema,
        output_schema: json!({}),
        idempotent: if idempotent { Idempotence::Always } else { Idempotence::Never },
        risk: crate::governance::Risk::Low,
        redact: &[],
    }
}

/// Stand-ins of the real actions, with schemas of the same shape.
fn registry() -> Registry {
    let mut registry = Registry::default();
    let put = json!({
        "type": "object",
        "required": ["name", "content"],
        "properties": {
            "name": { "type": "string", "minLength": 1, "pattern": "^[^/]+$" },
            "content": { "type": "string" },
            "content_type": { "type": "string" },
            "size": { "type": "integer", "maximum": 10 }
        },
        "additionalProperties": false
    });
    let call =
        json!({ "type": "object", "required": ["url"], "properties": { "url": { "type": "string" } } });
    for spec in
        [spec("artifacts.put", put, true), spec("http.call", call, false), spec("none", json!({}), true)]
    {
        registry.register(spec, Run::Inside(|_, _| Ok(Effects::default()))).expect("a schema");
    }
    registry
}

fn check(source: &str) -> Result<Plan, Vec<Issue>> {
    compile(source.as_bytes(), &registry(), &NodeLimits::default())
}

fn plan(source: &str) -> Plan {
    check(source).unwrap_or_else(|issues| panic!("{source}\n{}", show(&issues)))
}

fn issues(source: &str) -> Vec<Issue> {
    check(source).expect_err("a blueprint with faults")
}

fn show(issues: &[Issue]) -> String {
    issues
        .iter()
        .map(|issue| format!("{issue} [{:?} at {} in `{}`]\n", issue.code, issue.path, issue.text))
        .collect()
}

/// A blueprint around `steps`, the first of which stands on line 5, its dash in column 1.
fn around(steps: &str) -> String {
    format!(
        "id: bp.test\ntrigger: {{ event_type: demo.test }}\n\
         inputs: [{{ name: host }}, {{ name: hosts }}]\nplan:\n{steps}\n"
    )
}

/// The only issue of a blueprint around `steps`.
fn issue(steps: &str) -> Issue {
    let mut found = issues(&around(steps));
    assert_eq!(found.len(), 1, "{steps}\n{}", show(&found));
    found.remove(0)
}
