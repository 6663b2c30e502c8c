//! Deployments that want something which is not there, or is somebody else's for a while.

use super::*;
use crate::services::deploy::hold_app;

#[tokio::test]
async fn a_node_that_cannot_start_itself_again_says_why_it_builds_nothing() {
    let bench = Bench::new().await;
    bench.version("1.0.0", r#", "build": {"steps": ["true"], "outDir": "."}"#);
    bench.pack(json!({ "workspace": "shop" })).await;
    let deploy = json!({ "capsule": "shop", "stage": "dev" });
    let (code, message) = bench.refused("capsule.deploy", deploy).await;
    assert!(code == "no_sandbox" && message.contains("it was started without a way into one"), "{message}");
    bench.node.stop().await;
}

#[tokio::test]
async fn while_a_first_run_waits_to_be_told_of_its_app_can_be_deployed_and_a_stop_waits_for_it() {
    let bench = Bench::new().await;
    bench.pack(json!({ "workspace": "shop" })).await;
    let inner = bench.node.runtime.0.clone();
    let turn = inner.capsules.take().await;
    let (runtime, told) = (bench.node.runtime.clone(), "xyn.capsule.first_run.attested");
    let deploy = bench.node.intent("capsule.deploy", json!({ "capsule": "shop", "stage": "dev" }));
    let deploying = tokio::spawn(async move { runtime.submit(deploy).await });
    bench.node.until_moments(|all| all.iter().any(|it| it.note.kind == Kind::Deploy)).await;
    let held = async {
        while hold_app(&inner, "shop").is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), held).await.expect("the place is free again");
    assert!(!bench.told().iter().any(|name| name == told));
    let Bench { node: Node { runtime, background }, folder } = bench;
    let mut stopping = Box::pin(runtime.stop(background));
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut stopping).await.is_err(), "it waits");
    drop(turn);
    stopping.await;
    deploying.await.expect("it ends").expect("deployed");
    // Whoever holds the Runtime may write: the store is closed when nobody does.
    let store = runtime.store().clone();
    drop((inner, runtime));
    store.close();
    drop(store);
    let node = start(&folder.path().join("data")).await;
    let bench = Bench { node, folder };
    assert!(bench.told().iter().any(|name| name == told), "{:?}", bench.told());
    bench.node.stop().await;
}
