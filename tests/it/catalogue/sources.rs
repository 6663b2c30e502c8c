//! A capsule that several members have.

use std::process::Stdio;

use super::*;

/// Bytes that may come again: what was asked of who went away.
const AGAIN_MAX: f64 = (32 << 20) as f64;

/// Bytes that went over the mesh so far.
async fn went(mate: &Mate) -> f64 {
    mate.counted("xyn_mesh_bytes_total{direction=\"out\"}").await as f64
}

#[tokio::test]
async fn a_fetch_from_two_members_at_once_is_brought_to_its_end_by_one_when_the_other_is_killed() {
    let ([mut ada, bob, eve], _) = team().await;
    let (_app, one) = goods(&ada, &bob, 96).await;
    pull(&bob, "shop");
    offered(&eve, "urn:xyn:app:shop@1.0.0").await;
    let (size, before) = (bytes(&one["size_bytes"]), [went(&ada).await, went(&bob).await]);
    let came_before = came(&eve).await;

    let mut pulling = eve.folder.program();
    let pulling = pulling.args(["--json", "capsule", "pull", "shop"]).stdout(Stdio::piped());
    let mut pulling = pulling.stderr(Stdio::piped()).spawn().expect("the program starts");
    let served = eventually("both serve a part of it", async || {
        let served = [went(&ada).await - before[0], went(&bob).await - before[1]];
        served.iter().all(|bytes| *bytes > size / 20.0).then_some(served)
    })
    .await;
    let is_over = pulling.try_wait().expect("it is ours").is_some();
    ada.kill();
    assert!(!is_over && served.iter().sum::<f64>() < size, "{served:?} of {size} bytes: killed midway");
    let said = pulling.wait_with_output().expect("it ends");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let pulled: Value = serde_json::from_slice(&said.stdout).expect("JSON");
    assert_eq!((&pulled["capsule"], &pulled["file"]), (&one["capsule"], &one["file"]));
    assert_eq!(xyn(&eve, &["--json", "capsule", "verify", "shop"]).json()["verified"], true);

    let (by_bob, moved) = (went(&bob).await - before[1], came(&eve).await - came_before);
    assert!(by_bob > served[1] && by_bob < size, "{by_bob} of {size} bytes: the rest, and not what Ada gave");
    assert!(moved <= size + AGAIN_MAX, "{moved} bytes came of {size}");
}
