//! One blob by iroh-blobs: `beside-iroh hold FILE FOLDER` keeps it and prints where, as `NODE ADDRESS HASH`;
//! `beside-iroh fetch FOLDER NODE ADDRESS HASH` prints the seconds until it is here. Both end when their input
//! is closed.
//!
//! Started by the bench of blobs (`net/benches/blobs`). Two processes over loopback without relays or lookup of
//! addresses, each with a store on disk: what a node with its own settings does.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use iroh::endpoint::presets::Minimal;
use iroh::protocol::Router;
use iroh::{Endpoint, EndpointAddr, EndpointId};
use iroh_blobs::store::fs::FsStore;
use iroh_blobs::{ALPN, BlobsProtocol, Hash};
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["hold", file, folder] => hold(Path::new(file), folder).await,
        ["fetch", folder, node, address, hash] => {
            let address: SocketAddr = address.parse().expect("an address");
            let node: EndpointId = node.parse().expect("a node");
            fetch(folder, EndpointAddr::new(node).with_ip_addr(address), hash.parse().expect("a hash")).await;
        }
        words => panic!("neither `hold FILE FOLDER` nor `fetch FOLDER NODE ADDRESS HASH`: {words:?}"),
    }
}

async fn endpoint() -> Endpoint {
    let builder = Endpoint::builder(Minimal).clear_ip_transports();
    builder.bind_addr("[::1]:0").expect("an address").bind().await.expect("loopback can be bound")
}

async fn hold(file: &Path, folder: &str) {
    let store = FsStore::load(folder).await.expect("a folder");
    let tag = store.blobs().add_path(file).await.expect("it can be read");
    let endpoint = endpoint().await;
    let address = endpoint.bound_sockets()[0];
    println!("{} {address} {}", endpoint.id(), tag.hash);
    let router = Router::builder(endpoint).accept(ALPN, BlobsProtocol::new(&store, None)).spawn();
    until_closed().await;
    router.shutdown().await.expect("it runs");
}

async fn fetch(folder: &str, holder: EndpointAddr, hash: Hash) {
    let store = FsStore::load(folder).await.expect("a folder");
    let endpoint = endpoint().await;
    let connection = endpoint.connect(holder, ALPN).await.expect("it answers");
    let begun = Instant::now();
    store.remote().fetch(connection, hash).complete().await.expect("it is there");
    println!("{}", begun.elapsed().as_secs_f64());
    until_closed().await;
}

/// Until the process that started this one is done with it.
async fn until_closed() {
    // However it ends.
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
}
