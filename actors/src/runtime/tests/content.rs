//! Content that moments name: what is told of it, who holds it, and when it is let go of.

use std::collections::{BTreeMap, BTreeSet};

use xyn_capsules::tree::{Limits, list};
use xyn_store::blobs::{FETCHED, TIMELINE};
use xyn_store::timeline::entry::Entry;
use xyn_store::{Digest, Order, Timestamp};

use super::*;
use crate::services::content;

fn sweep(node: &Node) {
    for now in [1, 2, 3] {
        let blobs = node.runtime.store().blobs();
        blobs.sweep([], Timestamp::from_micros(now), Duration::ZERO).expect("sweeps");
    }
}

#[tokio::test]
async fn what_was_fetched_stays_while_a_moment_names_it_and_goes_when_none_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let blobs = node.runtime.store().blobs().clone();
    node.edit("main", "site", &[("a", "named")]).await;
    let (named, nobodys) = (node.tree(&[("a", "named")]), node.tree(&[("a", "nobody's")]));
    for root in [named, nobodys] {
        blobs.hold(&root, FETCHED).expect("is here");
    }
    assert_eq!(content::release(&node.runtime.0).expect("reads"), 1);
    assert_eq!(content::release(&node.runtime.0).expect("reads"), 0);
    sweep(&node);
    assert_eq!(list(&blobs, &named, Limits::default()).expect("is whole").files, 1);
    assert!(!blobs.has(&nobodys).expect("reads"));
    // Its holder is all that keeps it.
    blobs.release(&named, FETCHED).expect("releases");
    sweep(&node);
    assert!(!blobs.has(&named).expect("reads"));
    node.stop().await;
}

#[tokio::test]
async fn what_runs_make_is_named_by_their_moments_and_held_for_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(CHAIN).await;
    let run = node.run("bp.chain", json!({ "n": 20 })).await;
    node.end_of(run).await;
    let ended = |node: &Node| -> Option<Entry> {
        let is_end = |entry: &Entry| entry.note.title.contains("completed");
        node.moments().into_iter().filter(|entry| entry.note.refs.run == Some(run)).find(is_end)
    };
    node.until(|node| ended(node).is_some()).await;
    let reader = node.runtime.store().read().expect("reads");
    let rows = reader.artifacts(Some(run), Order::Ascending, None, 10).expect("reads").items;
    let moment = ended(&node).expect("is there");
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    let [made] = moment.note.refs.artifacts.as_slice() else { panic!("{moment:?}") };
    assert_eq!((made.artifact_id, &made.name, &made.kind), (row.artifact_id, &row.name, &row.kind));
    assert_eq!((&made.content_type, made.byte_length), (&row.content_type, row.byte_length));
    assert_eq!(made.sha256, row.sha256);
    let blobs = node.runtime.store().blobs();
    assert_eq!(blobs.held(TIMELINE).expect("reads"), [row.sha256]);
    assert!(blobs.is_shared(&row.sha256).expect("reads"));
    let namers = reader.namers(&BTreeSet::from([row.sha256])).expect("reads");
    assert_eq!(namers, BTreeMap::from([(row.sha256, BTreeSet::from([node.timeline().own().node]))]));
    node.runtime.bring_artifact(row).await.expect("it is here");

    // What no run made is this node's own business.
    let private = node.submit("artifacts.put", json!({ "name": "a", "content": "private" })).await;
    let sha256 = private.expect("keeps").output["sha256"].as_str().expect("a digest").parse();
    assert!(!blobs.is_shared(&sha256.expect("a digest")).expect("reads"));
    node.stop().await;
}

#[tokio::test]
async fn content_that_is_not_here_is_missing_by_name_and_one_of_another_length_is_a_lie() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let kept = node.submit("artifacts.put", json!({ "name": "a", "content": "kept" })).await.expect("keeps");
    let id = kept.output["artifact_id"].as_str().expect("an id").parse().expect("an id");
    let row = node.runtime.store().read().expect("reads").artifact(id).expect("reads").expect("is there");
    let bring = async |row: ArtifactRow| {
        let refusal = node.runtime.bring_artifact(&row).await.expect_err("it cannot be had");
        (refusal.code().to_owned(), refusal.to_string())
    };
    let (code, message) = bring(ArtifactRow { byte_length: 5, ..row.clone() }).await;
    assert!(code == "content_unsound" && message.contains("4 bytes; 5 were said"), "{code}: {message}");
    let elsewhere = Digest::of(b"elsewhere");
    let (code, message) = bring(ArtifactRow { sha256: elsewhere, ..row }).await;
    assert!(code == "files_missing" && message.contains("the mesh of this node is off"), "{code}: {message}");
    node.stop().await;
}
