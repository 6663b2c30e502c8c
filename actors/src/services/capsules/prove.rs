//! Proving a capsule: who signed it, and every byte of it.
//!
//! Owns nothing but the order: the manifest is let in by who may publish, then all that is said of it, then the
//! bytes. Blocks. Invariant: a [`Proved`] was read to its end.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use xyn_capsules::container::{Base, BlobSource, Cover, Verified, import};
use xyn_capsules::manifest::Manifest;
use xyn_capsules::proof::{Claim, Trusted};
use xyn_capsules::sign::{Admitted, Envelope, NotVerified, Quorum, Ring, Trust};
use xyn_capsules::tree::Limits;
use xyn_store::audit::signature::PublicKey;
use xyn_store::blobs::Blobs;
use xyn_store::{Digest, Timestamp};

use super::refusal;
use super::trust::Counting;
use crate::runtime::Refusal;

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// A capsule that was proved.
pub(crate) struct Proved {
    pub(super) admitted: Admitted<Manifest>,
    /// Whose signatures were counted.
    pub(super) signers: Vec<PublicKey>,
    /// Who had to sign.
    pub(super) quorum: Quorum,
    pub(crate) verified: Verified,
    /// What is said of it.
    pub(super) claims: Vec<Claim>,
    /// The envelope of its manifest, and those of its attestations.
    pub(super) envelopes: (Vec<u8>, Vec<Vec<u8>>),
}

/// Where the bytes of a capsule are.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// A file.
    File(&'a Path),
    /// A blob.
    Blob(&'a Blobs, &'a Digest),
}

impl Place<'_> {
    fn open(&self) -> Result<Box<dyn Read>, Refusal> {
        Ok(match self {
            Self::File(path) => {
                let file = File::open(path);
                let file =
                    file.map_err(|error| Refusal::Unavailable(format!("a capsule is gone: {error}")))?;
                Box::new(BufReader::with_capacity(READ_BYTES, file))
            }
            Self::Blob(blobs, digest) => {
                Box::new(BlobSource::from(blobs.content(digest).map_err(refusal::blob)?))
            }
        })
    }

    /// The tree that the capsule there needs as base. Nothing of it was proved.
    pub(super) fn base(&self) -> Result<Option<Digest>, Refusal> {
        Ok(self.cover()?.base())
    }

    /// What is said of the capsule there. Nothing of it was proved.
    pub(crate) fn cover(&self) -> Result<Cover<Box<dyn Read>>, Refusal> {
        Cover::read(self.open()?).map_err(refusal::file)
    }
}

/// What is to be done with the content of a capsule besides proving it.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// Nothing.
    Leave,
    /// It is taken into the chunk store. Nobody keeps it: it is swept in time.
    Take(&'a Blobs),
}

/// Proves the capsule at `place`, which may need `base`, by who is `counting` at `now`.
pub(crate) fn prove(
    place: Place<'_>,
    base: Option<&dyn Base>,
    content: Content<'_>,
    counting: &Counting,
    now: Timestamp,
) -> Result<Proved, Refusal> {
    let (cover, ring) = (place.cover()?, &counting.ring);
    let envelopes = (cover.manifest().to_vec(), cover.attestations().to_vec());
    let admitted = admit(&cover, ring, now).map_err(|error| counting.refused(error))?;
    let trusted = Trusted::read(place.open()?, Trust::Ring(ring, now)).map_err(refusal::not_trusted)?;
    let held = trusted.signers().iter().filter_map(|id| ring.keys.get(id));
    let signers = held.map(|key| PublicKey::from_bytes(*key.key.as_bytes())).collect();
    let (quorum, claims) = (trusted.quorum().clone(), trusted.claims().to_vec());
    let capsule = trusted.open(base, Limits::default()).map_err(refusal::file)?;
    let verified = match content {
        Content::Leave => capsule.verify(),
        Content::Take(blobs) => import(capsule, blobs).map(|imported| imported.verified),
    };
    Ok(Proved { admitted, signers, quorum, verified: verified.map_err(refusal::file)?, claims, envelopes })
}

/// Lets the manifest of a capsule in, by who counts in `ring` at `now`. Nothing of its content was proved.
pub(crate) fn admit<R: Read>(
    cover: &Cover<R>,
    ring: &Ring,
    now: Timestamp,
) -> Result<Admitted<Manifest>, NotVerified> {
    ring.manifest(&Envelope::read(cover.manifest())?, now)
}

impl Proved {
    /// What it says of itself.
    pub(super) fn manifest(&self) -> &Manifest {
        self.admitted.value()
    }

    /// Signatures and what is said of it that do not count, and why.
    pub(crate) fn ignored(&self) -> Vec<String> {
        let signatures = self.admitted.verified().passed_over().into_iter();
        signatures.chain(self.claims.iter().filter_map(Claim::passed_over)).collect()
    }

    /// Its name.
    pub(super) fn capsule(&self) -> Digest {
        self.admitted.verified().digest()
    }
}
