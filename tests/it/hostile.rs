//! A node's worst users: bytes that are no HTTP, names that only look local, twins, forged webhooks, and templates
//! that would eat the machine. Each is refused in words, and the node serves the next one.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpStream};

use reqwest::Url;
use serde_json::{Value, json};

use crate::node::{Answer, Folder, Node, PATIENCE, eventually};

/// Sends bytes as they are; the status of each answer that came until the node hung up.
fn sent(node: &Node, bytes: &[u8]) -> Vec<String> {
    let url: Url = node.url("/").parse().expect("a URL");
    let address = url.socket_addrs(|| None).expect("an address")[0];
    let mut stream = TcpStream::connect(address).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    // A node that has read enough may hang up before all is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    let lines = text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

/// A request to this node whose head goes on with `more`.
fn request(node: &Node, line: &str, more: &str) -> Vec<u8> {
    let host = node.url("").replace("http://", "");
    format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n").into_bytes()
}

#[tokio::test]
async fn bytes_that_are_no_request_are_told_so_and_smuggle_nothing_in() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let json = "Content-Type: application/json\r\n";
    let post = |more: &str| request(&node, "POST /api/v1/events", &format!("{json}{more}"));
    let get = |more: &str| request(&node, "GET /api/v1/runs", more);
    let behind = |head: Vec<u8>, body: &str| [head, body.as_bytes().to_vec()].concat();
    let event = r#"{"event_name":"smuggled.in"}"#;
    let whole = format!("{:x}\r\n{event}\r\n0\r\n\r\n", event.len());
    let table: &[(&str, Vec<u8>)] = &[
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_vec()),
        ("two lengths", behind(post("Content-Length: 2\r\nContent-Length: 28\r\n"), event)),
        ("a length with a sign", behind(post("Content-Length: +28\r\n"), event)),
        (
            "a chunk without end",
            behind(post("Transfer-Encoding: chunked\r\n"), "fffffffffffffffff\r\n{}\r\n"),
        ),
        ("an unknown encoding", behind(post("Transfer-Encoding: chunked, gzip\r\n"), &whole)),
        ("a folded header", get("X-A: b\r\n c\r\n")),
        ("a name with a space", get("X-A : b\r\n")),
        ("a NUL", get("X-A: b\0c\r\n")),
        ("too many headers", get(&"X-A: b\r\n".repeat(200))),
        ("a head without end", get(&format!("X-A: {}\r\n", "a".repeat(100_000)))),
        ("two hosts", get("Host: evil.example\r\n")),
        ("no host", b"GET /api/v1/runs HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in table {
        let answers = sent(&node, bytes);
        assert!(matches!(&answers[..], [status] if status.starts_with('4')), "{what}: {answers:?}");
    }
    let url: Url = node.url("/").parse().expect("a URL");
    let mut stream =
        TcpStream::connect(url.socket_addrs(|| None).expect("an address")[0]).expect("it listens");
    stream.write_all(&behind(post("Content-Length: 400\r\n"), event)).expect("sends");
    stream.shutdown(Shutdown::Both).expect("hangs up in the middle of the body");
    let length_and_chunks = behind(post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), "0\r\n\r\n");
    let smuggled = request(&node, "GET /api/v1/smuggled", "");
    let answers = sent(&node, &[length_and_chunks, smuggled].concat());
    assert!(
        answers.iter().all(|status| status == "400"),
        "no second request is found in a body: {answers:?}"
    );
    assert_eq!(node.all("/api/v1/events?event_name=smuggled.in").await, [] as [Value; 0]);
    assert_eq!(node.get("/healthz").await["status"], "ok");
}

#[tokio::test]
async fn names_that_only_look_local_are_refused() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let port = node.url("").rsplit_once(':').expect("a port").1.to_owned();
    let asked = async |header: &str, value: &str| {
        let request = node.request("GET", "/api/v1/runs").header(header, value);
        let answer = Answer::of(request).await.expect("the node answers");
        (answer.status, answer.body["error"]["details"]["path"].clone())
    };
    for host in [
        "localhost.evil.example:PORT",
        "127.0.0.1.evil.example:PORT",
        "evil@localhost:PORT",
        "localhost:PORT.evil.example",
        "localhost.:PORT",
        "localhost:1",
        "localhost",
        "0.0.0.0:PORT",
        "127.1:PORT",
        "2130706433:PORT",
        "[::ffff:127.0.0.1]:PORT",
    ] {
        let found = asked("host", &host.replace("PORT", &port)).await;
        assert_eq!(found, (421, json!("Host")), "{host}");
    }
    for origin in [
        "http://localhost:1",
        "http://localhost.evil.example:PORT",
        "http://127.0.0.1:PORT@evil.example",
        "http://127.0.0.1:PORT/",
        "ftp://127.0.0.1:PORT",
        "chrome-extension://abc",
        "file://",
        "",
    ] {
        let found = asked("origin", &origin.replace("PORT", &port)).await;
        assert_eq!(found, (403, json!("Origin")), "{origin}");
    }
    assert_eq!(asked("host", &format!("LocalHost:{port}")).await.0, 200);
    assert_eq!(asked("origin", &format!("http://127.0.0.1:{port}")).await.0, 200);
}

