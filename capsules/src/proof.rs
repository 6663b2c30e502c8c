//! Proving a capsule: who vouches for it, before anything in it is looked into.
//!
//! Owns the order of the checks: the manifest's signatures, then that it is about this content, then that
//! what it was packed with is there and says nothing about other content; only then is the tree read.
//! What somebody said who does not count is passed over and told: whoever hands a capsule on could add it, and
//! who counts changes with the key ring. So are signatures that do not hold beside those that do. What somebody said who
//! counts is about this content, or the capsule is refused.
//! Everything is offline. Invariant: a [`Trusted`] capsule is the one that its signers signed.

use std::collections::BTreeSet;
use std::io::{BufRead, Read};

use xyn_store::Digest;

use crate::age::{Identity, NotOpened, Opened, Recipient};
use crate::container::{Base, Capsule, ContainerError, Cover};
use crate::json::shown;
use crate::manifest::{Line, Manifest};
use crate::sign::{
    DiffSummary, Envelope, FirstRun, InvalidEnvelope, InvalidStatement, KeyId, NotVerified, Payload,
    Predicate, Provenance, Quorum, Rebuild, Rollback, Sbom, Simulation, Statement, Trust, Verified,
    claimed_predicate_type,
};
use crate::tree::Limits;

/// A capsule whose signers are those who were asked for. Its tree was not read yet.
pub struct Trusted<R> {
    manifest: Verified<Manifest>,
    quorum: Quorum,
    claims: Vec<Claim>,
    cover: Cover<R>,
}

/// Something that is said of a capsule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which attestation it is, from 1.
    pub number: usize,
    /// The type of what is said.
    pub kind: String,
    /// Who says it, and counts.
    pub signers: BTreeSet<KeyId>,
    /// Whether the capsule was packed with it: then its packer vouches for it.
    pub is_packed: bool,
    /// What it comes to, in words, where somebody who counts says it and the kind does not say enough.
    pub summary: Option<String>,
    /// Why nobody vouches for it. Then it proves nothing, and stands in the way of nothing.
    pub ignored: Option<Ignored>,
}

/// Why what is said does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// Nobody says it who may.
    #[error("{0}")]
    Signers(NotVerified),
    /// It is of a kind of which nothing is known here, whoever says it.
    #[error("this kind is not known here")]
    Kind,
}

/// Why a capsule is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTrusted {
    /// The file is none, or was changed.
    #[error(transparent)]
    File(#[from] ContainerError),
    /// It is encrypted, and does not open.
    #[error(transparent)]
    NotOpened(#[from] NotOpened),
    /// It was sealed for somebody whom its signers did not mean.
    #[error(
        "the capsule was encrypted to {0}, and those who signed it name others; somebody who may read it passed it on"
    )]
    NotMeant(Recipient),
    /// The manifest is not signed by who was asked for.
    #[error("the manifest: {0}")]
    Manifest(NotVerified),
    /// The manifest is that of another tree.
    #[error("the manifest is about the tree `{said}`, and the capsule holds `{held}`; fetch it again")]
    Tree {
        /// What the manifest says.
        said: Digest,
        /// What is in the file.
        held: Digest,
    },
    /// What is said of the capsule is not sound, or is about another one.
    #[error("attestation {number}: {source}")]
    Attestation {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        source: NotVerified,
    },
    /// It was packed with something that is not there.
    #[error("the attestation `{kind}` ({digest}) that it was packed with is missing or was swapped")]
    Missing {
        /// What it is.
        kind: Line,
        /// Of its envelope.
        digest: Digest,
    },
}

impl<R: BufRead> Trusted<Opened<R>> {
    /// Reads the cover of a capsule that may be encrypted, with one of `identities`. Its signers must have
    /// named whom it was encrypted to: otherwise whoever may read a capsule could pass it on in their name.
    pub fn open_as<'a>(
        source: R,
        identities: &[Identity],
        trust: impl Into<Trust<'a>>,
    ) -> Result<Self, NotTrusted> {
        let source = Opened::new(source, identities)?;
        let by = source.by();
        let trusted = Self::read(source, trust)?;
        match by.filter(|by| !trusted.manifest().recipients.contains(by)) {
            Some(by) => Err(NotTrusted::NotMeant(by)),
            None => Ok(trusted),
        }
    }
}

impl<R: Read> Trusted<R> {
    /// Reads the cover of a capsule, which must be signed by those whom `trust` names.
    pub fn read<'a>(source: R, trust: impl Into<Trust<'a>>) -> Result<Self, NotTrusted> {
        let (cover, trust) = (Cover::read(source)?, trust.into());
        let envelope = Envelope::read(cover.manifest()).map_err(NotVerified::from);
        let opened = envelope.and_then(|envelope| trust.manifest(&envelope));
        let (manifest, quorum) = opened.map_err(NotTrusted::Manifest)?;
        let (said, held) = (manifest.value().tree, cover.root());
        if said != held {
            return Err(NotTrusted::Tree { said, held });
        }
        let claims = claims(&cover, manifest.value(), trust)?;
        Ok(Self { manifest, quorum, claims, cover })
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        self.manifest.value()
    }

    /// Of the bytes of its manifest: the name of the capsule.
    pub fn digest(&self) -> Digest {
        self.manifest.digest()
    }

    /// Who signed it and counts.
    pub fn signers(&self) -> &BTreeSet<KeyId> {
        self.manifest.signers()
    }

    /// Signatures of its manifest that do not count, and why, for people.
    pub fn passed_over(&self) -> Vec<String> {
        self.manifest.passed_over()
    }

    /// Who had to sign it.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// What is said of it.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// What its packer said of this kind when it was packed. The manifest names it, so who signed that
    /// vouches for it.
    pub fn packed<P: Predicate>(&self) -> Option<P> {
        packed(self.manifest(), self.cover.attestations())
    }

    /// Looks into its tree, which may need that of `base`.
    pub fn open(self, base: Option<&dyn Base>, limits: Limits) -> Result<Capsule<'_, R>, ContainerError> {
        self.cover.open(base, limits)
    }
}

