//! A pack's own checks: they look at what is packed, in a sandbox, and veto.

use std::fs;

use serde_json::{Value, json};
use xyn_capsules::container::Cover;
use xyn_capsules::sign::{Envelope, Payload, Provenance, Statement};

use crate::capsule::{App, message};
use crate::node::{Folder, Node, Said};

/// What the author says of an app with these `checks`.
fn authored(checks: &Value) -> String {
    json!({ "id": "shop", "name": "The shop", "version": "1.4.2", "checks": checks }).to_string()
}

/// A check that wants no word of what is yet to be done.
fn no_todo() -> Value {
    json!([
        { "name": "there", "run": "test -s index.html" },
        { "name": "no-todo", "run": "! grep -rn TODO --include=*.html ." },
    ])
}

/// What the provenance of the capsule in `bytes` tells of checks.
fn told(bytes: &[u8]) -> Value {
    let cover = Cover::read(bytes).expect("a capsule");
    let envelope = Envelope::read(&cover.attestations()[0]).expect("an envelope");
    let provenance = Statement::<Provenance>::read(envelope.unverified()).expect("where it is from");
    provenance.predicate.build_definition.internal_parameters.get("checks").cloned().unwrap_or_default()
}

fn hint(said: &Said) -> String {
    let error: Value = serde_json::from_str(&said.err).expect("JSON");
    error["error"]["details"]["hint"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_check_vetoes_a_pack_and_says_what_it_found_and_how_to_go_on() {
    let app = App::new();
    app.write("app/capsule.json", &authored(&no_todo()));
    app.write("app/index.html", "<h1>TODO</h1>\n");
    let refused = app.xyn(&["--json", "capsule", "pack", "app", "--out", "one.caps"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let said = message(&refused);
    assert!(
        said.contains("the check `no-todo` (`! grep -rn TODO --include=*.html .`) ended with 1"),
        "{said}"
    );
    assert!(said.contains("./index.html:1:<h1>TODO</h1>") && !said.contains("`there`"), "{said}");
    assert!(hint(&refused).contains("take the check out of `checks` in capsule.json"), "{refused:?}");
    assert!(!app.path("one.caps").exists(), "nothing is written");

    app.write("app/index.html", "<h1>done</h1>\n");
    assert_eq!(app.pack(&["--out", "one.caps"])["checks"], json!(["there", "no-todo"]));
    let bytes = fs::read(app.path("one.caps")).expect("there");
    assert_eq!(told(&bytes), json!({ "passed": ["there", "no-todo"], "sandboxed": true }));
    let shown = app.xyn(&["--json", "capsule", "inspect", "one.caps"]).json();
    assert_eq!(shown["manifest"]["checks"], no_todo(), "the manifest keeps what the author says");
    assert_eq!(app.verify("one.caps").json()["verified"], true);
    // Checks do not make a capsule another one each time.
    let again = |file: &str| {
        let mut program = app.program();
        let pack = ["capsule", "pack", "app", "--reproducible", "--out", file];
        Said::of(program.args(pack).env("SOURCE_DATE_EPOCH", "1700000000").current_dir(app.path("."))).ok();
        fs::read(app.path(file)).expect("there")
    };
    assert!(again("two.caps") == again("three.caps"));
}

#[test]
fn where_there_is_no_sandbox_nothing_is_checked_or_packed_until_it_is_told_to() {
    let app = App::new();
    let mark = format!("touch {}", app.path("ran").display());
    app.write("app/capsule.json", &authored(&json!([{ "name": "mark", "run": mark }])));
    let pack = |more: &[&str]| {
        let mut program = app.program();
        program.args(["--json", "capsule", "pack", "app", "--out", "one.caps"]).args(more);
        Said::of(program.env("PATH", "/nowhere").current_dir(app.path(".")))
    };
    let refused = pack(&[]);
    let error: Value = serde_json::from_str(&refused.err).expect("JSON");
    assert_eq!((refused.code, error["error"]["code"].as_str()), (1, Some("no_sandbox")), "{refused:?}");
    assert!(hint(&refused).contains("--no-sandbox") && !app.path("one.caps").exists(), "{refused:?}");
    assert!(!app.path("ran").exists(), "nothing ran");
    assert_eq!(pack(&["--no-sandbox"]).json()["checks"], json!(["mark"]));
    let bytes = fs::read(app.path("one.caps")).expect("there");
    assert_eq!(told(&bytes), json!({ "passed": ["mark"], "sandboxed": false }));
    assert!(app.path("ran").exists(), "it ran where it was told to");
}

#[test]
fn checks_that_an_author_writes_wrong_are_told_with_their_place() {
    let app = App::new();
    let named = |name: &str| json!({ "name": name, "run": "true" });
    let many: Vec<_> = (0..33).map(|number| named(&format!("c{number}"))).collect();
    for (checks, place, fault) in [
        (json!([{ "name": "a", "run": "true", "onlyWarn": true }]), "/checks/0", "unknown field `onlyWarn`"),
        (json!([{ "name": "a" }]), "/checks/0", "missing field `run`"),
        (json!([{ "name": "a", "run": ["sh", "-c", "true"] }]), "/checks/0/run", "expected"),
        (json!([{ "name": "../a", "run": "true" }]), "/checks/0/name", "../a"),
        (json!([{ "name": "a", "run": "true\u{1b}[2J" }]), "/checks/0/run", "no line"),
        (json!([named("a"), named("a")]), "/checks/1/name", "another called `a`"),
        (json!(many), "/checks", "there are 33, and there may be 32"),
        (json!("true"), "/checks", "expected a sequence"),
    ] {
        app.write("app/capsule.json", &authored(&checks));
        let refused = app.xyn(&["--json", "capsule", "pack", "app"]);
        let said = message(&refused);
        assert!(refused.code == 1 && said.contains(place) && said.contains(fault), "{checks}: {said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }
}

#[tokio::test]
async fn checks_veto_what_a_node_packs_now_or_of_a_moment() {
    let (folder, place) = (Folder::new(), tempfile::tempdir().expect("a folder"));
    let node = Node::start(&folder).await;
    let dir = place.path().join("shop");
    fs::create_dir(&dir).expect("made");
    let write = |name: &str, content: &str| fs::write(dir.join(name), content).expect("written");
    write("capsule.json", &authored(&no_todo()));
    write("index.html", "<h1>TODO</h1>\n");
    let xyn = |arguments: &[&str]| Said::of(folder.program().args(arguments));
    xyn(&["workspace", "add", dir.to_str().expect("text")]).ok();
    let early = xyn(&["workspace", "snapshot", "shop"]).ok().trim().to_owned();
    let words = ["nothing was packed", "the check `no-todo`", "ended with 1", "./index.html:1:<h1>TODO</h1>"];
    let pack = ["capsule", "pack", "--workspace", "shop"];
    xyn(&pack).says(6, &words);
    write("index.html", "<h1>done</h1>\n");
    // What is looked at is what the moment holds, and not what stands in the folder.
    xyn(&["capsule", "pack", "--at", &early]).says(6, &words);
    assert!(node.all("/api/v1/capsules").await.is_empty(), "nothing is kept of it");
    let checks = json!([{ "name": "never", "run": "echo no; exit 9" }]);
    let manifest: Value = serde_json::from_str(&authored(&checks)).expect("JSON");
    let given = json!({ "workspace": "shop", "manifest": manifest });
    let refused = node.post("/api/v1/capsules", &given).await;
    assert_eq!((refused.status, &refused.body["error"]["code"]), (409, &json!("capsule_vetoed")));
    let capsule = xyn(&pack).ok().trim().to_owned();
    let file = node.request("GET", &format!("/api/v1/capsules/{capsule}/download")).send().await;
    let bytes = file.expect("answered").bytes().await.expect("the whole file");
    assert_eq!(told(&bytes), json!({ "passed": ["there", "no-todo"], "sandboxed": true }));

    // A node that can put up no sandbox packs nothing that has checks.
    assert!(node.stop().await.success());
    let mut command = folder.program();
    command.env("PATH", "/nowhere");
    let node = Node::start_by(&folder, command).await;
    write("index.html", "<h1>more</h1>\n");
    xyn(&pack).says(6, &["cannot put up a sandbox", "Install bubblewrap"]);
    assert_eq!(node.all("/api/v1/capsules").await.len(), 1);
}
