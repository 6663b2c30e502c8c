//! Calls against a real server on loopback.

mod failures;
mod redirects;
mod server;

use std::time::Duration;

use serde_json::json;
use xyn_store::Timestamp;
use xyn_store::ids::{EventId, derived};
use xyn_store::scope::{Attribution, CorrelationId, Principal, Stage};

use self::server::{Answer, Server, answer};
use super::*;
use crate::actions::{Code, Egress, Registry};

pub(super) const LOOPBACK: Egress = Egress { loopback: true, private: false, link_local: false };

pub(super) fn context(egress: Egress) -> Context {
    let id: EventId = derived(Timestamp::EPOCH, &[b"call"]);
    let attribution = Attribution {
        actor: Principal::local_operator(),
        session: None,
        correlation_id: CorrelationId::from(id),
        causation_id: None,
    };
    Context {
        attribution,
        step: None,
        seed: id.to_string(),
        depth: 0,
        idempotency_key: "run/step/1".into(),
        stage: Stage::Dev,
        egress,
        now: Timestamp::EPOCH,
    }
}

async fn call_with(egress: Egress, input: Value) -> Result<Value, Failure> {
    HttpCall::default().execute(input, context(egress)).await
}

async fn call(input: Value) -> Result<Value, Failure> {
    call_with(LOOPBACK, input).await
}

/// What a failure says to programs.
fn verdict(result: Result<Value, Failure>) -> (FailureKind, bool, String) {
    let failure = result.expect_err("the call fails");
    (failure.kind, failure.uncertain, failure.code)
}

