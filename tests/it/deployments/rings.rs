//! The key ring of an environment: who counts when a capsule is deployed, from version to version, with real keys.

use std::fs;

use serde_json::{Value, json};
use xyn_capsules::container::Cover;

use super::Bench;
use crate::node::{Node, Said};

/// What the ring is called, and the key of its root.
const RING: &str = "shop.ring";
const ROOT: &str = "root.key";

/// Words with others behind them.
fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, more].concat()
}

impl Bench {
    /// Makes a key; answers its id.
    fn keygen(&self, name: &str) -> String {
        let made = self.here(&["--json", "capsule", "keygen", &format!("{name}.key")]).json();
        made["key_id"].as_str().expect("an id").to_owned()
    }

    /// Packs the app as it is, signed by these; the file is called after the version.
    fn sealed(&self, version: &str, generation: &str, signers: &[&str]) {
        self.write("index.html", format!("<h1>{version}</h1>"));
        let authored = json!({ "id": "shop", "name": "The shop", "version": version });
        self.write("capsule.json", authored.to_string());
        let (first, others) = signers.split_first().expect("somebody signs");
        let key = format!("{first}.key");
        self.here(&["capsule", "pack", "shop", "--generation", generation, "--key", &key]).ok();
        others.iter().for_each(|signer| self.sign(version, signer));
    }

    fn sign(&self, version: &str, signer: &str) {
        let (file, key) = (format!("shop-{version}.caps"), format!("{signer}.key"));
        self.here(&["capsule", "sign", &file, "--key", &key]).ok();
    }

    fn install(&self, version: &str, more: &[&str]) -> Said {
        let file = format!("shop-{version}.caps");
        self.here(&with(&["capsule", "deploy", &file, "--stage", "dev"], more))
    }

    /// Changes the ring in the file, which its root signs.
    fn change(&self, arguments: &[&str]) {
        self.here(&[&["capsule", "ring"], arguments, &["--key", ROOT]].concat()).ok();
    }

    /// Puts the ring in the file into force.
    fn puts(&self, more: &[&str]) -> Said {
        self.here(&with(&["capsule", "ring", "use", RING], more))
    }

    fn ring(&self) -> Value {
        self.here(&["--json", "capsule", "ring", "current"]).json()
    }
}

/// Adds to the capsule `file` a signature of another key that says it is one of `key`.
fn forge(file: &std::path::Path, key: &str) {
    let cover = Cover::read(fs::File::open(file).expect("there")).expect("a capsule");
    let mut envelope: Value = serde_json::from_slice(cover.manifest()).expect("JSON");
    let mut signature = envelope["signatures"][0].clone();
    signature["keyid"] = key.into();
    envelope["signatures"].as_array_mut().expect("a list").push(signature);
    let attestations = cover.attestations().to_vec();
    cover.seal_again(envelope.to_string().as_bytes(), &attestations, file).expect("sealed");
}

/// That it was refused as what does not fit, with all of these words.
fn refused(said: Said, words: &[&str]) {
    assert_eq!(said.code, 6, "{said:?}");
    let missing: Vec<_> = words.iter().filter(|word| !said.err.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} in {said:?}");
}

/// A node with an app of version 1 that Ada signed, and a ring that asks for two of Ada, Bob and the root.
async fn bench() -> (Bench, [String; 2]) {
    let bench = Bench::new().await;
    let [ada, bob] = ["ada", "bob"].map(|name| bench.keygen(name));
    for name in ["root", "eve", "carol"] {
        bench.keygen(name);
    }
    bench.sealed("1.0.0", "1", &["ada"]);
    bench.here(&["capsule", "ring", "new", RING, "--key", ROOT, "--name", "the root"]).ok();
    bench.change(&["add", RING, "--pub", "ada.key.pub", "--as", "publisher", "--name", "Ada"]);
    bench.change(&["add", RING, "--pub", "bob.key.pub", "--as", "publisher", "--threshold", "2"]);
    (bench, [ada, bob])
}

