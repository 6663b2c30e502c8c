//! Capsules that are built again in a sandbox, by the real program.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::node::{Folder, Said};

/// An app in a folder of its own, with the key that signs it.
struct App(Folder);

impl App {
    /// An app with these parts of a `capsule.json` beside its name.
    fn new(more: Value) -> Self {
        let app = Self(Folder::new());
        let mut authored = json!({ "id": "shop", "name": "The shop", "version": "1.0.0" });
        let fields = more.as_object().expect("an object").clone();
        authored.as_object_mut().expect("an object").extend(fields);
        fs::create_dir_all(app.path("app")).expect("made");
        fs::write(app.path("app/part.txt"), "hello\n").expect("written");
        fs::write(app.path("app/capsule.json"), authored.to_string()).expect("written");
        app.xyn(&["capsule", "keygen"]).ok();
        app
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.data().parent().expect("it is in a folder").join(name)
    }

    fn xyn(&self, arguments: &[&str]) -> Said {
        Said::of(self.0.program().args(arguments).current_dir(self.path(".")))
    }

    fn pack(&self) -> Value {
        self.xyn(&["--json", "capsule", "pack", "app", "--build"]).json()
    }

    /// Does `what` with the capsule.
    fn again(&self, what: &str, more: &[&str]) -> Said {
        let about = ["--json", "capsule", what, "shop-1.0.0.caps", "--pub", "capsule.key.pub"];
        self.xyn(&[&about, more].concat())
    }
}

fn error(said: &Said) -> (String, String, String) {
    let error: Value = serde_json::from_str(&said.err).expect("JSON");
    let text = |at: &Value| at.as_str().unwrap_or_default().to_owned();
    let error = &error["error"];
    (text(&error["code"]), text(&error["message"]), text(&error["details"]["hint"]))
}

const SITE: &str = "mkdir dist && cat part.txt > dist/index.html && date -d @$SOURCE_DATE_EPOCH > dist/when";

#[test]
fn a_capsule_is_built_again_bit_for_bit_and_a_report_is_signed() {
    let app = App::new(json!({ "build": { "steps": [SITE], "outDir": "dist" } }));
    let packed = app.pack();
    assert_eq!(packed["build"].as_str().map(str::len), Some(64));
    let again = app.again("rebuild", &["--attest", "capsule.key"]).json();
    assert_eq!((&again["matches"], &again["build"]), (&json!(true), &packed["build"]));
    let sandbox = again["sandbox"].as_str().expect("a text");
    assert!(sandbox.starts_with("bubblewrap ") && sandbox.ends_with(", landlock"), "{sandbox}");
    let report = fs::read_to_string(app.path("shop-1.0.0.caps.rebuild.json")).expect("there");
    assert!(report.contains("application/vnd.in-toto+json"), "{report}");
    let left = fs::read_dir(app.path("app")).expect("there").count();
    assert_eq!(left, 2, "nothing is built in the folder itself");
}

#[test]
fn a_build_that_is_another_each_time_is_told_by_its_files() {
    let step = "mkdir dist && cp part.txt dist/same && head -c 16 /dev/urandom > dist/luck";
    let app = App::new(json!({ "build": { "steps": [step], "outDir": "dist" } }));
    app.pack();
    let said = app.again("rebuild", &[]);
    let (code, message, hint) = error(&said);
    assert_eq!((said.code, code.as_str()), (1, "build_differs"), "{said:?}");
    assert!(message.contains("`luck` is not as it was packed"), "{message}");
    assert!(message.contains("`luck` is another with each build"), "{message}");
    assert!(!message.contains("`same`") && hint.contains("not reproducible"), "{message} {hint}");
}

