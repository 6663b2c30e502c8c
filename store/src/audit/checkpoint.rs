//! Checkpoints: what a node vouches for, so that it cannot say otherwise later.
//!
//! Owns the signed shape of a tree's size and root. Keeps none and decides nothing about witnesses.
//! Invariant: the signed bytes begin with their domain and version, so that a checkpoint's signature is good
//! for nothing else.

use serde::{Deserialize, Serialize};

use crate::audit::key::NodeKey;
use crate::audit::signature::{InvalidSignature, PublicKey, Signature};
use crate::{Digest, Timestamp};

/// What a signature over a checkpoint begins with. Fields are never changed under one version.
const DOMAIN: &str = "xyn checkpoint v1";
/// What the signature of another node over it begins with.
const WITNESS: &str = "xyn checkpoint witness v1";

/// The state of an audit tree at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The node whose log it is.
    pub node: PublicKey,
    /// Which life of the node: a restored or cloned folder starts another log.
    pub incarnation: u64,
    /// How many envelopes the tree has.
    pub size: u64,
    /// The tree's root.
    pub root: Digest,
    /// When it was made, by the node's clock.
    pub at: Timestamp,
}

/// A checkpoint and the signature of the node it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// By [`Checkpoint::node`].
    pub signature: Signature,
}

impl Checkpoint {
    /// Signs the checkpoint. With a key other than that of [`Checkpoint::node`] the result does not verify.
    pub fn sign(self, key: &NodeKey) -> SignedCheckpoint {
        SignedCheckpoint { checkpoint: self, signature: key.sign(DOMAIN, &self.payload()) }
    }

    /// The one form of the fields that is signed: postcard, in the order they are declared.
    fn payload(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("fixed-size plain data always encodes into a growing buffer")
    }
}

impl SignedCheckpoint {
    /// Checks that the node named in the checkpoint signed it. Says nothing about whether that node is
    /// trusted.
    pub fn verify(&self) -> Result<(), InvalidSignature> {
        self.checkpoint.node.verify(DOMAIN, &self.checkpoint.payload(), &self.signature)
    }

    /// Vouches with another node's key that it saw this checkpoint, and that it continues all it saw before.
    pub fn witness(&self, key: &NodeKey) -> Signature {
        key.sign(WITNESS, &self.checkpoint.payload())
    }

    /// Checks that `witness` vouched for it.
    pub fn verify_witness(&self, witness: PublicKey, signature: &Signature) -> Result<(), InvalidSignature> {
        witness.verify(WITNESS, &self.checkpoint.payload(), signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> NodeKey {
        NodeKey::from_secret([7; 32])
    }

    fn checkpoint(node: PublicKey) -> Checkpoint {
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        Checkpoint { node, incarnation: 3, size: 300, root: Digest::of(b"root"), at }
    }

    #[test]
    fn a_signed_checkpoint_verifies_after_storage_and_export() {
        let key = key();
        let signed = checkpoint(key.public()).sign(&key);
        let bytes = postcard::to_stdvec(&signed).expect("plain data");
        let stored: SignedCheckpoint = postcard::from_bytes(&bytes).expect("own bytes");
        let json = serde_json::to_string(&signed).expect("plain data");
        let exported: SignedCheckpoint = serde_json::from_str(&json).expect("own text");
        assert_eq!((stored, exported), (signed, signed));
        assert_eq!(exported.verify(), Ok(()));
    }

    #[test]
    fn any_change_to_a_checkpoint_breaks_its_signature() {
        let key = key();
        let signed = checkpoint(key.public()).sign(&key);
        let changes: [fn(&mut Checkpoint); 5] = [
            |it| it.node = PublicKey::from_bytes([1; 32]),
            |it| it.incarnation += 1,
            |it| it.size -= 1,
            |it| it.root = Digest::of(b"another"),
            |it| it.at = it.at.after(std::time::Duration::from_micros(1)),
        ];
        for change in changes {
            let mut forged = signed;
            change(&mut forged.checkpoint);
            assert_eq!(forged.verify(), Err(InvalidSignature(forged.checkpoint.node)));
        }
        for byte in 0..64 {
            let mut bytes = *signed.signature.as_bytes();
            bytes[byte] ^= 1;
            let forged = SignedCheckpoint { signature: Signature::from_bytes(bytes), ..signed };
            assert!(forged.verify().is_err(), "byte {byte}");
        }
    }

    #[test]
    fn a_checkpoint_signed_by_another_node_or_for_another_purpose_is_refused() {
        let key = key();
        let other = checkpoint(PublicKey::from_bytes([9; 32]));
        assert!(other.sign(&key).verify().is_err());
        let own = checkpoint(key.public());
        let elsewhere = key.sign("xyn something else v1", &own.payload());
        assert!(SignedCheckpoint { checkpoint: own, signature: elsewhere }.verify().is_err());
    }

    #[test]
    fn a_witness_signs_as_a_witness_and_its_word_is_for_one_checkpoint() {
        let (key, other) = (key(), NodeKey::from_secret([8; 32]));
        let signed = checkpoint(key.public()).sign(&key);
        let word = signed.witness(&other);
        assert_eq!(signed.verify_witness(other.public(), &word), Ok(()));
        assert!(signed.verify_witness(key.public(), &word).is_err());
        assert!(signed.verify_witness(key.public(), &signed.signature).is_err(), "an owner is no witness");
        let longer = Checkpoint { size: 301, ..signed.checkpoint }.sign(&key);
        assert!(longer.verify_witness(other.public(), &word).is_err());
    }

    #[test]
    fn the_bytes_of_version_1_stay_what_they_are() {
        let key = key();
        let signed = checkpoint(key.public()).sign(&key);
        let bytes = postcard::to_stdvec(&signed).expect("plain data");
        let golden = concat!(
            "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
            "03ac02",
            "4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2",
            "8080f28183898506",
            "869fc535abffc280fc48d0aaf260ccde14c5037e386ad2af99ff2693a19f0bae",
            "2b1b62dc396a25fc59b6f3f482faac836b4d54e2a2d9e244160d8f474025a004",
        );
        assert_eq!(crate::audit::hex::encode(&bytes), golden);
    }
}
