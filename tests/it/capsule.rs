//! Capsules without a node: a folder into a signed file, and what anyone who has the file can find out.

mod named;
mod pushed;
mod users;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::node::{Folder, Said};

/// An app in a folder of its own, with the key that signs it.
pub(crate) struct App(Folder);

impl App {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        let app = Self(folder);
        app.write("app/index.html", "<h1>hello</h1>\n");
        app.write("app/numbers.txt", &(0..20_000).map(|n| format!("{n}\n")).collect::<String>());
        app.write("app/capsule.json", r#"{"id": "shop", "name": "The shop", "version": "1.4.2"}"#);
        app.xyn(&["capsule", "keygen"]).ok();
        app
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.data().parent().expect("it is in a folder").join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("made");
        fs::write(path, content).expect("written");
    }

    pub(crate) fn program(&self) -> std::process::Command {
        self.0.program()
    }

    pub(crate) fn xyn(&self, arguments: &[&str]) -> Said {
        Said::of(self.program().args(arguments).current_dir(self.path(".")))
    }

    pub(crate) fn pack(&self, more: &[&str]) -> Value {
        self.xyn(&[&["--json", "capsule", "pack", "app"], more].concat()).json()
    }

    pub(crate) fn verify(&self, file: &str) -> Said {
        self.xyn(&["--json", "capsule", "verify", file, "--pub", "capsule.key.pub"])
    }
}

/// Every file below `dir`, with what is in it.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("there") {
        let path = entry.expect("there").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read(&path).expect("there"))),
        }
    }
    found.sort();
    found
}

pub(crate) fn message(said: &Said) -> String {
    let error: Value = serde_json::from_str(&said.err).expect("JSON");
    error["error"]["message"].as_str().expect("a message").to_owned()
}

#[test]
fn a_folder_is_sealed_verified_and_comes_out_as_it_went_in() {
    let app = App::new();
    let secret = fs::metadata(app.path("capsule.key")).expect("there").permissions().mode();
    assert_eq!(secret & 0o777, 0o600);
    let made = app.pack(&[]);
    assert_eq!(made["file"], "shop-1.4.2.caps");
    let proved = app.verify("shop-1.4.2.caps").json();
    assert_eq!(proved["verified"], true);
    assert_eq!([&proved["capsule"], &proved["tree"]], [&made["capsule"], &made["tree"]]);
    assert_eq!((&proved["id"], &proved["files"]), (&json!("urn:xyn:app:shop@1.4.2"), &json!(3)));
    app.xyn(&["capsule", "unpack", "shop-1.4.2.caps", "--to", "out", "--pub", "capsule.key.pub"]).ok();
    let [before, after] = ["app", "out"].map(|dir| {
        let contents = files(&app.path(dir)).into_iter().map(|(_, content)| content);
        contents.collect::<Vec<_>>()
    });
    assert_eq!(before, after);
    let again = app.xyn(&["capsule", "unpack", "shop-1.4.2.caps", "--to", "out", "--pub", "capsule.key.pub"]);
    assert!(again.err.contains("`out` is there already"), "{}", again.err);
}

#[test]
fn a_changed_byte_anywhere_is_refused_with_what_and_where() {
    let app = App::new();
    app.pack(&["--out", "whole.caps"]);
    let whole = fs::read(app.path("whole.caps")).expect("there");
    for at in (0..whole.len()).step_by(whole.len() / 40).chain([whole.len() - 1]) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(app.path("changed.caps"), &changed).expect("written");
        let said = app.verify("changed.caps");
        assert_eq!(said.code, 1, "byte {at}: {}", said.err);
        let message = message(&said);
        let tells_where = message.contains("from byte ") || message.contains("does not begin as one");
        assert!(tells_where, "byte {at}: {message}");
        let unpacked =
            app.xyn(&["capsule", "unpack", "changed.caps", "--to", "out", "--pub", "capsule.key.pub"]);
        assert_eq!(unpacked.code, 1, "byte {at}");
        assert!(!app.path("out").exists(), "byte {at}: nothing is laid out of what is not proved");
    }
    fs::write(app.path("short.caps"), &whole[..whole.len() - 7]).expect("written");
    assert!(message(&app.verify("short.caps")).contains("ends at byte"));
}

