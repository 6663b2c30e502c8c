//! Inputs: from what a caller or an event gives to what a run begins with.

use serde_json::{Value, json};

use super::stand_ins::registry;
use crate::blueprint::{NodeLimits, Plan, compile};
use crate::run::resolve_inputs;

const SOURCE: &str = r#"
id: bp.test
name: Test
trigger: { event_type: test.go }
inputs:
  - { name: host, schema: { type: string }, required: true }
  - { name: port, from: "{{ event.data.net.port }}", schema: { type: integer }, required: false, default: 80 }
  - { name: note, required: false }
plan:
  - { kind: transform, id: a, set: { host: "{{ inputs.host }}" } }
"#;

fn plan() -> Plan {
    compile(SOURCE.as_bytes(), &registry(), &NodeLimits::default()).expect("a blueprint")
}

#[test]
fn inputs_come_from_the_caller_then_the_event_then_the_default() {
    let table: [(Value, Option<Value>, Value); 4] = [
        (json!({ "host": "h" }), None, json!({ "host": "h", "port": 80, "note": null })),
        (
            json!({}),
            Some(json!({ "host": "e", "net": { "port": 8080 } })),
            json!({ "host": "e", "port": 8080, "note": null }),
        ),
        (
            json!({ "host": "h", "note": [1] }),
            Some(json!({ "host": "e", "note": "n" })),
            json!({ "host": "h", "port": 80, "note": [1] }),
        ),
        (
            json!({ "port": 1 }),
            Some(json!({ "host": "e", "net": { "port": 2 } })),
            json!({ "host": "e", "port": 1, "note": null }),
        ),
    ];
    for (given, data, wanted) in table {
        let event = data.map(|data| json!({ "event_name": "test.go", "data": data }));
        assert_eq!(resolve_inputs(&plan(), &given, event.as_ref()), Ok(wanted), "{given} {event:?}");
    }
}

#[test]
fn all_inputs_that_do_not_fit_are_named() {
    let faults = resolve_inputs(&plan(), &json!({ "prot": 1, "port": "many" }), None).expect_err("faults");
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert_eq!(faults[0], "input `prot`: the blueprint has no such input; it has: host, port, note");
    assert_eq!(faults[1], "input `host`: it is required");
    assert!(faults[2].starts_with("input `port`: "), "{faults:?}");
}
