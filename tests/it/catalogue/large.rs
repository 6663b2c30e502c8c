//! A large capsule that comes over the mesh, and a power cut on the way.

use super::*;

/// Bytes that may come again: what was being written, and what is said besides the chunks.
const AGAIN_MAX: f64 = (3 << 20) as f64;

#[tokio::test]
async fn a_fetch_goes_on_where_a_kill_stopped_it_and_brings_little_again() {
    let ([ada, mut bob, _eve], _) = team().await;
    let (_app, one) = goods(&ada, &bob, 64).await;
    let size = bytes(&one["size_bytes"]);
    let came_before_kill = killed_while_it_comes(&mut bob, (size / 2.0) as u64) as f64;
    assert!(came_before_kill >= size / 2.0, "{came_before_kill} of {size} bytes came");
    bob.up(None).await;
    ada.note("they meet again").await;
    converge(&[&ada, &bob], &["they meet again"]).await;
    let before = came(&bob).await;
    assert_eq!(pull(&bob, "shop")["capsule"], one["capsule"]);
    let moved = came(&bob).await - before;
    let missing = (size - came_before_kill).max(0.0);
    assert!(moved <= missing + AGAIN_MAX, "{moved} bytes came, and {missing} of {size} were missing");
    assert_eq!(xyn(&bob, &["--json", "capsule", "verify", "shop"]).json()["verified"], true);
}