#[test]
fn what_the_manifest_expects_and_nobody_builds_is_told() {
    let other = "ab".repeat(32);
    let app = App::new(json!({ "expected": { "buildDigest": other } }));
    let (code, message, _) = error(&app.xyn(&["--json", "capsule", "pack", "app", "--build"]));
    assert_eq!(code, "build_differs", "{message}");
    app.xyn(&["capsule", "pack", "app"]).ok();
    let (code, message, hint) = error(&app.again("rebuild", &[]));
    assert_eq!(code, "build_differs", "{message}");
    assert!(message.contains(&other) && hint.contains("the same here each time"), "{message} {hint}");
    fs::write(app.path("app/capsule.json"), r#"{"id": "shop", "name": "Shop", "version": "1.0.0"}"#)
        .expect("ok");
    app.xyn(&["capsule", "pack", "app"]).ok();
    let (code, _, hint) = error(&app.again("rebuild", &[]));
    assert_eq!(code, "nothing_expected");
    assert!(hint.contains("--build"), "{hint}");
}

#[test]
fn an_app_is_played_again_and_must_answer_what_it_answered() {
    let run = json!({ "run": "sh dist/total.sh 3 4" });
    let step = "mkdir dist && echo 'echo $(($1 + $2))' > dist/total.sh";
    let app =
        App::new(json!({ "build": { "steps": [step], "outDir": "dist" }, "expected": { "outputs": [run] } }));
    app.pack();
    let played = app.again("replay", &[]).json();
    let replayed = &played["replayed"][0];
    assert_eq!(
        (&replayed["run"], &replayed["found"]),
        (&json!("sh dist/total.sh 3 4"), &replayed["expected"])
    );
    assert!(app.again("rebuild", &[]).json()["replayed"].as_array().expect("a list").is_empty());
    let luck = App::new(json!({ "expected": { "outputs": [{ "run": "head -c 9 /dev/urandom | od" }] } }));
    luck.pack();
    let (code, message, _) = error(&luck.again("replay", &[]));
    assert_eq!(code, "output_differs", "{message}");
    let silent = App::new(json!({}));
    silent.pack();
    assert_eq!(error(&silent.again("replay", &[])).0, "nothing_expected");
}

#[test]
fn nothing_is_built_before_it_is_verified() {
    let app = App::new(json!({ "build": { "steps": [SITE], "outDir": "dist" } }));
    app.pack();
    app.xyn(&["capsule", "keygen", "other.key"]).ok();
    let foreign = ["--json", "capsule", "rebuild", "shop-1.0.0.caps", "--pub", "other.key.pub"];
    assert_eq!(error(&app.xyn(&foreign)).0, "not_trusted");
}

#[test]
fn a_step_that_fails_and_one_that_lasts_are_told() {
    let app = App::new(json!({ "build": { "steps": ["true", "echo no such tool >&2; exit 4"] } }));
    let (code, message, _) = error(&app.xyn(&["--json", "capsule", "pack", "app", "--build"]));
    assert_eq!(code, "not_built");
    assert!(
        message.starts_with("step 2 (") && message.ends_with("ended with 4\n  no such tool"),
        "{message}"
    );
    assert!(!app.path("shop-1.0.0.caps").exists(), "nothing was packed");
    let slow = App::new(json!({ "build": { "steps": ["sleep 600"] } }));
    let (_, message, _) =
        error(&slow.xyn(&["--json", "capsule", "pack", "app", "--build", "--timeout", "2"]));
    assert!(message.contains("was not done after 2 s"), "{message}");
}

#[test]
fn a_machine_that_cannot_sandbox_builds_nothing_until_it_is_told_to() {
    let app =
        App::new(json!({ "build": { "steps": ["echo > built"], "network": { "allow": ["a.example"] } } }));
    let fake = app.path("bin/bwrap");
    fs::create_dir(app.path("bin")).expect("made");
    fs::write(&fake, "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
        .expect("ok");
    fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    let pack = |path: &str, more: &[&str]| {
        let mut program = app.0.program();
        program.args(["--json", "capsule", "pack", "app", "--build"]).args(more);
        Said::of(program.env("PATH", path).current_dir(app.path(".")))
    };
    let (code, message, hint) = error(&pack("/nowhere", &[]));
    assert_eq!(code, "no_sandbox");
    assert!(
        message.contains("bubblewrap is not installed") && hint.contains("--no-sandbox"),
        "{message} {hint}"
    );
    let (code, message, _) = error(&pack(app.path("bin").to_str().expect("text"), &[]));
    assert_eq!(code, "no_sandbox");
    assert!(message.contains("No permissions to create new namespace"), "{message}");
    let (code, message, hint) = error(&app.xyn(&["--json", "capsule", "pack", "app", "--build"]));
    assert_eq!(code, "not_built");
    assert!(message.contains("`a.example`") && hint.contains("--no-sandbox"), "{message} {hint}");
    let packed = pack("/nowhere", &["--no-sandbox"]).json();
    assert_eq!(packed["build"].as_str().map(str::len), Some(64));
    let again = app.again("rebuild", &["--no-sandbox"]).json();
    assert_eq!((&again["matches"], &again["sandbox"]), (&json!(true), &json!("none")));
}

#[test]
fn a_world_that_held_is_signed_for_a_capsule() {
    let app = App::new(json!({}));
    app.xyn(&["capsule", "pack", "app"]).ok();
    let world = "name: two\nseed: 1\nnodes: 2\ntopology: line\nlasts: 1h\nwork:\n  - {every: 10m}\n";
    fs::write(app.path("two.yaml"), world).expect("written");
    let about = ["--json", "sim", "capsule", "shop-1.0.0.caps", "--pub", "capsule.key.pub"];
    let said = app.xyn(&[&about[..], &["--scenario", "two.yaml"]].concat()).json();
    assert_eq!(said["passed"], true);
    let run = app.xyn(&["--json", "sim", "run", "two.yaml"]).json();
    assert_eq!(said["trace"], run["trace"], "anybody can run the same world");
    assert!(app.path("shop-1.0.0.caps.simulation.json").exists());
}
