//! Edits in automerge-repo: `beside-samod TRACE TURNS` prints the seconds until two who worked apart have the
//! same, the bytes that took, and the median milliseconds of a turn after that.
//!
//! Started by the bench of anti-entropy (`net/benches/sync`), which wrote the trace. Each edit is a transaction
//! that puts one value into the root map of one document; both repositories keep it in memory and talk by TCP.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ROOT, ReadDoc};
use futures::StreamExt;
use futures::future::BoxFuture;
use samod::{BackoffConfig, DialError, Dialer, DocHandle, Repo, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

struct Edit {
    author: usize,
    key: String,
    value: Vec<u8>,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let trace = arguments.next().and_then(|path| std::fs::read(path).ok()).expect("a trace");
    let turns: usize = arguments.next().and_then(|turns| turns.parse().ok()).expect("a number of turns");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let [seconds, bytes, turn_ms] = runtime.block_on(run(&edits(&trace), turns));
    println!("{seconds} {bytes} {turn_ms}");
}

fn edits(mut trace: &[u8]) -> Vec<Edit> {
    let mut edits = Vec::new();
    while let Some((head, rest)) = trace.split_at_checked(21) {
        let length = u32::from_be_bytes(head[17..].try_into().expect("four bytes")) as usize;
        let (value, rest) = rest.split_at(length);
        // Keys are strings there.
        let key = head[1..17].iter().map(|byte| format!("{byte:02x}")).collect();
        edits.push(Edit { author: head[0].into(), key, value: value.to_vec() });
        trace = rest;
    }
    edits
}

async fn run(edits: &[Edit], turns: usize) -> [f64; 3] {
    let (apart, in_turns) = edits.split_at(edits.len() - turns);
    let repos = [Repo::build_tokio().load().await, Repo::build_tokio().load().await];
    // Both have the document before they part.
    let first = repos[0].create(Automerge::new()).await.expect("it runs");
    let line = Line::between(&repos).await;
    let second = repos[1].find(first.document_id().clone()).await.expect("it runs").expect("it is there");
    line.cut().await;
    let documents = [first, second];
    apart.iter().for_each(|edit| make(&documents[edit.author], edit));
    let begun = Instant::now();
    let line = Line::between(&repos).await;
    holds(&documents[0], apart.len()).await;
    holds(&documents[1], apart.len()).await;
    let seconds = begun.elapsed().as_secs_f64();
    let bytes = line.bytes.load(Relaxed);
    let mut times = Vec::new();
    for (at, edit) in in_turns.iter().enumerate() {
        let begun = Instant::now();
        make(&documents[edit.author], edit);
        holds(&documents[1 - edit.author], apart.len() + at + 1).await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    [seconds, bytes as f64, times[times.len() / 2].as_secs_f64() * 1e3]
}

fn make(document: &DocHandle, edit: &Edit) {
    document.with_document(|document| {
        let put = |edits: &mut automerge::transaction::Transaction<'_>| {
            edits.put(ROOT, edit.key.as_str(), edit.value.clone())
        };
        document.transact::<_, _, AutomergeError>(put).expect("a map takes any key");
    });
}

/// Waits until the document has so many entries.
async fn holds(document: &DocHandle, count: usize) {
    let mut changes = Box::pin(document.changes());
    while document.with_document(|document| document.length(ROOT)) < count {
        let changed = tokio::time::timeout(Duration::from_secs(600), changes.next()).await;
        changed.expect("it gets there").expect("it runs");
    }
}

/// A connection, and what went over it both ways.
struct Line {
    bytes: Arc<AtomicU64>,
    close: Box<dyn FnOnce()>,
}

impl Line {
    async fn between(repos: &[Repo; 2]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be listened on");
        let address = listener.local_addr().expect("it listens");
        let prompt = Arc::new(Prompt(address));
        let acceptor = repos[0].make_acceptor(prompt.url()).expect("it runs");
        let dialer = repos[1].dial(BackoffConfig::default(), prompt).expect("it runs");
        let (socket, _) = listener.accept().await.expect("it is dialled");
        socket.set_nodelay(true).expect("sockets take options");
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = Counted { socket, bytes: Arc::clone(&bytes) };
        acceptor.accept(Transport::from_tokio_io(counted)).expect("it runs");
        dialer.established().await.expect("both are here");
        let close = Box::new(move || {
            dialer.close();
            acceptor.close();
        });
        Self { bytes, close }
    }

    async fn cut(self) {
        (self.close)();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Dials as the library's own does, but lets no byte wait for the next.
struct Prompt(SocketAddr);

impl Dialer for Prompt {
    type Error = Infallible;

    fn url(&self) -> url::Url {
        url::Url::parse(&format!("tcp://{}", self.0)).expect("an address")
    }

    fn connect(&self) -> BoxFuture<'static, Result<Transport, DialError<Infallible>>> {
        let address = self.0;
        Box::pin(async move {
            let socket = TcpStream::connect(address).await.map_err(DialError::transient)?;
            socket.set_nodelay(true).map_err(DialError::transient)?;
            Ok(Transport::from_tokio_io(socket))
        })
    }
}

/// A socket that counts what passes.
struct Counted {
    socket: TcpStream,
    bytes: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = to.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, to);
        self.bytes.fetch_add((to.filled().len() - before) as u64, Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, from);
        if let Poll::Ready(Ok(written)) = polled {
            self.bytes.fetch_add(written as u64, Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
