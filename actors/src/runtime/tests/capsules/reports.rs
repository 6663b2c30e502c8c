//! What people say that they did with a capsule.

use super::*;

#[tokio::test]
async fn what_was_done_with_a_capsule_is_told_to_the_team_and_of_one_that_is_not_here_nothing() {
    let bench = Bench::new().await;
    let one = bench.pack(json!({ "workspace": "shop" })).await;
    let build = Digest::of(b"build");
    for said in [
        json!({ "capsule": "shop", "did": "eaten", "matches": true }),
        json!({ "capsule": "shop", "did": "rebuilt", "matches": true }),
        json!({ "capsule": "shop", "did": "replayed", "form": "zip", "matches": true }),
        json!({ "capsule": "shop", "did": "exported" }),
        json!({ "capsule": "shop", "did": "exported", "form": "rar" }),
    ] {
        assert_eq!(bench.refused("capsule.report", said.clone()).await.0, "invalid_input", "{said}");
    }
    let elsewhere = json!({ "capsule": "other", "did": "replayed", "matches": true });
    assert_eq!(bench.refused("capsule.report", elsewhere).await.0, "not_found");
    assert_eq!(bench.told(), ["xyn.capsule.pack.completed"]);

    let (shop, id) = (one["capsule"].clone(), "urn:xyn:app:shop@1.0.0");
    let reports = [
        (
            json!({ "did": "rebuilt", "matches": true, "build": build }),
            Kind::Verify,
            "built again, bit for bit",
        ),
        (
            json!({ "did": "rebuilt", "matches": false, "build": build }),
            Kind::Reject,
            "built again, and it came to something else",
        ),
        (json!({ "did": "replayed", "matches": true }), Kind::Replay, "replayed, and it answers as it did"),
        (
            json!({ "did": "replayed", "matches": false }),
            Kind::Reject,
            "replayed, and it answers something else",
        ),
        (json!({ "did": "exported", "form": "oci" }), Kind::Export, "exported as oci"),
    ];
    for (mut said, kind, phrase) in reports {
        said["capsule"] = json!("shop@1.0.0");
        let output = bench.node.submit("capsule.report", said).await.expect("told").output;
        assert_eq!(output, json!({ "capsule": shop, "id": id }));
        let title = format!("{id}: {phrase}");
        let is_told = |it: &Entry| {
            (it.note.kind, &it.note.title) == (kind, &title) && json!(it.note.refs.capsule) == shop
        };
        bench.node.until_moments(|moments: &[Entry]| moments.iter().any(is_told)).await;
    }
    let rebuilt = ["xyn.capsule.rebuild.completed", "xyn.capsule.rebuild.failed"];
    let names =
        [rebuilt[0], rebuilt[1], "xyn.capsule.replayed", "xyn.capsule.replayed", "xyn.capsule.exported"];
    assert_eq!(bench.told()[1..], names);
    bench.node.stop().await;
    rebuilds_to_the_same(&bench.folder.path().join("data"), actions::builtin());
}
