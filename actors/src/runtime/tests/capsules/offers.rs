//! Offers of others: followed as far as they are so, by the way with the fewest bytes, and believed in nothing.

use xyn_capsules::attest::attest;
use xyn_capsules::container::Cover;
use xyn_capsules::sign::{Rebuild, Statement, Subject, seal};
use xyn_store::blobs::FETCHED;
use xyn_store::scope::Stage;
use xyn_store::timeline::Delta;
use xyn_store::timeline::entry::{Branch, Note, Refs};

use super::*;
use crate::runtime::Accept;
use crate::services::timeline::{Deed, record as say};

impl Bench {
    /// A moment that offers a capsule, whoever has it.
    async fn offer(&self, offer: Offer, tree: Digest) {
        let inner = &self.node.runtime.0;
        let intent = self.node.intent("timeline.note", json!({ "title": "an offer" }));
        let (now, spec) = (inner.clock.now(), &inner.registry.get("timeline.note").expect("known").spec);
        let decision = inner.decide(&intent.identity, spec, Stage::Dev, now);
        let accept = Accept::new(&intent, Stage::Dev, &decision, None, now);
        let refs = Refs { capsule: Some(tree), offer: Some(Box::new(offer)), ..Refs::default() };
        let principal = intent.identity.principal.clone();
        let (branch, kind) = (Branch::main(), Kind::Pack);
        let note = Note { principal, branch, kind, title: "an offer".to_owned(), refs };
        say(inner, &intent, accept, Deed::say((ids::fresh(now), note))).await.expect("said");
    }

    /// Puts the bytes of another node's blob here.
    fn take(&self, other: &Self, digest: &Digest) {
        let bytes = other.node.runtime.store().blobs().read(digest).expect("is there");
        assert_eq!(self.node.runtime.store().blobs().put(&bytes).expect("kept"), *digest);
    }

    fn signer(&self) -> Value {
        json!([self.node.runtime.store().key().public()])
    }
}

/// A node that packed three versions, and its offers.
async fn three() -> (Bench, Vec<(Entry, Offer)>) {
    let bench = Bench::new().await;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        bench.version(version, "");
        bench.write("index.html", &format!("<h1>{version}</h1>\n"));
        bench.pack(json!({ "workspace": "shop" })).await;
    }
    let offers = bench.offers();
    assert_eq!(offers.len(), 3);
    (bench, offers)
}

fn tree(entry: &Entry) -> Digest {
    entry.note.refs.capsule.expect("a tree")
}

#[tokio::test]
async fn deltas_lead_over_versions_that_are_not_here_to_the_very_file_that_was_packed() {
    let (ada, offers) = three().await;
    let bob = Bench::new().await;
    let [(first, one), (second, two), (third, last)] = offers.as_slice() else { panic!("{offers:?}") };
    let deltas = [two, last].map(|offer| offer.delta.expect("a delta"));
    let files = [one.file, two.file, last.file, deltas[0].file, deltas[1].file];
    files.iter().for_each(|file| bob.take(&ada, file));
    for (entry, offer) in [(first, one), (second, two), (third, last)] {
        bob.offer(offer.clone(), tree(entry)).await;
    }
    let pull = async |name: &str| {
        let input = json!({ "capsule": name, "keys": ada.signer() });
        bob.node.submit("capsule.pull", input).await
    };
    assert_eq!(pull("shop@1.0.0").await.expect("pulled").output["generation"], 1);
    let newest = pull("shop").await.expect("pulled").output;
    assert_eq!((&newest["generation"], &newest["file"]), (&json!(3), &json!(last.file)));
    // It went by both deltas: what it says it needs is the last of them.
    assert_eq!(newest["delta_bytes"], json!(deltas[1].size_bytes));
    let between = pull("shop@1.1.0").await.expect("an older one may be had").output;
    assert_eq!(between["capsule"], json!(two.capsule));
    let rows = bob.rows();
    assert!(rows.iter().all(|row| row.origin == Came::Pulled && row.entry_id.is_none()), "{rows:?}");
    assert_eq!(bob.told(), ["xyn.capsule.replicated"; 3]);
    // What was seen highest stays, whatever came after it.
    assert_eq!(bob.pack(json!({ "workspace": "shop" })).await["generation"], 4);
    for bench in [ada, bob] {
        bench.node.stop().await;
        rebuilds_to_the_same(&bench.folder.path().join("data"), actions::builtin());
    }
}

