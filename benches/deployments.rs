//! What a team notices of capsules: a rollback of a site of 2,000 files while it is read, and the next version of a
//! source tree of 200 MB on a node that has the one before it. Prints one JSON line a figure.
//!
//! `cargo bench --bench deployments`

mod harness;
#[path = "../capsules/benches/source/mod.rs"]
#[allow(dead_code, reason = "it is shared, and this uses a part")]
mod source;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use harness::{Client, Node, folder, percentile, report};
use serde_json::{Value, json};

/// Connections that read the site.
const READERS: usize = 16;
const ROLLBACKS: usize = 50;
/// Files of the site.
const PAGES: usize = 2_000;
/// Files of the source tree.
const FILES: usize = 12_763;
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() {
    rollbacks().await;
    fetches().await;
}

/// Rolls a site back and forth, while others read it.
async fn rollbacks() {
    let (_keep, folder) = folder("rollbacks");
    let node = Node::start(&folder.join("data")).await;
    let app = folder.join("shop");
    for number in 0..PAGES {
        write(&app, &format!("pages/{number}.html"), &format!("<p>{number}</p>").repeat(100));
    }
    version(&app, "1.0.0");
    let mut client = connect(&node).await;
    client.ask("/api/v1/workspaces", &json!({ "dir": app })).await;
    let mut url = String::new();
    for number in ["1.0.0", "2.0.0"] {
        version(&app, number);
        client.ask("/api/v1/capsules", &json!({ "workspace": "shop" })).await;
        let served = client.ask("/api/v1/deployments", &json!({ "capsule": "shop", "stage": "dev" })).await;
        url = served["url"].as_str().expect("an address").to_owned();
    }
    let port = url.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
    let load = Load::on(SocketAddr::from(([127, 0, 0, 1], port.expect("a port"))));
    let mut took: Vec<Duration> = Vec::with_capacity(ROLLBACKS);
    for _ in 0..ROLLBACKS {
        let begun = Instant::now();
        client.ask("/api/v1/deployments/shop.dev/rollback", &json!({})).await;
        took.push(begun.elapsed());
    }
    let (answered, failed) = load.end().await;
    took.sort_unstable();
    report("rollback.p50_ms", percentile(&took, 0.5));
    report("rollback.max_ms", percentile(&took, 1.0));
    report("rollback.requests_answered", answered as f64);
    report("rollback.requests_failed", failed as f64);
    node.stop();
}

/// Fetches a capsule over the mesh, and then the next version of it.
async fn fetches() {
    let (_keep, folder) = folder("fetches");
    let ada = up(&folder.join("ada"), None).await;
    let ticket = invite(&folder.join("ada"));
    let bob = up(&folder.join("bob"), Some(ticket)).await;
    let app = folder.join("shop");
    source::generate(&app, FILES);
    version(&app, "1.0.0");
    connect(&ada).await.ask("/api/v1/workspaces", &json!({ "dir": app })).await;
    for number in ["1.0.0", "2.0.0"] {
        if number == "2.0.0" {
            source::change(&app);
            version(&app, number);
        }
        let packed = connect(&ada).await.ask("/api/v1/capsules", &json!({ "workspace": "shop" })).await;
        let mut reader = connect(&bob).await;
        reader.knows(number).await;
        let (before, begun) = (reader.came().await, Instant::now());
        reader.ask(&format!("/api/v1/capsules/shop@{number}/pull"), &json!({})).await;
        let (seconds, moved) = (begun.elapsed().as_secs_f64(), reader.came().await - before);
        let (figure, needed) = match packed["delta_bytes"].as_f64() {
            None => ("fetch.whole", packed["size_bytes"].as_f64().expect("a number")),
            Some(delta) => ("fetch.delta", delta),
        };
        report(&format!("{figure}.needed_mb"), needed / 1e6);
        report(&format!("{figure}.moved_mb"), moved / 1e6);
        report(&format!("{figure}.seconds"), seconds);
    }
    bob.stop();
    ada.stop();
}

fn write(app: &Path, name: &str, text: &str) {
    let path = app.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

/// Makes the app one of this version.
fn version(app: &Path, number: &str) {
    write(app, "index.html", &format!("<h1>{number}</h1>"));
    write(app, "capsule.json", &json!({ "id": "shop", "name": "The shop", "version": number }).to_string());
}

async fn up(folder: &Path, ticket: Option<String>) -> Node {
    let settings = |command: &mut Command| {
        command.env("XYN_MESH", "on").env("XYN_MESH_LISTEN", "/ip4/127.0.0.1/tcp/0");
        command.args(ticket.iter().flat_map(|ticket| ["--join", ticket]));
    };
    Node::start_with(folder, settings).await
}

/// A new connection: a node closes one that nobody uses for a while.
async fn connect(node: &Node) -> Client {
    Client::connect(node.address).await.expect("connects")
}

/// A ticket of the node that runs on `folder`.
fn invite(folder: &Path) -> String {
    let program = env!("CARGO_BIN_EXE_xyn");
    let invited = Command::new(program).args(["peer", "invite", "mate@bench", "--data"]).arg(folder).output();
    let invited = invited.expect("xyn starts");
    assert!(invited.status.success(), "{}", String::from_utf8_lossy(&invited.stderr));
    String::from_utf8(invited.stdout).expect("text").trim().to_owned()
}

impl Client {
    /// Posts, and answers what was done. What needs more time is asked for again.
    async fn ask(&mut self, path: &str, body: &Value) -> Value {
        let begun = Instant::now();
        loop {
            let (status, answer) = self.post(path, body).await;
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            let is_under_way = answer["error"]["code"] == "files_on_the_way" && begun.elapsed() < PATIENCE;
            assert!(status < 300 || is_under_way, "{path}: {answer}");
            if status < 300 {
                return answer;
            }
        }
    }

    /// Waits until this version of the shop is offered to the node.
    async fn knows(&mut self, number: &str) {
        let begun = Instant::now();
        while self.get(&format!("/api/v1/capsules/shop@{number}")).await.0 != 200 {
            assert!(begun.elapsed() < PATIENCE, "nobody offers {number}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Bytes that came to the node over the mesh so far.
    async fn came(&mut self) -> f64 {
        let metrics = String::from_utf8(self.get("/metrics").await.1).expect("text");
        let of = |line: &str| line.strip_prefix("xyn_mesh_bytes_total{direction=\"in\"} ").map(str::to_owned);
        let bytes = metrics.lines().find_map(of).expect("it is counted");
        bytes.parse().expect("a number")
    }
}

/// Readers that ask for the page again and again.
struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    readers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn on(address: SocketAddr) -> Self {
        let (is_over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let reader = |_| {
            let (is_over, answered) = (is_over.clone(), answered.clone());
            tokio::spawn(async move {
                let mut client = Client::connect(address).await.expect("connects");
                while !is_over.load(Relaxed) {
                    let (status, page) = client.get("/").await;
                    assert!(status == 200 && page.starts_with(b"<h1>") && page.ends_with(b"</h1>"));
                    answered.fetch_add(1, Relaxed);
                }
            })
        };
        let readers = (0..READERS).map(reader).collect();
        Self { is_over, answered, readers }
    }

    /// How many requests were answered well, and how many failed: a reader ends with its first.
    async fn end(self) -> (usize, usize) {
        self.is_over.store(true, Relaxed);
        let mut failed = 0;
        for reader in self.readers {
            failed += usize::from(reader.await.is_err());
        }
        (self.answered.load(Relaxed), failed)
    }
}
