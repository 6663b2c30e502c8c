//! Workspaces: folders become moments of the timeline, and moments become folders.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use xyn_capsules::tree::{Change, Limits, list};
use xyn_store::projection::WorkspaceRow;
use xyn_store::timeline::entry::{Entry, Kind};

use super::*;
use crate::services::workspace::{Comparison, Place};

/// A node, and a folder of somebody's work beside its own.
struct Bench {
    node: Node,
    _folder: TempDir,
    work: PathBuf,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let work = folder.path().canonicalize().expect("there").join("shop");
        fs::create_dir_all(work.join("src")).expect("made");
        fs::write(work.join("src/main"), "one\n").expect("written");
        fs::write(work.join("readme"), "hello\n").expect("written");
        let node = start(&folder.path().join("data")).await;
        Self { node, _folder: folder, work }
    }

    async fn added() -> Self {
        let bench = Self::new().await;
        bench.node.submit("workspace.add", json!({ "dir": bench.work })).await.expect("added");
        bench
    }

    async fn snapshot(&self, title: &str) -> Value {
        let input = json!({ "name": "shop", "title": title });
        self.node.submit("workspace.snapshot", input).await.expect("kept").output
    }

    async fn refused(&self, action: &str, input: Value) -> (String, String) {
        let refusal = self.node.submit(action, input).await.expect_err("refused");
        (refusal.code().to_owned(), refusal.to_string())
    }

    fn edits(&self) -> Vec<Entry> {
        self.node.moments().into_iter().filter(|entry| entry.note.kind == Kind::Edit).collect()
    }

    fn row(&self) -> Option<WorkspaceRow> {
        let reader = self.node.runtime.store().read().expect("reads");
        reader.get(&WorkspaceRow::key_of("shop")).expect("reads")
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.work.join(path)).expect(path)
    }
}

