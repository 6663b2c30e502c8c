//! Studio's pages of runs, artifacts, approvals and events, as a browser without scripts has them.

use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::json;

use super::{ASK, Answer, GREET, Node, request, text};

/// What a peer, a model or a webhook might write.
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";

/// A blueprint whose inputs have types, and that waits for a person.
const RELEASE: &str = r#"
id: bp.release
name: Release
trigger: { event_type: test.release }
inputs:
  - { name: version, description: What goes out, schema: { type: string }, required: true }
  - { name: replicas, schema: { type: integer, minimum: 1 }, default: 3 }
  - { name: channel, schema: { enum: [nightly, stable] }, default: nightly }
  - { name: hosts, schema: { type: array }, default: [web-1, web-2] }
plan:
  - kind: transform
    id: each
    foreach: "{{ inputs.hosts }}"
    set: { host: "{{ item }}" }
  - { kind: gate, id: approve, mode: manual, prompt: "Release {{ inputs.version }}?" }
outputs:
  - { name: replicas, from: "{{ inputs.replicas }}" }
"#;

/// A blueprint that does something for each of two.
const ASK_EACH: &str = r#"
id: bp.each
name: Ask for each
trigger: { event_type: test.each }
plan:
  - kind: action_task
    id: keep
    foreach: [a, b]
    max_parallel: 2
    action: artifacts.put
    with: { name: "{{ item }}", content: x }
"#;

/// A policy that wants a person's word on that.
const LOOK: &str = r#"
policy_id: pol.look
policy_type: governance
name: Look first
version: 1
evaluation_mode: first_match
rules:
  - rule_id: look
    match: { action: artifacts.put }
    effect: require_approval
    requirements: { approvals: { min: 1, allow_requester: true } }
"#;

impl Answer {
    fn html(&self) -> String {
        String::from_utf8(self.body.clone()).expect("pages are UTF-8")
    }
}

impl Node {
    /// Sends a form, and answers with the page that it leads to.
    async fn form(&self, action: &str, fields: &[(&str, &str)]) -> String {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let request = request(Method::POST, &format!("/ui/do/{action}"), &headers, Body::from(body));
        let answer = self.send(request).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html());
        answer.header("location").to_owned()
    }

    /// A page that is there, in which nothing hostile stands as it was written.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        let html = answer.html();
        assert_eq!(answer.status, StatusCode::OK, "{path}: {html}");
        assert!(!html.contains("<script>alert"), "{path} shows what it was given as it is");
        assert!(!html.contains("<img src=x"), "{path} shows what it was given as it is");
        html
    }

    /// Waits until the page at `path` says `word`.
    async fn page_with(&self, path: &str, word: &str) -> String {
        let mut head = self.runtime.store().journal().expect("is open").head();
        loop {
            let html = self.page(path).await;
            if html.contains(word) {
                return html;
            }
            head.changed().await.expect("the journal goes on");
        }
    }
}

#[tokio::test]
async fn a_run_is_started_by_a_form_of_its_inputs_and_answered_on_its_page() {
    let node = Node::start().await;
    node.promote(RELEASE).await;
    let form = node.page("/ui/runs/new?blueprint=bp.release").await;
    for field in
        ["inputs.version:string", "inputs.replicas:integer", "inputs.channel:string", "inputs.hosts:json"]
    {
        assert!(form.contains(&format!("name=\"{field}\"")), "{field} is missing");
    }
    assert!(form.contains("What goes out"));
    let fields = [
        ("~next", "/ui/runs/{run_id}"),
        ("blueprint", "bp.release"),
        ("inputs.version:string", HOSTILE),
        ("inputs.replicas:integer", "7"),
        ("inputs.channel:string", "stable"),
        ("inputs.hosts:json", "[\"a\", \"b\", \"c\"]"),
        ("priority", ""),
    ];
    let page = node.form("runs.start", &fields).await;
    let run = page.split('?').next().expect("a path").to_owned();
    let html = node.page_with(&run, "waiting: gate").await;
    assert!(html.contains("3 of 3"), "the fan-out is one line");
    assert!(
        html.contains("data-testid=\"do-gates.answer\"") && html.contains("data-testid=\"do-runs.cancel\"")
    );
    let seq = html.split("seq=").nth(1).and_then(|rest| rest.split('"').next());
    let seq = seq.expect("a run under way is live");
    let same = node.get(&format!("{run}/_status?seq={seq}")).await;
    assert_eq!(same.status, StatusCode::NO_CONTENT);
    for page in ["/steps/each", "/steps/each.1", "/steps/approve", "/data", "/fork"] {
        node.page(&format!("{run}{page}")).await;
    }
    assert_eq!(node.get(&format!("{run}/steps/none")).await.status, StatusCode::NOT_FOUND);

    let id = run.rsplit('/').next().expect("an id");
    let word = [
        ("~next", run.as_str()),
        ("run_id", id),
        ("step_id", "approve"),
        ("approve", "true"),
        ("note", HOSTILE),
    ];
    node.form("gates.answer", &word).await;
    let html = node.page_with(&run, "completed").await;
    assert!(!html.contains("_status?"), "a run that has ended is not asked for again");
    assert!(html.contains("data-testid=\"do-runs.retry\""));
    assert!(node.page("/ui/approvals").await.contains("Decided lately"));

    let replay = [("~next", "/ui/runs/x?replay={intent_id}"), ("run_id", id)];
    let report = node.form("runs.replay", &replay).await.replace("/ui/runs/x", &run);
    assert!(node.page(&report).await.contains("decides the same"));
    node.stop().await;
}