#[tokio::test]
async fn the_first_ring_is_that_of_who_was_named_and_each_that_follows_is_taken_in_turn() {
    let (mut bench, _) = bench().await;
    let none = bench.here(&["capsule", "ring", "current"]);
    assert!(none.code == 3 && none.err.contains("xyn capsule ring use"), "{none:?}");
    refused(bench.puts(&[]), &["nobody was named whose signature counts for the first"]);
    refused(bench.puts(&["--pub", "ada.key.pub"]), &["0 of 1 needed signatures", "is not known here"]);
    let elsewhere = ["capsule", "ring", "new", "other.ring", "--env", "elsewhere", "--key", ROOT];
    bench.here(&elsewhere).ok();
    let other = bench.here(&["capsule", "ring", "use", "other.ring", "--pub", "root.key.pub"]);
    refused(other, &["the ring is for `elsewhere`", "make one for it"]);
    assert_eq!(bench.puts(&["--pub", "root.key.pub"]).ok().trim(), "3");

    // Nobody but its root says what follows, and nothing is left out.
    refused(bench.puts(&["--pub", "root.key.pub"]), &["the next one after 3 is needed"]);
    fs::copy(bench.beside(RING), bench.beside("third.ring")).expect("copied");
    bench.change(&["add", RING, "--pub", "eve.key.pub", "--as", "attestor"]);
    fs::copy(bench.beside(RING), bench.beside("fourth.ring")).expect("copied");
    bench.change(&["add", RING, "--pub", "carol.key.pub", "--as", "rollback"]);
    refused(bench.puts(&[]), &["is 5, and the next one after 3 is needed"]);
    bench.here(&["capsule", "ring", "use", "fourth.ring"]).ok();
    bench.puts(&[]).ok();
    let known = bench.ring();
    assert_eq!(
        (&known["version"], known["ring"]["keys"].as_object().map(serde_json::Map::len)),
        (&json!(5), Some(5))
    );
    let shown = bench.here(&["capsule", "ring", "current", "--out", "copy.ring"]).ok();
    assert!(shown.contains("version 5") && shown.contains("publisher needs 2 signatures"), "{shown}");
    let copied = |name: &str| fs::read(bench.beside(name)).expect("there");
    assert_eq!(copied("copy.ring"), copied(RING), "another machine is given the very bytes that were signed");

    // The journal and the timeline tell it, and it is there after any end.
    assert_eq!(bench.events("xyn.capsule.ring.changed").await.len(), 3);
    let moments = bench.node.all("/api/v1/timeline?kind=note").await;
    assert_eq!(moments[0]["title"], "version 5 of the key ring is in force");
    bench.node.kill_9();
    bench.node = Node::start(&bench.folder).await;
    assert_eq!(bench.ring(), known);
    let Bench { node, folder, .. } = bench;
    assert!(node.stop().await.success());
    folder.xyn(["store", "rebuild"]).ok();
    assert_eq!(folder.xyn(["capsule", "ring", "current", "--json"]).json(), known);
}

#[tokio::test]
async fn a_deployment_needs_as_many_publishers_as_the_ring_says_whoever_is_named_besides() {
    let (bench, _) = bench().await;
    let named = ["--pub", "ada.key.pub"];
    refused(bench.install("1.0.0", &named), &["the gate `rights`"]);
    bench.puts(&["--pub", "root.key.pub"]).ok();
    let short = ["version 3 of the key ring", "1 of 2 needed signatures of `publisher` keys"];
    refused(bench.install("1.0.0", &named), &[&["the gate `trust`"], &short[..]].concat());
    refused(bench.install("1.0.0", &[]), &short);
    refused(bench.here(&["capsule", "verify", "shop@1.0.0"]), &short);
    // A second signature comes with the file, to the capsule that is here already.
    bench.sign("1.0.0", "bob");
    let url = bench.install("1.0.0", &[]).ok();
    assert_eq!(bench.read(url.trim()).await.1, "<h1>1.0.0</h1>");
    let told = bench.events("xyn.capsule.deploy.completed").await;
    let why = told[0]["data"]["gates"][1]["why"].as_str().expect("a text");
    assert!(
        why.starts_with("signed by 2 of 2 needed `publisher` keys, by version 3 of the key ring: `"),
        "{why}"
    );
    let proved = bench.here(&["--json", "capsule", "verify", "shop"]).json();
    assert_eq!(
        (&proved["threshold"], &proved["right"], &proved["by"]),
        (&json!(2), &json!("publisher"), &json!({ "kind": "ring", "version": 3 }))
    );
    assert_eq!(proved["signers"].as_array().map(Vec::len), Some(2));
    // An app with publishers of its own needs those, and no others.
    bench.change(&["add", RING, "--pub", "carol.key.pub", "--app", "shop"]);
    bench.puts(&[]).ok();
    refused(
        bench.install("1.0.0", &[]),
        &["version 4 of the key ring", "of `app shop` keys", "may not do this"],
    );
    bench.sign("1.0.0", "carol");
    bench.install("1.0.0", &[]).ok();
}

