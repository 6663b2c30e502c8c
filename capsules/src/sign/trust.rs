//! Whose word counts: keys that somebody named, or whoever a key ring says.
//!
//! Invariant: either way, what comes out was signed by enough of those who may.

use xyn_store::{Digest, Timestamp};

use super::envelope::Envelope;
use super::error::NotVerified;
use super::predicate::Predicate;
use super::quorum::{Quorum, Verified};
use super::ring::Ring;
use super::statement::Statement;
use crate::manifest::Manifest;

/// Whose word counts.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// That of these keys, for everything.
    Keys(&'a Quorum),
    /// That of those who have the role for it in this ring, at this instant.
    Ring(&'a Ring, Timestamp),
}

impl<'a> From<&'a Quorum> for Trust<'a> {
    fn from(quorum: &'a Quorum) -> Self {
        Self::Keys(quorum)
    }
}

impl Trust<'_> {
    /// Opens a manifest; answers who had to sign it, too.
    pub fn manifest(&self, envelope: &Envelope) -> Result<(Verified<Manifest>, Quorum), NotVerified> {
        match *self {
            Self::Keys(quorum) => Ok((quorum.manifest(envelope)?, quorum.clone())),
            Self::Ring(ring, now) => {
                let verified = ring.manifest(envelope, now)?.into_verified();
                let quorum = ring.publishers(&verified.value().id.app, now)?;
                Ok((verified, quorum))
            }
        }
    }

    /// Opens a statement about the content `tree`.
    pub fn statement<P: Predicate>(
        &self,
        envelope: &Envelope,
        tree: &Digest,
    ) -> Result<Verified<Statement<P>>, NotVerified> {
        match self {
            Self::Keys(quorum) => quorum.statement(envelope, tree),
            Self::Ring(ring, now) => Ok(ring.statement(envelope, tree, *now)?.into_verified()),
        }
    }
}
