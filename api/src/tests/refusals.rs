//! Bad input: each a clear error with the field, in one shape.

use axum::{middleware, routing};

use super::*;
use crate::error::{ApiError, Code};
use crate::limits::BODY_MAX_BYTES;

const PROBLEM: (&str, &str) = ("accept", "application/problem+json");

#[tokio::test]
async fn every_code_is_answered_in_both_shapes_with_its_status_and_what_to_do_next() {
    let node = Node::start().await;
    for code in Code::ALL.iter().copied() {
        let refuse = move || std::future::ready(ApiError::new(code, "no").at("field"));
        let edge = middleware::from_fn_with_state(node.state.clone(), crate::edge::pass);
        let router: Router = Router::new().route("/", routing::get(refuse)).layer(edge);
        let plain = answer(&router, request(Method::GET, "/", &[], Body::empty())).await;
        assert_eq!(plain.fault(), (code.status().as_u16(), code.word().into(), "field".into()));
        assert_eq!(plain.json()["error"]["details"]["hint"], code.hint());
        let problem = answer(&router, request(Method::GET, "/", &[PROBLEM], Body::empty())).await;
        let body = problem.json();
        assert_eq!(problem.header("content-type"), PROBLEM.1, "{code:?}");
        assert_eq!((problem.status, &body["status"]), (plain.status, &json!(plain.status.as_u16())));
        assert_eq!((&body["code"], &body["details"]["hint"]), (&json!(code.word()), &json!(code.hint())));
        let comes_again = [429, 503].contains(&plain.status.as_u16());
        assert_eq!(plain.headers.contains_key("retry-after"), comes_again, "{code:?}");
    }
    node.stop().await;
}

