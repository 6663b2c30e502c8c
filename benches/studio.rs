//! Studio on a node with a past: 1M events, 100,000 runs, 100,000 moments. What a page of each kind takes until
//! its first byte and weighs, and, where `tests/studio` was installed, what a browser makes of it. Prints one JSON line a
//! figure.
//!
//! `cargo bench --bench studio`

mod harness;

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use harness::past::{ENDS, list, settled};
use harness::{Client, Node, count, folder, percentile, post, report};
use serde_json::{Value, json};

const EVENTS: usize = 1_000_000;
const RUNS: usize = 100_000;
const CALLERS: usize = 64;
const ROUNDS: usize = 200;
/// Kinds of pages there may be: more would be a link that never comes to an end.
const KINDS_MAX: usize = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (_keep, folder) = folder("studio");
    let node = Node::start_with(&folder.join("data"), on_the_mesh).await;
    join(&node, &folder).await;
    fill(&node).await;
    let mut client = Client::connect(node.address).await.expect("connects");
    work(&mut client, &folder.join("shop")).await;
    settled(&node).await;
    let pages = pages(&mut client).await;
    report("studio.kinds_of_pages", pages.len() as f64);
    let mut slowest: f64 = 0.0;
    for (kind, path) in &pages {
        let mut latencies = Vec::with_capacity(ROUNDS);
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let (status, body) = client.get(path).await;
            latencies.push(begun.elapsed());
            assert_eq!(status, 200, "{path}");
            bytes = body.len();
        }
        latencies.sort_unstable();
        let p99 = percentile(&latencies, 0.99);
        slowest = slowest.max(p99);
        report(&format!("studio.{kind}.p99_ms"), p99);
        report(&format!("studio.{kind}.bytes"), bytes as f64);
    }
    report("studio.slowest_p99_ms", slowest);
    browse(&node, &pages);
    node.stop();
}

fn on_the_mesh(command: &mut Command) {
    command.env("XYN_MESH", "on").env("XYN_MESH_LISTEN", "/ip4/127.0.0.1/tcp/0");
}

/// Gives the node a teammate, who leaves again.
async fn join(node: &Node, folder: &Path) {
    let invited = Command::new(env!("CARGO_BIN_EXE_xyn"))
        .args(["peer", "invite", "mate@bench", "--data"])
        .arg(folder.join("data"))
        .output()
        .expect("xyn starts");
    let ticket = String::from_utf8(invited.stdout).expect("text").trim().to_owned();
    let joins = |command: &mut Command| {
        on_the_mesh(command);
        command.args(["--join", &ticket]);
    };
    let mate = Node::start_with(&folder.join("mate"), joins).await;
    let mut client = Client::connect(node.address).await.expect("connects");
    while list(&mut client, "/api/v1/peers").await.len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    mate.stop();
}

/// Gives the node its past.
async fn fill(node: &Node) {
    let mut client = Client::connect(node.address).await.expect("connects");
    client.promote(ENDS).await;
    let start = json!({ "blueprint": "bp.ends", "inputs": { "n": 7 } }).to_string();
    count(node.address, CALLERS, RUNS, &post(node.address, "/api/v1/runs", &start)).await;
    settled(node).await;
    let mut client = Client::connect(node.address).await.expect("connects");
    let newest = &list(&mut client, "/api/v1/runs?limit=1").await[0]["run_id"];
    let newest = newest.as_str().expect("a run");
    let of_a_run = list(&mut client, &format!("/api/v1/events?limit=200&run_id={newest}")).await.len();
    let rest = EVENTS.saturating_sub(RUNS * of_a_run);
    let plain = json!({ "event_name": "bench.plain", "data": { "text": "x".repeat(100) } }).to_string();
    count(node.address, CALLERS, rest, &post(node.address, "/api/v1/events", &plain)).await;
    settled(node).await;
    report("studio.runs", RUNS as f64);
    report("studio.events", (RUNS * of_a_run + rest) as f64);
}