#[test]
fn only_who_was_asked_for_counts() {
    let app = App::new();
    app.pack(&["--out", "one.caps"]);
    app.xyn(&["capsule", "keygen", "other.key"]).ok();
    let other = app.xyn(&["--json", "capsule", "verify", "one.caps", "--pub", "other.key.pub"]);
    assert_eq!(other.code, 1);
    assert!(message(&other).contains("0 of 1 needed signatures"), "{}", other.err);
    let keys = ["--pub", "other.key.pub", "--pub", "capsule.key.pub"];
    let both = [&["--json", "capsule", "verify", "one.caps"], keys.as_slice()].concat();
    assert_eq!(app.xyn(&both).json()["verified"], true);
    let two = app.xyn(&[both.as_slice(), &["--threshold", "2"]].concat());
    assert!(message(&two).contains("1 of 2 needed signatures"), "{}", two.err);
    let twice = ["--pub", "capsule.key.pub", "--pub", "capsule.key.pub", "--threshold", "2"];
    let twice = app.xyn(&[&["--json", "capsule", "verify", "one.caps"], twice.as_slice()].concat());
    assert_eq!(twice.code, 2, "a key that is given twice is one: {}", twice.err);
    let nobody = app.xyn(&["capsule", "verify", "one.caps"]);
    assert_eq!(nobody.code, 2, "there is no verification without a key");
}

#[test]
fn the_same_content_has_one_tree_and_is_made_again_bit_for_bit() {
    let app = App::new();
    let reproducible = |out: &str| {
        let pack = ["capsule", "pack", "app", "--reproducible", "--generation", "7", "--out", out];
        let mut program = app.0.program();
        let program = program.args(pack).current_dir(app.path(".")).env("SOURCE_DATE_EPOCH", "1760000000");
        Said::of(program).ok();
        fs::read(app.path(out)).expect("there")
    };
    let first = reproducible("first.caps");
    fs::rename(app.path("app"), app.path("moved")).expect("moved");
    for (path, content) in files(&app.path("moved")).into_iter().rev() {
        let name = path.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
        app.write(&format!("app/{name}"), &String::from_utf8(content).expect("UTF-8"));
    }
    assert!(first == reproducible("second.caps"), "the files were made anew, in another order");
    let without = app.xyn(&["capsule", "pack", "app", "--reproducible"]);
    assert!(without.err.contains("SOURCE_DATE_EPOCH"), "{}", without.err);
}

#[test]
fn a_delta_needs_its_base_and_gives_the_whole() {
    let app = App::new();
    app.pack(&["--out", "one.caps"]);
    app.write("app/index.html", "<h1>hello again</h1>\n");
    let whole = app.pack(&["--out", "two.caps", "--generation", "2"]);
    let delta = app.pack(&["--out", "delta.caps", "--generation", "2", "--delta-from", "one.caps"]);
    assert_eq!(delta["tree"], whole["tree"]);
    assert!(delta["size_bytes"].as_u64() < whole["size_bytes"].as_u64());
    assert!(message(&app.verify("delta.caps")).contains("only holds what changed since"));
    let based =
        ["--json", "capsule", "verify", "delta.caps", "--pub", "capsule.key.pub", "--base", "one.caps"];
    assert_eq!(app.xyn(&based).json()["tree"], whole["tree"]);
}

