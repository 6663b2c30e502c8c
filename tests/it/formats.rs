//! Capsules after they were made: signed again, judged by a key ring, compared, merged, and in other forms.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::capsule::{App, message};

const VERIFY: [&str; 3] = ["--json", "capsule", "verify"];

fn app(version: &str) -> String {
    format!(r#"{{"id": "shop", "name": "The shop", "version": "{version}"}}"#)
}

/// The id of the key in `file`.
fn key_id(app: &App, file: &str) -> String {
    let made = app.xyn(&["--json", "capsule", "keygen", file]).json();
    made["key_id"].as_str().expect("an id").to_owned()
}

#[test]
fn two_people_sign_one_capsule_and_both_are_demanded() {
    let app = App::new();
    app.pack(&["--out", "one.caps"]);
    key_id(&app, "other.key");
    let both = ["one.caps", "--pub", "capsule.key.pub", "--pub", "other.key.pub", "--threshold", "2"];
    let both = [&VERIFY[..], &both].concat();
    assert!(message(&app.xyn(&both)).contains("1 of 2 needed signatures"));
    let signed = app.xyn(&["--json", "capsule", "sign", "one.caps", "--key", "other.key"]).json();
    assert_eq!((&signed["added"], signed["signers"].as_array().map(Vec::len)), (&json!(true), Some(2)));
    assert_eq!(app.xyn(&both).json()["signers"].as_array().map(Vec::len), Some(2));
    let again = app.xyn(&["--json", "capsule", "sign", "one.caps", "--key", "other.key"]).json();
    assert_eq!(again["added"], false);
    let late = app.xyn(&[both.as_slice(), &["--generation-at-least", "2"]].concat());
    assert!(message(&late).contains("is of generation 1, and at least 2 is demanded"), "{}", late.err);
}

#[test]
fn a_key_ring_says_who_may_publish_until_it_says_otherwise() {
    let app = App::new();
    app.pack(&["--out", "one.caps"]);
    let mallory = key_id(&app, "mallory.key");
    key_id(&app, "root.key");
    let ring = |arguments: &[&str]| app.xyn(&[&["--json", "capsule", "ring"], arguments].concat());
    let made = ring(&["new", "ring.json", "--env", "lab", "--key", "root.key"]).json();
    assert_eq!((&made["env"], &made["version"]), (&json!("lab"), &json!(1)));
    let verify = || app.xyn(&[&VERIFY[..], &["one.caps", "--ring", "ring.json"]].concat());
    assert!(message(&verify()).contains("0 of 1 needed signatures"), "{}", verify().err);
    fs::copy(app.path("ring.json"), app.path("theirs.json")).expect("copied");
    ring(&["add", "ring.json", "--pub", "capsule.key.pub", "--as", "publisher", "--key", "root.key"]).ok();
    assert_eq!(verify().json()["threshold"], 1);
    // Who holds the first ring takes the second; who is no root makes none.
    ring(&["take", "theirs.json", "ring.json"]).ok();
    let twice = ring(&["take", "theirs.json", "ring.json"]);
    assert!(message(&twice).contains("the next one after 2 is needed"), "{}", twice.err);
    let forged =
        ["add", "ring.json", "--pub", "mallory.key.pub", "--as", "publisher", "--key", "mallory.key"];
    assert!(message(&ring(&forged)).contains("needed signatures"));
    let id = app.xyn(&["--json", "capsule", "inspect", "one.caps"]).json()["claimed_signers"][0].clone();
    let id = id.as_str().expect("an id");
    assert_eq!(ring(&["revoke", "ring.json", &mallory, "--reason", "lost", "--key", "root.key"]).code, 3);
    ring(&["revoke", "ring.json", id, "--reason", "lost", "--key", "root.key"]).ok();
    assert!(message(&verify()).contains("was revoked at"), "{}", verify().err);
    let shown = app.xyn(&["capsule", "ring", "show", "ring.json"]).ok();
    assert!(shown.contains("lab version 3") && shown.contains("lost"), "{shown}");
    let inspected = app.xyn(&["--json", "capsule", "inspect", "one.caps", "--ring", "theirs.json"]).json();
    assert_eq!(inspected["signers"], json!([id]));
}

#[test]
fn what_a_capsule_changes_of_its_parent_is_shown_and_signed() {
    let app = App::new();
    app.pack(&["--out", "one.caps"]);
    app.write("app/index.html", "<h1>hello again</h1>\n");
    app.write("app/new.txt", "new\n");
    app.write(
        "app/capsule.json",
        r#"{"id": "shop", "name": "The shop", "version": "1.5.0", "rights": {"license": "MIT"}}"#,
    );
    let made = app.pack(&["--out", "two.caps", "--parent", "one.caps"]);
    assert_eq!(made["generation"], 2);
    let proved = app.verify("two.caps").json();
    assert!(proved["attestations"].to_string().contains("urn:xyn:predicate:diff-summary:v1"), "{proved}");
    let told = app.xyn(&["capsule", "diff", "one.caps", "two.caps"]).ok();
    for line in [
        "files\n",
        "  ~ index.html 15 → 21 bytes\n",
        "  + new.txt\n",
        "  ~ /version \"1.4.2\" → \"1.5.0\"\n",
        "rights\n  ~ /rights/license \"LicenseRef-OSL-3.0-or-compatible\" → \"MIT\"",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let document = app.xyn(&["--json", "capsule", "diff", "one.caps", "two.caps"]).json();
    assert_eq!((&document["equal"], document["files"].as_array().map(Vec::len)), (&json!(false), Some(3)));
    assert_eq!(app.xyn(&["--json", "capsule", "diff", "two.caps", "two.caps"]).json()["equal"], true);
}

#[test]
fn two_capsules_come_together_and_what_both_changed_is_for_people() {
    let app = App::new();
    let text = |first: &str, last: &str| format!("{first}\nb\nc\nd\ne\n{last}\n");
    let packed = |file: &str, first: &str, last: &str, version: &str| {
        app.write("app/text.txt", &text(first, last));
        app.write("app/capsule.json", &self::app(version));
        app.pack(&["--out", file]);
    };
    packed("base.caps", "a", "f", "1.0.0");
    packed("ours.caps", "A", "f", "1.1.0");
    packed("theirs.caps", "a", "F", "2.0.0");
    let merge = |more: &[&str]| {
        let merge =
            ["--json", "capsule", "merge", "base.caps", "ours.caps", "theirs.caps", "--out", "merged.caps"];
        app.xyn(&[merge.as_slice(), &["--pub", "capsule.key.pub"], more].concat())
    };
    let clashing = merge(&[]);
    assert_eq!(clashing.code, 6, "{}", clashing.err);
    let error: Value = serde_json::from_str(&clashing.err).expect("JSON");
    let conflicts = &error["error"]["details"]["conflicts"];
    let places: Vec<_> =
        conflicts.as_array().expect("a list").iter().map(|conflict| &conflict["place"]).collect();
    assert_eq!(places, ["capsule.json", "/version"]);
    assert!(!app.path("merged.caps").exists());
    let marked = merge(&["--to", "marked"]);
    assert_eq!((marked.code, app.path("merged.caps").exists()), (6, false), "{}", marked.err);
    assert_eq!(fs::read_to_string(app.path("marked/text.txt")).expect("there"), text("A", "F"));
    let both = fs::read_to_string(app.path("marked/capsule.json")).expect("there");
    assert!(both.starts_with("<<<<<<< ours\n") && both.contains("1.1.0") && both.contains("2.0.0"), "{both}");
    app.write("marked/capsule.json", &self::app("2.0.0"));
    let resolved = ["--json", "capsule", "pack", "marked", "--parent", "ours.caps", "--out", "resolved.caps"];
    assert_eq!(app.xyn(&resolved).json()["generation"], 2);
    let made = merge(&["--side", "capsule.json=theirs", "--side", "/version=theirs"]).json();
    assert_eq!((&made["id"], &made["generation"]), (&json!("urn:xyn:app:shop@2.0.0"), &json!(2)));
    assert_eq!(app.verify("merged.caps").json()["tree"], made["tree"]);
    app.xyn(&["capsule", "unpack", "merged.caps", "--to", "out", "--pub", "capsule.key.pub"]).ok();
    assert_eq!(fs::read_to_string(app.path("out/text.txt")).expect("there"), text("A", "F"));
    key_id(&app, "other.key");
    let merge =
        ["--json", "capsule", "merge", "base.caps", "ours.caps", "theirs.caps", "--out", "merged.caps"];
    let other = app.xyn(&[merge.as_slice(), &["--pub", "other.key.pub"]].concat());
    assert!(message(&other).contains("needed signatures"), "nothing unproved is merged: {}", other.err);
}

#[test]
fn a_capsule_goes_into_a_zip_and_comes_back_signed() {
    let app = App::new();
    let made = app.pack(&["--out", "one.caps"]);
    let exported = app.xyn(&["--json", "capsule", "export", "one.caps", "--as", "zip"]).json();
    assert_eq!((&exported["file"], &exported["manifest"]), (&json!("one.zip"), &json!("one.capsule.json")));
    let manifest: Value =
        serde_json::from_slice(&fs::read(app.path("one.capsule.json")).expect("there")).expect("JSON");
    assert_eq!(manifest["tree"], made["tree"]);
    app.xyn(&["capsule", "import", "one.zip", "--out", "back.caps"]).ok();
    assert_eq!(app.verify("back.caps").json()["capsule"], made["capsule"]);
    app.write("one.capsule.json", &manifest.to_string().replace("The shop", "The bank"));
    let said = app.xyn(&["--json", "capsule", "import", "one.zip", "--out", "other.caps"]);
    assert!(message(&said).contains("is not the one that is signed in it"), "{}", said.err);
    assert!(!app.path("other.caps").exists());
}

#[test]
fn skopeo_reads_and_copies_the_image_of_a_capsule_and_it_comes_back_signed() {
    let app = App::new();
    let made = app.pack(&["--out", "one.caps"]);
    app.xyn(&["capsule", "export", "one.caps", "--as", "oci"]).ok();
    let skopeo = |arguments: &[&str]| {
        let mut command = Command::new("skopeo");
        let output = command.arg("--insecure-policy").args(arguments).current_dir(app.path(".")).output();
        let output = output.expect("skopeo is there: apt-get install skopeo");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let told: Value = serde_json::from_str(&skopeo(&["inspect", "oci-archive:one.oci.tar"])).expect("JSON");
    // The tree, the manifest's envelope, where it comes from.
    assert_eq!(told["Layers"].as_array().map(Vec::len), Some(3), "{told}");
    let raw: Value =
        serde_json::from_str(&skopeo(&["inspect", "--raw", "oci-archive:one.oci.tar"])).expect("JSON");
    assert_eq!(raw["annotations"]["dev.xyn.capsule.tree"], made["tree"]);
    skopeo(&["copy", "oci-archive:one.oci.tar", "oci:layout:any"]);
    skopeo(&["copy", "oci:layout:any", "oci-archive:copied.tar"]);
    for source in ["one.oci.tar", "layout", "copied.tar"] {
        app.xyn(&["capsule", "import", source, "--out", "back.caps"]).ok();
        assert_eq!(app.verify("back.caps").json()["capsule"], made["capsule"], "{source}");
        assert!(
            fs::read(app.path("one.caps")).expect("there") == fs::read(app.path("back.caps")).expect("there")
        );
    }
}
