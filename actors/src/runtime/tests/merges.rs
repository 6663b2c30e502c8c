//! Branches that are joined: the files of both, conflicts that people settle, and what is there already.

use std::collections::BTreeMap;

use xyn_capsules::tree::{Directory, Entry as File, Mode, Name, Shelf};
use xyn_store::ids::EntryId;
use xyn_store::timeline::Facet;
use xyn_store::timeline::entry::{Kind, Note, Refs};
use xyn_store::{Digest, Timestamp};

use super::time::start_at;
use super::*;
use crate::services::timeline::actor::Command;

impl Node {
    /// Keeps a tree of `files`.
    pub(super) fn tree(&self, files: &[(&str, &str)]) -> Digest {
        let mut batch = self.runtime.store().blobs().batch();
        let mut entries = BTreeMap::new();
        for (name, text) in files {
            let digest = batch.put(text.as_bytes()).expect("keeps");
            let file = File { mode: Mode::File, digest, size_bytes: text.len() as u64 };
            entries.insert(Name::read(name.as_bytes()).expect("a name"), file);
        }
        let digests: Vec<Digest> = entries.values().map(|file| file.digest).collect();
        let root = batch.put(&Directory::new(entries).expect("sound").encode()).expect("keeps");
        batch.link(root, digests);
        batch.commit().expect("commits");
        root
    }

    /// Says that `workspace` is `files` now, on `branch`.
    pub(super) async fn edit(&self, branch: &str, workspace: &str, files: &[(&str, &str)]) -> Value {
        let refs =
            Refs { workspace: Some(workspace.into()), after: Some(self.tree(files)), ..Refs::default() };
        let entry_id: EntryId = ids::fresh(self.runtime.clock().now());
        let branch = branch.parse().expect("a name");
        let principal = Principal::local_operator();
        let note = Note { principal, branch, kind: Kind::Edit, title: "edited".into(), refs };
        let milestones = loop {
            // The follower may move the position in between.
            let from = self.runtime.store().read().expect("reads").position("milestones").expect("reads");
            let milestones = vec![(entry_id, note.clone())];
            match self.timeline().tell(Command::Milestones { milestones, from, to: from }).await {
                Err(TimelineError::Said) => {}
                done => break done,
            }
        };
        milestones.expect("is said");
        json!(entry_id)
    }

    /// The files of `workspace` at the moment `entry_id`.
    fn files(&self, entry_id: &Value, workspace: &str) -> Vec<(String, String)> {
        let reader = self.runtime.store().read().expect("reads");
        let entry_id = entry_id.as_str().expect("an id").parse().expect("an id");
        let state = reader.state_at(entry_id).expect("reads").expect("is here");
        let facet = Facet::Workspace(Some(workspace.into()));
        let root = facet.digest(&state.made[&facet]).expect("a root");
        let blobs = self.runtime.store().blobs();
        let text = |file: &File| String::from_utf8(blobs.read(&file.digest).expect("is here"));
        let directory = blobs.directory(&root).expect("is here");
        let files = directory.entries().iter();
        files.map(|(name, file)| (name.as_str().to_owned(), text(file).expect("text"))).collect()
    }
}

fn pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn a_branch_brings_its_files_and_what_clashes_waits_for_a_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.edit("main", "api", &[("main.rs", "fn main() {}")]).await;
    let base = node.edit("main", "site", &[("a", "a"), ("b", "b"), ("c", "c")]).await;
    node.submit("timeline.branch", json!({ "name": "try", "entry_id": base })).await.expect("branches");
    node.edit("try", "site", &[("a", "theirs"), ("b", "theirs"), ("c", "theirs"), ("new", "n")]).await;
    node.edit("main", "site", &[("a", "a"), ("b", "ours"), ("c", "ours")]).await;

    let refused = node.submit("timeline.merge", json!({ "from": "try" })).await;
    let Err(Refusal::MergeConflicts(conflicts)) = refused else { panic!("{refused:?}") };
    let branch = |name: &str| name.parse().expect("a name");
    let preview = node.runtime.preview_merge(branch("try"), branch("main")).await.expect("looks");
    assert_eq!(
        (&preview.conflicts, json!(preview.base)),
        (&conflicts, base.clone()),
        "what is refused is foretold"
    );
    let told: Vec<_> = conflicts.iter().map(|one| (one.place(), one.clash())).collect();
    assert_eq!(told, [("site:b".to_owned(), "content"), ("site:c".to_owned(), "content")]);
    let half = json!({ "from": "try", "sides": { "site:b": "theirs" } });
    let refused = node.submit("timeline.merge", half).await;
    assert!(matches!(&refused, Err(Refusal::MergeConflicts(left)) if left.len() == 1), "{refused:?}");

    for (stray, why) in
        [("b", "where they do, the place is said so: `site:b`"), ("site:a", "clash at `site:a`")]
    {
        let lost = json!({ "from": "try", "favour": "ours", "sides": { stray: "theirs" } });
        let refused = node.submit("timeline.merge", lost).await.expect_err("it would be in vain");
        assert!(refused.code() == "invalid_input" && refused.to_string().contains(why), "{refused}");
    }

    let settled = json!({ "from": "try", "favour": "ours", "sides": { "site:b": "theirs" } });
    let merged = node.submit("timeline.merge", settled).await.expect("merges").output;
    assert_eq!((&merged["base"], merged["changes"][0]["workspace"].as_str()), (&base, Some("site")));
    let joined = pairs(&[("a", "theirs"), ("b", "theirs"), ("c", "ours"), ("new", "n")]);
    assert_eq!(node.files(&merged["entry_id"], "site"), joined);
    assert_eq!(node.files(&merged["entry_id"], "api"), pairs(&[("main.rs", "fn main() {}")]));

    let again = node.submit("timeline.merge", json!({ "from": "try" })).await;
    assert!(matches!(again, Err(Refusal::Conflict { code: "unchanged", .. })), "{again:?}");
    // What was merged once is the base of the next merge: only what is new comes.
    let files = [("a", "theirs"), ("b", "theirs"), ("c", "theirs"), ("new", "more")];
    node.edit("try", "site", &files).await;
    let merged = node.submit("timeline.merge", json!({ "from": "try" })).await.expect("merges").output;
    let joined = pairs(&[("a", "theirs"), ("b", "theirs"), ("c", "ours"), ("new", "more")]);
    assert_eq!(node.files(&merged["entry_id"], "site"), joined);
    let events = node.events("xyn.timeline.branch.merged");
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["data"], json!({ "from": "try", "into": "main", "entry_id": merged["entry_id"] }));
    node.stop().await;
}

