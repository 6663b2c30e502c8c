//! News on another node's screen: eight nodes on loopback, something happens on the first, and the last one's stream
//! of the API shows it. Prints one JSON line a figure.
//!
//! `cargo bench --bench news`

mod harness;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Client, Node, folder, percentile, report};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NODES: usize = 8;
const NEWS: usize = 300;
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (_keep, path) = folder("news");
    let mut nodes = Vec::new();
    for number in 0..NODES {
        let ticket = (number > 0).then(|| invite(&path.join("0")));
        nodes.push(up(&path.join(number.to_string()), ticket).await);
    }
    for node in &nodes {
        meet(node.address).await;
    }
    let mut author = Client::connect(nodes[0].address).await.expect("connects");
    let mut screen = Screen::open(nodes[NODES - 1].address).await;
    let mut notes = Vec::new();
    for number in 0..NEWS {
        let title = format!("note {number} of the bench");
        let body = json!({ "action": "timeline.note", "input": { "title": title } });
        notes.push(timed(&mut author, "/api/v1/intents", &body, &mut screen, |_| title).await);
    }
    // The sample blueprint: what its run came to, as a moment.
    let mut runs = Vec::new();
    for number in 0..NEWS {
        let body = json!({ "blueprint": "bp.hello", "inputs": { "name": format!("number {number}") } });
        let of_run = |run: &Value| run["run_id"].as_str().expect("a run has an id").to_owned();
        runs.push(timed(&mut author, "/api/v1/runs", &body, &mut screen, of_run).await);
    }
    for (what, times) in [("note", &mut notes), ("run", &mut runs)] {
        times.sort_unstable();
        report(&format!("news.{what}.p50_ms"), percentile(times, 0.5));
        report(&format!("news.{what}.p99_ms"), percentile(times, 0.99));
    }
    report("news.nodes", NODES as f64);
    nodes.into_iter().for_each(Node::stop);
}

async fn up(folder: &Path, ticket: Option<String>) -> Node {
    let settings = |command: &mut Command| {
        command.env("XYN_MESH", "on").env("XYN_MESH_LISTEN", "/ip4/127.0.0.1/tcp/0");
        if let Some(ticket) = &ticket {
            command.args(["--join", ticket]);
        }
    };
    Node::start_with(folder, settings).await
}

/// A ticket of the node that runs on `folder`.
fn invite(folder: &Path) -> String {
    let invited = Command::new(env!("CARGO_BIN_EXE_xyn"))
        .args(["peer", "invite", "mate@bench", "--data"])
        .arg(folder)
        .output()
        .expect("xyn starts");
    assert!(invited.status.success(), "{}", String::from_utf8_lossy(&invited.stderr));
    String::from_utf8(invited.stdout).expect("text").trim().to_owned()
}

/// Waits until a node is connected with all others.
async fn meet(address: SocketAddr) {
    let begun = Instant::now();
    let mut client = Client::connect(address).await.expect("connects");
    loop {
        let (_, body) = client.get("/api/v1/mesh").await;
        let mesh: Value = serde_json::from_slice(&body).expect("JSON");
        if mesh["peers_connected"] == json!(NODES - 1) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "they do not meet: {mesh}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How long it takes from before the request until the `words` that its answer brings are on the screen.
async fn timed(
    client: &mut Client,
    path: &str,
    body: &Value,
    screen: &mut Screen,
    words: impl FnOnce(&Value) -> String,
) -> Duration {
    let begun = Instant::now();
    let (status, answer) = client.post(path, body).await;
    assert!(status < 300, "{status}: {}", String::from_utf8_lossy(&answer));
    screen.shows(&words(&serde_json::from_slice(&answer).expect("JSON"))).await;
    begun.elapsed()
}

/// The stream of moments of a node, as somebody sees it.
struct Screen {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Screen {
    async fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let request = format!("GET /api/v1/timeline/stream HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the node reads");
        let mut screen = Self { stream, unread: Vec::new() };
        screen.shows("text/event-stream").await;
        screen
    }

    /// Waits for an event with `words` in it, and forgets what was before.
    async fn shows(&mut self, words: &str) {
        let words = words.as_bytes();
        loop {
            if let Some(at) = self.unread.windows(words.len()).position(|window| window == words) {
                self.unread.drain(..at + words.len());
                return;
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
            assert!(read.expect("it comes in time").expect("the node answers") > 0, "the stream ended");
        }
    }
}