#[tokio::test]
async fn what_was_kept_is_shown_as_text_or_not_at_all() {
    let node = Node::start().await;
    let body = format!(
        "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.svg\"\r\ncontent-type: image/svg+xml\r\n\r\n\
         <svg>{HOSTILE}</svg>\r\n--x\r\ncontent-disposition: form-data; name=\"kind\"\r\n\r\nreport\r\n--x--\r\n"
    );
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    let answer = node.send(request(Method::POST, "/ui/artifacts", &headers, Body::from(body))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html());
    let html = node.page(answer.header("location")).await;
    assert!(html.contains("&#60;svg&#62;") && !html.contains("<img"), "{html}");
    let large = json!({ "name": HOSTILE, "content": "line\n".repeat(20_000), "metadata": { "x": HOSTILE } });
    let kept = node.post("/api/v1/artifacts", &large).await.json();
    let html = node.page(&format!("/ui/artifacts/{}", text(&kept["artifact_id"]))).await;
    assert!(html.contains("Cut here") && html.len() < 100 << 10);
    let bytes = json!({ "name": "b", "content_base64": "AAEC" });
    let kept = node.post("/api/v1/artifacts", &bytes).await.json();
    assert!(node.page(&format!("/ui/artifacts/{}", text(&kept["artifact_id"]))).await.contains("No preview"));
    let image = json!({ "name": "b", "content_base64": "AAEC", "content_type": "image/png" });
    let kept = node.post("/api/v1/artifacts", &image).await.json();
    let html = node.page(&format!("/ui/artifacts/{}", text(&kept["artifact_id"]))).await;
    assert!(
        html.contains(&format!("<img src=\"/api/v1/artifacts/{}/download\"", text(&kept["artifact_id"])))
    );
    node.page("/ui/artifacts").await;
    node.stop().await;
}

#[tokio::test]
async fn what_waits_is_answered_by_a_form() {
    let node = Node::start().await;
    node.promote(ASK).await;
    let started =
        node.post("/api/v1/runs", &json!({ "blueprint": "bp.ask", "labels": { "x": HOSTILE } })).await;
    let run_id = text(&started.json()["run_id"]).to_owned();
    let html = node.page_with("/ui/approvals", "data-testid=\"gate\"").await;
    assert!(html.contains(&format!("/ui/runs/{run_id}")));
    let word =
        [("run_id", run_id.as_str()), ("step_id", "approve"), ("approve", "false"), ("note", "not yet")];
    node.form("gates.answer", &word).await;
    let html = node.page_with("/ui/approvals", "Nothing waits for you").await;
    assert!(html.contains("rejected") && html.contains("not yet"));
    let part = request(Method::GET, "/ui/approvals/_list", &[("hx-request", "true")], Body::empty());
    let part = String::from_utf8(node.send(part).await.body).expect("text");
    assert!(part.contains("Nothing waits for you") && !part.contains("Decided lately"), "{part}");
    let html = node.page_with("/ui/runs?status=failed", "Ask").await;
    assert!(html.contains("/ui/runs?label=x:%22%3E"));
    node.stop().await;
}

#[tokio::test]
async fn each_item_of_a_fan_out_is_answered_by_its_own_name() {
    let node = Node::start().await;
    node.promote(ASK_EACH).await;
    node.form("policies.activate", &[("source", LOOK)]).await;
    let run = node.post("/api/v1/runs", &json!({ "blueprint": "bp.each" })).await.json();
    let run_id = text(&run["run_id"]);
    let page = format!("/ui/runs/{run_id}");
    node.page_with(&page, "value=\"keep.1\"").await;
    for item in ["keep.0", "keep.1"] {
        node.form("gates.answer", &[("run_id", run_id), ("step_id", item), ("approve", "true")]).await;
    }
    node.page_with(&page, "completed").await;
    node.stop().await;
}

#[tokio::test]
async fn the_console_follows_until_it_is_held() {
    let node = Node::start().await;
    node.promote(GREET).await;
    let event = json!({ "event_name": "test.noise", "data": { "x": HOSTILE } });
    let id = text(&node.post("/api/v1/events", &event).await.json()["event_id"]).to_owned();
    let html = node.page("/ui/events").await;
    assert!(html.contains("following") && html.contains("hx-get=\"/ui/events/_list\""));
    node.page(&format!("/ui/events/{id}")).await;
    let held = node.page("/ui/events?until=2999-01-01T00:00:00Z").await;
    assert!(held.contains("held") && !held.contains("/ui/events/_list"));
    assert!(held.contains("test.noise"));
    node.stop().await;
}
