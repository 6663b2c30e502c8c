//! Capsules: moments are sealed, found by their names, and proved.

mod deploys;
mod gc;
mod imports;
mod offers;
mod reports;
mod rings;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use xyn_capsules::container::{CapsuleFile, Options as Packing, pack as pack_folder};
use xyn_capsules::make::{Maker, make};
use xyn_capsules::manifest::Authored;
use xyn_capsules::sign::SecretKey;
use xyn_capsules::tree::Limits;
use xyn_store::Timestamp;
use xyn_store::blobs::TIMELINE;
use xyn_store::projection::{CapsuleRow, Origin as Came};
use xyn_store::timeline::entry::{Entry, Kind};
use xyn_store::timeline::{Offer, Visibility};

use super::*;
use crate::record;
use crate::services::capsules::{self, CapsuleName, Found};

/// A node, and an app in a folder of its own, which is a workspace.
struct Bench {
    node: Node,
    folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Clock::system()).await
    }

    async fn with(clock: Clock) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let node = start_in(&data, actions::builtin(), clock, Environment::default()).await;
        let bench = Self { node, folder };
        bench.write("index.html", "<h1>one</h1>\n");
        bench.write("numbers", &(0..20_000).map(|n| format!("{n}\n")).collect::<String>());
        bench.version("1.0.0", "");
        bench.node.submit("workspace.add", json!({ "dir": bench.app() })).await.expect("added");
        bench
    }

    fn app(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("there").join("shop")
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.folder.path().join("shop")).expect("made");
        fs::write(self.folder.path().join("shop").join(name), content).expect("written");
    }

    fn version(&self, version: &str, more: &str) {
        let authored = format!(r#"{{"id": "shop", "name": "The shop", "version": "{version}"{more}}}"#);
        self.write("capsule.json", &authored);
    }

    async fn snapshot(&self) -> Value {
        let kept = self.node.submit("workspace.snapshot", json!({ "name": "shop" })).await;
        kept.expect("kept").output["entry_id"].clone()
    }

    async fn pack(&self, input: Value) -> Value {
        self.node.submit("capsule.pack", input).await.expect("packed").output
    }

    async fn refused(&self, action: &str, input: Value) -> (String, String) {
        let refusal = self.node.submit(action, input).await.expect_err("refused");
        (refusal.code().to_owned(), refusal.to_string())
    }

    fn rows(&self) -> Vec<CapsuleRow> {
        let reader = self.node.runtime.store().read().expect("reads");
        reader.capsules(Some("shop"), None, 100).expect("reads").items
    }

    fn offers(&self) -> Vec<(Entry, Offer)> {
        let offer = |entry: Entry| entry.note.refs.offer.clone().map(|offer| (entry, *offer));
        self.node.moments().into_iter().filter_map(offer).collect()
    }

    /// What the journal says of capsules, oldest first.
    fn told(&self) -> Vec<String> {
        let mut names = Vec::new();
        let reader = self.node.runtime.store().read().expect("reads");
        reader
            .log(0, xyn_store::Order::Ascending, |offset, envelope| {
                let views = record::views(offset, &envelope)?;
                let told = views.into_iter().map(|view| view.event_name.into_owned());
                names.extend(told.filter(|name| name.starts_with("xyn.capsule.")));
                Ok(true)
            })
            .expect("reads");
        names
    }

    /// The bytes of a blob in a file.
    fn file(&self, digest: &Value, name: &str) -> PathBuf {
        let digest = digest.as_str().expect("a digest").parse().expect("a digest");
        let path = self.folder.path().join(name);
        fs::write(&path, self.node.runtime.store().blobs().read(&digest).expect("is here")).expect("written");
        path
    }

    /// Uploads a file; answers its digest.
    fn upload(&self, path: &Path) -> Value {
        json!(self.node.runtime.store().blobs().put(&fs::read(path).expect("there")).expect("kept"))
    }
}