#[tokio::test]
async fn a_json_answer_is_parsed_and_the_request_carries_key_agent_and_body() {
    let server = Server::start(|_| {
        Answer::Full(answer(
            "201 Created",
            &["Content-Type: application/json; charset=utf-8", "Set-Cookie: sid=secret", "X-A: 1", "X-A: 2"],
            br#"{"ok":[1,null]}"#,
        ))
    })
    .await;
    let url = server.url("/things?have=1");
    let output = call(json!({
        "method": "POST",
        "url": url,
        "headers": {"X-Trace": "abc"},
        "query": {"q": "a b", "n": 2, "flag": true, "list": ["x", "y"]},
        "json": {"name": "z"},
    }))
    .await
    .expect("answered");
    assert_eq!(output["status"], 201);
    assert_eq!(output["body"], json!({"ok": [1, null]}));
    assert_eq!(output["headers"]["set-cookie"], "[redacted]");
    assert_eq!(output["headers"]["x-a"], "1, 2");
    assert_eq!(output["bytes"], 15);
    assert_eq!(output["url"], server.url("/things?have=1&flag=true&list=x&list=y&n=2&q=a+b"));
    assert!(output.get("body_base64").is_none());

    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].line, "POST /things?have=1&flag=true&list=x&list=y&n=2&q=a+b HTTP/1.1");
    assert_eq!(seen[0].header("idempotency-key"), Some("run/step/1"));
    let trace = format!("00-{}-", context(LOOPBACK).attribution.correlation_id.as_str().replace('-', ""));
    let parent = seen[0].header(TRACEPARENT).expect("the trace goes on");
    assert!(parent.starts_with(&trace) && parent.ends_with("-01") && parent.len() == 55, "{parent}");
    assert_eq!(seen[0].header("user-agent"), Some(concat!("xyn/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(seen[0].header("x-trace"), Some("abc"));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen[0].body, br#"{"name":"z"}"#);
    let schema = crate::blueprint::Schema::compile(&spec().output_schema).expect("the schema compiles");
    drop(schema);
}

#[tokio::test]
async fn a_peer_that_refuses_says_when_to_come_again() {
    let refusal = answer("429 Slow", &["Retry-After: 7"], b"");
    let server = Server::start(move |_| Answer::Full(refusal.clone())).await;
    let failure = call(json!({"url": server.url("/")})).await.expect_err("refused");
    assert_eq!((failure.kind, failure.retry_after), (FailureKind::RateLimit, Some(Duration::from_secs(7))));
}

#[tokio::test]
async fn every_body_shape_is_sent_and_the_authors_own_headers_win() {
    let server = Server::start(|_| Answer::Full(answer("204 No Content", &[], b""))).await;
    let cases = [
        (
            json!({"form": {"a": "1 2", "b": [ "x", "y" ]}}),
            "application/x-www-form-urlencoded",
            "a=1+2&b=x&b=y",
        ),
        (json!({"body": "plain"}), "text/plain; charset=utf-8", "plain"),
        (json!({"body_base64": "aGk="}), "application/octet-stream", "hi"),
        (json!({"body": "<a/>", "headers": {"Content-Type": "text/xml"}}), "text/xml", "<a/>"),
        (json!({"json": [1], "form": null}), "application/json", "[1]"),
    ];
    for (index, (mut input, content_type, body)) in cases.into_iter().enumerate() {
        input["method"] = json!("PUT");
        input["url"] = json!(server.url("/"));
        let output = call(input).await.expect("answered");
        assert_eq!(output["body"], Value::Null);
        let seen = &server.seen()[index];
        assert_eq!(
            (seen.header("content-type"), seen.body.as_slice()),
            (Some(content_type), body.as_bytes())
        );
    }
    let own = json!({"IDEMPOTENCY-KEY": "mine", "Traceparent": "own"});
    call(json!({"url": server.url("/"), "headers": own})).await.expect("answered");
    let seen = server.seen().pop().expect("is called");
    assert_eq!((seen.header("idempotency-key"), seen.header(TRACEPARENT)), (Some("mine"), Some("own")));
}

#[tokio::test]
async fn text_binary_and_empty_answers_keep_their_shape() {
    let cases: [(&str, &[u8], Value, Option<&str>); 5] = [
        ("text/plain", "grüß".as_bytes(), json!("grüß"), None),
        ("application/octet-stream", &[0xff, 0x00], Value::Null, Some("/wA=")),
        ("application/problem+json", b"{}", json!({}), None),
        ("application/json", b"", Value::Null, None),
        ("text/html", b"", Value::Null, None),
    ];
    for (content_type, body, expected, base64) in cases {
        let header = format!("content-type: {content_type}");
        let server = Server::start(move |_| Answer::Full(answer("200 OK", &[&header], body))).await;
        let output = call(json!({"url": server.url("/")})).await.expect("answered");
        assert_eq!(output["body"], expected, "{content_type}");
        assert_eq!(output.get("body_base64").and_then(Value::as_str), base64, "{content_type}");
        assert_eq!(output["bytes"], body.len(), "{content_type}");
    }
}

#[tokio::test]
async fn an_ipv6_literal_is_reached_when_loopback_is_open() {
    let server = Server::on("[::1]:0", |_| Answer::Full(answer("200 OK", &[], b"six"))).await;
    let output = call(json!({"url": server.url("/")})).await.expect("answered");
    assert_eq!(output["body"], "six");
    let denied = call_with(Egress::default(), json!({"url": server.url("/")})).await;
    assert_eq!(verdict(denied), (FailureKind::Other, false, "egress_denied".into()));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn names_are_judged_by_their_addresses_and_nothing_is_sent_when_denied() {
    let server = Server::start(|_| Answer::Full(answer("200 OK", &[], b""))).await;
    let port = server.address.port();
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "0x7f.1", "2130706433", "017700000001"] {
        let url = format!("http://{host}:{port}/");
        for egress in [Egress::default(), Egress { private: true, link_local: true, ..Egress::default() }] {
            let denied = call_with(egress, json!({"url": url})).await;
            assert_eq!(verdict(denied), (FailureKind::Other, false, "egress_denied".into()), "{host}");
        }
    }
    assert!(server.seen().is_empty());
    call(json!({"url": format!("http://localhost:{port}/")})).await.expect("loopback is open");
}

#[tokio::test]
async fn connections_are_kept_but_never_for_calls_with_less_egress() {
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let server = Server::start(|_| Answer::KeepAlive(bytes.to_vec())).await;
    let input = json!({"url": format!("http://localhost:{}/", server.address.port())});
    let http = HttpCall::default();
    for _ in 0..3 {
        assert_eq!(http.execute(input.clone(), context(LOOPBACK)).await.expect("answered")["body"], "ok");
    }
    assert_eq!((server.connections(), server.seen().len()), (1, 3));
    let denied = http.execute(input, context(Egress::default())).await;
    assert_eq!(verdict(denied), (FailureKind::Other, false, "egress_denied".into()));
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn idempotence_is_a_property_of_the_call() {
    let spec = spec();
    for (input, expected) in [
        (json!({}), true),
        (json!({"method": null}), true),
        (json!({"method": "GET"}), true),
        (json!({"method": "HEAD"}), true),
        (json!({"method": "OPTIONS"}), true),
        (json!({"method": "PUT"}), true),
        (json!({"method": "DELETE"}), true),
        (json!({"method": "POST"}), false),
        (json!({"method": "PATCH"}), false),
        (json!({"method": "{{ inputs.method }}"}), false),
        (json!({"method": 3}), false),
    ] {
        assert_eq!(spec.idempotent(Some(&input)), expected, "{input}");
    }
    assert!(!spec.idempotent(None));
}

#[test]
fn the_registered_schema_is_strict_and_secrets_are_redacted_whatever_their_case() {
    let mut registry = Registry::default();
    registry.register(spec(), Code::Outside(Arc::new(HttpCall::default()))).expect("the schema compiles");
    let schema = &registry.get("http.call").expect("registered").spec.input_schema;
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["url"]));
    let redacted = spec().redacted(&json!({
        "url": "https://example.com/",
        "headers": {"Authorization": "Bearer s", "X-API-Key": "k", "accept": "*/*"},
        "query": {"Token": "t", "page": 1},
    }));
    assert_eq!(
        redacted,
        json!({
            "url": "https://example.com/",
            "headers": {"Authorization": "[redacted]", "X-API-Key": "[redacted]", "accept": "*/*"},
            "query": {"Token": "[redacted]", "page": 1},
        })
    );
}
