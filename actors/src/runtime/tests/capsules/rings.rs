//! A key ring in force: who counts as time goes by, and who does not although this node made it.

use xyn_capsules::sign::{Grant, Key, Right, Ring, Role, seal};

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn noon() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("an instant")
}

/// The first ring of the environment of `bench`, which holds for a day.
fn ring(bench: &Bench, root: &SecretKey) -> Ring {
    let env = bench.node.timeline().env().to_string().parse().expect("a line");
    let key = Key::new(root.public(), "the root".parse().expect("a line"));
    Ring::first(env, key, noon(), noon().after(DAY))
}

fn signed(ring: &Ring, by: &SecretKey) -> Value {
    let envelope = seal(ring, by).expect("sound");
    serde_json::from_slice(&envelope.to_bytes()).expect("JSON")
}

impl Bench {
    async fn verified(&self) -> Result<Value, String> {
        let proved = self.node.submit("capsule.verify", json!({ "capsule": "shop" })).await;
        proved.map(|outcome| outcome.output).map_err(|refusal| refusal.to_string())
    }
}

#[tokio::test]
async fn a_ring_that_is_over_lets_nobody_in_until_its_root_signs_the_next() {
    let bench = Bench::with(Clock::manual(noon())).await;
    let (root, path) = (key(7), bench.folder.path().join("x.caps"));
    let first = ring(&bench, &root);
    foreign(&bench.app(), &path, &root, 1, None);
    let sha256 = bench.upload(&path);
    assert_eq!(bench.refused("capsule.import", json!({ "sha256": sha256 })).await.0, "capsule_untrusted");
    let taken = json!({ "ring": signed(&first, &root), "keys": [root.public().to_string()] });
    let taken = bench.node.submit("capsule.trust", taken).await.expect("taken").output;
    assert_eq!((&taken["version"], &taken["env"]), (&json!(1), &json!(first.env)));
    bench.node.submit("capsule.import", json!({ "sha256": sha256 })).await.expect("its publisher signed");
    let proved = bench.verified().await.expect("proved");
    assert_eq!(
        (&proved["right"], &proved["by"]),
        (&json!("publisher"), &json!({ "kind": "ring", "version": 1 }))
    );

    let clock = bench.node.runtime.clock();
    clock.set(noon().after(2 * DAY));
    let over = bench.verified().await.expect_err("it is over");
    assert!(over.contains("version 1 of the key ring") && over.contains("expired at"), "{over}");
    let next = first.next(clock.now(), clock.now().after(DAY));
    let stranger = json!({ "ring": signed(&next, &key(8)) });
    assert_eq!(bench.refused("capsule.trust", stranger).await.0, "ring_refused");
    bench.node.submit("capsule.trust", json!({ "ring": signed(&next, &root) })).await.expect("taken");
    assert_eq!(bench.verified().await.expect("proved")["by"]["version"], 2);
    let again = json!({ "ring": signed(&first, &root), "keys": [root.public().to_string()] });
    let (code, message) = bench.refused("capsule.trust", again).await;
    assert!(code == "ring_refused" && message.contains("the next one after 2 is needed"), "{message}");
    let known = bench.node.runtime.key_ring().expect("reads").expect("there");
    assert_eq!((known.row.version, known.ring), (2, next));
    bench.node.stop().await;
}

#[tokio::test]
async fn what_a_node_packs_is_its_own_and_counts_only_when_the_ring_lets_its_key_publish() {
    let bench = Bench::with(Clock::manual(noon())).await;
    let root = key(7);
    let first = ring(&bench, &root);
    let keys = json!([root.public().to_string()]);
    let taken = json!({ "ring": signed(&first, &root), "keys": keys });
    bench.node.submit("capsule.trust", taken).await.expect("taken");
    let packed = bench.pack(json!({ "workspace": "shop" })).await;
    let unknown = bench.verified().await.expect_err("the node is no publisher");
    assert!(unknown.contains("0 of 1 needed signatures of `publisher` keys"), "{unknown}");
    // Whoever asks may look at it by other keys.
    let own = json!([bench.node.runtime.store().key().public().to_string()]);
    let named = json!({ "capsule": "shop", "keys": own });
    let proved = bench.node.submit("capsule.verify", named).await.expect("proved").output;
    assert_eq!((&proved["capsule"], &proved["by"]), (&packed["capsule"], &json!({ "kind": "keys" })));

    let mut next = first.next(noon(), noon().after(DAY));
    let own = own[0].as_str().expect("a text").parse().expect("a key");
    next.grant(Right::Role(Role::Publisher), Key::new(own, "the node".parse().expect("a line")));
    bench.node.submit("capsule.trust", json!({ "ring": signed(&next, &root) })).await.expect("taken");
    assert_eq!(bench.verified().await.expect("proved")["by"]["version"], 2);
    // A threshold that is met nowhere is never made.
    let mut never = next.next(noon(), noon().after(DAY));
    never.roles.insert(Role::Publisher, Grant { keys: vec![own.id()], threshold: 2 });
    assert!(seal(&never, &root).is_err());
    bench.node.stop().await;
}
