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
    let step = "mkdir dist && cp part.txt dist/same && date +drawn-%N > dist/luck";
    let app = App::new(json!({ "build": { "steps": [step], "outDir": "dist" } }));
    app.pack();
    let said = app.again("rebuild", &[]);
    let (code, message, hint) = error(&said);
    assert_eq!((said.code, code.as_str()), (1, "build_differs"), "{said:?}");
    assert!(message.contains("`luck` is not as it was packed"), "{message}");
    assert!(message.contains("`luck` is another with each build"), "{message}");
    assert!(!message.contains("`same`") && hint.contains("not reproducible"), "{message} {hint}");
    // The two builds, as diffoscope compares them.
    assert!(message.contains("+++ second/luck"), "{message}");
    assert!(message.contains("-drawn-") && message.contains("+drawn-"), "{message}");
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
    let (_, message, hint) =
        error(&slow.xyn(&["--json", "capsule", "pack", "app", "--build", "--timeout", "2"]));
    assert!(message.contains("was not done after 2 s") && hint.contains("--timeout"), "{message} {hint}");
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

/// A world of three in which little goes wrong.
const WORLD: &str = "name: three\nseed: 1\nnodes: 3\ntopology: line\nlasts: 5m\nweather: {loss: 20}\n\
                     work:\n  - {every: 1m}\n";

fn simulated(app: &App, capsule: &str, world: &str) -> Said {
    fs::write(app.path("world.yaml"), world).expect("written");
    let trust = ["--pub", "capsule.key.pub", "--scenario", "world.yaml"];
    app.xyn(&[&["--json", "sim", "capsule", capsule][..], &trust].concat())
}

#[test]
fn a_capsule_is_spread_proved_rolled_out_and_back_in_a_world_and_what_came_of_it_is_signed() {
    let app = App::new(json!({}));
    app.xyn(&["capsule", "pack", "app"]).ok();
    let one = simulated(&app, "shop-1.0.0.caps", WORLD).json();
    assert_eq!(one["passed"], true);
    let steps = one["distribution"]["steps"].as_array().expect("a list");
    let names = ["fetched", "verified", "rolled out", "rolled back"];
    assert_eq!(steps.iter().map(|step| step["name"].as_str().expect("text")).collect::<Vec<_>>(), names);
    assert!(steps.iter().all(|step| step["nodes"] == 3 && step["p50Ms"].is_u64()), "{one}");
    let file = fs::read(app.path("shop-1.0.0.caps")).expect("there");
    assert_eq!(one["distribution"]["file"], xyn_store::Digest::of(&file).to_string());
    assert_eq!(
        (&one["distribution"]["sizeBytes"], &one["distribution"]["files"]),
        (&json!(file.len()), &json!(2))
    );
    assert_eq!(simulated(&app, "shop-1.0.0.caps", WORLD).json(), one, "anybody can do the same");
    let run = app.xyn(&["--json", "sim", "run", "world.yaml"]).json();
    assert_ne!(one["trace"], run["trace"], "the capsule is in the world");

    let signed = fs::read_to_string(app.path("shop-1.0.0.caps.simulation.json")).expect("there");
    assert!(signed.contains("application/vnd.in-toto+json"), "{signed}");
    let attested = ["capsule", "attest", "shop-1.0.0.caps", "shop-1.0.0.caps.simulation.json"];
    assert!(app.xyn(&attested).ok().contains("urn:xyn:predicate:simulation:v1"));

    fs::write(app.path("app/part.txt"), "hello again\n").expect("written");
    app.xyn(&["capsule", "pack", "app", "--out", "other.caps"]).ok();
    let other = simulated(&app, "other.caps", WORLD).json();
    assert_ne!((&other["trace"], &other["distribution"]), (&one["trace"], &one["distribution"]));
}

#[test]
fn a_capsule_that_was_changed_is_not_simulated_and_a_world_that_it_cannot_spread_in_does_not_pass() {
    let app = App::new(json!({}));
    app.xyn(&["capsule", "pack", "app"]).ok();
    let mut file = fs::read(app.path("shop-1.0.0.caps")).expect("there");
    *file.last_mut().expect("a capsule") ^= 1;
    fs::write(app.path("changed.caps"), file).expect("written");
    let (code, message, _) = error(&simulated(&app, "changed.caps", WORLD));
    assert_eq!(code, "not_trusted");
    assert!(message.contains("was changed after it was written"), "{message}");
    assert!(!app.path("changed.caps.simulation.json").exists(), "nothing is said of it");

    // Nobody is ever connected to anybody.
    let apart = WORLD.replace("topology: line", "topology: {links: []}");
    let said = simulated(&app, "shop-1.0.0.caps", &apart);
    let (code, message, hint) = error(&said);
    assert_eq!((said.code, code.as_str()), (1, "law_broken"), "{said:?}");
    assert!(message.contains("no other node could ever have it"), "{message}");
    assert!(hint.contains("xyn sim capsule shop-1.0.0.caps --scenario"), "{hint}");
    assert!(app.path("shop-1.0.0.caps.simulation.json").exists(), "what failed is evidence, too");
    // Of thousands of nodes each would have all of it under way.
    let noise = (0..30_000_u32).flat_map(|number| *xyn_store::Digest::of(&number.to_be_bytes()).as_bytes());
    fs::write(app.path("app/large"), noise.collect::<Vec<u8>>()).expect("written");
    app.xyn(&["capsule", "pack", "app", "--out", "large.caps"]).ok();
    let many = WORLD.replace("nodes: 3", "nodes: 4096\nkeeping: rows");
    let (code, message, hint) = error(&simulated(&app, "large.caps", &many));
    assert_eq!(code, "too_large", "{message}");
    assert!(message.contains("4096 nodes") && hint.contains("fewer nodes"), "{message} {hint}");
}