#[tokio::test]
async fn events_that_are_no_events_leave_no_trace() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let before = node.all("/api/v1/events").await.len();
    let named = |name: &str| json!({ "event_name": name }).to_string().into_bytes();
    let deep = format!(r#"{{"event_name":"a.b","data":{}{}}}"#, "[".repeat(127), "]".repeat(127));
    let bodies: &[&[u8]] = &[
        b"",
        b"\xef\xbb\xbf{\"event_name\":\"a.b\"}",
        b"{\0\"\0}\0",
        b"\x1f\x8b\x08\x00",
        br#"{"event_name":"a.b","data":NaN}"#,
        br#"{"event_name":"a.b","data":-Infinity}"#,
        br#"{"event_name":"a.b","data":1e999}"#,
        br#"{"event_name":"a.b","data":"\ud800"}"#,
        br#"{"event_name":"a.b"} {"event_name":"c.d"}"#,
        br#"{"event_name":["a.b"]}"#,
        br#"{"event_name":"a.b","occurred_at":"0000-01-01T00:00:00Z"}"#,
        br#"{"event_name":"a.b","occurred_at":"10000-01-01T00:00:00Z"}"#,
        br#"{"event_name":"a.b","occurred_at":1e30}"#,
        &named("a.b\nERROR forged"),
        &named("a.b\0"),
        &named("a..b"),
        &named("xyn.run.completed"),
        &named(&"a.".repeat(10_000)),
        deep.as_bytes(),
    ];
    for body in bodies {
        let request = node.request("POST", "/api/v1/events").header("content-type", "application/json");
        let answer = Answer::of(request.body(body.to_vec())).await.expect("the node answers");
        let error = &answer.body["error"];
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert!(answer.status == 400 && error["message"].is_string(), "{shown}: {answer:?}");
    }
    for (header, value) in
        [("x-correlation-id", "a b"), ("x-correlation-id", ""), ("idempotency-key", &"k".repeat(300))]
    {
        let request = node.request("POST", "/api/v1/events").header(header, value);
        let answer =
            Answer::of(request.json(&json!({ "event_name": "a.b" }))).await.expect("the node answers");
        assert_eq!(answer.status, 400, "{header}: {answer:?}");
    }
    assert_eq!(node.all("/api/v1/events").await.len(), before);
}

#[tokio::test]
async fn a_twin_of_an_event_is_answered_the_same_and_kept_once() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let id = "0190f5fe-7c00-7a00-8000-000000000077";
    let event = |data: u64| json!({ "event_name": "demo.twin", "event_id": id, "data": { "n": data } });
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..32 {
        let request = node.request("POST", "/api/v1/events").json(&event(number));
        senders.spawn(Answer::of(request));
    }
    while let Some(answer) = senders.join_next().await {
        let answer = answer.expect("no sender panics").expect("the node answers");
        assert_eq!((answer.status, &answer.body["event_id"]), (201, &json!(id)));
    }
    let kept = node.all("/api/v1/events?event_name=demo.twin").await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    node.kill_9();
    let node = Node::start(&folder).await;
    assert_eq!(node.post("/api/v1/events", &event(99)).await.ok()["event_id"], id);
    assert_eq!(node.all("/api/v1/events?event_name=demo.twin").await, kept, "the first one stands");
}