#[tokio::test]
async fn a_key_that_expired_was_rotated_or_revoked_deploys_nothing_and_leads_nowhere_back() {
    let (bench, [ada, bob]) = bench().await;
    bench.keygen("ada2");
    bench.keygen("dan");
    bench.puts(&["--pub", "root.key.pub"]).ok();
    bench.sign("1.0.0", "bob");
    let url = bench.install("1.0.0", &[]).ok();
    bench.change(&["add", RING, "--pub", "dan.key.pub", "--as", "publisher", "--key-days", "0"]);
    bench.puts(&[]).ok();
    bench.sealed("2.0.0", "2", &["dan", "bob"]);
    refused(bench.install("2.0.0", &[]), &["1 of 2 needed signatures", "expired at"]);

    // Rotated: the new key counts, the old one does not, also for what it signed long ago.
    bench.change(&["rotate", RING, &ada, "--pub", "ada2.key.pub"]);
    bench.puts(&[]).ok();
    bench.sign("2.0.0", "ada2");
    bench.install("2.0.0", &[]).ok();
    refused(bench.install("1.0.0", &[]), &["was revoked at"]);
    let back = || bench.here(&["capsule", "rollback", "shop", "--stage", "dev"]);
    refused(back(), &["version 5 of the key ring", "1 of 2 needed signatures", "was revoked at"]);
    assert_eq!(bench.read(url.trim()).await.1, "<h1>2.0.0</h1>");
    bench.sign("1.0.0", "ada2");
    bench.here(&["capsule", "push", "shop-1.0.0.caps"]).ok();
    back().ok();
    assert_eq!(bench.read(url.trim()).await.1, "<h1>1.0.0</h1>");

    // Revoked: neither forward nor back, until somebody else signs.
    bench.change(&["revoke", RING, &bob, "--reason", "it leaked"]);
    bench.puts(&[]).ok();
    let here = bench.here(&["capsule", "deploy", "shop@2.0.0", "--stage", "dev"]);
    refused(here, &["the gate `trust`", "1 of 2 needed signatures", "was revoked at"]);
    refused(back(), &["1 of 2 needed signatures"]);
    bench.sign("2.0.0", "root");
    bench.install("2.0.0", &[]).ok();
    assert_eq!(bench.read(url.trim()).await.1, "<h1>2.0.0</h1>");
}

#[tokio::test]
async fn leave_to_go_back_is_given_by_who_has_that_role_and_by_nobody_else() {
    let (bench, _) = bench().await;
    bench.change(&["add", RING, "--pub", "carol.key.pub", "--as", "rollback"]);
    bench.puts(&["--pub", "root.key.pub"]).ok();
    let env = bench.ring()["env"].as_str().expect("a text").to_owned();
    bench.sign("1.0.0", "bob");
    bench.sealed("2.0.0", "2", &["ada", "bob"]);
    bench.install("1.0.0", &[]).ok();
    let url = bench.install("2.0.0", &[]).ok();
    refused(bench.install("1.0.0", &[]), &["the gate `generation`", "signed leave to go back"]);
    fs::copy(bench.beside("shop-1.0.0.caps"), bench.beside("shop-by-ada.caps")).expect("copied");
    let leave = |file: &str, key: &str| {
        let leave =
            ["capsule", "leave", file, "--env", &env, "--from", "2", "--reason", "it broke", "--key", key];
        bench.here(&leave).ok();
        bench.here(&["capsule", "attest", file, &format!("{file}.leave.json")]).ok();
    };
    // To publish is no leave to go back.
    leave("shop-by-ada.caps", "ada.key");
    let words = ["does not count: 0 of 1 needed signatures of `rollback` keys", "may not do this"];
    refused(bench.install("by-ada", &[]), &[&["the gate `generation`"], &words[..]].concat());
    leave("shop-1.0.0.caps", "carol.key");
    bench.install("1.0.0", &[]).ok();
    assert_eq!(bench.read(url.trim()).await.1, "<h1>1.0.0</h1>");
}

