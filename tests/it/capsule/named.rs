//! Capsules that a node has, named where the file of one could stand.

use super::*;
use crate::node::{Node, eventually};

/// An app, and its node. The node has the version 1.0.0 and two that came of it: 1.1.0, and 2.0.0, which was handed in
/// as what differs. Their files lie in the folder `files`.
async fn shop() -> (App, Node) {
    let app = App::new();
    let node = Node::start(&app.0).await;
    fs::create_dir(app.path("files")).expect("made");
    let version = |file: &str, [first, last, version]: [&str; 3], more: &[&str]| {
        app.write("app/text.txt", &format!("{first}\nb\nc\nd\ne\n{last}\n"));
        let authored = format!(r#"{{"id": "shop", "name": "The shop", "version": "{version}"}}"#);
        app.write("app/capsule.json", &authored);
        let pack = ["capsule", "pack", "app", "--reproducible", "--out", file];
        let mut program = app.0.program();
        program.args(pack).args(more).env("SOURCE_DATE_EPOCH", "1700000000").current_dir(app.path("."));
        Said::of(&mut program).ok();
    };
    version("files/base.caps", ["a", "f", "1.0.0"], &[]);
    version("files/ours.caps", ["A", "f", "1.1.0"], &["--generation", "2"]);
    let theirs = ["a", "F", "2.0.0"];
    version("files/theirs.caps", theirs, &["--generation", "3"]);
    let differs = ["--generation", "3", "--delta-from", "files/base.caps"];
    version("files/delta.caps", theirs, &differs);
    for file in ["files/base.caps", "files/ours.caps", "files/delta.caps"] {
        app.xyn(&["capsule", "push", file, "--pub", "capsule.key.pub"]).ok();
    }
    (app, node)
}

#[tokio::test]
async fn what_a_node_has_is_compared_merged_and_exported_by_its_name_as_its_file_would_be() {
    let (app, _node) = shop().await;
    let json = |arguments: &[&str]| app.xyn(&[&["--json", "capsule"], arguments].concat()).json();
    let digest = json(&["show", "shop@1.1.0"])["capsule"].as_str().expect("a digest").to_owned();
    let of_files = json(&["diff", "files/base.caps", "files/ours.caps"]);
    assert_eq!(of_files["files"].as_array().map(Vec::len), Some(2));
    for [before, after] in
        [["shop@1.0.0", "shop@1.1.0"], ["files/base.caps", &digest], ["shop@1.0.0", "files/ours.caps"]]
    {
        assert_eq!(json(&["diff", before, after]), of_files, "{before} {after}");
    }

    // What came as a delta comes out whole.
    let alone = app.xyn(&["--json", "capsule", "export", "files/delta.caps", "--as", "zip"]);
    assert!(message(&alone).contains("a whole one is needed"), "{}", alone.err);
    let exported = json(&["export", "shop@2.0.0", "--as", "zip"]);
    let written = (&exported["file"], &exported["manifest"]);
    assert_eq!(written, (&json!("shop-2.0.0.zip"), &json!("shop-2.0.0.capsule.json")));
    json(&["export", "files/theirs.caps", "--as", "zip"]);
    for [named, file] in
        [["shop-2.0.0.zip", "files/theirs.zip"], ["shop-2.0.0.capsule.json", "files/theirs.capsule.json"]]
    {
        let [named, file] = [named, file].map(|name| fs::read(app.path(name)).expect("written"));
        assert!(named == file && !named.is_empty());
    }

    // Nobody is named whose signature counts: the node says who signed what it has.
    let merge = |parts: [&str; 3], more: &[&str]| {
        let sides = ["--out", "merged.caps", "--theirs"];
        app.xyn(&[&["--json", "capsule", "merge"], &parts[..], &sides, more].concat())
    };
    let files = ["files/base.caps", "files/ours.caps", "files/theirs.caps"];
    assert!(message(&merge(files, &[])).contains("nobody was named"));
    let of_files = merge(files, &["--pub", "capsule.key.pub"]).json();
    let merged = merge(["shop@1.0.0", "shop@1.1.0", "shop@2.0.0"], &[]).json();
    assert_eq!((&merged["tree"], &merged["generation"]), (&of_files["tree"], &of_files["generation"]));
    assert_eq!(app.verify("merged.caps").json()["tree"], merged["tree"]);

    let next = ["--parent", "shop", "--delta-from", "shop@1.0.0", "--out", "next.caps"];
    assert_eq!(app.pack(&next)["generation"], 4);
    let whole = ["verify", "next.caps", "--pub", "capsule.key.pub", "--base", "shop@1.0.0"];
    assert_eq!(json(&whole)["generation"], 4);
}

#[tokio::test]
async fn a_file_goes_before_a_name_and_what_is_neither_is_told_with_where_it_was_looked_for() {
    let (app, node) = shop().await;
    let newest = || app.xyn(&["--json", "capsule", "inspect", "shop"]).json()["manifest"]["version"].clone();
    assert_eq!(newest(), "2.0.0");
    fs::copy(app.path("files/ours.caps"), app.path("shop")).expect("copied");
    assert_eq!(newest(), "1.1.0");

    let older = ["--json", "capsule", "verify", "shop@1.0.0", "--pub", "capsule.key.pub"];
    let older = app.xyn(&[&older[..], &["--generation-at-least", "2"]].concat());
    assert!(message(&older).contains("is of generation 1, and at least 2 is demanded"), "{}", older.err);
    let here = app.path(".").canonicalize().expect("there").display().to_string();
    for what in [
        &["diff", "shop@1.0.0", "shop@9.9.9"][..],
        &["merge", "shop@1.0.0", "shop@1.1.0", "shop@9.9.9", "--out", "merged.caps"],
        &["export", "shop@9.9.9", "--as", "oci"],
        &["sign", "shop@9.9.9"],
        &["verify", "shop@9.9.9"],
        &["inspect", "shop@9.9.9"],
        &["rebuild", "shop@9.9.9"],
    ] {
        let said = app.xyn(&[&["capsule"], what].concat());
        let no_file = format!("`shop@9.9.9` is no file in `{here}`");
        said.says(3, &[&no_file, "the node knows no capsule of that name", "xyn capsule list"]);
    }
    app.xyn(&["capsule", "diff", "shop@1.0.0", "gone.caps"])
        .says(3, &["there is no file `gone.caps`, and no capsule is called so", "APP@VERSION"]);

    // A folder that lies still is asked as well; without one there is nobody to ask.
    assert!(node.stop().await.success());
    app.xyn(&["capsule", "diff", "shop@1.0.0", "shop@2.0.0"]).ok();
    let nowhere = ["capsule", "diff", "shop@1.0.0", "shop@2.0.0", "--data", "none"];
    app.xyn(&nowhere).says(7, &["`shop@1.0.0` is no file in", "there is no node to ask for it"]);
}

#[tokio::test]
async fn what_was_built_again_replayed_and_exported_by_its_name_is_told_and_of_a_file_nothing_is() {
    let app = App::new();
    let node = Node::start(&app.0).await;
    let version = |version: &str, expected: Value| {
        let build = json!({ "steps": ["mkdir dist && cp index.html dist/"], "outDir": "dist" });
        let authored = json!({
            "id": "shop", "name": "The shop", "version": version, "build": build, "expected": expected
        });
        app.write("app/capsule.json", &authored.to_string());
    };
    version("1.0.0", json!({ "outputs": [{ "run": "cat dist/index.html" }] }));
    let one = app.pack(&["--out", "one.caps", "--build"]);
    version("1.1.0", json!({ "buildDigest": "ab".repeat(32) }));
    app.pack(&["--out", "two.caps", "--generation", "2"]);
    for file in ["one.caps", "two.caps"] {
        app.xyn(&["capsule", "push", file, "--pub", "capsule.key.pub"]).ok();
        app.xyn(&["capsule", "rebuild", file, "--pub", "capsule.key.pub"]);
    }
    app.xyn(&["capsule", "export", "one.caps", "--as", "oci"]).ok();
    let told = async |name: &str| {
        let told = node.all(&format!("/api/v1/events?event_name=xyn.capsule.{name}")).await;
        told.into_iter().map(|event| event["data"].clone()).collect::<Vec<_>>()
    };
    for name in ["rebuild.completed", "rebuild.failed", "exported"] {
        assert_eq!(told(name).await, Vec::<Value>::new(), "{name} of a file");
    }

    app.xyn(&["capsule", "rebuild", "shop@1.0.0"]).ok();
    app.xyn(&["capsule", "replay", "shop@1.0.0"]).ok();
    app.xyn(&["capsule", "export", "shop@1.0.0", "--as", "zip"]).ok();
    app.xyn(&["capsule", "rebuild", "shop@1.1.0"]).says(1, &["the build came to", "is expected"]);
    let about = json!({ "capsule": one["capsule"], "id": "urn:xyn:app:shop@1.0.0" });
    let with = |name: &str, value: Value| {
        let mut data = about.clone();
        data[name] = value;
        data
    };
    let mut rebuilt = with("matches", json!(true));
    rebuilt["build"] = one["build"].clone();
    assert_eq!(told("rebuild.completed").await, [rebuilt]);
    assert_eq!(told("replayed").await, [with("matches", json!(true))]);
    assert_eq!(told("exported").await, [with("form", json!("zip"))]);
    let failed = told("rebuild.failed").await;
    assert_eq!(failed.len(), 1);
    assert_eq!((&failed[0]["build"], &failed[0]["matches"]), (&one["build"], &json!(false)));
    for (kind, title) in [
        ("verify", "urn:xyn:app:shop@1.0.0: built again, bit for bit"),
        ("replay", "urn:xyn:app:shop@1.0.0: replayed, and it answers as it did"),
        ("export", "urn:xyn:app:shop@1.0.0: exported as zip"),
        ("reject", "urn:xyn:app:shop@1.1.0: built again, and it came to something else"),
    ] {
        eventually(title, async || {
            let moments = node.all(&format!("/api/v1/timeline?kind={kind}")).await;
            moments.iter().any(|moment| moment["title"] == title).then_some(())
        })
        .await;
    }
    assert!(node.stop().await.success());
    // Where no node runs, nothing is told and nothing is amiss.
    let alone = app.xyn(&["capsule", "export", "shop@1.0.0", "--as", "zip", "--out", "again.zip"]);
    assert!(alone.code == 0 && !alone.err.contains("record"), "{alone:?}");
    app.xyn(&["store", "rebuild"]).ok();
}