#[tokio::test]
async fn webhooks_of_strangers_are_refused_before_anything_is_read() {
    let folder = Folder::new();
    std::fs::create_dir(folder.data()).expect("a folder");
    let hooks = "[[hooks]]\nname = \"ci\"\nevent_name = \"ci.done\"\nsecrets_env = [\"HOOK_SECRET\"]\n";
    std::fs::write(folder.data().join("config.toml"), hooks).expect("writes");
    let mut command = folder.program();
    command.env("HOOK_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
    let node = Node::start_by(&folder, command).await;
    let now = node.get("/healthz").await["now"].as_str().map(str::to_owned).expect("a time");
    let seconds = now.parse::<jiff::Timestamp>().expect("a time").as_second();
    let [now, late, early] = [0, -400, 400].map(|by| (seconds + by).to_string());
    let flood = vec!["v1,AAAA"; 5_000].join(" ");
    let table: &[(&str, &str, &str, &str)] = &[
        ("", &now, "v1,AAAA", "signature_malformed"),
        ("m", &now, "v1,AAAA", "signature_mismatch"),
        ("m", &now, "v1a,AAAA", "signature_mismatch"),
        ("m", &now, &flood, "signature_mismatch"),
        ("m", "99999999999999999999", "v1,AAAA", "signature_malformed"),
        ("m", "NaN", "v1,AAAA", "signature_malformed"),
        ("m", &late, "v1,AAAA", "message_out_of_time"),
        ("m", &early, "v1,AAAA", "message_out_of_time"),
    ];
    for (id, at, signature, code) in table {
        let request = node.request("POST", "/api/v1/hooks/ci").body("{");
        let headers = [("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signature)];
        let request = headers.into_iter().fold(request, |it, (name, value)| it.header(name, *value));
        let answer = Answer::of(request).await.expect("the node answers");
        assert_eq!((answer.status, &answer.body["error"]["code"]), (401, &json!(code)), "{id} {at}");
    }
    let answer = Answer::of(node.request("POST", "/api/v1/hooks/ci")).await.expect("the node answers");
    assert_eq!((answer.status, &answer.body["error"]["code"]), (401, &json!("signature_missing")));
    let answer = Answer::of(node.request("POST", "/api/v1/hooks/other")).await.expect("the node answers");
    assert_eq!(answer.status, 404);
    assert_eq!(node.all("/api/v1/events?event_name=ci.done").await, [] as [Value; 0]);
}

#[tokio::test]
async fn names_of_artifacts_lead_nowhere_and_say_nothing_to_a_browser() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    for name in
        ["../../etc/passwd", "a\r\nSet-Cookie: x", "a\"; filename=evil.exe; x=\"", "\u{202e}gpj.exe", "/"]
    {
        let artifact =
            json!({ "name": name, "content": "<script>", "content_type": "text/html\r\nX-Evil: y" });
        let kept = node.post("/api/v1/artifacts", &artifact).await;
        if kept.status == 400 {
            continue;
        }
        let id = kept.ok()["artifact_id"].as_str().expect("an id").to_owned();
        let answer = node.request("GET", &format!("/api/v1/artifacts/{id}/download")).send().await;
        let answer = answer.expect("the node answers");
        let header =
            |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap_or("?"));
        let disposition = header("content-disposition");
        assert!(disposition.starts_with("attachment; filename=\""), "{disposition}");
        assert!(!disposition.contains("..") && !disposition.contains("filename=evil"), "{disposition}");
        assert_eq!(header("content-type"), "application/octet-stream");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(answer.headers().get("x-evil").is_none() && answer.headers().get("set-cookie").is_none());
    }
}

/// What a template would have the machine do.
const GREEDY: &[&str] = &[
    "{{ 'x' * 1000000000 }}",
    "{{ [0] * 1000000000 }}",
    "{{ range(100000000) | list }}",
    "{{ 'aaaaaaaa' | replace('a', 'A8') | replace('A', 'B8') }}",
    "{{ 9223372036854775807 * 9223372036854775807 * 9223372036854775807 }}",
    "{{ -9223372036854775808 // -1 }}",
    "{{ 10 ** 4000 }}",
    "{{ 1 // 0 }}",
    "{{ 'abc'[9223372036854775807:-9223372036854775808:-1] }}",
    "{{ '1e999' | float }}",
    "{{ inputs.nobody.home }}",
    "{{ event.data.list | sort | join(event.data.list) }}",
];

#[tokio::test]
async fn templates_that_would_eat_the_machine_fail_their_step_and_no_more() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let mut doubling = "'aaaaaaaaaaaaaaaa'".to_owned();
    for _ in 0..20 {
        doubling += " | replace('a', 'aaaaaaaaaaaaaaaa')";
    }
    let doubling = format!("{{{{ {doubling} }}}}");
    let nested = format!("{{{{ {}1{} }}}}", "(".repeat(1_500), ")".repeat(1_500));
    let loops =
        "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}".to_owned();
    let greedy = GREEDY.iter().map(|text| (*text).to_owned()).chain([doubling, nested, loops]);
    for (number, template) in greedy.enumerate() {
        let mut source =
            format!("id: bp.greedy.n{number}\nname: Greedy\ntrigger: {{ event_type: test.greedy }}\n");
        let _ =
            write!(source, "plan:\n  - {{ kind: transform, id: eat, set: {{ x: {} }} }}\n", json!(template));
        let file = folder.file("greedy.yaml", &source);
        // Many are seen before they run.
        if folder.xyn(["blueprint", "promote", &file]).code == 1 {
            continue;
        }
        let asked = json!({ "blueprint": format!("bp.greedy.n{number}"), "inputs": {} });
        let run = node.post("/api/v1/runs", &asked).await.ok();
        let run = node.ended(run["run_id"].as_str().expect("an id")).await;
        let is_refused = run["status"] == "failed" && run["error"]["code"] == "template_failed";
        assert!(is_refused || run["status"] == "completed", "{template}: {run}");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("the process lives");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is told");
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak_kib < 256 << 10, "{peak_kib} KiB were eaten");
}

#[tokio::test]
async fn a_blueprint_that_triggers_itself_comes_to_an_end() {
    let folder = Folder::new();
    let node = Node::start(&folder).await;
    let source = "id: bp.echo\nname: Echo\ntrigger: { event_type: test.echo }\nplan:\n  \
                  - { kind: action_task, id: again, action: events.emit, with: { event_name: test.echo } }\n";
    node.promote(&folder, source).await;
    node.post("/api/v1/events", &json!({ "event_name": "test.echo" })).await.ok();
    eventually("the chain is cut and told about", async || {
        node.log().contains("looks like a loop").then_some(())
    })
    .await;
    let runs = node.all("/api/v1/runs?blueprint=bp.echo").await;
    assert_eq!(runs.len(), 16);
}