#[tokio::test]
async fn a_merge_of_files_that_are_not_here_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let base = node.edit("main", "site", &[("a", "a")]).await;
    node.submit("timeline.branch", json!({ "name": "try", "entry_id": base })).await.expect("branches");
    node.edit("main", "site", &[("a", "ours")]).await;
    let refs =
        Refs { workspace: Some("site".into()), after: Some(Digest::of(b"elsewhere")), ..Refs::default() };
    let principal = Principal::local_operator();
    let branch = "try".parse().expect("a name");
    let note = Note { principal, branch, kind: Kind::Edit, title: "from afar".into(), refs };
    let from = node.runtime.store().read().expect("reads").position("milestones").expect("reads");
    let milestones = vec![(ids::fresh(node.runtime.clock().now()), note)];
    node.timeline().tell(Command::Milestones { milestones, from, to: from }).await.expect("is said");
    let refused = node.submit("timeline.merge", json!({ "from": "try" })).await;
    assert!(matches!(refused, Err(Refusal::Conflict { code: "files_missing", .. })), "{refused:?}");
    node.stop().await;
}

#[tokio::test]
async fn what_claims_to_be_from_the_future_is_no_ground_for_branches_and_merges() {
    let folder = tempfile::tempdir().expect("a folder");
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("an instant");
    let ahead = start_at(folder.path(), now.after(Duration::from_secs(7200))).await;
    let far = ahead.edit("main", "site", &[("a", "in two hours"), ("b", "in two hours")]).await;
    ahead.stop().await;

    let node = start_at(folder.path(), now).await;
    let base = node.edit("main", "site", &[("a", "a"), ("b", "b")]).await;
    let branched = node.submit("timeline.branch", json!({ "name": "try" })).await.expect("branches").output;
    assert_eq!(branched["base"], base);
    node.edit("try", "site", &[("a", "theirs"), ("b", "b")]).await;
    node.edit("main", "site", &[("a", "a"), ("b", "ours")]).await;
    let merged = node.submit("timeline.merge", json!({ "from": "try" })).await.expect("merges").output;
    assert_eq!(node.files(&merged["entry_id"], "site"), pairs(&[("a", "theirs"), ("b", "ours")]));
    assert_eq!(node.files(&far, "site"), pairs(&[("a", "in two hours"), ("b", "in two hours")]));
    node.stop().await;
}

#[tokio::test]
async fn a_branch_with_nothing_on_it_but_a_moment_from_the_future_stands_where_it_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let far: Timestamp = "3000-01-01T00:00:00Z".parse().expect("an instant");
    let ahead = start_at(folder.path(), far).await;
    ahead.edit("try", "site", &[("a", "in a thousand years")]).await;
    ahead.stop().await;

    let node = start_at(folder.path(), "2026-03-01T12:00:00Z".parse().expect("an instant")).await;
    let base = node.edit("main", "site", &[("a", "a")]).await;
    node.submit("timeline.branch", json!({ "name": "try", "entry_id": base })).await.expect("branches");
    let nothing = node.submit("timeline.merge", json!({ "from": "try" })).await;
    assert!(matches!(nothing, Err(Refusal::Conflict { code: "unchanged", .. })), "{nothing:?}");
    let ours = node.edit("main", "site", &[("a", "ours")]).await;
    let merged = node.submit("timeline.merge", json!({ "from": "main", "into": "try" })).await;
    let merged = merged.expect("merges").output;
    assert_eq!(merged["base"], base);
    let merge = node.moments().into_iter().find(|entry| json!(entry.entry_id) == merged["entry_id"]);
    assert_eq!(json!(merge.expect("it is there").note.refs.parents), json!([base, ours]));
    node.stop().await;
}