#[tokio::test]
async fn each_snapshot_is_a_moment_with_the_trees_before_and_after_and_one_without_a_change_is_none() {
    let bench = Bench::added().await;
    let first = bench.snapshot("begin").await;
    fs::write(bench.work.join("src/main"), "two\n").expect("written");
    let second =
        bench.node.submit("workspace.snapshot", json!({ "name": "shop" })).await.expect("kept").output;
    let third = bench.snapshot("nothing new").await;
    assert_eq!(
        (&first["changed"], &second["changed"], &third["changed"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!((&third["root"], &third["entry_id"]), (&second["root"], &second["entry_id"]));
    let edits = bench.edits();
    let titles: Vec<_> = edits.iter().map(|entry| entry.note.title.as_str()).collect();
    assert_eq!(titles, ["begin", "shop: 1 changed"]);
    let roots: Vec<_> = edits.iter().map(|entry| (entry.note.refs.before, entry.note.refs.after)).collect();
    assert_eq!(roots[0].0, None);
    assert_eq!((roots[1].0, json!(roots[1].1)), (roots[0].1, second["root"].clone()));
    assert!(edits.iter().all(|entry| entry.note.refs.workspace.as_deref() == Some("shop")));
    let known = bench.row().and_then(|row| row.known).expect("known");
    assert_eq!((json!(known.entry_id), known.files), (second["entry_id"].clone(), 2));
    bench.node.stop().await;
    rebuilds_to_the_same(&bench._folder.path().join("data"), actions::builtin());
}

#[tokio::test]
async fn a_comment_stands_in_a_file_that_its_moment_changed() {
    let bench = Bench::added().await;
    bench.snapshot("begin").await;
    fs::write(bench.work.join("src/main"), "two\n").expect("written");
    fs::write(bench.work.join("new"), "new\n").expect("written");
    fs::remove_file(bench.work.join("readme")).expect("removed");
    let moment = bench.snapshot("more").await["entry_id"].clone();
    fs::write(bench.work.join("src/other"), "of the next one\n").expect("written");
    bench.snapshot("and more").await;
    let at = |place: Value| json!({ "entry_id": moment, "text": "why?", "place": place });
    let right = [
        json!({ "path": "src/main", "line": 1 }),
        json!({ "path": "src/main", "line": 1, "side": "before", "workspace": "shop" }),
        json!({ "path": "new", "line": 1 }),
        json!({ "path": "readme", "line": 1, "side": "before" }),
    ];
    for place in right {
        bench.node.submit("timeline.comment", at(place)).await.expect("comments");
    }
    let wrong = [
        (json!({ "path": "src/main", "line": 1, "workspace": "shed" }), "it changed `shop`"),
        (json!({ "path": "src/other", "line": 1 }), "did not change `src/other`"),
        (json!({ "path": "src", "line": 1 }), "`src` is no file"),
        (json!({ "path": "new", "line": 1, "side": "before" }), "no `new` before"),
        (json!({ "path": "readme", "line": 1 }), "took `readme` away"),
    ];
    for (place, why) in wrong {
        let (code, message) = bench.refused("timeline.comment", at(place)).await;
        assert!(code == "invalid_input" && message.contains(why), "{why}: {code}: {message}");
    }
    let note = bench.node.submit("timeline.note", json!({ "title": "plain" })).await.expect("notes").output;
    let mut nowhere = at(json!({ "path": "src/main", "line": 1 }));
    nowhere["entry_id"] = note["entry_id"].clone();
    assert!(bench.refused("timeline.comment", nowhere).await.1.contains("changed no file"));
    bench.node.stop().await;
}

#[tokio::test]
async fn a_moment_comes_back_and_that_is_a_moment_too() {
    let bench = Bench::added().await;
    let first = bench.snapshot("begin").await;
    fs::write(bench.work.join("src/main"), "two\n").expect("written");
    fs::write(bench.work.join("new"), "new\n").expect("written");
    let second = bench.snapshot("more").await;
    let back = json!({ "name": "shop", "entry_id": first["entry_id"], "remove": true });
    let done = bench.node.submit_with_key("workspace.restore", back.clone(), Some("k")).await.expect("back");
    assert_eq!((&done.output["written"], &done.output["removed"]), (&json!(1), &json!(1)));
    assert_eq!(bench.text("src/main"), "one\n");
    assert!(!bench.work.join("new").exists());
    let restored = bench.edits().pop().expect("a moment");
    assert_eq!(json!(restored.entry_id), done.output["entry_id"]);
    assert_eq!(
        json!([restored.note.refs.before, restored.note.refs.after]),
        json!([second["root"], first["root"]])
    );
    assert_eq!(json!(restored.note.refs.parents), json!([first["entry_id"]]));
    let again = bench.node.submit_with_key("workspace.restore", back, Some("k")).await.expect("answered");
    assert_eq!((&again.output, again.repeated, bench.edits().len()), (&done.output, true, 3));
    assert_eq!(bench.snapshot("unchanged").await["changed"], false);
    bench.node.stop().await;
    rebuilds_to_the_same(&bench._folder.path().join("data"), actions::builtin());
}

#[tokio::test]
async fn work_that_no_snapshot_holds_is_not_overwritten_and_the_refusal_stays_the_same() {
    let bench = Bench::added().await;
    let first = bench.snapshot("begin").await;
    fs::write(bench.work.join("src/main"), "mine\n").expect("written");
    let mut back = json!({ "name": "shop", "root": first["root"] });
    let refused = bench.refused("workspace.restore", back.clone()).await;
    let told = "workspace `shop`: a change would be lost, which is in no snapshot: `src/main`";
    assert_eq!(refused, ("unsaved_changes".into(), told.into()));
    for _ in 0..2 {
        let refused = bench.node.submit_with_key("workspace.restore", back.clone(), Some("k")).await;
        assert!(matches!(refused, Err(Refusal::Conflict { code: "unsaved_changes", .. })), "{refused:?}");
    }
    assert_eq!(bench.text("src/main"), "mine\n");
    back["force"] = json!(true);
    let done = bench.node.submit("workspace.restore", back).await.expect("forced");
    assert_eq!((bench.text("src/main"), &done.output["entry_id"]), ("one\n".into(), &Value::Null));
    bench.node.stop().await;
}

#[tokio::test]
async fn a_moment_is_laid_out_elsewhere_and_the_workspace_stays_as_it_is() {
    let bench = Bench::added().await;
    let first = bench.snapshot("begin").await;
    fs::write(bench.work.join("src/main"), "two\n").expect("written");
    let to = bench.work.join("../review/of/it");
    fs::create_dir_all(bench.work.join("../review")).expect("made");
    let input = json!({ "name": "shop", "entry_id": first["entry_id"], "to": to });
    let done = bench.node.submit("workspace.restore", input).await.expect("laid out").output;
    assert_eq!((&done["written"], &done["entry_id"]), (&json!(2), &Value::Null));
    assert_eq!(fs::read_to_string(to.join("src/main")).expect("there"), "one\n");
    assert_eq!((bench.text("src/main"), bench.edits().len()), ("two\n".into(), 1));
    let nested = json!({ "name": "shop", "root": first["root"], "to": bench.work.join("inner") });
    assert_eq!(bench.refused("workspace.restore", nested).await.0, "workspace_nested");
    let data = json!({ "name": "shop", "root": first["root"], "to": bench.work.join("../data/x") });
    assert!(bench.refused("workspace.restore", data).await.1.contains("the node's own data folder"));
    bench.node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_a_workspace_is_refused_with_its_reason() {
    let bench = Bench::added().await;
    let parent = bench.work.parent().expect("a folder").to_owned();
    let add = async |dir: PathBuf| bench.refused("workspace.add", json!({ "dir": dir })).await;
    for (dir, word, reason) in [
        (bench.work.join("gone"), "not_found", "there is no folder"),
        (bench.work.join("readme"), "folder_gone", "it is not a folder"),
        (parent.clone(), "workspace_nested", "holds the node's own data folder"),
        (parent.join("data"), "workspace_nested", "is the node's own data folder"),
    ] {
        let (code, message) = add(dir).await;
        assert!(code == word && message.contains(reason), "{code}: {message}");
    }
    assert_eq!(add(bench.work.clone()).await.0, "workspace_exists");
    let inner = json!({ "dir": bench.work.join("src"), "name": "inner" });
    assert_eq!(bench.refused("workspace.add", inner).await.0, "workspace_nested");
    fs::create_dir(parent.join("other")).expect("made");
    for name in ["a/b", "..", "nul", "\u{202e}"] {
        let (code, _) =
            bench.refused("workspace.add", json!({ "dir": parent.join("other"), "name": name })).await;
        assert_eq!(code, "invalid_input", "{name}");
    }
    bench.node.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_folder_is_said_with_its_path() {
    let bench = Bench::added().await;
    let snapshot = async || bench.refused("workspace.snapshot", json!({ "name": "shop" })).await;
    std::os::unix::fs::symlink("/etc/passwd", bench.work.join("src/out")).expect("made");
    let (code, message) = snapshot().await;
    assert!(code == "folder_unfit" && message.contains("`src/out`"), "{code}: {message}");
    fs::remove_dir_all(&bench.work).expect("removed");
    assert_eq!(snapshot().await.0, "folder_gone");
    let unknown = bench.refused("workspace.snapshot", json!({ "name": "nobody" })).await;
    assert_eq!(unknown, ("not_found".into(), "there is no workspace `nobody`".into()));
    assert!(bench.edits().is_empty());
    bench.node.stop().await;
}

#[tokio::test]
async fn a_forgotten_workspace_leaves_its_folder_its_moments_and_their_trees() {
    let bench = Bench::added().await;
    let first = bench.snapshot("begin").await;
    let root = first["root"].as_str().expect("a root").parse().expect("a digest");
    bench.node.submit("workspace.remove", json!({ "name": "shop" })).await.expect("forgotten");
    assert_eq!(bench.row(), None);
    assert_eq!((bench.text("readme"), bench.edits().len()), ("hello\n".into(), 1));
    let blobs = bench.node.runtime.store().blobs();
    for now in [1, 2, 3] {
        blobs.sweep([], xyn_store::Timestamp::from_micros(now), Duration::ZERO).expect("swept");
    }
    assert_eq!(list(blobs, &root, Limits::default()).expect("still whole").files, 2);
    bench.node.submit("workspace.add", json!({ "dir": bench.work })).await.expect("added again");
    assert_eq!(bench.snapshot("again").await["root"], first["root"]);
    bench.node.stop().await;
    rebuilds_to_the_same(&bench._folder.path().join("data"), actions::builtin());
}

#[tokio::test]
async fn moments_and_the_folder_as_it_is_are_compared() {
    let bench = Bench::added().await;
    let first = bench.snapshot("begin").await;
    fs::write(bench.work.join("src/main"), "two\n").expect("written");
    let second = bench.snapshot("more").await;
    fs::rename(bench.work.join("readme"), bench.work.join("README.md")).expect("renamed");
    let moment = |output: &Value| {
        Some(Place::Moment(output["entry_id"].as_str().expect("an id").parse().expect("an id")))
    };
    let (first, second) = (moment(&first), moment(&second));
    let runtime = &bench.node.runtime;
    let compare = async |from, to| {
        let compared = runtime.compare_workspace("shop", Comparison { from, to }).await.expect("compared");
        let told = compared.differences.iter().map(|it| (it.change(), it.path.to_string()));
        (compared.is_folder, told.collect::<Vec<_>>())
    };
    let renamed = (Change::Renamed, "README.md".to_owned());
    let changed = (Change::Changed, "src/main".to_owned());
    assert_eq!(compare(None, None).await, (true, vec![renamed.clone()]));
    assert_eq!(compare(first, None).await, (true, vec![renamed, changed.clone()]));
    assert_eq!(compare(first, second).await, (false, vec![changed]));
    assert_eq!(compare(second, second).await, (false, vec![]));
    bench.node.stop().await;
}

#[tokio::test]
async fn a_snapshot_on_a_branch_takes_the_workspace_there_and_a_moment_brings_it_back() {
    let bench = Bench::added().await;
    let first = bench.snapshot("begin").await;
    let branch = json!({ "name": "try", "entry_id": first["entry_id"] });
    bench.node.submit("timeline.branch", branch).await.expect("begun");
    fs::write(bench.work.join("src/main"), "tried\n").expect("written");
    let typo = json!({ "name": "shop", "title": "lost", "branch": "tyr" });
    let typo = bench.node.submit("workspace.snapshot", typo).await;
    assert!(matches!(typo, Err(Refusal::NotFound { kind: "branch", .. })), "{typo:?}");
    let aside = json!({ "name": "shop", "title": "aside", "branch": "try" });
    bench.node.submit("workspace.snapshot", aside).await.expect("kept");
    assert_eq!(bench.row().expect("there").branch.as_str(), "try");
    fs::write(bench.work.join("src/main"), "tried more\n").expect("written");
    let aside = bench.snapshot("still aside").await;
    let branches = || bench.edits().iter().map(|entry| entry.note.branch.to_string()).collect::<Vec<_>>();
    assert_eq!(branches(), ["main", "try", "try"]);
    let back = json!({ "name": "shop", "entry_id": first["entry_id"] });
    bench.node.submit("workspace.restore", back).await.expect("back");
    assert_eq!(
        (bench.text("src/main"), bench.row().expect("there").branch.to_string()),
        ("one\n".into(), "main".into())
    );

    // What was, and is no more, on another branch takes nothing back there.
    fs::write(bench.work.join("src/main"), "two\n").expect("written");
    bench.snapshot("goes on").await;
    let there = json!({ "name": "shop", "entry_id": aside["entry_id"] });
    bench.node.submit("workspace.restore", there).await.expect("to the branch, as it is there now");
    let back = json!({ "name": "shop", "entry_id": first["entry_id"] });
    let done = bench.node.submit("workspace.restore", back).await.expect("as it was on the other").output;
    assert_eq!((bench.text("src/main"), &done["branch"]), ("one\n".into(), &json!("try")));
    assert_eq!(branches(), ["main", "try", "try", "main", "main", "try", "try"]);
    bench.node.stop().await;
}

#[tokio::test]
async fn nothing_that_people_do_is_put_on_a_branch_that_was_put_away() {
    let bench = Bench::added().await;
    let first = bench.snapshot("begin").await["entry_id"].clone();
    let branch = |more: Value| {
        let mut input = json!({ "name": "try", "entry_id": first });
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        bench.node.submit("timeline.branch", input)
    };
    branch(json!({})).await.expect("begun");
    fs::write(bench.work.join("src/main"), "tried\n").expect("written");
    let aside = json!({ "name": "shop", "title": "aside", "branch": "try" });
    let aside =
        bench.node.submit("workspace.snapshot", aside).await.expect("kept").output["entry_id"].clone();
    let restore = |entry_id: &Value| json!({ "name": "shop", "entry_id": entry_id });
    bench.node.submit("workspace.restore", restore(&first)).await.expect("back");
    branch(json!({ "closed": true })).await.expect("put away");

    let before = (bench.node.titles(), bench.row());
    let acts = [
        ("timeline.note", json!({ "title": "late", "branch": "try" })),
        ("timeline.approve", json!({ "entry_id": aside, "approve": true })),
        ("timeline.merge", json!({ "from": "main", "into": "try" })),
        ("workspace.snapshot", json!({ "name": "shop", "branch": "try" })),
        ("workspace.restore", restore(&aside)),
    ];
    for (action, input) in &acts {
        let refused = bench.refused(action, input.clone()).await;
        assert_eq!(refused, ("branch_closed".into(), "the branch `try` was put away".into()), "{action}");
    }
    assert_eq!((bench.node.titles(), bench.row()), before);
    assert_eq!(bench.text("src/main"), "one\n", "no file was written");
    // What stands on it is there all the same.
    let mut elsewhere = restore(&aside);
    elsewhere["to"] = json!(bench.work.join("../review"));
    bench.node.submit("workspace.restore", elsewhere).await.expect("laid out");

    branch(json!({ "closed": false })).await.expect("taken out");
    for (action, input) in acts {
        bench.node.submit(action, input).await.expect(action);
    }
    bench.node.stop().await;
}