#[test]
fn what_an_author_writes_wrong_is_told_with_its_place() {
    let app = App::new();
    let refused = |written: &str| {
        app.write("app/capsule.json", written);
        let said = app.xyn(&["--json", "capsule", "pack", "app"]);
        assert_eq!(said.code, 1, "{written}");
        message(&said)
    };
    for (written, told) in [
        (r#"{"id": "shop", "name": "Shop"}"#, "version"),
        (r#"{"id": "Shop!", "name": "Shop", "version": "1.0.0"}"#, "/id"),
        (r#"{"id": "shop", "name": "Shop", "version": "one"}"#, "/version"),
        (r#"{"id": "shop", "id": "pub", "name": "Shop", "version": "1.0.0"}"#, "id"),
        (r#"{"id": "shop", "name": "Shop", "version": "1.0.0", "tree": "ab"}"#, "/tree"),
        (
            r#"{"id": "shop", "name": "Shop", "version": "1.0.0", "seeds": [{"name": "rows", "type": "sql", "path": "no.sql"}]}"#,
            "`no.sql`",
        ),
    ] {
        let message = refused(written);
        assert!(message.contains(told), "{written}: {message}");
    }
    fs::remove_file(app.path("app/capsule.json")).expect("removed");
    let said = app.xyn(&["capsule", "pack", "app"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("xyn schema capsule"), "{}", said.err);
}

#[test]
fn a_secret_stops_the_pack_and_is_never_shown_until_it_is_allowed() {
    let app = App::new();
    let secret = ["sk_live_", "4eC39HqLyjWDarjtT1zdp7dcQx81"].concat();
    app.write("app/settings.toml", &format!("# payments\nkey = \"{secret}\"\n"));
    let said = app.xyn(&["capsule", "pack", "app", "--out", "leak.caps"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("`settings.toml`:2:") && said.err.contains("nothing was written"),
        "{}",
        said.err
    );
    assert!(!said.err.contains(&secret[9..20]), "a message repeats no secret: {}", said.err);
    assert!(!app.path("leak.caps").exists());
    app.write("app/.capsuleallow", "settings.toml # a key of the tests\n");
    app.xyn(&["capsule", "pack", "app", "--out", "leak.caps"]).ok();
    app.write("app/.capsuleallow", "no-rule settings.toml\n");
    let said = app.xyn(&["capsule", "pack", "app"]);
    assert!(said.err.contains("`.capsuleallow`:1: `no-rule` is no rule"), "{}", said.err);
}

#[test]
fn a_secret_is_found_in_a_large_file_and_in_a_second_copy_too() {
    let app = App::new();
    let key = ["AKIA", "IOSFODNN7", "QXR2PLE"].concat();
    // At the end of a file that is packed in pieces.
    let large = (0..400_000).map(|n| format!("{n}\n")).collect::<String>();
    app.write("app/large.txt", &format!("{large}aws_access_key_id = {key}\n"));
    let said = app.xyn(&["capsule", "pack", "app"]);
    assert!(said.err.contains("`large.txt`:400001:"), "{}", said.err);
    // The same content is packed once; under this name it is a secret.
    fs::remove_file(app.path("app/large.txt")).expect("removed");
    app.write("app/%notes", "DB_PASSWORD=hi\n");
    app.xyn(&["capsule", "pack", "app"]).ok();
    app.write("app/.env", "DB_PASSWORD=hi\n");
    let said = app.xyn(&["capsule", "pack", "app"]);
    assert!(said.err.contains("`.env`:1:"), "{}", said.err);
}

#[test]
fn packages_and_secret_variables_are_told_by_the_manifest() {
    let app = App::new();
    app.write("app/requirements.txt", "flask==3.0.0\n");
    app.write(
        "app/capsule.json",
        r#"{"id": "shop", "name": "Shop", "version": "1.0.0",
            "app": {"env": {"PORT": "8080", "DB_PASSWORD": "hunter2-but-longer"}}}"#,
    );
    // What is allowed here is what else looks like a secret: this file is packed as it is.
    app.write("app/.capsuleallow", "capsule.json # its values are taken out of the manifest\n");
    let said = app.xyn(&["capsule", "pack", "app", "--out", "shop.caps"]);
    let told = [
        "`capsule.json`:2: secret-variable: the value of `DB_PASSWORD`",
        "xyn secret put app/shop/DB_PASSWORD",
    ];
    assert!(said.code == 1 && told.iter().all(|told| said.err.contains(told)), "{}", said.err);
    assert!(!said.err.contains("hunter2") && !app.path("shop.caps").exists(), "{}", said.err);
    // Beside the app it is not packed, and the manifest leaves the value out.
    fs::rename(app.path("app/capsule.json"), app.path("secret.json")).expect("moved");
    app.write("app/capsule.json", r#"{"app": {"env": {"DB_PASSWORD": null}}}"#);
    app.pack(&["--out", "shop.caps", "--manifest", "secret.json"]);
    app.xyn(&["capsule", "unpack", "shop.caps", "--to", "out", "--pub", "capsule.key.pub"]).ok();
    let unpacked = files(&app.path("out"));
    assert_eq!(unpacked.len(), 5, "{unpacked:?}");
    assert!(unpacked.iter().all(|(_, bytes)| !String::from_utf8_lossy(bytes).contains("hunter2")));
    let told = app.xyn(&["--json", "capsule", "inspect", "shop.caps"]).json();
    assert_eq!(told["manifest"]["app"]["env"], json!({ "PORT": "8080", "DB_PASSWORD": null }));
    assert_eq!(told["attestations"], json!(["https://slsa.dev/provenance/v1", "https://cyclonedx.org/bom"]));
    assert_eq!(app.verify("shop.caps").json()["attestations"].as_array().map(Vec::len), Some(2));
    app.write("app/go.sum", "what is this\n");
    let said = app.xyn(&["capsule", "pack", "app", "--manifest", "secret.json"]);
    assert!(said.code == 1 && said.err.contains("go.sum"), "{}", said.err);
}