/// What a team does on top of it: a shop is written, looked over, sealed and served, and a run waits for a person.
async fn work(client: &mut Client, shop: &Path) {
    let asked =
        json!({ "event_name": "demo.deploy_requested", "data": { "service": "shop", "version": "2.0.0" } });
    act(client, "events", &asked).await;
    act(
        client,
        "artifacts",
        &json!({ "name": "plan.json", "content": "{}", "content_type": "application/json" }),
    )
    .await;
    let mut moments = Vec::new();
    for version in ["1.0.0", "2.0.0"] {
        fs::create_dir_all(shop).expect("a folder");
        fs::write(shop.join("index.html"), format!("<h1>{version}</h1>\n").repeat(100)).expect("written");
        let manifest = json!({ "id": "shop", "name": "The shop", "version": version });
        fs::write(shop.join("capsule.json"), manifest.to_string()).expect("written");
        if moments.is_empty() {
            act(client, "workspaces", &json!({ "dir": shop })).await;
        }
        let moment = act(client, "workspaces/shop/snapshot", &json!({ "title": version })).await;
        moments.push(moment["entry_id"].clone());
        act(client, "capsules", &json!({ "workspace": "shop" })).await;
        act(client, "deployments", &json!({ "capsule": "shop", "stage": "staging" })).await;
    }
    act(client, "timeline/branch", &json!({ "name": "evening", "entry_id": moments[0] })).await;
    act(client, "timeline/review", &json!({ "entry_id": moments[1], "status": "open" })).await;
    act(client, "timeline/comment", &json!({ "entry_id": moments[1], "on": "review", "text": "so it is" }))
        .await;
}

async fn act(client: &mut Client, path: &str, body: &Value) -> Value {
    let (status, answer) = client.post(&format!("/api/v1/{path}"), body).await;
    assert!(status < 300, "{path}: {}", String::from_utf8_lossy(&answer));
    serde_json::from_slice(&answer).expect("JSON")
}

/// The first page of each kind that links lead to from the console on.
async fn pages(client: &mut Client) -> BTreeMap<String, String> {
    let mut pages = BTreeMap::from([("events".to_owned(), "/ui/events".to_owned())]);
    let mut waiting = VecDeque::from(["/ui/events".to_owned()]);
    while let Some(path) = waiting.pop_front() {
        let (status, body) = client.get(&path).await;
        if (300..400).contains(&status) {
            // It leads to a page that has an address of its own.
            pages.retain(|_, page| *page != path);
            continue;
        }
        assert_eq!(status, 200, "{path}");
        let html = String::from_utf8(body).expect("a page is text");
        for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let link = link.replace("&#38;", "&").replace("&amp;", "&");
            if let Some(kind) = kind(&link)
                && !pages.contains_key(&kind)
            {
                waiting.push_back(link.clone());
                pages.insert(kind, link);
            }
        }
        assert!(pages.len() <= KINDS_MAX, "{:?}", pages.values());
    }
    pages
}

/// What is alike in pages of one kind: their path but for what is a name, and which questions they answer.
fn kind(link: &str) -> Option<String> {
    let page = link.strip_prefix("/ui/")?.split('#').next()?;
    let (path, query) = page.split_once('?').unwrap_or((page, ""));
    if path.starts_with("assets/") {
        return None;
    }
    let is_name =
        |part: &&str| part.contains(|letter: char| letter.is_ascii_digit() || ".@%".contains(letter));
    let parts = path.split('/').map(|part| if is_name(&part) { "one" } else { part });
    let asked = query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty());
    Some(parts.chain(asked).collect::<Vec<_>>().join("_"))
}

/// Has a browser say when each page shows something.
fn browse(node: &Node, pages: &BTreeMap<String, String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/studio");
    if !folder.join("node_modules").is_dir() {
        report("studio.browser", 0.0);
        return;
    }
    let url = format!("http://{}", node.address);
    let pages = serde_json::to_string(pages).expect("JSON");
    let status = Command::new("node")
        .arg("speed.mjs")
        .envs([("XYN_URL", url), ("XYN_PAGES", pages)])
        .current_dir(folder)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "the browser's figures");
}
