//! A large capsule that comes over the mesh, and a power cut on the way.

use super::*;

/// Bytes that may come again: what was being written, and what is said besides the chunks.
const AGAIN_MAX: f64 = (3 << 20) as f64;

#[tokio::test]
async fn a_fetch_goes_on_where_a_kill_stopped_it_and_brings_little_again() {
    let ([ada, mut bob, _eve], _) = team().await;
    let app = App::of(&ada);
    app.version("1.0.0");
    for number in 0..64 {
        app.write(&format!("goods {number}"), lines(number, 1 << 20));
    }
    let one = pack(&ada, &["--workspace", "shop"]);
    offered(&bob, "urn:xyn:app:shop@1.0.0").await;
    let packs = bob.folder.data().join("blobs");
    let kept = || -> f64 {
        let entries = fs::read_dir(&packs).expect("a folder").flatten();
        entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len() as f64).sum()
    };
    let (before, size) = (kept(), bytes(&one["size_bytes"]));
    let came_before_kill = thread::scope(|scope| {
        let waiting = scope.spawn(|| xyn(&bob, &["capsule", "pull", "shop"]));
        while kept() - before < size / 2.0 && !waiting.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        bob.node().kill_9();
        waiting.join().expect("it does not panic");
        kept() - before
    });
    assert!(came_before_kill >= size / 2.0, "{came_before_kill} of {size} bytes came");
    bob.node = None;
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
