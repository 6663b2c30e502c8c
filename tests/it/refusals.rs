//! Bad input over a real connection: each a clear error with its field, in one shape, and nothing is done.

use serde_json::{Value, json};

use crate::node::{Answer, COUNT, Folder, Node};

const JSON: (&str, &str) = ("content-type", "application/json");
const YAML: (&str, &str) = ("content-type", "application/yaml");

/// Method, path, headers and body; the status, code and field with which they are refused.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, (u16, &'a str, &'a str));

/// A dozen faults and two more, each with its line and code.
const TWELVE: &str = r#"id: bp twelve
name: Twelve faults
trigger: { event_type: Demo.Alert }
inputs:
  - { name: host, required: yes }
limits: { wall_clock: 3h }
plan:
  - kind: action_task
    id: fix
    acton: ssh.run
    action: ssh.rn
    timeout: 10 minutes
  - kind: transform
    id: fix
    needs: [nobody]
    set:
      a: {{ inputs.host }}
      b: "text {{ inputs.hots }} {{ steps.report.output.x }}"
  - kind: action_task
    id: report
    action: artifacts.put
    with: { name: 5, content: "{{ inputs.host + }}" }
"#;
const FAULTS: [(u64, &str); 14] = [
    (1, "invalid_value"),
    (3, "invalid_value"),
    (5, "wrong_type"),
    (6, "over_limit"),
    (10, "unknown_key"),
    (11, "unknown_action"),
    (12, "invalid_value"),
    (14, "duplicate_id"),
    (15, "unknown_step"),
    (17, "unquoted_template"),
    (18, "unknown_variable"),
    (18, "not_earlier"),
    (22, "schema_mismatch"),
    (22, "template_syntax"),
];

