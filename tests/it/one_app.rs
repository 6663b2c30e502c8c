//! One app from end to end: kept, edited, sealed from a moment before the edits, fetched by a teammate, verified, rebuilt
//! bit for bit, deployed, broken and rolled back; and a byte that is not as it was signed.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use xyn_capsules::container::Cover;
use xyn_capsules::sign::Envelope;

use crate::node::{Said, eventually};
use crate::team::Mate;

/// Small enough to read, and a build all the same.
const STEP: &str = "mkdir dist && tr a-z A-Z < words.txt > dist/index.html";

fn write(app: &Path, version: &str, step: &str, words: &str) {
    let authored = json!({
        "id": "shout", "name": "Shouting", "version": version,
        "build": { "steps": [step], "outDir": "dist" },
        "expected": { "outputs": [{ "run": "cat dist/index.html" }] },
    });
    fs::write(app.join("capsule.json"), authored.to_string()).expect("written");
    fs::write(app.join("words.txt"), words).expect("written");
}

fn xyn(mate: &Mate, arguments: &[&str]) -> Said {
    Said::of(mate.folder.program().args(arguments))
}

/// Fetches `name` as soon as it is offered.
async fn pull(mate: &Mate, name: &str) -> Value {
    eventually("the capsule is fetched", async || {
        let said = xyn(mate, &["--json", "capsule", "pull", name]);
        (said.code == 0).then(|| said.json())
    })
    .await
}

/// Copies a capsule that a node has to the file `to`; answers what is said in it.
async fn copy(mate: &Mate, name: &str, to: &Path) -> Vec<Value> {
    let path = format!("/api/v1/capsules/{name}/download");
    let answer = mate.node().request("GET", &path).send().await.expect("answered");
    fs::write(to, answer.bytes().await.expect("bytes")).expect("written");
    let cover = Cover::read(fs::File::open(to).expect("there")).expect("whole");
    let said = cover.attestations().iter().map(|bytes| {
        let envelope = Envelope::read(bytes).expect("an envelope");
        serde_json::from_slice(envelope.unverified()).expect("JSON")
    });
    said.collect()
}

async fn page(url: &str) -> String {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    http.get(url.trim()).send().await.expect("answered").text().await.expect("text")
}

#[tokio::test]
async fn a_moment_of_yesterday_is_rebuilt_bit_for_bit_on_another_node_deployed_broken_and_rolled_back() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    let place = tempfile::tempdir().expect("a folder");
    let app = place.path().join("shout");
    fs::create_dir(&app).expect("made");
    write(&app, "1.0.0", STEP, "hello\n");
    fs::write(app.join("requirements.txt"), "flask==3.0.0\n").expect("written");
    xyn(&ada, &["workspace", "add", app.to_str().expect("text")]).ok();
    let moment = xyn(&ada, &["workspace", "snapshot", "shout", "-m", "yesterday"]).ok().trim().to_owned();
    // Edits go on; what is sealed is the moment.
    write(&app, "1.1.0", "false", "half done\n");
    let packed = xyn(&ada, &["--json", "capsule", "pack", "--at", &moment, "--build"]).json();
    assert_eq!(
        (&packed["id"], packed["build"].as_str().map(str::len)),
        (&json!("urn:xyn:app:shout@1.0.0"), Some(64))
    );

    let pulled = pull(&bob, "shout@1.0.0").await;
    assert_eq!((&pulled["capsule"], &pulled["tree"]), (&packed["capsule"], &packed["tree"]));
    xyn(&bob, &["capsule", "verify", "shout"]).ok();
    let rebuilt = xyn(&bob, &["--json", "capsule", "rebuild", "shout"]).json();
    assert_eq!((&rebuilt["matches"], &rebuilt["build"]), (&json!(true), &packed["build"]));
    xyn(&bob, &["capsule", "replay", "shout"]).ok();
    let staging = ["capsule", "deploy", "shout", "--stage", "staging"];
    let url = xyn(&bob, &staging).ok();
    assert_eq!(page(&url).await, "HELLO\n");

    let file = place.path().join("first.caps");
    let said = copy(&bob, "shout@1.0.0", &file).await;
    let why = &said[0]["predicate"]["buildDefinition"]["externalParameters"];
    assert_eq!((&why["why"], &why["moment"]), (&json!("yesterday"), &json!(moment)));
    let inputs = said[0]["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().expect("a list");
    assert_eq!(inputs.iter().map(|input| &input["name"]).collect::<Vec<_>>(), ["tree", "requirements.txt"]);

    // A version that is broken takes over, and one that cannot be built does not.
    write(&app, "1.1.0", STEP, "oh no\n");
    xyn(&ada, &["capsule", "pack", "--workspace", "shout", "--build"]).ok();
    pull(&bob, "shout@1.1.0").await;
    let said = copy(&bob, "shout@1.1.0", &place.path().join("second.caps")).await;
    let changed = said.iter().find(|said| said["predicateType"] == "urn:xyn:predicate:diff-summary:v1");
    let changed = &changed.expect("it says what it changes of the one before")["predicate"];
    assert_eq!((&changed["parent"], &changed["files"]["changed"]), (&packed["tree"], &json!(2)));
    assert_eq!(xyn(&bob, &staging).ok(), url);
    assert_eq!(page(&url).await, "OH NO\n");
    write(&app, "1.2.0", "echo no such tool >&2; exit 4", "worse\n");
    let unbuilt = xyn(&ada, &["capsule", "pack", "--workspace", "shout", "--build"]);
    assert!(unbuilt.code == 6 && unbuilt.err.contains("no such tool"), "{unbuilt:?}");
    xyn(&ada, &["capsule", "pack", "--workspace", "shout"]).ok();
    pull(&bob, "shout@1.2.0").await;
    let refused = xyn(&bob, &staging);
    assert!(refused.code == 6 && refused.err.contains("no such tool"), "{refused:?}");
    assert_eq!(page(&url).await, "OH NO\n");
    let back = xyn(&bob, &["capsule", "rollback", "shout", "--stage", "staging"]);
    assert!(back.err.contains("serves shout@1.0.0 generation 1, in place of shout@1.1.0"), "{back:?}");
    assert_eq!(page(&url).await, "HELLO\n");

    // One byte is another, and nobody takes it.
    let file = place.path().join("shout.caps");
    copy(&bob, "shout@1.0.0", &file).await;
    let mut bytes = fs::read(&file).expect("there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, bytes).expect("written");
    let refused = xyn(&bob, &["capsule", "push", file.to_str().expect("text")]);
    assert!(refused.code == 6 && refused.err.contains("changed"), "{refused:?}");
}
