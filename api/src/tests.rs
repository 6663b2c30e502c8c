//! The API over a real Runtime, called in this process: what callers see, from edge to journal.

mod artifacts;
mod capsules;
mod contract;
mod headers;
mod library;
mod peers;
mod rates;
mod reasons;
mod refusals;
mod runs;
mod shapes;
mod ship;
mod streams;
mod time_pages;
mod timeline;
mod work;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use xyn_actors::actions;
use xyn_actors::runtime::{Background, Environment, Hook, Runtime};
use xyn_store::{Clock, Options, Store};

use crate::{AppState, Guard, router};

/// A blueprint of two steps that ends at once.
const GREET: &str = r#"
id: bp.greet
name: Greet
trigger: { event_type: test.greet }
inputs:
  - { name: who, schema: { type: string }, required: true }
plan:
  - { kind: transform, id: say, set: { text: "hello {{ inputs.who }}" } }
  - kind: action_task
    id: keep
    action: artifacts.put
    with: { name: greeting.txt, content: "{{ steps.say.output.text }}" }
outputs:
  - { name: text, from: "{{ steps.say.output.text }}" }
"#;

/// A blueprint that waits for a person.
const ASK: &str = r#"
id: bp.ask
name: Ask
trigger: { event_type: test.ask }
plan:
  - { kind: gate, id: approve, mode: manual }
  - { kind: transform, id: done, set: { ok: true } }
"#;

const HOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A node whose API is called without a socket.
struct Node {
    router: Router,
    state: AppState,
    runtime: Runtime,
    background: Background,
    _folder: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).expect("the header is there").to_str().expect("the header is text")
    }

    /// Status, code and path of an error.
    fn fault(&self) -> (u16, String, String) {
        let body = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert_eq!(body["correlation_id"], self.header("x-correlation-id"));
        (self.status.as_u16(), text(&body["error"]["code"]), text(&body["error"]["details"]["path"]))
    }
}

impl Node {
    async fn start() -> Self {
        let hook =
            Hook { name: "test".into(), event_name: "test.hooked".into(), secrets: vec![HOOK_SECRET.into()] };
        Self::start_in(Environment { hooks: vec![hook], ..Environment::default() }).await
    }

    async fn start_in(env: Environment) -> Self {
        Self::start_by(Clock::system(), env).await
    }

    /// One that goes by `clock`.
    async fn start_by(clock: Clock, env: Environment) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Options::default()).expect("opens");
        let started = Runtime::start(store, actions::builtin(), clock, env).await;
        let (runtime, background) = started.expect("starts");
        let state = AppState::new(runtime.clone(), Guard::in_process());
        Self { router: router(state.clone()), state, runtime, background, _folder: folder }
    }

    async fn stop(self) {
        self.runtime.stop(self.background).await;
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        answer(&self.router, request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(request(Method::GET, path, headers, Body::empty())).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body).await
    }

    async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send(request(Method::POST, path, &headers, Body::from(body.to_string()))).await
    }

    /// Makes `source` an active blueprint, the way a person does.
    async fn promote(&self, source: &str) {
        let body = json!({ "draft_type": "blueprint", "name": "test", "definition": source });
        let draft = self.post("/api/v1/drafts", &body).await;
        assert_eq!(draft.status, StatusCode::CREATED, "{:?}", draft.json());
        let path = draft.header("location").to_owned();
        let valid = self.post(&format!("{path}/validate"), &json!({})).await.json();
        assert_eq!(valid, json!({ "is_valid": true, "issues": [] }));
        let promoted = self.post(&format!("{path}/promote"), &json!({})).await;
        assert_eq!(promoted.status, StatusCode::OK, "{:?}", promoted.json());
    }

    /// Starts `blueprint` and waits for its end; the run.
    async fn run(&self, blueprint: &str, inputs: Value) -> Value {
        let body = json!({ "blueprint": blueprint, "inputs": inputs });
        let answer = self.post("/api/v1/runs?wait=10s", &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json());
        answer.json()
    }
}

async fn answer(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.expect("routes answer");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("the answer ends").to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).expect("a request")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
