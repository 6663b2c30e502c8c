//! Capsules of a team: sealed from any moment on one node, fetched by the others, proved everywhere.

mod large;
mod later;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::node::{Node, Said, eventually};
use crate::team::{Mate, converge, team};

const SCENARIO: &str = "name: two\nseed: 1\nnodes: 2\ntopology: line\nlasts: 1h\nwork:\n  - {every: 10m}\n";

/// An app in a folder that a mate's node has under its eye.
struct App {
    place: TempDir,
}

impl App {
    fn of(mate: &Mate) -> Self {
        let app = Self { place: tempfile::tempdir().expect("a folder") };
        fs::create_dir(app.path("shop")).expect("made");
        mate.folder.xyn(["workspace", "add", app.path("shop").to_str().expect("text")]).ok();
        app
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path("shop").join(name), content).expect("written");
    }

    fn version(&self, version: &str) {
        self.write(
            "capsule.json",
            format!(r#"{{"id": "shop", "name": "The shop", "version": "{version}"}}"#),
        );
    }
}

/// Lines that no compressor makes much smaller, and that look like no secret.
fn lines(seed: u64, bytes: usize) -> String {
    let (mut state, mut text) = (seed, String::with_capacity(bytes + 8));
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{:05}\n", (state >> 33) % 100_000));
    }
    text
}

fn xyn(mate: &Mate, arguments: &[&str]) -> Said {
    Said::of(mate.folder.program().args(arguments))
}

fn snapshot(mate: &Mate, title: &str) -> String {
    xyn(mate, &["workspace", "snapshot", "shop", "-m", title]).ok().trim().to_owned()
}

fn pack(mate: &Mate, more: &[&str]) -> Value {
    xyn(mate, &[&["--json", "capsule", "pack"], more].concat()).json()
}

fn pull(mate: &Mate, name: &str) -> Value {
    xyn(mate, &["--json", "capsule", "pull", name]).json()
}

/// Waits until a mate knows of a capsule that is not here.
async fn offered(mate: &Mate, id: &str) -> Value {
    eventually("the capsule is offered", async || {
        let known = mate.node().all("/api/v1/capsules").await;
        known.into_iter().find(|capsule| capsule["id"] == id && capsule["is_here"] == false)
    })
    .await
}

/// A page that Ada packed, and Bob knows of.
async fn page(ada: &Mate, bob: &Mate) -> (App, Value) {
    let app = App::of(ada);
    app.version("1.0.0");
    app.write("index.html", "<h1>The shop</h1>\n");
    let one = pack(ada, &["--workspace", "shop"]);
    offered(bob, "urn:xyn:app:shop@1.0.0").await;
    (app, one)
}

/// An app with so many files of 1 MiB that Ada packed, and Bob knows of.
async fn goods(ada: &Mate, bob: &Mate, files: u64) -> (App, Value) {
    let app = App::of(ada);
    app.version("1.0.0");
    for number in 0..files {
        app.write(&format!("goods {number}"), lines(number, 1 << 20));
    }
    let one = pack(ada, &["--workspace", "shop"]);
    offered(bob, "urn:xyn:app:shop@1.0.0").await;
    (app, one)
}

/// Bytes of content that a mate's node keeps.
fn kept(mate: &Mate) -> u64 {
    let entries = fs::read_dir(mate.folder.data().join("blobs")).expect("a folder").flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// Kills a mate's node while it fetches the shop, once so many bytes of it came; answers how many did.
fn killed_while_it_comes(mate: &mut Mate, bytes: u64) -> u64 {
    let (before, it) = (kept(mate), &*mate);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| xyn(it, &["capsule", "pull", "shop"]));
        while kept(it) - before < bytes && !waiting.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        it.node().kill_9();
        waiting.join().expect("it does not panic");
    });
    mate.node = None;
    kept(mate) - before
}

/// Bytes that came over the mesh so far.
async fn came(mate: &Mate) -> f64 {
    mate.counted("xyn_mesh_bytes_total{direction=\"in\"}").await as f64
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut found: Vec<_> = entries.map(|path| (name(&path), fs::read(&path).expect("a file"))).collect();
    found.sort();
    found
}

