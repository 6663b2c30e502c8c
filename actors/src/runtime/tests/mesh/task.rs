//! The task that runs the mesh, and what it hands in.

use std::task::Poll;

use xyn_net::driver::Port as _;
use xyn_net::driver::most::JUDGED_BYTES_MAX;
use xyn_net::proto::sync::Refused;
use xyn_net::wire::{Frame, Payload};
use xyn_store::timeline::feed::FeedId;

use super::*;

/// Reached on loopback, and dialling nobody.
fn settings() -> Settings {
    Settings {
        reach: Reach::Lan,
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        peers: Vec::new(),
        relays: Vec::new(),
        is_relay: false,
    }
}

#[tokio::test]
async fn a_mesh_that_ends_or_panics_is_started_again_and_stops_with_the_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.runtime.start_mesh(settings()).expect("it starts");
    let listening = async || {
        loop {
            match node.mesh().status().await {
                Ok(status) if !status.listening.is_empty() => return status.listening,
                _ => tokio::time::sleep(GLANCE).await,
            }
        }
    };
    let first = tokio::time::timeout(PATIENCE, listening()).await.expect("it listens");
    node.mesh().break_off().await;
    let another = async {
        while listening().await == first {
            tokio::time::sleep(GLANCE).await;
        }
    };
    tokio::time::timeout(PATIENCE, another).await.expect("another one listens");
    assert!(node.mesh().has_panicked(), "the one between the two");
    node.stop().await;
}

#[tokio::test]
async fn as_much_as_may_wait_to_be_judged_waits_and_what_is_more_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.runtime.start_mesh(settings()).expect("it starts");
    let (desk, _trays) = node.mesh().unattended();
    let (peer, size) = (key(1).public(), 256 << 10);
    let feed = FeedId { node: peer, incarnation: 1 };
    let frame = Frame { from: 1, to: 1, bytes: Payload::new(&vec![0; size]).expect("it fits") };
    let mut waiting = Vec::new();
    let refused = loop {
        let mut admitted = Box::pin(desk.admit(peer, feed, vec![frame.clone()]));
        match futures::poll!(&mut admitted) {
            Poll::Pending => waiting.push(admitted),
            Poll::Ready(answer) => break answer,
        }
    };
    assert_eq!((refused, waiting.len()), (Err(Refused::Busy), JUDGED_BYTES_MAX / size));
    assert_eq!(node.mesh().refused().get("busy"), Some(&1));
    let told = node.mesh().trace().before(u64::MAX, usize::MAX);
    assert!(told.iter().any(|line| line.node == Some(peer) && line.reason == Some("busy")), "{told:?}");
    drop(waiting);
    node.stop().await;
}
