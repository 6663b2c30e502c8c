//! Files from outside: what is not sound, not signed or not newer is refused, and a delta finds its base.

use super::*;

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