fn bytes(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is a number"))
}

#[tokio::test]
async fn an_earlier_moment_is_sealed_fetched_proved_and_laid_out_and_the_next_version_is_a_delta() {
    let ([mut ada, bob, eve], _) = team().await;
    let app = App::of(&ada);
    app.version("1.0.0");
    app.write("index.html", "<h1>The shop</h1>\n");
    app.write("goods", lines(1, 1 << 20));
    let first = snapshot(&ada, "the shop opens");
    let opened = files(&app.path("shop"));
    // What the folder has become by now is not what is sealed.
    app.write("index.html", "<h1>half done");
    let one = pack(&ada, &["--at", &first]);
    assert_eq!((&one["id"], &one["generation"]), (&"urn:xyn:app:shop@1.0.0".into(), &1.into()));

    let seen = offered(&bob, "urn:xyn:app:shop@1.0.0").await;
    assert_eq!((&seen["capsule"], &seen["size_bytes"]), (&one["capsule"], &one["size_bytes"]));
    let listed = xyn(&bob, &["capsule", "list"]).ok();
    assert!(listed.contains("shop@1.0.0") && listed.contains("on "), "{listed}");
    let early = xyn(&bob, &["capsule", "verify", "shop"]);
    assert!(early.code == 6 && early.err.contains("is not here"), "{early:?}");
    let pulled = pull(&bob, "shop");
    assert_eq!((&pulled["capsule"], &pulled["tree"]), (&one["capsule"], &one["tree"]));
    assert_eq!(xyn(&bob, &["--json", "capsule", "verify", "shop@1.0.0"]).json()["verified"], true);
    let out = bob.folder.data().parent().expect("a folder").join("out");
    xyn(&bob, &["capsule", "unpack", "shop", "--to", out.to_str().expect("text")]).ok();
    assert_eq!(files(&out), opened);
    assert_eq!(pull(&bob, "shop")["is_new"], false);

    app.version("1.1.0");
    app.write("index.html", "<h1>The shop, with news</h1>\n");
    app.write("news", lines(2, 400 << 10));
    let two = pack(&ada, &["--workspace", "shop"]);
    assert!(4.0 * bytes(&two["delta_bytes"]) < 3.0 * bytes(&two["size_bytes"]), "{two}");
    offered(&bob, "urn:xyn:app:shop@1.1.0").await;
    offered(&eve, "urn:xyn:app:shop@1.1.0").await;
    let before = came(&bob).await;
    let pulled = pull(&bob, "shop@1.1.0");
    let (moved, delta) = (came(&bob).await - before, bytes(&two["delta_bytes"]));
    assert_eq!((&pulled["capsule"], &pulled["file"]), (&two["capsule"], &two["file"]), "the very same bytes");
    assert_eq!(bytes(&pulled["fetched_bytes"]), delta);
    assert!(moved <= 2.0 * delta, "{moved} bytes came for a delta of {delta}");
    // From whoever has it: Ada is away, and Eve has nothing yet.
    ada.stop().await;
    assert_eq!(pull(&eve, "shop")["capsule"], two["capsule"]);
    assert_eq!(xyn(&eve, &["--json", "capsule", "verify", "shop"]).json()["verified"], true);
}