#[tokio::test]
async fn an_offer_that_lies_brings_nothing_in() {
    let (ada, offers) = three().await;
    let bob = Bench::new().await;
    let (entry, sound) = &offers[0];
    let blobs = bob.node.runtime.store().blobs().clone();
    let junk = blobs.put(&[b'x'; 40_000]).expect("kept");
    bob.take(&ada, &sound.file);
    let renamed = |id: &str| Offer { id: format!("urn:xyn:app:{id}@1.0.0"), delta: None, ..sound.clone() };
    let other = Digest::of(b"another capsule");
    let looped = Delta { base: tree(entry), file: junk, size_bytes: 40_000 };
    let lies = [
        (
            "junk",
            Offer { file: junk, size_bytes: 40_000, capsule: junk, ..renamed("junk") },
            "does not begin as one",
        ),
        ("length", Offer { size_bytes: 7, capsule: other, ..renamed("length") }, "7 were said"),
        ("other", Offer { capsule: Digest::of(b"x"), ..renamed("other") }, "was offered"),
        ("loop", Offer { delta: Some(looped), capsule: looped.file, ..renamed("loop") }, "was offered"),
    ];
    for (app, offer, reason) in lies {
        let file = offer.file;
        bob.offer(offer, tree(entry)).await;
        let input = json!({ "capsule": app, "keys": ada.signer() });
        let (code, message) = bob.refused("capsule.pull", input).await;
        let is_unsound = ["capsule_unsound", "content_unsound"].contains(&code.as_str());
        assert!(is_unsound && message.contains(reason), "{app}: {code}: {message}");
        assert!(!blobs.is_pinned(&file, FETCHED).expect("reads"), "{app}: it is let go of");
    }
    // A sound one of somebody whom nobody trusts here.
    bob.offer(Offer { delta: None, ..sound.clone() }, tree(entry)).await;
    assert_eq!(bob.refused("capsule.pull", json!({ "capsule": "shop" })).await.0, "capsule_untrusted");
    assert!(bob.rows().is_empty());
    let left = fs::read_dir(bob.folder.path().join("data/capsules-under-way")).map(Iterator::count);
    assert_eq!(left.unwrap_or_default(), 0);
    for bench in [ada, bob] {
        bench.node.stop().await;
    }
}

