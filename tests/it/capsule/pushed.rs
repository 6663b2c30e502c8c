//! A large capsule that is handed to a node, and a power cut on the way.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::*;
use crate::node::Node;

/// Bytes that may go again: what the node had not written when it was killed, and what is said besides the chunks.
const AGAIN_MAX: u64 = 8 << 20;

/// A way to a node on which is counted what goes to it.
struct Gauge {
    address: SocketAddr,
    went: Arc<AtomicU64>,
}

impl Gauge {
    fn before(node: &Node) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let gauge = Self { address: listener.local_addr().expect("bound"), went: Arc::default() };
        let (name, went) = (node.url("").replace("http://", ""), Arc::clone(&gauge.went));
        let own = gauge.address.to_string();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(node) = TcpStream::connect(&name) else { continue };
                let [from, to] = [&client, &node].map(|it| it.try_clone().expect("a socket"));
                let (own, name, went) = (own.clone(), name.clone(), Arc::clone(&went));
                thread::spawn(move || {
                    carry(from, to, |bytes| {
                        went.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                        // A node only answers to its own name.
                        as_if_to(&own, &name, bytes)
                    });
                });
                thread::spawn(move || carry(node, client, <[u8]>::to_vec));
            }
        });
        gauge
    }

    fn went(&self) -> u64 {
        self.went.load(Ordering::Relaxed)
    }
}

/// The head of a request that names `own` as one that names `name`.
fn as_if_to(own: &str, name: &str, bytes: &[u8]) -> Vec<u8> {
    if !bytes.starts_with(b"POST ") && !bytes.starts_with(b"GET ") {
        return bytes.to_vec();
    }
    let (own, name) = (format!("host: {own}\r\n"), format!("host: {name}\r\n"));
    let at = bytes.windows(own.len()).position(|window| window.eq_ignore_ascii_case(own.as_bytes()));
    let at = at.expect("a request names its host");
    [&bytes[..at], name.as_bytes(), &bytes[at + own.len()..]].concat()
}

fn carry(mut from: TcpStream, mut to: TcpStream, through: impl Fn(&[u8]) -> Vec<u8>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&through(&buffer[..count])).is_err() {
            break;
        }
    }
    // Either may be closed by now.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[tokio::test]
async fn a_push_goes_on_where_a_kill_stopped_it_and_sends_little_again() {
    let app = App::new();
    let mut state = 1_u64;
    let noise = (0..8 << 20).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    fs::write(app.path("app/large"), noise.collect::<Vec<u8>>()).expect("written");
    let made = app.pack(&["--out", "shop.caps"]);
    let size = made["size_bytes"].as_u64().expect("a number");
    assert!(size > 64 << 20, "{made}");
    let push = |gauge: &Gauge| {
        let url = format!("http://{}", gauge.address);
        app.xyn(&["--json", "--url", &url, "capsule", "push", "shop.caps", "--pub", "capsule.key.pub"])
    };

    let node = Node::start(&app.0).await;
    let gauge = Gauge::before(&node);
    let cut_off = thread::scope(|scope| {
        let pushing = scope.spawn(|| push(&gauge));
        while gauge.went() < size / 2 && !pushing.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        node.kill_9();
        pushing.join().expect("it does not panic")
    });
    let went = gauge.went();
    assert!(went >= size / 2 && went < size, "{went} of {size} bytes went");
    cut_off.says(7, &["the connection to the node broke", "it goes on behind that"]);
    drop(node);

    let node = Node::start(&app.0).await;
    let gauge = Gauge::before(&node);
    let taken = push(&gauge).json();
    assert_eq!(taken["capsule"], made["capsule"]);
    let (again, sent) = (gauge.went(), taken["sent_bytes"].as_u64().expect("a number"));
    assert!(again <= size - went + AGAIN_MAX, "{again} bytes went, and {went} of {size} before");
    assert!(sent > 0 && sent <= again, "{sent} bytes of the file, {again} in all");
    assert_eq!(app.verify("shop").json()["verified"], true);

    // What is here already is not sent at all.
    let gauge = Gauge::before(&node);
    let known = push(&gauge).json();
    assert_eq!((&known["is_new"], &known["sent_bytes"]), (&json!(false), &json!(0)));
    assert!(gauge.went() < 1 << 20, "{} bytes went", gauge.went());
}
