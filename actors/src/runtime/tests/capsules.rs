//! Capsules: moments are sealed, files are taken in, and what is not sound, not signed or not newer is refused.

mod gc;
mod offers;
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
async fn a_file_from_outside_is_taken_when_the_keys_that_are_named_signed_every_byte_of_it() {
    let bench = Bench::new().await;
    let (path, stranger) = (bench.folder.path().join("x.caps"), key(7));
    foreign(&bench.app(), &path, &stranger, 3, None);
    let sha256 = bench.upload(&path);
    let (code, message) = bench.refused("capsule.import", json!({ "sha256": sha256 })).await;
    assert!(code == "capsule_untrusted" && message.contains("0 of 1 needed signatures"), "{code}: {message}");
    let mut trusted = json!({ "sha256": sha256, "keys": [stranger.public().to_string()] });
    trusted["threshold"] = json!(2);
    assert_eq!(bench.refused("capsule.import", trusted.clone()).await.0, "capsule_untrusted");
    trusted["threshold"] = json!(1);
    // A changed byte anywhere is found, and said with its place.
    let whole = fs::read(&path).expect("there");
    for at in (0..whole.len()).step_by(whole.len() / 12).chain([whole.len() - 1]) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&path, &changed).expect("written");
        let input = json!({ "sha256": bench.upload(&path), "keys": trusted["keys"] });
        let (code, message) = bench.refused("capsule.import", input).await;
        let tells_where = message.contains("from byte ") || message.contains("does not begin as one");
        assert!(code == "capsule_unsound" && tells_where, "byte {at}: {code}: {message}");
    }
    assert!(bench.rows().is_empty());
    let taken = bench.node.submit("capsule.import", trusted.clone()).await.expect("taken").output;
    assert_eq!((&taken["generation"], &taken["file"]), (&json!(3), &sha256));
    let again = bench.node.submit("capsule.import", trusted).await.expect("answered").output;
    assert_eq!((&again["is_new"], &again["capsule"]), (&json!(false), &taken["capsule"]));
    assert_eq!((bench.rows().len(), bench.offers().len()), (1, 1));
    assert_eq!(
        bench.refused("capsule.import", json!({ "sha256": Digest::of(b"gone") })).await.0,
        "not_found"
    );
    let told = bench.told();
    assert_eq!(
        told.iter().filter(|name| *name == "xyn.capsule.rejected").count(),
        told.len() - 1,
        "{told:?}"
    );
    // It is proved again by who is named, and by nobody who is not.
    let named = json!({ "capsule": "shop@1.0.0", "keys": [stranger.public().to_string()] });
    let proved = bench.node.submit("capsule.verify", named).await.expect("proved").output;
    assert_eq!((&proved["verified"], &proved["tree"]), (&json!(true), &taken["tree"]));
    let (code, _) = bench.refused("capsule.verify", json!({ "capsule": "shop" })).await;
    assert_eq!(code, "capsule_untrusted");
    // The team sees both.
    let said = |kind, title: &'static str| {
        move |moments: &[Entry]| moments.iter().any(|it| it.note.kind == kind && it.note.title == title)
    };
    let moments = bench
        .node
        .until_moments(said(Kind::Verify, "urn:xyn:app:shop@1.0.0: every byte is what was signed"))
        .await;
    let verified = moments.iter().find(|it| it.note.kind == Kind::Verify).expect("just seen");
    assert_eq!(json!(verified.note.refs.capsule), proved["capsule"]);
    bench.node.until_moments(said(Kind::Reject, "shop: refused as a capsule: capsule_untrusted")).await;
    bench.node.stop().await;
}

#[tokio::test]
async fn a_generation_that_is_not_newer_is_refused_also_after_a_restart() {
    let bench = Bench::new().await;
    let (path, stranger) = (bench.folder.path().join("x.caps"), key(7));
    let (keys, app) = (json!([stranger.public().to_string()]), bench.app());
    let import = async |node: &Node, generation: u64| {
        foreign(&app, &path, &stranger, generation, None);
        let bytes = fs::read(&path).expect("there");
        let sha256 = json!(node.runtime.store().blobs().put(&bytes).expect("kept"));
        node.submit("capsule.import", json!({ "sha256": sha256, "keys": keys })).await
    };
    import(&bench.node, 5).await.expect("taken");
    bench.version("1.0.1", "");
    let forked = import(&bench.node, 5).await.expect_err("refused");
    assert!(
        forked.code() == "capsule_generation" && forked.to_string().contains("another capsule"),
        "{forked}"
    );
    let ahead = import(&bench.node, u64::MAX).await.expect_err("refused");
    assert!(ahead.to_string().contains("nothing could follow it"), "{ahead}");
    let Bench { node, folder } = bench;
    node.stop().await;
    let node = start(&folder.path().join("data")).await;
    let bench = Bench { node, folder };
    let older = import(&bench.node, 4).await.expect_err("refused");
    assert!(older.code() == "capsule_generation" && older.to_string().contains("is older than 5"), "{older}");
    // What this node packs comes behind all of them.
    assert_eq!(bench.pack(json!({ "workspace": "shop" })).await["generation"], 6);
    let said = json!({ "workspace": "shop", "generation": 2 });
    assert_eq!(bench.refused("capsule.pack", said).await.0, "capsule_generation");
    bench.node.stop().await;
}

#[tokio::test]
async fn a_delta_from_outside_is_put_together_with_the_one_it_was_written_against() {
    let bench = Bench::new().await;
    let first = bench.pack(json!({ "workspace": "shop" })).await;
    let base = CapsuleFile::open(&bench.file(&first["file"], "base.caps"), Limits::default()).expect("whole");
    bench.write("index.html", "<h1>two</h1>\n");
    bench.version("1.1.0", "");
    let [whole, delta] = ["whole.caps", "delta.caps"].map(|name| bench.folder.path().join(name));
    foreign(&bench.app(), &whole, &key(7), 2, None);
    foreign(&bench.app(), &delta, &key(7), 2, Some(&base));
    let keys = json!([key(7).public().to_string()]);
    let input = json!({ "sha256": bench.upload(&delta), "keys": keys });
    let other = Bench::new().await;
    let elsewhere = json!({ "sha256": other.upload(&delta), "keys": keys });
    assert_eq!(other.refused("capsule.import", elsewhere).await.0, "capsule_base_missing");
    other.node.stop().await;
    let taken = bench.node.submit("capsule.import", input.clone()).await.expect("taken").output;
    assert_eq!(
        taken["file"],
        json!(Digest::of(&fs::read(&whole).expect("there"))),
        "the very bytes of the whole"
    );
    let (_, offer) = bench.offers().pop().expect("offered");
    assert_eq!(json!(offer.delta.expect("a delta").file), input["sha256"]);
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
