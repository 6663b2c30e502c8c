//! Signatures: who vouches for a capsule, and for what is said of it.
//!
//! Owns envelopes (DSSE), keys (Ed25519), statements (in-toto), the key ring of an environment, and which
//! generation may follow which. Works on bytes and instants that it is given: no file, no clock, no chance.
//! Refuses with the reason; nothing here warns. Invariant: what is [`Verified`] was read from the very bytes
//! whose signatures hold, and what is [`Admitted`] was signed by who may.

mod envelope;
mod error;
mod generation;
mod key;
mod payload;
mod predicate;
mod quorum;
mod ring;
mod statement;
#[cfg(test)]
mod tests;
mod trust;

pub use envelope::{ENVELOPE_MAX_BYTES, Envelope, InvalidEnvelope, SIGNATURES_MAX};
pub use error::NotVerified;
pub use generation::{GENERATION_JUMP_MAX, Mark, Refused, Seen, Step, decide};
pub use key::{BadSignature, InvalidKey, KeyId, PublicKey, SIGNATURE_BYTES, SecretKey};
pub use payload::{Payload, seal};
pub use predicate::{
    BuildDefinition, Builder, Check, DiffSummary, Distribution, FileChanges, FirstRun, Metadata,
    PackageChanges, Passed, Predicate, Provenance, RUN_LOG_MAX_BYTES, Rebuild, Replayed, Resource, Rollback,
    RunDetails, Sbom, Simulation,
};
pub use quorum::{Barred, InvalidQuorum, Quorum, Verified};
pub use ring::{
    Admitted, CLOCK_SKEW, Grant, InvalidRing, Key, RING_FORMAT_VERSION, RING_KEYS_MAX, RING_MAX_BYTES,
    Revoked, Right, Ring, Role,
};
pub use statement::{
    InvalidStatement, STATEMENT_MAX_BYTES, Statement, Subject, claimed_predicate_type, claimed_subject,
};
pub use trust::Trust;
