//! The check of the whole log, beside what others saw of it.

use xyn_store::Digest;
use xyn_store::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::log::{self, Report};
use xyn_store::audit::signature::Signature;
use xyn_store::projection::WitnessRow;
use xyn_store::timeline::first_certificate;
use xyn_store::trust::{Claim, EnvId, Revocation, Standing, Statement};

use super::*;

impl Node {
    /// Keeps what `witness` is said to have seen; answers what the audit says then.
    async fn audit_with(
        &self,
        witness: &NodeKey,
        checkpoint: SignedCheckpoint,
        signature: Signature,
    ) -> Report {
        let mut recording = Recording::default();
        recording.changes().put(&WitnessRow { witness: witness.public(), checkpoint, signature });
        recording.commit(&self.runtime.0).await.expect("is kept");
        log::verify(self.runtime.store(), |_| {}).expect("verifies")
    }

    /// Makes `key` a member's, by the word of `root`.
    async fn seat(&self, root: &NodeKey, key: &NodeKey) {
        let certificate = first_certificate(root, key, Principal::new("ada@lab"), self.runtime.clock().now());
        let timeline = self.runtime.timeline().expect("it runs");
        timeline.state(certificate.expect("signs")).await.expect("is said");
    }
}

#[tokio::test]
async fn the_audit_holds_the_log_against_what_witnesses_saw_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(CHAIN).await;
    let store = node.runtime.store().clone();
    let witness = NodeKey::from_secret([7; 32]);
    node.seat(&NodeKey::found_root(folder.path()).expect("the root key is there"), &witness).await;
    let seen = log::checkpoint(&store, node.runtime.clock().now()).expect("signs");
    let report = node.audit_with(&witness, seen, seen.witness(&witness)).await;
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
        let report = node.audit_with(&witness, checkpoint, signature).await;
        assert!(report.faults.iter().any(|fault| fault.contains(why)), "{why}: {report:?}");
    }
    node.stop().await;
}

#[tokio::test]
async fn the_audit_counts_the_words_of_members_and_former_members_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let root = NodeKey::found_root(folder.path()).expect("the root key is there");
    let [member, former, stranger] = [7, 8, 9].map(|secret| NodeKey::from_secret([secret; 32]));
    for key in [&member, &former] {
        node.seat(&root, key).await;
    }
    let revocation =
        Revocation { node: former.public(), last: Default::default(), reason: "left".to_owned() };
    let (env, issuer) = (EnvId::rooted_in(root.public()), root.public());
    let issued_at = node.runtime.clock().now();
    let gone = Statement { env, issuer, issued_at, claim: Claim::Revocation(revocation) }.sign(&root);
    let timeline = node.runtime.timeline().expect("it runs");
    timeline.state(gone.expect("signs")).await.expect("is said");
    let standing = timeline.roster().member(former.public()).map(|member| member.standing());
    assert_eq!(standing, Some(Standing::Revoked));

    let store = node.runtime.store().clone();
    let seen = log::checkpoint(&store, node.runtime.clock().now()).expect("signs");
    for (witness, words) in [(&member, 1), (&former, 2)] {
        let report = node.audit_with(witness, seen, seen.witness(witness)).await;
        assert!(report.is_sound() && report.witnessed == words, "{report:?}");
    }
    let own = NodeKey::load(folder.path()).expect("it has a key");
    for (witness, faults, why) in
        [(&stranger, 1, "the word of a stranger"), (&own, 2, "the word of the node itself")]
    {
        let report = node.audit_with(witness, seen, seen.witness(witness)).await;
        assert_eq!((report.witnessed, report.fault_count), (2, faults), "{report:?}");
        assert!(report.faults.iter().any(|fault| fault.contains(why)), "{why}: {report:?}");
    }
    node.stop().await;
}