#[tokio::test]
async fn what_a_stranger_attests_stands_in_the_way_of_nothing_and_proves_nothing() {
    let (bench, [ada, _]) = bench().await;
    let eve = bench.keygen("eve2");
    let file = "shop-1.0.0.caps";
    for key in ["eve2.key", "ada.key"] {
        let leave = ["capsule", "leave", file, "--env", "lab", "--from", "2", "--reason", "so", "--key", key];
        bench.here(&leave).ok();
        bench.here(&["capsule", "attest", file, "shop-1.0.0.caps.leave.json"]).ok();
    }
    // As long as Eve is named, her word counts; it is there from the very first on.
    let named = ["--pub", "ada.key.pub", "--pub", "eve2.key.pub"];
    let taken = bench.here(&with(&["--json", "capsule", "push", file], &named)).json();
    assert_eq!(taken["ignored"], json!([]));
    bench.puts(&["--pub", "root.key.pub"]).ok();
    bench.sign("1.0.0", "bob");
    let url = bench.install("1.0.0", &[]).ok();
    assert_eq!(bench.read(url.trim()).await.1, "<h1>1.0.0</h1>");
    let (may_not, unknown) =
        (format!("key `{ada}` may not do this"), format!("key `{eve}` is not known here"));
    let told = bench.events("xyn.capsule.deploy.completed").await;
    let why = told[0]["data"]["gates"][0]["why"].as_str().expect("a text");
    let words =
        ["every byte of", "attestation 2 (`urn:xyn:predicate:rollback:v1`) does not count", "attestation 3"];
    assert!(
        words.iter().all(|word| why.contains(word)) && why.contains(&may_not) && why.contains(&unknown),
        "{why}"
    );
    let proved = bench.here(&["--json", "capsule", "verify", "shop"]).json();
    let of = |name: &str| proved[name].as_array().map(Vec::len);
    assert_eq!((of("attestations"), of("ignored")), (Some(1), Some(2)), "{proved}");
    // Whoever has the file alone is told the same, and a changed byte is refused as ever.
    let alone = bench.here(&["capsule", "verify", file, "--ring", RING]).ok();
    assert!(alone.contains("ignored attestation 2") && alone.contains(&unknown), "{alone}");
    let mut bytes = fs::read(bench.beside(file)).expect("there");
    let at = bytes.windows(4).rposition(|four| four == b"sig\"").expect("a signature") + 20;
    bytes[at] ^= 1;
    fs::write(bench.beside("changed.caps"), bytes).expect("written");
    let changed = bench.here(&["capsule", "push", "changed.caps"]);
    refused(changed, &["attestation 3, from byte ", "was changed after it was written"]);
}

#[tokio::test]
async fn a_signature_that_is_forged_in_the_name_of_a_publisher_counts_for_nobody_and_bars_nothing() {
    let (bench, [_, bob]) = bench().await;
    let file = "shop-1.0.0.caps";
    // It is here before the ring is: then nobody knows Bob.
    forge(&bench.beside(file), &bob);
    bench.here(&["capsule", "push", file, "--pub", "ada.key.pub"]).ok();
    bench.puts(&["--pub", "root.key.pub"]).ok();
    let forged = format!("key `{bob}` is named for a signature that was made by another key");
    let few = ["the gate `trust`", "1 of 2 needed signatures of `publisher` keys", &forged];
    refused(bench.node_folder(&["capsule", "deploy", "shop", "--stage", "dev"]), &few);
    // What Bob really signs counts beside it.
    bench.sign("1.0.0", "bob");
    let url = bench.install("1.0.0", &[]).ok();
    assert_eq!(bench.read(url.trim()).await.1, "<h1>1.0.0</h1>");
    let told = bench.events("xyn.capsule.deploy.completed").await;
    let why = told[0]["data"]["gates"][0]["why"].as_str().expect("a text");
    assert!(why.contains(&format!("the signature of key `{bob}` does not count")), "{why}");
    let alone = bench.here(&["capsule", "verify", file, "--ring", RING]).ok();
    assert!(
        alone.contains("ok signed by 2 of 2 needed") && alone.contains("ignored the signature of"),
        "{alone}"
    );
    let known = bench.here(&["--json", "capsule", "show", "shop"]).json();
    assert_eq!(known["proved"]["signers"].as_array().map(Vec::len), Some(2), "{known}");
}
