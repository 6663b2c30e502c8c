//! The check of the whole log, beside what others saw of it.

use xyn_store::Digest;
use xyn_store::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::log;
use xyn_store::projection::WitnessRow;

use super::*;

#[tokio::test]
async fn the_audit_holds_the_log_against_what_witnesses_saw_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(CHAIN).await;
    let store = node.runtime.store().clone();
    let witness = NodeKey::from_secret([7; 32]);
    let seen = log::checkpoint(&store, node.runtime.clock().now()).expect("signs");
    let keep = async |checkpoint: SignedCheckpoint, signature| {
        let mut recording = Recording::default();
        recording.changes().put(&WitnessRow { witness: witness.public(), checkpoint, signature });
        recording.commit(&node.runtime.0).await.expect("is kept");
        log::verify(&store, |_| {}).expect("verifies")
    };
    let report = keep(seen, seen.witness(&witness)).await;
    assert!(report.is_sound() && report.witnessed == 1, "{report:?}");

    // Whoever has the node's key can write another log and sign that; what a witness saw before stands against it.
    let other = Checkpoint { root: Digest::of(b"as it was before"), ..seen.checkpoint }.sign(store.key());
    let beyond = Checkpoint { size: u64::MAX, ..seen.checkpoint }.sign(store.key());
    let cases = [
        (other, other.witness(&witness), "the log was changed"),
        (seen, other.witness(&witness), "is not its word"),
        (beyond, beyond.witness(&witness), "is beyond the log"),
    ];
    for (checkpoint, signature, why) in cases {
        let report = keep(checkpoint, signature).await;
        assert!(report.faults.iter().any(|fault| fault.contains(why)), "{why}: {report:?}");
    }
    node.stop().await;
}
