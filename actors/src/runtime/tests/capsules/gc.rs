//! Letting go of capsules: what is needed stays, what is not goes with its bytes, and going back still works.

use xyn_store::blobs::Blobs;

use super::super::intents::APPROVED;
use super::*;

impl Bench {
    /// Packs a capsule of each of `versions`; answers the rows, the oldest in front.
    async fn series(&self, versions: &[&str]) -> Vec<CapsuleRow> {
        for version in versions {
            self.version(version, "");
            self.write("index.html", &format!("<h1>{version}</h1>\n"));
            // No two of them have this in common, and what cannot be pressed takes room.
            let noise: Vec<String> =
                (0..4_000).map(|n| Digest::of(format!("{version} {n}").as_bytes()).to_string()).collect();
            self.write("noise", &noise.join("\n"));
            self.pack(json!({ "workspace": "shop" })).await;
        }
        let mut rows = self.rows();
        rows.reverse();
        rows
    }

    async fn gc(&self, input: Value) -> Value {
        self.node.submit("capsule.gc", input).await.expect("done").output
    }

    async fn deploy(&self, version: &str) -> Result<Outcome, Refusal> {
        let input = json!({ "capsule": format!("shop@{version}"), "stage": "dev", "target": "static" });
        self.node.submit("capsule.deploy", input).await
    }

    fn blobs(&self) -> Blobs {
        self.node.runtime.store().blobs().clone()
    }

    /// Removes whatever nobody names, as if its time had come.
    fn sweep(&self) {
        for _ in 0..2 {
            self.blobs().sweep([], self.node.runtime.clock().now(), Duration::ZERO).expect("swept");
        }
    }

    fn versions(&self) -> Vec<String> {
        self.rows().into_iter().map(|row| row.version).collect()
    }
}

fn of(list: &Value, field: &str) -> Vec<String> {
    let rows = list.as_array().into_iter().flatten();
    let shown = rows.map(|row| format!("{} {}", row["generation"], row[field].as_str().unwrap_or_default()));
    shown.collect()
}

#[tokio::test]
async fn old_capsules_go_with_their_bytes_and_what_serves_served_or_is_pinned_stays() {
    let bench = Bench::new().await;
    let rows = bench.series(&["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0"]).await;
    bench.deploy("1.0.0").await.expect("serves");
    bench.deploy("1.1.0").await.expect("serves");
    let pinned = json!({ "entry_id": rows[2].entry_id, "pinned": true });
    bench.node.submit("timeline.pin", pinned).await.expect("pinned");
    // What is an artifact, too, is one whatever becomes of the capsule.
    let artifact = json!({ "name": "a.caps", "sha256": rows[4].file, "byte_length": rows[4].size_bytes });
    bench.node.submit("artifacts.put", artifact).await.expect("kept");

    let would = bench.gc(json!({ "keep": 1, "dry_run": true })).await;
    assert_eq!((of(&would["removed"], "id").len(), bench.rows().len()), (2, 6), "{would}");
    let done = bench.gc(json!({ "keep": 1, "app": "shop" })).await;
    assert_eq!(of(&done["removed"], "id"), ["5 urn:xyn:app:shop@1.4.0", "4 urn:xyn:app:shop@1.3.0"]);
    assert_eq!(
        of(&done["needed"], "why"),
        ["3 a moment of it is pinned or has a name", "2 it serves", "1 it served before what serves now"]
    );
    assert_eq!(done["size_bytes"], rows[3].size_bytes + rows[4].size_bytes);
    assert_eq!(bench.versions(), ["1.5.0", "1.2.0", "1.1.0", "1.0.0"]);
    assert_eq!(bench.gc(json!({ "keep": 1 })).await["removed"], json!([]), "nothing is left to do");
    bench.sweep();
    let has = |row: &CapsuleRow| bench.blobs().verify(&row.file).is_ok();
    assert_eq!(rows.iter().map(has).collect::<Vec<_>>(), [true, true, true, false, true, true]);

    // Going back, and forth again, works as before.
    for version in ["1.0.0", "1.1.0"] {
        let back = bench.node.submit("capsule.rollback", json!({ "app": "shop", "stage": "dev" })).await;
        assert_eq!(back.expect("serves").output["id"], format!("urn:xyn:app:shop@{version}"));
    }
    let proved = bench.node.submit("capsule.verify", json!({ "capsule": "shop@1.2.0" })).await;
    assert_eq!(proved.expect("whole").output["verified"], true);
    // What was seen highest stays known.
    assert_eq!(bench.series(&["1.6.0"]).await.last().map(|row| row.generation), Some(7));
    assert_eq!(bench.told().iter().filter(|name| *name == "xyn.capsule.removed").count(), 2);
    let Bench { node, folder } = bench;
    node.stop().await;
    rebuilds_to_the_same(&folder.path().join("data"), actions::builtin());
    let node = start(&folder.path().join("data")).await;
    let bench = Bench { node, folder };
    assert_eq!(bench.versions(), ["1.6.0", "1.5.0", "1.2.0", "1.1.0", "1.0.0"]);
    bench.sweep();
    assert_eq!(bench.deploy("1.5.0").await.expect("serves").output["generation"], 6);
    bench.node.stop().await;
}

#[tokio::test]
async fn what_somebody_asked_to_deploy_stays_until_it_is_decided_on() {
    let bench = Bench::new().await;
    bench.series(&["1.0.0", "1.1.0", "1.2.0"]).await;
    bench.node.activate(&APPROVED.replace("runs.start", "capsule.deploy")).await;
    let asked = bench.deploy("1.0.0").await;
    assert!(matches!(asked, Err(Refusal::Parked { .. })), "{asked:?}");
    let done = bench.gc(json!({ "keep": 1 })).await;
    assert_eq!(of(&done["needed"], "why"), ["1 an intent names it that is not done"], "{done}");
    assert_eq!(bench.versions(), ["1.2.0", "1.0.0"]);
    bench.node.stop().await;
}
