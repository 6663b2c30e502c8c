//! What the whole-process benches share: a real node in a folder of its own, a lean HTTP/1.1 client, figures.

#![allow(dead_code, reason = "each bench is a program of its own and uses a part")]

pub(crate) mod past;

use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a node may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node as a process of its own.
pub(crate) struct Node {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first healthy answer.
    pub(crate) healthy_after: Duration,
}

impl Node {
    /// Starts `xyn up` on `folder` and waits until it is healthy.
    pub(crate) async fn start(folder: &Path) -> Self {
        Self::start_with(folder, |_| {}).await
    }

    /// The same with more settings.
    pub(crate) async fn start_with(folder: &Path, settings: impl FnOnce(&mut Command)) -> Self {
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let begun = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xyn"));
        command.args(["up", "--listen", &address.to_string(), "--data"]).arg(folder).env("XYN_LOG", "warn");
        settings(&mut command);
        let child = command.stdout(Stdio::null()).spawn().expect("xyn starts");
        loop {
            if let Ok(mut client) = Client::connect(address).await
                && client.get("/healthz").await.0 == 200
            {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "the node does not come up");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self { child, address, healthy_after: begun.elapsed() }
    }

    /// Resident memory, in bytes.
    pub(crate) fn rss_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }

    /// CPU time used so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit_once(')').expect("Linux says").1.split_whitespace().collect();
        let ticks: u64 = [fields[11], fields[12]].iter().map(|f| f.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Ends it at once, as a power loss would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Ends it in good order.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A bench that failed leaves no node behind; one that ended has none.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One kept connection.
pub(crate) struct Client {
    stream: TcpStream,
    address: SocketAddr,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address, buffer: Vec::with_capacity(4096) })
    }

    pub(crate) async fn get(&mut self, path: &str) -> (u16, Vec<u8>) {
        self.send(&get(self.address, path)).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> (u16, Vec<u8>) {
        let request = post(self.address, path, &body.to_string());
        self.send(&request).await
    }

    /// Sends a whole request and reads the whole answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.stream.write_all(request).await.expect("the node reads");
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("the node answers");
            assert!(read > 0, "the node closed the connection");
            let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
            let head =
                std::str::from_utf8(&self.buffer[..end]).expect("headers are text").to_ascii_lowercase();
            let status: u16 = head[9..12].parse().expect("a status");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
            while self.buffer.len() < end + 4 + length {
                self.stream.read_buf(&mut self.buffer).await.expect("the node answers");
            }
            return (status, self.buffer[end + 4..end + 4 + length].to_vec());
        }
    }

    /// Saves, validates and promotes a blueprint.
    pub(crate) async fn promote(&mut self, source: &str) {
        let draft = serde_json::json!({ "draft_type": "blueprint", "name": "bench", "definition": source });
        let (status, body) = self
            .post("/api/v1/intents", &serde_json::json!({ "action": "drafts.save", "input": draft }))
            .await;
        assert!(status < 300, "{}", String::from_utf8_lossy(&body));
        let saved: Value = serde_json::from_slice(&body).expect("JSON");
        let id = saved["output"]["draft_id"].as_str().expect("an id").to_owned();
        for step in ["validate", "promote"] {
            let (status, body) =
                self.post(&format!("/api/v1/drafts/{id}/{step}"), &serde_json::json!({})).await;
            assert!(status < 300, "{step}: {}", String::from_utf8_lossy(&body));
        }
    }
}

/// `callers` connections send `request` again and again for `period`; answers the sorted latencies and the time.
pub(crate) async fn load(
    address: SocketAddr,
    callers: usize,
    period: Duration,
    request: &[u8],
) -> (Vec<Duration>, Duration) {
    let start = Instant::now();
    send_while(address, callers, request, move || start.elapsed() < period).await
}

/// `callers` connections send `request` until it was answered `requests` times.
pub(crate) async fn count(address: SocketAddr, callers: usize, requests: usize, request: &[u8]) {
    let left = Arc::new(AtomicUsize::new(requests));
    let take = move || left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
    send_while(address, callers, request, take).await;
}

async fn send_while(
    address: SocketAddr,
    callers: usize,
    request: &[u8],
    go_on: impl Fn() -> bool + Clone + Send + 'static,
) -> (Vec<Duration>, Duration) {
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (request, go_on) = (request.to_vec(), go_on.clone());
            tokio::spawn(async move {
                let mut client = Client::connect(address).await.expect("connects");
                let mut latencies = Vec::new();
                while go_on() {
                    let begun = Instant::now();
                    let (status, body) = client.send(&request).await;
                    assert!(status < 300, "{status}: {}", String::from_utf8_lossy(&body));
                    latencies.push(begun.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("the caller ends"));
    }
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    (latencies, elapsed)
}

/// Bytes on the wire of a GET.
pub(crate) fn get(address: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes()
}

/// Bytes on the wire of a POST with `body`.
pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
    format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// The value at `share` (0 to 1) of sorted times, in milliseconds.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
}

/// Median of writing a block and syncing it, in milliseconds: what the disk itself takes.
pub(crate) fn fdatasync_p50(folder: &Path) -> f64 {
    let file = std::fs::File::create(folder.join("disk")).expect("creates");
    file.write_all_at(&vec![7; 4 << 20], 0).expect("writes");
    file.sync_all().expect("syncs");
    let mut times: Vec<Duration> = (0..500)
        .map(|index| {
            file.write_all_at(&[7; 4096], (index * 7 % 1024) * 4096).expect("writes");
            let begun = Instant::now();
            file.sync_data().expect("syncs");
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    percentile(&times, 0.5)
}

/// A folder on the disk of the build, not in memory.
pub(crate) fn folder(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder =
        tempfile::Builder::new().prefix(name).tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let path = folder.path().to_owned();
    (folder, path)
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
pub(crate) fn report(figure: &str, value: f64) {
    println!("{{\"figure\":\"{figure}\",\"value\":{value:.4}}}");
}