/// Sends what no client would, and says how it was refused: status, code, field.
async fn refused(
    node: &Node,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (u16, String, String) {
    let request = node.request(method, path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = if body.is_empty() { request } else { request.body(body) };
    let answer = Answer::of(request).await.expect("the node answers");
    let error = &answer.body["error"];
    let shown = format!("{method} {path} {headers:?}: {answer:?}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{shown}");
    assert!(answer.body["correlation_id"].is_string(), "{shown}");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (answer.status, word(&error["code"]), word(&error["details"]["path"]))
}

#[tokio::test]
async fn requests_that_do_not_fit_are_refused_by_field() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let nobody = "/api/v1/runs/0190f5fe-7c00-7a00-8000-000000000001";
    let table: &[Row] = &[
        ("POST", "/api/v1/runs", &[JSON], "{", (400, "malformed_json", "body")),
        ("POST", "/api/v1/runs", &[JSON], "[]", (400, "invalid", "body")),
        ("POST", "/api/v1/runs", &[JSON], r#"{"blueprint":7}"#, (400, "invalid", "blueprint")),
        (
            "POST",
            "/api/v1/runs",
            &[JSON],
            r#"{"blueprint":"bp.hello","colour":1}"#,
            (400, "invalid", "colour"),
        ),
        (
            "POST",
            "/api/v1/runs",
            &[JSON],
            r#"{"blueprint":"bp.hello","priority":NaN}"#,
            (400, "malformed_json", "body"),
        ),
        ("POST", "/api/v1/runs", &[JSON], r#"{"blueprint":"bp.nobody"}"#, (404, "not_found", "")),
        (
            "POST",
            "/api/v1/runs",
            &[("content-type", "text/plain")],
            "{}",
            (415, "unsupported_media_type", "Content-Type"),
        ),
        ("POST", "/api/v1/events", &[JSON], r#"{"event_name":"A B"}"#, (400, "invalid", "event_name")),
        (
            "POST",
            "/api/v1/events",
            &[JSON],
            r#"{"event_name":"a.b","event_id":"x"}"#,
            (400, "invalid", "event_id"),
        ),
        ("POST", "/api/v1/events", &[JSON], r#"{"event_name":"a.b","when":1}"#, (400, "invalid", "when")),
        ("GET", "/api/v1/runs?cursor=nonsense", &[], "", (400, "invalid", "cursor")),
        ("GET", "/api/v1/events?cursor=x00", &[], "", (400, "invalid", "cursor")),
        ("GET", "/api/v1/runs?limit=100000", &[], "", (400, "invalid", "limit")),
        ("GET", "/api/v1/runs?colour=red", &[], "", (400, "invalid", "colour")),
        ("GET", "/api/v1/runs/%ff", &[], "", (400, "invalid", "path")),
        ("GET", nobody, &[], "", (404, "not_found", "")),
        ("GET", "/api/v1/nothing", &[], "", (404, "no_route", "path")),
        ("DELETE", "/api/v1/runs", &[], "", (405, "no_method", "method")),
        ("GET", "/api/v1/events/stream", &[("last-event-id", "x")], "", (400, "invalid", "Last-Event-ID")),
        ("GET", "/api/v1/runs", &[("host", "evil.example")], "", (421, "foreign_host", "Host")),
        ("GET", "/api/v1/runs", &[("origin", "http://evil.example")], "", (403, "foreign_origin", "Origin")),
        ("POST", "/api/v1/events", &[("origin", "null"), JSON], "{}", (403, "foreign_origin", "Origin")),
        ("GET", "/api/v1/runs", &[("sec-fetch-site", "cross-site")], "", (403, "foreign_origin", "Origin")),
        ("POST", "/api/v1/runs", &[("idempotency-key", ""), JSON], "{}", (400, "invalid", "Idempotency-Key")),
    ];
    let mut wrong = Vec::new();
    for (method, path, headers, body, (status, code, field)) in table {
        let found = refused(&node, method, path, headers, body.as_bytes().to_vec()).await;
        if found != (*status, (*code).to_owned(), (*field).to_owned()) {
            wrong.push(format!("{method} {path} {headers:?} {body}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(node.all("/api/v1/runs").await, [] as [Value; 0]);
}

#[tokio::test]
async fn bodies_that_are_too_large_too_deep_or_no_text_are_refused() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let before = node.all("/api/v1/intents").await.len();
    let long = json!({ "event_name": "a.b", "data": "x".repeat(10_000_000) }).to_string().into_bytes();
    let deep = format!(r#"{{"event_name":"a.b","data":{}{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let bytes = b"{\"event_name\":\"a.b\",\"data\":\"\xff\xfe\"}".to_vec();
    for path in ["/api/v1/events", "/api/v1/runs", "/api/v1/drafts"] {
        let answer = refused(&node, "POST", path, &[JSON], long.clone()).await;
        assert_eq!((answer.0, answer.1.as_str()), (413, "too_large"), "{path}");
        for body in [deep.as_bytes(), &bytes] {
            assert_eq!(refused(&node, "POST", path, &[JSON], body.to_vec()).await.0, 400, "{path}");
        }
    }
    assert_eq!(node.all("/api/v1/intents").await.len(), before, "what does not fit is no intent");
}

#[tokio::test]
async fn a_key_answers_the_same_request_the_same_and_no_other() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    node.promote(&folder, COUNT).await;
    let start = async |node: &Node, key: &str| {
        let body = json!({ "blueprint": "bp.count", "inputs": { "key": key } });
        let request = node.request("POST", "/api/v1/runs").header("idempotency-key", "k-1").json(&body);
        Answer::of(request).await.expect("the node answers")
    };
    let first = start(&node, "a").await.ok();
    assert_eq!(start(&node, "b").await.status, 422);
    node.kill_9();

    let node = Node::start(&folder).await;
    assert_eq!(start(&node, "a").await.ok()["run_id"], first["run_id"]);
    let other = start(&node, "b").await;
    assert_eq!((other.status, &other.body["error"]["code"]), (422, &json!("idempotency_key_reused")));
    assert_eq!(node.all("/api/v1/runs?blueprint=bp.count").await.len(), 1);
}

#[tokio::test]
async fn a_blueprint_with_twelve_faults_is_told_all_of_them_everywhere() {
    let folder = Folder::new();
    let file = folder.file("twelve.yaml", TWELVE);
    let said = folder.xyn(["blueprint", "validate", &file, "--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let by_command: Value = serde_json::from_str(&said.out).expect("the answer is JSON");
    let node = Node::start(&folder).await;
    let request = node.request("POST", "/api/v1/blueprints/validate").header(YAML.0, YAML.1);
    let by_node = Answer::of(request.body(TWELVE)).await.expect("the node answers").ok();
    for report in [&by_command, &by_node] {
        assert_eq!(report["is_valid"], false);
        let issues = report["issues"].as_array().expect("a list");
        let line = |issue: &Value| issue["line"].as_u64().expect("a number");
        let found: Vec<_> =
            issues.iter().map(|issue| (line(issue), issue["code"].as_str().expect("text"))).collect();
        assert_eq!(found, FAULTS);
        assert!(issues.iter().all(|issue| issue["hint"].is_string() && issue["column"].is_u64()), "{report}");
    }
    assert_eq!(folder.xyn(["blueprint", "promote", &file]).code, 1);
}

#[tokio::test]
async fn hostile_blueprints_are_refused_and_the_node_lives_on() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let bomb: String = (1..20).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        let alias = format!("*a{}", n - 1);
        format!("{text}a{n}: &a{n} [{alias}, {alias}, {alias}, {alias}]\n")
    });
    let cycle = COUNT.replace("id: first,", "id: first, needs: [keep],");
    let unresolved = COUNT.replace("steps.first.output.text", "steps.nobody.output.text");
    for (what, text) in
        [("bomb", bomb), ("deep", "[".repeat(100_000)), ("cycle", cycle), ("name", unresolved)]
    {
        let request = node.request("POST", "/api/v1/blueprints/validate").header(YAML.0, YAML.1);
        let answer = Answer::of(request.body(text)).await.expect("the node answers");
        assert!(answer.status == 400 || answer.body["is_valid"] == false, "{what}: {answer:?}");
    }
    assert_eq!(node.get("/healthz").await["status"], "ok");
}