#[tokio::test]
async fn what_is_attested_later_reaches_members_who_have_the_capsule_and_little_of_it_travels() {
    let ([ada, bob, _eve], _) = team().await;
    let app = App::of(&ada);
    app.version("1.0.0");
    app.write("index.html", "<h1>The shop</h1>\n");
    app.write("goods", lines(1, 2 << 20));
    let file = app.path("shop.caps");
    let path = file.to_str().expect("text");
    let one = pack(&ada, &["--workspace", "shop", "--out", path]);
    offered(&bob, "urn:xyn:app:shop@1.0.0").await;
    pull(&bob, "shop");
    let attested = || -> Vec<Value> {
        let known = xyn(&bob, &["--json", "capsule", "inspect", "shop"]).json();
        known["attestations"].as_array().cloned().expect("a list")
    };
    let packed_with = attested().len();

    let (key, scenario) = (ada.folder.data().join("node.key"), ada.folder.file("two.yaml", SCENARIO));
    let (key, public) = (key.to_str().expect("text"), ada.key().to_string());
    xyn(&ada, &["sim", "capsule", path, "--scenario", &scenario, "--pub", &public, "--key", key]).ok();
    xyn(&ada, &["capsule", "attest", "shop", &format!("{path}.simulation.json")]).ok();
    let before = came(&bob).await;
    let again = eventually("the report comes", async || {
        let again = pull(&bob, "shop");
        (attested().len() > packed_with).then_some(again)
    })
    .await;
    assert_eq!((&again["capsule"], &again["is_new"]), (&one["capsule"], &false.into()));
    assert!(attested().contains(&"urn:xyn:predicate:simulation:v1".into()), "{:?}", attested());
    let moved = came(&bob).await - before;
    assert!(2.0 * moved < bytes(&one["size_bytes"]), "{moved} bytes came for a report about {one}");
    assert_eq!(xyn(&bob, &["--json", "capsule", "verify", "shop"]).json()["verified"], true);
}

#[tokio::test]
async fn a_node_killed_while_a_capsule_comes_has_none_and_then_all_of_it() {
    let ([ada, mut bob, _eve], _) = team().await;
    let (_app, one) = goods(&ada, &bob, 12).await;
    killed_while_it_comes(&mut bob, 1 << 20);
    bob.up(None).await;
    let known = bob.node().all("/api/v1/capsules").await;
    assert!(known.len() == 1 && known[0]["is_here"].is_boolean(), "{known:?}");
    ada.note("they meet again").await;
    converge(&[&ada, &bob], &["they meet again"]).await;
    assert_eq!(pull(&bob, "shop")["capsule"], one["capsule"]);
    assert_eq!(xyn(&bob, &["--json", "capsule", "verify", "shop"]).json()["verified"], true);
    // Nothing that was under way is left, and the rows are those that the journal tells.
    let left = fs::read_dir(bob.folder.data().join("capsules-under-way")).map(Iterator::count);
    assert_eq!(left.unwrap_or_default(), 0);
    bob.stop().await;
    xyn(&bob, &["store", "rebuild"]).ok();
    let known = xyn(&bob, &["--json", "capsule", "list"]).json();
    assert_eq!(
        (&known["items"][0]["capsule"], &known["items"][0]["is_here"]),
        (&one["capsule"], &true.into())
    );
}

#[tokio::test]
async fn a_tampered_file_a_stranger_and_a_lower_generation_are_refused_by_what_and_where() {
    let ([ada, _bob, _eve], _) = team().await;
    let app = App::of(&ada);
    app.version("1.0.0");
    app.write("goods", lines(1, 1 << 16));
    let file = app.path("shop.caps");
    let path = file.to_str().expect("text");
    pack(&ada, &["--workspace", "shop", "--out", path]);
    let sound = fs::read(&file).expect("there");
    assert_eq!(xyn(&ada, &["--json", "capsule", "push", path]).json()["is_new"], false);
    let mut changed = sound.clone();
    *changed.last_mut().expect("it has bytes") ^= 1;
    fs::write(&file, &changed).expect("written");
    let tampered = xyn(&ada, &["capsule", "push", path]);
    assert_eq!(tampered.code, 6, "{tampered:?}");
    for told in ["chunk 1 with the file `capsule.json`", "from byte ", "was changed after it was written"] {
        assert!(tampered.err.contains(told), "{tampered:?}");
    }
    // Somebody else's key, and a generation that is not newer.
    let key = app.path("their.key");
    let key = key.to_str().expect("text");
    xyn(&ada, &["capsule", "keygen", key]).ok();
    app.version("0.9.0");
    let folder = app.path("shop");
    let theirs = ["capsule", "pack", folder.to_str().expect("text"), "--key", key, "--out", path];
    xyn(&ada, &theirs).ok();
    let stranger = xyn(&ada, &["capsule", "push", path]);
    assert!(stranger.code == 6 && stranger.err.contains("0 of 1 needed signatures"), "{stranger:?}");
    let public = format!("{key}.pub");
    let fork = xyn(&ada, &["capsule", "push", path, "--pub", &public]);
    assert!(fork.code == 6 && fork.err.contains("generation 1 of `shop` is another capsule"), "{fork:?}");
    xyn(&ada, &[&theirs[..], &["--generation", "7"]].concat()).ok();
    xyn(&ada, &["capsule", "push", path, "--pub", &public]).ok();
    app.version("0.8.0");
    xyn(&ada, &[&theirs[..], &["--generation", "6"]].concat()).ok();
    let older = xyn(&ada, &["capsule", "push", path, "--pub", &public]);
    assert!(older.code == 6 && older.err.contains("generation 6 of `shop` is older than 7"), "{older:?}");
    let rejected = ada.node().all("/api/v1/events?event_name=xyn.capsule.rejected").await;
    assert_eq!(rejected.len(), 4, "{rejected:?}");
}