/// What `attestations` say of this kind with which the capsule of `manifest` was packed.
pub fn packed<P: Predicate>(manifest: &Manifest, attestations: &[Vec<u8>]) -> Option<P> {
    let packed = &manifest.attestations;
    let is_packed = |bytes: &&Vec<u8>| packed.iter().any(|packed| packed.sha256 == Digest::of(bytes));
    attestations.iter().filter(is_packed).find_map(|bytes| {
        let statement = Statement::<P>::read(Envelope::read(bytes).ok()?.unverified()).ok()?;
        (statement.subject.tree == manifest.tree).then_some(statement.predicate)
    })
}

fn claims<R: Read>(
    cover: &Cover<R>,
    manifest: &Manifest,
    trust: Trust<'_>,
) -> Result<Vec<Claim>, NotTrusted> {
    let digests: BTreeSet<Digest> = cover.attestations().iter().map(|bytes| Digest::of(bytes)).collect();
    if let Some(missing) = manifest.lacks(&digests).next() {
        return Err(NotTrusted::Missing { kind: missing.kind.clone(), digest: missing.sha256 });
    }
    let packed: BTreeSet<Digest> = manifest.attestations.iter().map(|packed| packed.sha256).collect();
    let claim = |(index, bytes): (usize, &Vec<u8>)| {
        let number = index + 1;
        let unsound = |source| NotTrusted::Attestation { number, source };
        let envelope = Envelope::read(bytes).map_err(|error: InvalidEnvelope| unsound(error.into()))?;
        let kind =
            claimed_predicate_type(&envelope).map_err(|error: InvalidStatement| unsound(error.into()))?;
        let is_packed = packed.contains(&Digest::of(bytes));
        let nobody = (BTreeSet::new(), None);
        let ((signers, summary), ignored) = match said(&envelope, &kind, trust, &manifest.tree) {
            Ok(said) => (said, None),
            // Who signed the manifest vouches for it.
            Err(Unproved::Ignored(_)) if is_packed => (nobody, None),
            Err(Unproved::Ignored(why)) => (nobody, Some(why)),
            Err(Unproved::Unsound(source)) => return Err(unsound(source)),
        };
        Ok(Claim { number, kind, signers, is_packed, summary, ignored })
    };
    cover.attestations().iter().enumerate().map(claim).collect()
}

/// Whether what the envelope `bytes` says is about the content `tree`, and is said by somebody who counts.
pub fn counts<'a>(bytes: &[u8], tree: &Digest, trust: impl Into<Trust<'a>>) -> bool {
    let Ok(envelope) = Envelope::read(bytes) else { return false };
    claimed_predicate_type(&envelope).is_ok_and(|kind| said(&envelope, &kind, trust.into(), tree).is_ok())
}

/// Why nobody is known to say a statement.
enum Unproved {
    /// Nobody who counts says it.
    Ignored(Ignored),
    /// Somebody who counts says what cannot be, or says it of something else.
    Unsound(NotVerified),
}

/// Who signed a statement and counts, and what it comes to.
type Said = (BTreeSet<KeyId>, Option<String>);

/// Who says the statement in `envelope` about `tree`. Nobody counts for a kind that is not known here.
fn said(envelope: &Envelope, kind: &str, trust: Trust<'_>, tree: &Digest) -> Result<Said, Unproved> {
    fn of<P: Predicate>(envelope: &Envelope, trust: Trust<'_>, tree: &Digest) -> Result<Said, NotVerified> {
        let verified = trust.statement::<P>(envelope, tree)?;
        Ok((verified.signers().clone(), verified.value().predicate.summary()))
    }
    let open = match kind {
        Provenance::TYPE => of::<Provenance>,
        Sbom::TYPE => of::<Sbom>,
        DiffSummary::TYPE => of::<DiffSummary>,
        Rebuild::TYPE => of::<Rebuild>,
        Simulation::TYPE => of::<Simulation>,
        Rollback::TYPE => of::<Rollback>,
        FirstRun::TYPE => of::<FirstRun>,
        _ => return Err(Unproved::Ignored(Ignored::Kind)),
    };
    open(envelope, trust, tree).map_err(|error| match error {
        NotVerified::Threshold { .. } | NotVerified::Signature { .. } | NotVerified::Unsigned => {
            Unproved::Ignored(Ignored::Signers(error))
        }
        error => Unproved::Unsound(error),
    })
}

impl Claim {
    /// That it does not count, and why, for people; nothing where it counts.
    pub fn passed_over(&self) -> Option<String> {
        let Self { number, kind, ignored, .. } = self;
        ignored.as_ref().map(|why| format!("attestation {number} (`{}`) does not count: {why}", shown(kind)))
    }
}

/// Whether what the envelope `bytes` says is refused, whoever brings it: it is no statement, or somebody who counts says it
/// of other content than `tree`.
pub fn contradicts<'a>(bytes: &[u8], tree: &Digest, trust: impl Into<Trust<'a>>) -> bool {
    let Ok(envelope) = Envelope::read(bytes) else { return true };
    let Ok(kind) = claimed_predicate_type(&envelope) else { return true };
    matches!(said(&envelope, &kind, trust.into(), tree), Err(Unproved::Unsound(_)))
}

#[cfg(test)]
mod tests;