#[tokio::test]
async fn what_no_handler_sees_is_a_problem_as_well() {
    let node = Node::start().await;
    let json = ("content-type", "application/json");
    let big = vec![b' '; BODY_MAX_BYTES + 1];
    let table = [
        (Method::GET, "/api/v1/nothing", json, vec![], 404, "no_route"),
        (Method::DELETE, "/api/v1/runs", json, vec![], 405, "no_method"),
        (Method::POST, "/api/v1/runs", json, big, 413, "too_large"),
        (
            Method::POST,
            "/api/v1/runs",
            ("content-type", "text/plain"),
            b"{}".to_vec(),
            415,
            "unsupported_media_type",
        ),
        (Method::POST, "/api/v1/runs", json, b"{".to_vec(), 400, "malformed_json"),
    ];
    for (method, path, kind, body, status, code) in table {
        let answer = node.send(request(method, path, &[PROBLEM, kind], body.into())).await;
        let problem = answer.json();
        assert_eq!(answer.header("content-type"), PROBLEM.1, "{code}");
        assert_eq!((answer.status.as_u16(), &problem["code"]), (status, &json!(code)));
        assert_eq!(problem["correlation_id"], answer.header("x-correlation-id"));
        assert!(problem["details"]["hint"].is_string(), "{code}");
    }
    node.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_names_its_field() {
    let node = Node::start().await;
    let table = [
        ("/api/v1/runs?limit=0", 400, "invalid", "limit"),
        ("/api/v1/runs?limit=201", 400, "invalid", "limit"),
        ("/api/v1/runs?cursor=nonsense", 400, "invalid", "cursor"),
        ("/api/v1/runs?status=asleep", 400, "invalid", "status"),
        ("/api/v1/runs?since=yesterday", 400, "invalid", "since"),
        ("/api/v1/runs?label=x", 400, "invalid", "label"),
        ("/api/v1/runs?colour=red", 400, "invalid", "colour"),
        ("/api/v1/events?event_name=..", 400, "invalid", "event_name"),
        ("/api/v1/events/stream?after=x", 400, "invalid", "after"),
        ("/api/v1/approvals?cursor=x", 400, "invalid", "cursor"),
        ("/api/v1/runs/not-an-id", 400, "invalid", "run_id"),
        ("/api/v1/runs/%ff", 400, "invalid", "path"),
        ("/api/v1/runs/0190f5fe-7c00-7a00-8000-000000000001", 404, "not_found", ""),
        ("/api/v1/blueprints/bp.nobody", 404, "not_found", ""),
        ("/api/v1/blueprints/bp.hello?version=0", 400, "invalid", "version"),
        ("/api/v1/audit/proof/inclusion", 400, "invalid", "offset"),
        ("/api/v1/audit/proof/consistency?new_size=1", 400, "invalid", "old_size"),
        ("/api/v1/audit/proof/inclusion?offset=x", 400, "invalid", "offset"),
        ("/api/v1/nothing", 404, "no_route", "path"),
        ("/nothing", 404, "no_route", "path"),
        ("/api/docs/nothing", 404, "no_route", "path"),
        ("/api/v1/runs?limit=1&limit=2", 400, "invalid", "limit"),
    ];
    for (path, status, code, field) in table {
        assert_eq!(node.get(path).await.fault(), (status, code.into(), field.into()), "{path}");
    }
    node.stop().await;
}

const NO_UUID: &str = "is not a UUID, which looks like `0190f5fe-7c00-7a00-8000-000000000001`";

/// Where an answer says that the fault is, and what it says of it; what to do next is never left out.
fn told(answer: &Answer) -> (String, String) {
    let error = answer.json()["error"].clone();
    assert!(error["details"]["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
    (text(&error["details"]["path"]).to_owned(), text(&error["message"]).to_owned())
}

#[tokio::test]
async fn what_an_address_says_wrongly_is_told_with_what_was_given_and_what_it_should_look_like() {
    let node = Node::start().await;
    let table = [
        ("runs/nope", "run_id", format!("`nope` {NO_UUID}")),
        ("runs/nope/steps/one", "run_id", format!("`nope` {NO_UUID}")),
        ("events?run_id=n%0Ape", "run_id", format!(r"`n\u{{a}}pe` {NO_UUID}")),
        ("timeline/diff?from=nope&to=nope", "from", format!("`nope` {NO_UUID}")),
        ("runs?limit=0", "limit", "`0` is not a number from 1 to 200".into()),
        ("audit/proof/inclusion?offset=x", "offset", "`x` is not a whole number from 0 on".into()),
        ("audit/proof/inclusion", "offset", "`offset` is missing".into()),
        ("runs?limit=1&limit=2", "limit", "`limit` is said twice".into()),
        ("audit?colour=red", "colour", "`colour` is not known here: nothing is taken".into()),
        ("workspaces?x", "x", "`x` is not known here; what may be said: `limit`, `cursor`".into()),
        ("nothing", "path", "there is no route `/api/v1/nothing`".into()),
    ];
    for (path, field, message) in table {
        assert_eq!(told(&node.get(&format!("/api/v1/{path}")).await), (field.into(), message), "{path}");
    }
    node.stop().await;
}

/// Each of these is read in another way: by the schema of an action, by the intake of events, into a structure.
const DOORS: [(&str, &str, &str, &str); 3] = [
    ("/api/v1/runs", "blueprint", "a string", "`blueprint`, `inputs`, `labels`, `priority`"),
    (
        "/api/v1/events",
        "event_name",
        "a string",
        "`event_id`, `event_name`, `occurred_at`, `data`, `resource`, `correlation_id`",
    ),
    ("/api/v1/approvals", "approve", "a boolean", "`gate`, `intent_id`, `approve`, `note`"),
];

#[tokio::test]
async fn one_fault_of_a_body_has_one_sentence_at_every_door() {
    let node = Node::start().await;
    for (path, field, kind, known) in DOORS {
        let send = async |body: Vec<u8>| {
            let headers = [("content-type", "application/json")];
            node.send(request(Method::POST, path, &headers, Body::from(body))).await
        };
        let fault = async |body: Value| told(&send(body.to_string().into_bytes()).await);
        let said = |field: &str, message: String| (field.to_owned(), message);
        let value = if kind == "a boolean" { json!(true) } else { json!("a") };
        let unknown = format!("`colour` is not known here; what may be said: {known}");
        assert_eq!(fault(json!({ field: value, "colour": 1 })).await, said("colour", unknown), "{path}");
        assert_eq!(fault(json!({})).await, said(field, format!("`{field}` is missing")), "{path}");
        let other = format!("the value is a number, and not {kind}");
        assert_eq!(fault(json!({ field: 7 })).await, said(field, other), "{path}");
        let list = "the value is a list, and not an object".to_owned();
        assert_eq!(fault(json!([])).await, said("body", list), "{path}");
        let broken = send(b"{\"colour\":".to_vec()).await;
        assert_eq!(broken.fault(), (400, "malformed_json".into(), "body".into()), "{path}");
        let big = send(vec![b' '; BODY_MAX_BYTES + 1]).await;
        assert_eq!(big.fault(), (413, "too_large".into(), "body".into()), "{path}");
    }
    let gate = json!({ "gate": { "run_id": "nope", "step_id": "go" }, "approve": true });
    let table = [
        ("/api/v1/timeline/pin", json!({ "entry_id": "nope" }), "entry_id", format!("`nope` {NO_UUID}")),
        ("/api/v1/approvals", gate, "gate.run_id", format!("`nope` {NO_UUID}")),
        (
            "/api/v1/artifacts",
            json!({ "name": "a" }),
            "body",
            "one of these is missing: `content`, or `content_base64`, or `sha256` and `byte_length`".into(),
        ),
    ];
    for (path, body, field, message) in table {
        assert_eq!(told(&node.post(path, &body).await), (field.into(), message), "{path}");
    }
    node.stop().await;
}

#[tokio::test]
async fn no_route_takes_a_parameter_that_the_document_does_not_have() {
    let node = Node::start().await;
    let document = crate::document(node.runtime.registry());
    let mut tried = 0;
    let paths = document["paths"].as_object().expect("paths").iter();
    let is_strict = |path: &str| path.starts_with("/api/") && path != "/api/v1/hooks/{hook}";
    for (path, methods) in paths.filter(|(path, _)| is_strict(path)) {
        let path = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        for method in methods.as_object().expect("methods").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let asked = request(method.clone(), &format!("{path}?x_no=1"), &[], Body::empty());
            let refused = node.send(asked).await.fault();
            assert_eq!(refused, (400, "invalid".into(), "x_no".into()), "{method} {path}");
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
    node.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_before_anything_is_done() {
    let node = Node::start().await;
    let before = *node.runtime.store().journal().expect("open").head().borrow();
    let post = async |kind: &str, body: Vec<u8>| {
        let headers = [("content-type", kind)];
        node.send(request(Method::POST, "/api/v1/runs", &headers, Body::from(body))).await.fault()
    };
    let json = "application/json";
    assert_eq!(post("text/plain", b"{}".to_vec()).await.0, 415);
    assert_eq!(post(json, b"{".to_vec()).await.1, "malformed_json");
    assert_eq!(post(json, b"{\"blueprint\":\"\xff\"}".to_vec()).await.1, "malformed_json");
    assert_eq!(post(json, vec![b'['; 100_000]).await.1, "malformed_json");
    assert_eq!(post(json, b"[]".to_vec()).await.0, 400);
    assert_eq!(post(json, vec![b' '; BODY_MAX_BYTES + 1]).await.0, 413);
    let invalid = |field: &str| (400, "invalid".to_owned(), field.to_owned());
    assert_eq!(post(json, b"{}".to_vec()).await, invalid("blueprint"));
    assert_eq!(post(json, br#"{"blueprint":7}"#.to_vec()).await, invalid("blueprint"));
    assert_eq!(post(json, br#"{"blueprint":"bp.hello","colour":1}"#.to_vec()).await, invalid("colour"));
    assert_eq!(post(json, br#"{"blueprint":"bp.hello","priority":1e9}"#.to_vec()).await.2, "priority");
    assert_eq!(*node.runtime.store().journal().expect("open").head().borrow(), before);
    node.stop().await;
}

#[tokio::test]
async fn a_method_that_a_route_does_not_have_is_named_with_those_it_has() {
    let node = Node::start().await;
    let answer = node.send(request(Method::DELETE, "/api/v1/runs", &[], Body::empty())).await;
    assert_eq!(answer.fault().0, 405);
    assert_eq!(answer.header("allow"), "GET,HEAD,POST");
    node.stop().await;
}

#[tokio::test]
async fn errors_come_as_problems_to_those_who_ask_and_carry_the_callers_ids() {
    let node = Node::start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers =
        [("accept", "application/problem+json"), ("x-correlation-id", "c-1"), ("traceparent", trace)];
    let answer = node.get_with("/api/v1/runs?limit=0", &headers).await;
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(400), &json!("invalid")));
    assert_eq!(
        (&problem["type"], &problem["correlation_id"]),
        (&json!("urn:xyn:error:invalid"), &json!("c-1"))
    );
    assert_eq!(answer.header("traceparent")[..36], trace[..36]);
    let refused = node.get_with("/api/v1/runs", &[("x-correlation-id", "")]).await.fault();
    assert_eq!(refused, (400, "invalid".into(), "X-Correlation-Id".into()));
    node.stop().await;
}

#[tokio::test]
async fn a_foreign_page_reaches_no_route() {
    let node = Node::start().await;
    let guarded = router(AppState::new(node.runtime.clone(), Guard::loopback(vec![4310])));
    let send = async |headers: &[(&str, &str)]| {
        let request = request(Method::GET, "/api/v1/health", headers, Body::empty());
        guarded.clone().oneshot(request).await.expect("answers").status().as_u16()
    };
    assert_eq!(send(&[("host", "localhost:4310")]).await, 200);
    assert_eq!(send(&[("host", "evil.example:4310")]).await, 421);
    assert_eq!(send(&[("host", "localhost:4310"), ("origin", "http://evil.example")]).await, 403);
    assert_eq!(send(&[("host", "localhost:4310"), ("sec-fetch-site", "cross-site")]).await, 403);
    node.stop().await;
}

#[tokio::test]
async fn a_policy_that_denies_says_so_and_is_explained() {
    let node = Node::start().await;
    let intent = json!({ "action": "events.emit", "input": { "event_name": "test.x" }, "stage": "prod" });
    let denied = node.post("/api/v1/intents", &intent).await;
    assert_eq!((denied.fault().0, denied.fault().1), (403, "denied_by_policy".into()));
    assert_eq!(denied.json()["error"]["details"]["decision"]["effect"], "deny");
    let question = json!({ "action": "events.emit", "stage": "prod" });
    let explained = node.post("/api/v1/policies/explain", &question).await.json();
    assert_eq!(explained["decision"]["effect"], "deny");
    let listed = node.get("/api/v1/intents?status=denied").await.json();
    assert_eq!(listed["items"][0]["action"], "events.emit");
    node.stop().await;
}