#[tokio::test]
async fn the_catalogue_for_the_local_network_is_off_until_it_is_asked_for() {
    let mut ada = Mate::new("ada");
    ada.up(None).await;
    let app = App::of(&ada);
    app.version("1.0.0");
    pack(&ada, &["--workspace", "shop"]);
    let open = r#"{"id": "shop", "name": "The shop", "version": "1.1.0", "rights": {"scope": "lan"}}"#;
    app.write("capsule.json", open);
    let shown = pack(&ada, &["--workspace", "shop"]);
    ada.stop().await;

    let node = Node::start_with(&ada.folder, ada.folder.program(), &["--lan-catalogue", "127.0.0.1:0"]).await;
    let base = format!("http://{}", node.lan_catalogue().first().expect("it listens"));
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let get = async |path: &str| http.get(format!("{base}{path}")).send().await.expect("answers");
    let listed: Value = get("/capsules").await.json().await.expect("JSON");
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["items"][0]["capsule"], shown["capsule"]);
    let bytes = get(listed["items"][0]["href"].as_str().expect("a path")).await.bytes().await.expect("bytes");
    assert_eq!(Value::from(xyn_store::Digest::of(&bytes).to_string()), shown["file"]);
    assert_eq!(get("/capsule/shop@1.0.0").await.status(), 404);
    assert_eq!(get("/api/v1/health").await.status(), 404);
    assert!(node.stop().await.success());
}

#[tokio::test]
async fn a_member_fetches_what_the_publishers_of_its_key_ring_signed_and_nothing_else() {
    let ([ada, bob, _eve], _) = team().await;
    let (app, one) = page(&ada, &bob).await;
    let [root, ring] = ["root.key", "lab.ring"].map(|name| app.path(name).to_str().expect("text").to_owned());
    xyn(&bob, &["capsule", "keygen", &root]).ok();
    xyn(&bob, &["capsule", "ring", "new", &ring, "--key", &root]).ok();
    let public = format!("{root}.pub");
    xyn(&bob, &["capsule", "ring", "use", &ring, "--pub", &public]).ok();
    let stranger = xyn(&bob, &["capsule", "pull", "shop"]);
    let words = ["version 1 of the key ring", "0 of 1 needed signatures of `publisher` keys"];
    assert!(stranger.code == 6 && words.iter().all(|word| stranger.err.contains(word)), "{stranger:?}");
    assert_eq!(bob.node().all("/api/v1/capsules").await[0]["is_here"], false);

    let node = ada.key().to_string();
    let add = ["capsule", "ring", "add", &ring, "--pub", &node, "--as", "publisher", "--key", &root];
    xyn(&bob, &add).ok();
    xyn(&bob, &["capsule", "ring", "use", &ring]).ok();
    assert_eq!(pull(&bob, "shop")["capsule"], one["capsule"]);
    let proved = xyn(&bob, &["capsule", "verify", "shop"]).ok();
    assert!(
        proved.contains("signed by 1 of 1 needed `publisher` keys, by version 2 of the key ring"),
        "{proved}"
    );
}