#[tokio::test]
async fn the_catalogue_shows_what_is_here_in_front_and_each_offer_once() {
    let (ada, offers) = three().await;
    let bob = Bench::new().await;
    let first = bob.pack(json!({ "workspace": "shop" })).await;
    for (entry, offer) in &offers {
        for file in offer.files() {
            bob.take(&ada, &file);
        }
        bob.offer(offer.clone(), tree(entry)).await;
        bob.offer(offer.clone(), tree(entry)).await;
    }
    let reader = bob.node.runtime.store().read().expect("reads");
    for limit in [1, 2, 3, 50] {
        let (mut shown, mut cursor) = (Vec::new(), None);
        loop {
            let page = capsules::list(&reader, cursor.as_ref(), limit).expect("reads");
            assert!(page.items.len() <= limit);
            shown.extend(page.items.into_iter().map(|found| match found {
                Found::Here(row) => (true, json!(row.capsule)),
                Found::Elsewhere(entry) => (false, json!(entry.note.refs.offer.expect("an offer").capsule)),
            }));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let elsewhere = offers.iter().rev().map(|(_, offer)| (false, json!(offer.capsule)));
        let wanted: Vec<_> = [(true, first["capsule"].clone())].into_iter().chain(elsewhere).collect();
        assert_eq!(shown, wanted, "{limit} a page");
    }
    drop(reader);
    for bench in [ada, bob] {
        bench.node.stop().await;
    }
}

/// A rebuild of the capsule in the file at `path` that came to what was packed, as `key` says.
fn rebuilt(path: &Path, key: &SecretKey) -> Vec<u8> {
    let cover = Cover::read(fs::File::open(path).expect("there")).expect("whole");
    let (tree, at) = (cover.root(), Timestamp::from_micros(1_700_000_000_000_000));
    let said = Rebuild {
        capsule: None,
        expected: tree,
        found: tree,
        different: Vec::new(),
        replayed: Vec::new(),
        sandbox: "none".to_owned(),
        started_at: at,
        finished_at: at,
    };
    let subject = Subject { name: "shop".parse().expect("a line"), tree };
    seal(&Statement { subject, predicate: said }, key).expect("signed").to_bytes()
}

#[tokio::test]
async fn what_is_attested_later_is_offered_again_and_taken_over_from_who_counts() {
    let (ada, bob) = (Bench::new().await, Bench::new().await);
    let packed = ada.pack(json!({ "workspace": "shop" })).await;
    let (first, one) = ada.offers().remove(0);
    bob.take(&ada, &one.file);
    bob.offer(one.clone(), tree(&first)).await;
    let keys = json!([ada.signer()[0], key(7).public().to_string()]);
    let pull = async || {
        let input = json!({ "capsule": "shop", "keys": keys });
        bob.node.submit("capsule.pull", input).await.expect("pulled").output
    };
    assert_eq!(pull().await["is_new"], Value::Null);
    let attested = async |signer: u8| {
        let path = ada.file(&json!(ada.rows()[0].file), "attested.caps");
        attest(&path, &rebuilt(&path, &key(signer))).expect("attested");
        let counting = [7, signer].map(|seed| key(seed).public().to_string());
        let mut keys = vec![ada.signer()[0].clone(), json!(counting[0]), json!(counting[1])];
        keys.dedup();
        let input = json!({ "sha256": ada.upload(&path), "keys": keys });
        ada.node.submit("capsule.import", input).await.expect("taken");
        let (entry, offer) = ada.offers().pop().expect("it is offered again");
        assert_eq!((json!(offer.capsule), offer.file), (packed["capsule"].clone(), ada.rows()[0].file));
        assert_eq!((entry.note.kind, entry.note.refs.parents.clone()), (Kind::Verify, vec![first.entry_id]));
        bob.take(&ada, &offer.file);
        bob.offer(offer, tree(&entry)).await;
    };
    let known = |bench: &Bench| -> usize {
        let path = bench.file(&json!(bench.rows()[0].file), "known.caps");
        Cover::read(fs::File::open(path).expect("there")).expect("whole").attestations().len()
    };
    let packed_with = known(&bob);
    attested(7).await;
    assert_eq!(pull().await["file"], json!(bob.rows()[0].file));
    assert_eq!((known(&bob), known(&ada)), (packed_with + 1, packed_with + 1));
    // What nobody says who counts here is left where it is.
    attested(8).await;
    pull().await;
    assert_eq!((known(&bob), known(&ada)), (packed_with + 1, packed_with + 2));
    assert_eq!(bob.told(), ["xyn.capsule.replicated", "xyn.capsule.attested"]);
    // The file before is kept for whoever was offered it, and for nobody else.
    let blobs = ada.node.runtime.store().blobs();
    assert!(blobs.is_pinned(&one.file, TIMELINE).expect("reads"));
    assert!(!blobs.is_pinned(&one.file, "capsule").expect("reads"));
    // Who comes later gets all of it at once.
    let eve = Bench::new().await;
    for (entry, offer) in ada.offers() {
        eve.take(&ada, &offer.file);
        eve.offer(offer, tree(&entry)).await;
    }
    eve.node.submit("capsule.pull", json!({ "capsule": "shop", "keys": keys })).await.expect("pulled");
    assert_eq!(known(&eve), packed_with + 1);
    for bench in [ada, bob, eve] {
        bench.node.stop().await;
        rebuilds_to_the_same(&bench.folder.path().join("data"), actions::builtin());
    }
}
