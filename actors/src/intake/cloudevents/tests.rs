//! CloudEvents in both modes, there and back.

use proptest::prelude::*;
use xyn_store::scope::{CorrelationId, Principal};

use super::percent::encoded;
use super::*;
use crate::intake::{MAX_EVENT_BYTES, receive};

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().expect("an instant")
}

fn structured(document: &Value) -> Result<Incoming, InvalidEvent> {
    receive([("content-type", STRUCTURED.as_bytes())], document.to_string().as_bytes(), now())
}

fn minimal() -> Value {
    json!({"specversion": "1.0", "id": "A-1", "source": "/shop", "type": "com.example.order_paid"})
}

fn with(field: &str, value: Value) -> Value {
    let mut document = minimal();
    document[field] = value;
    document
}

#[test]
fn both_modes_carry_the_same_event() {
    let mut document = minimal();
    document["time"] = json!("2026-01-31T11:00:00.5Z");
    document["subject"] = json!("order/7 ü");
    document["correlationid"] = json!("c-1");
    document["comexampleextension"] = json!(3);
    document["data"] = json!({"a": [1]});
    let first = structured(&document).expect("an event");
    let headers: [(&str, &[u8]); 8] = [
        ("content-type", b"application/json; charset=utf-8"),
        ("ce-specversion", b"1.0"),
        ("ce-id", b"A-1"),
        ("ce-source", b"/shop"),
        ("ce-type", b"com.example.order_paid"),
        ("ce-time", b"2026-01-31T11:00:00.5Z"),
        ("ce-subject", b"order/7%20%C3%bc"),
        ("ce-correlationid", b"\"c-1\""),
    ];
    assert_eq!(receive(headers, br#"{"a": [1]}"#, now()), Ok(first.clone()));
    assert_eq!(first.event_name, "com.example.order_paid");
    assert_eq!(first.occurred_at, Some("2026-01-31T11:00:00.5Z".parse().expect("an instant")));
    assert_eq!(first.resource, Some(Resource { kind: "order".into(), id: "7 ü".into() }));
    assert_eq!(first.data, json!({"a": [1]}));
}

#[test]
fn the_same_source_and_id_are_the_same_event() {
    let id = |source: &str, id: &str, time: &str| {
        let mut document = with("source", json!(source));
        document["id"] = json!(id);
        document["time"] = json!(time);
        structured(&document).expect("an event").event_id.expect("an id")
    };
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    assert_eq!(id("/a", "1", early), id("/a", "1", late));
    assert_ne!(id("/a", "1", early), id("/b", "1", early));
    assert_ne!(id("/a", "1", early), id("/a", "2", early));
    let uuid = "01930000-0000-7000-8000-000000000001";
    assert_eq!(id("/a", uuid, early).to_string(), uuid);
    assert_eq!(id("/b", &uuid.to_uppercase(), early).to_string(), uuid);
}

#[test]
fn data_keeps_its_shape_by_content_type() {
    let cases: [(&str, &[u8], Value); 6] = [
        ("application/json", b"[1]", json!([1])),
        ("application/vnd.x+json", b"{}", json!({})),
        ("text/plain", "grüß".as_bytes(), json!("grüß")),
        ("image/png", b"\xff\x00", json!({"content_type": "image/png", "base64": "/wA="})),
        ("text/plain", b"\xff", json!({"content_type": "text/plain", "base64": "/w=="})),
        ("image/png", b"", Value::Null),
    ];
    for (content_type, body, expected) in cases {
        let headers: [(&str, &[u8]); 5] = [
            ("content-type", content_type.as_bytes()),
            ("ce-specversion", b"1.0"),
            ("ce-id", b"1"),
            ("ce-source", b"/s"),
            ("ce-type", b"t"),
        ];
        assert_eq!(receive(headers, body, now()).map(|event| event.data), Ok(expected), "{content_type}");
    }
    let mut document = with("data_base64", json!("/wA="));
    document["datacontenttype"] = json!("image/png");
    let expected = json!({"content_type": "image/png", "base64": "/wA="});
    assert_eq!(structured(&document).map(|event| event.data), Ok(expected));
}

#[test]
fn every_fault_names_its_attribute() {
    let cases = [
        (with("specversion", json!("0.3")), "specversion"),
        (with("specversion", Value::Null), "specversion"),
        (with("id", json!("")), "id"),
        (with("id", json!(7)), "id"),
        (with("id", json!("x".repeat(257))), "id"),
        (with("source", Value::Null), "source"),
        (with("source", json!("x".repeat(1025))), "source"),
        (with("type", json!("a b")), "type"),
        (with("type", json!("xyn.gate.approved")), "type"),
        (with("time", json!("soon")), "time"),
        (with("time", json!("2027-01-01T00:00:00Z")), "time"),
        (with("subject", json!("order/")), "subject"),
        (with("correlationid", json!("a b")), "correlationid"),
        (with("Upper", json!("x")), "Upper"),
        (with("under_score", json!("x")), "under_score"),
        (with("extension", json!({})), "extension"),
        (with("data_base64", json!("***")), "data_base64"),
        (json!([minimal()]), ""),
    ];
    for (document, path) in cases {
        let refused = structured(&document).expect_err("refused");
        assert_eq!(refused.path, path, "{document}: {refused}");
    }
    let mut both = with("data", json!(1));
    both["data_base64"] = json!("AA==");
    assert_eq!(structured(&both).expect_err("refused").path, "data_base64");
}

#[test]
fn headers_decide_about_the_mode() {
    type Headers = [(&'static str, &'static [u8])];
    let cases: [(&Headers, Mode); 6] = [
        (&[], Mode::Plain),
        (&[("content-type", b"application/json")], Mode::Plain),
        (&[("content-type", b"Application/CloudEvents+JSON; charset=UTF-8")], Mode::Structured),
        (&[("content-type", b"application/cloudevents-batch+json")], Mode::Batch),
        (&[("content-type", b"text/plain"), ("ce-specversion", b"1.0")], Mode::Binary),
        (&[("content-type", b"\xff"), ("ce-specversion", b"1.0")], Mode::Binary),
    ];
    for (headers, mode) in cases {
        assert_eq!(Mode::of(headers), mode, "{headers:?}");
    }
    let batch: [(&str, &[u8]); 1] = [("content-type", b"application/cloudevents-batch+json")];
    assert_eq!(receive(batch, b"[]", now()).expect_err("refused").path, "content-type");
    let plain = receive([], br#"{"event_name": "demo"}"#, now()).expect("an event");
    assert_eq!(plain.event_name, "demo");
    assert!(receive([], &vec![b' '; MAX_EVENT_BYTES + 1], now()).is_err());
}

#[test]
fn binary_mode_refuses_doubled_and_undecodable_attributes() {
    let base: [(&str, &[u8]); 4] =
        [("ce-specversion", b"1.0"), ("ce-id", b"1"), ("ce-source", b"/s"), ("ce-type", b"t")];
    for (header, value) in [("ce-id", b"2".as_slice()), ("ce-x", b"\xff"), ("ce-x", b"%ff")] {
        let headers = base.iter().copied().chain([(header, value)]);
        assert_eq!(receive(headers, b"", now()).expect_err("refused").path, header);
    }
    assert_eq!(receive(base, b"{", now()).expect_err("refused").path, "data");
}

#[test]
fn what_goes_out_comes_in_the_same() {
    let (actor, correlation_id) = (Principal::new("cron:ü 100%"), CorrelationId::parse("c").expect("an id"));
    let resource = Resource { kind: "order".into(), id: "7/\"ü\"".into() };
    let data = json!({"text": "ü", "n": 1.5});
    let event = Outgoing {
        event_id: derived(now(), &[b"x"]),
        event_name: "shop.order.paid",
        occurred_at: now(),
        env_id: "home",
        actor: &actor,
        correlation_id: &correlation_id,
        causation_id: None,
        run_id: Some(derived(now(), &[b"run"])),
        step_id: Some("fix"),
        resource: Some(&resource),
        data: &data,
    };
    let expected = Incoming {
        event_id: Some(event.event_id),
        event_name: event.event_name.into(),
        occurred_at: Some(now()),
        data: data.clone(),
        resource: Some(resource.clone()),
        correlation_id: Some(correlation_id.clone()),
    };
    assert_eq!(structured(&event.to_structured()), Ok(expected.clone()));
    assert_eq!(event.to_structured()["stepid"], "fix");
    let (headers, body) = event.to_binary();
    assert!(headers.iter().all(|(_, value)| value.bytes().all(|byte| (0x20..0x7f).contains(&byte))));
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    assert_eq!(receive(headers, &body, now()), Ok(expected));
}

proptest! {
    #[test]
    fn header_values_survive_encoding(value: String) {
        let text = encoded(&value);
        prop_assert!(text.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
        prop_assert_eq!(decoded(text.as_bytes()), Some(value));
    }

    #[test]
    fn no_headers_or_body_panic(values: Vec<(usize, Vec<u8>)>, body: Vec<u8>) {
        let names = ["content-type", "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-"];
        let headers: Vec<_> =
            values.iter().map(|(at, value)| (names[at % names.len()], value.as_slice())).collect();
        let _ = receive(headers.iter().copied(), &body, now());
        let _ = parse_binary(&headers, &body, now());
        let _ = parse_structured(&body, now());
    }
}
