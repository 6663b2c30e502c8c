//! Plain events: what is taken and what is refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().expect("an instant")
}

#[test]
fn the_smallest_and_the_whole_event_are_read() {
    let smallest = parse(br#"{"event_name": "demo"}"#, now()).expect("an event");
    let expected = Incoming {
        event_id: None,
        event_name: "demo".into(),
        occurred_at: None,
        data: Value::Null,
        resource: None,
        correlation_id: None,
    };
    assert_eq!(smallest, expected);
    let id = "01930000-0000-7000-8000-000000000001";
    let whole = json!({
        "event_id": id,
        "event_name": "shop.order.paid",
        "occurred_at": "2026-01-31T13:00:00+01:00",
        "data": {"a": 1},
        "resource": {"type": "order", "id": "7/8"},
        "correlation_id": "c-1",
    });
    let event = parse(whole.to_string().as_bytes(), now()).expect("an event");
    assert_eq!(event.event_id, Some(id.parse().expect("an id")));
    assert_eq!(event.occurred_at, Some(now()));
    assert_eq!(event.data, json!({"a": 1}));
    assert_eq!(event.resource, Some(Resource { kind: "order".into(), id: "7/8".into() }));
    assert_eq!(event.correlation_id.as_ref().map(CorrelationId::as_str), Some("c-1"));
}

#[test]
fn every_fault_names_its_field() {
    let cases = [
        (json!([]), ""),
        (json!({}), "event_name"),
        (json!({"event_name": null}), "event_name"),
        (json!({"event_name": 3}), "event_name"),
        (json!({"event_name": ""}), "event_name"),
        (json!({"event_name": "a..b"}), "event_name"),
        (json!({"event_name": ".a"}), "event_name"),
        (json!({"event_name": "a b"}), "event_name"),
        (json!({"event_name": "a.*"}), "event_name"),
        (json!({"event_name": "x".repeat(257)}), "event_name"),
        (json!({"event_name": "xyn.run.failed"}), "event_name"),
        (json!({"event_name": "a", "event_id": "7"}), "event_id"),
        (json!({"event_name": "a", "colour": 1}), "colour"),
        (json!({"event_name": "a", "occurred_at": "yesterday"}), "occurred_at"),
        (json!({"event_name": "a", "occurred_at": "1969-12-31T23:59:59Z"}), "occurred_at"),
        (json!({"event_name": "a", "occurred_at": "2026-02-01T12:00:01Z"}), "occurred_at"),
        (json!({"event_name": "a", "correlation_id": "with space"}), "correlation_id"),
        (json!({"event_name": "a", "resource": "order/7"}), "resource"),
        (json!({"event_name": "a", "resource": {"type": "order"}}), "resource.id"),
        (json!({"event_name": "a", "resource": {"type": 1, "id": "x"}}), "resource.type"),
        (json!({"event_name": "a", "resource": {"type": "a/b", "id": "x"}}), "resource.type"),
        (json!({"event_name": "a", "resource": {"type": "a", "id": "\n"}}), "resource.id"),
        (json!({"event_name": "a", "resource": {"type": "a", "id": "x", "no": 1}}), "resource.no"),
    ];
    for (input, path) in cases {
        let refused = parse(input.to_string().as_bytes(), now()).expect_err("refused");
        assert_eq!(refused.path, path, "{input}: {refused}");
    }
}

#[test]
fn bytes_that_are_no_json_are_refused_as_a_whole() {
    for body in ["", "{", "nul", "{\"event_name\": \"\u{0}\"}", &"[".repeat(100_000), "NaN"] {
        assert_eq!(parse(body.as_bytes(), now()).expect_err("no JSON").path, "", "{body:.40}");
    }
}

proptest! {
    #[test]
    fn no_body_panics(body: Vec<u8>, name: String, time: String) {
        let _ = parse(&body, now());
        let shaped = json!({"event_name": name, "occurred_at": time, "resource": {"type": time, "id": name}});
        let _ = parse(shaped.to_string().as_bytes(), now());
    }
}