/// A capsule that somebody else made of `dir`.
fn foreign(dir: &Path, to: &Path, key: &SecretKey, generation: u64, base: Option<&CapsuleFile>) {
    let options = Packing { base: base.map(|base| base as _), ..Packing::default() };
    let draft = pack_folder(dir, to, &options).expect("packed");
    let authored = Authored::read(&fs::read(dir.join("capsule.json")).expect("there")).expect("written");
    let maker = Maker {
        key,
        name: &"somebody".parse().expect("a line"),
        generation,
        now: Timestamp::from_micros(1_700_000_000_000_000),
        built: &[],
        checked: None,
        parent: None,
        why: &Default::default(),
        version: "1",
    };
    make(draft, authored, &[], &maker).expect("made");
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

#[tokio::test]
async fn any_moment_becomes_a_capsule_that_is_offered_and_the_next_one_has_a_small_delta() {
    let bench = Bench::new().await;
    let first = bench.snapshot().await;
    bench.write("index.html", "<h1>two</h1>\n");
    bench.version("1.1.0", "");
    // Of the moment, whatever the folder is by now.
    let one = bench.pack(json!({ "entry_id": first })).await;
    assert_eq!((&one["id"], &one["generation"]), (&json!("urn:xyn:app:shop@1.0.0"), &json!(1)));
    assert_eq!(one["delta_bytes"], Value::Null);
    // As it is now, which is a moment first.
    let two = bench.pack(json!({ "workspace": "shop" })).await;
    assert_eq!((&two["id"], &two["generation"]), (&json!("urn:xyn:app:shop@1.1.0"), &json!(2)));
    let bytes = |value: &Value| value.as_u64().expect("a number");
    assert!(4 * bytes(&two["delta_bytes"]) < bytes(&two["size_bytes"]), "{two}");
    let rows = bench.rows();
    assert_eq!(rows.iter().map(|row| row.generation).collect::<Vec<_>>(), [2, 1]);
    assert_eq!((rows[0].parent, rows[0].origin, rows[0].files), (Some(rows[1].capsule), Came::Packed, 3));
    assert_eq!(rows[0].signers, [bench.node.runtime.store().key().public()]);
    let offers = bench.offers();
    let [(entry, offer), (_, newer)] = offers.as_slice() else { panic!("{offers:?}") };
    assert_eq!(
        (entry.note.kind, entry.note.title.as_str()),
        (Kind::Pack, "The shop 1.0.0: packed, generation 1")
    );
    assert_eq!(
        (json!(entry.note.refs.capsule), json!(entry.note.refs.parents)),
        (one["tree"].clone(), json!([first]))
    );
    assert_eq!((json!(offer.capsule), json!(offer.file)), (one["capsule"].clone(), one["file"].clone()));
    let blobs = bench.node.runtime.store().blobs();
    let delta = newer.delta.expect("a delta");
    assert_eq!(delta.base, rows[1].tree);
    for file in [offer.file, newer.file, delta.file] {
        assert!(blobs.is_pinned(&file, TIMELINE).expect("reads") && blobs.is_shared(&file).expect("reads"));
    }
    assert_eq!(bench.told(), ["xyn.capsule.pack.completed"; 2]);
    bench.node.stop().await;
    rebuilds_to_the_same(&bench.folder.path().join("data"), actions::builtin());
}

#[tokio::test]
async fn what_is_on_a_branch_that_was_put_away_becomes_a_capsule_only_where_nobody_is_told_of_it() {
    let bench = Bench::new().await;
    let base = bench.snapshot().await;
    let branch = |more: (&str, Value)| {
        let input = json!({ "name": "try", more.0: more.1 });
        bench.node.submit("timeline.branch", input)
    };
    branch(("entry_id", base)).await.expect("begun");
    bench.write("index.html", "<h1>tried</h1>\n");
    let aside = json!({ "name": "shop", "branch": "try" });
    let aside =
        bench.node.submit("workspace.snapshot", aside).await.expect("kept").output["entry_id"].clone();
    branch(("closed", json!(true))).await.expect("put away");
    let refused = bench.refused("capsule.pack", json!({ "entry_id": aside })).await;
    assert_eq!(refused, ("branch_closed".into(), "the branch `try` was put away".into()));
    assert!(bench.rows().is_empty() && bench.told().is_empty());
    let manifest =
        json!({ "id": "shop", "name": "The shop", "version": "1.0.0", "rights": { "scope": "private" } });
    let private = bench.pack(json!({ "entry_id": aside, "manifest": manifest })).await;
    assert_eq!(private["entry_id"], Value::Null);
    branch(("closed", json!(false))).await.expect("taken out");
    bench.pack(json!({ "entry_id": aside, "manifest": { "id": "shop", "name": "The shop", "version": "1.1.0" } })).await;
    assert_eq!(bench.offers()[0].0.note.branch.as_str(), "try");
    bench.node.stop().await;
}

#[tokio::test]
async fn packing_with_one_key_is_done_once_and_a_private_capsule_is_told_to_nobody() {
    let bench = Bench::new().await;
    let input = json!({ "workspace": "shop" });
    let first = bench.node.submit_with_key("capsule.pack", input.clone(), Some("k")).await.expect("packed");
    let again = bench.node.submit_with_key("capsule.pack", input, Some("k")).await.expect("answered");
    assert_eq!((&again.output, again.repeated, bench.rows().len()), (&first.output, true, 1));
    bench.version("2.0.0", r#", "rights": {"scope": "private"}"#);
    let private = bench.pack(json!({ "workspace": "shop" })).await;
    assert_eq!(private["entry_id"], Value::Null);
    let row = bench.rows().remove(0);
    assert_eq!((row.visibility, row.entry_id), (Visibility::Private, None));
    let blobs = bench.node.runtime.store().blobs();
    assert!(blobs.has(&row.file).expect("reads") && !blobs.is_shared(&row.file).expect("reads"));
    assert_eq!(bench.offers().len(), 1);

    // Nor is what is done with it later.
    let node = &bench.node;
    node.submit("capsule.verify", json!({ "capsule": "shop" })).await.expect("proved");
    let nobodys = json!({ "capsule": "shop", "keys": [key(7).public().to_string()] });
    assert_eq!(bench.refused("capsule.verify", nobodys).await.0, "capsule_untrusted");
    let serve = async |action: &str, capsule: &str| {
        let input = match action {
            "capsule.deploy" => json!({ "capsule": capsule, "stage": "dev" }),
            _ => json!({ "app": "shop", "stage": "dev" }),
        };
        let served = node.submit(action, input).await.expect("served").output;
        assert!(served["id"].as_str().is_some_and(|id| id.ends_with(capsule)), "{served}");
        assert_eq!(served["entry_id"].is_null(), served["id"] == private["id"], "{served}");
    };
    serve("capsule.deploy", "shop@1.0.0").await;
    serve("capsule.deploy", "shop@2.0.0").await;
    serve("capsule.rollback", "shop@1.0.0").await;
    serve("capsule.rollback", "shop@2.0.0").await;
    // The journal is told of in its order: where the last is, all that was before it would be.
    node.submit("capsule.verify", json!({ "capsule": "shop@1.0.0" })).await.expect("proved");
    let last = "urn:xyn:app:shop@1.0.0: every byte is what was signed";
    let moments = node.until_moments(|all| all.iter().any(|it| it.note.title == last)).await;
    let of_capsules = moments.iter().filter(|it| !matches!(it.note.kind, Kind::Promote | Kind::Edit));
    let told: Vec<_> = of_capsules.map(|it| it.note.title.as_str()).collect();
    let expected = [
        "The shop 1.0.0: packed, generation 1",
        "The shop 1.0.0: deployed to dev",
        "The shop 1.0.0: attested, generation 1",
        "The shop 1.0.0: back in dev",
        last,
    ];
    assert_eq!(told, expected);
    bench.node.stop().await;
    rebuilds_to_the_same(&bench.folder.path().join("data"), actions::builtin());
}

#[tokio::test]
async fn what_stops_a_pack_is_said_with_its_place_and_leaves_no_capsule() {
    let bench = Bench::new().await;
    bench.write("settings", "token = \"ghp_16C7e42F292c6912E7710c838347Ae178B4a\"\n");
    let (code, message) = bench.refused("capsule.pack", json!({ "workspace": "shop" })).await;
    assert!(code == "secrets_found" && message.contains("`settings`:1"), "{code}: {message}");
    assert!(!message.contains("ghp_16C7e42F292c6912E7710c838347Ae178B4a"), "{message}");
    fs::remove_file(bench.app().join("settings")).expect("removed");
    bench.version("1.0.0", r#", "app": {"env": {"DB_PASSWORD": "hunter2"}}"#);
    let (code, message) = bench.refused("capsule.pack", json!({ "workspace": "shop" })).await;
    assert_eq!((code.as_str(), message.contains("hunter2")), ("capsule_vetoed", false), "{message}");
    bench.write("capsule.json", r#"{"id": "Shop!", "name": "The shop", "version": "1.0.0"}"#);
    let (code, message) = bench.refused("capsule.pack", json!({ "workspace": "shop" })).await;
    assert!(code == "capsule_unfit" && message.contains("`/id`"), "{code}: {message}");
    fs::remove_file(bench.app().join("capsule.json")).expect("removed");
    let (code, message) = bench.refused("capsule.pack", json!({ "workspace": "shop" })).await;
    assert!(code == "capsule_unfit" && message.contains("there is no `capsule.json`"), "{code}: {message}");
    let given = json!({ "workspace": "shop", "manifest": { "id": "shop", "name": "x", "version": "1.0.0" } });
    assert_eq!(bench.pack(given).await["generation"], 1);
    for input in [json!({}), json!({ "root": Digest::of(b"tree"), "workspace": "shop" })] {
        assert_eq!(bench.refused("capsule.pack", input).await.0, "invalid_input");
    }
    let nowhere = json!({ "entry_id": "01a1fc90-60f8-7fec-9a7c-7419f45098b0" });
    assert_eq!(bench.refused("capsule.pack", nowhere).await.0, "not_found");
    assert_eq!(bench.refused("capsule.pack", json!({ "workspace": "nobody" })).await.0, "not_found");
    let failed = "xyn.capsule.pack.failed";
    assert_eq!(bench.told(), [failed, failed, failed, failed, "xyn.capsule.pack.completed"]);
    bench.node.stop().await;
}

#[tokio::test]
async fn the_catalogue_is_read_page_by_page_and_a_capsule_is_found_by_each_of_its_names() {
    let bench = Bench::new().await;
    let mut packed = Vec::new();
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        bench.version(version, "");
        packed.push(bench.pack(json!({ "workspace": "shop" })).await);
    }
    let reader = bench.node.runtime.store().read().expect("reads");
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = capsules::list(&reader, cursor.as_ref(), 2).expect("reads");
        found.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let version = |found: &Found| match found {
        Found::Here(row) => row.version.clone(),
        Found::Elsewhere(entry) => panic!("it is here: {entry:?}"),
    };
    assert_eq!(found.iter().map(version).collect::<Vec<_>>(), ["1.2.0", "1.1.0", "1.0.0"]);
    let find = |name: &str| {
        let name: CapsuleName = name.parse().expect("a name");
        capsules::find(&reader, &name).expect("reads").as_ref().map(version)
    };
    for name in ["shop", "shop@1.2.0", "urn:xyn:app:shop@1.2.0"] {
        assert_eq!(find(name).as_deref(), Some("1.2.0"), "{name}");
    }
    for name in ["capsule", "tree"] {
        assert_eq!(find(packed[1][name].as_str().expect("a digest")).as_deref(), Some("1.1.0"), "{name}");
    }
    assert_eq!((find("shop@9.9.9"), find("other"), find(&Digest::of(b"x").to_string())), (None, None, None));
    let (code, _) = bench.refused("capsule.verify", json!({ "capsule": "other" })).await;
    assert_eq!(code, "not_found");
    assert_eq!(bench.refused("capsule.pull", json!({ "capsule": "other" })).await.0, "not_found");
    drop(reader);
    bench.node.stop().await;
}

/// A run that seals a workspace.
const SEAL: &str = r#"
id: bp.seal
name: Seal
trigger: { event_type: test.seal }
plan:
  - { kind: action_task, id: seal, action: capsule.pack, with: { workspace: shop } }
  - { kind: action_task, id: prove, action: capsule.verify, with: { capsule: "{{ steps.seal.output.capsule }}" } }
outputs:
  - { name: verified, from: "{{ steps.prove.output.verified }}" }
  - { name: id, from: "{{ steps.seal.output.id }}" }
"#;

#[tokio::test]
async fn a_step_of_a_run_seals_and_proves() {
    let bench = Bench::new().await;
    bench.node.promote(SEAL).await;
    let run = bench.node.run("bp.seal", json!({})).await;
    let row = bench.node.end_of(run).await;
    let outputs = row.outputs.expect("it completed").to_value();
    assert_eq!(outputs, json!({ "verified": true, "id": "urn:xyn:app:shop@1.0.0" }));
    assert_eq!(bench.rows().len(), 1);
    bench.node.stop().await;
}
