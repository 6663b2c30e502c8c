//! Comparing two capsules: files, fields of the manifest, packages, rights and seeds.
//!
//! Owns what is told of a capsule beside its parent, for people and as a signed summary. Verifies nobody: an
//! [`Edition`] is what a capsule says. Invariant: two editions of which nothing is told are one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use xyn_store::Digest;

use crate::container::{Base, CapsuleFile};
use crate::json::shown;
use crate::manifest::Manifest;
use crate::manifest::fields::{self, differences};
use crate::sbom::{self, SbomError};
use crate::sign::{
    DiffSummary, Envelope, FileChanges, NotVerified, PackageChanges, Payload, Predicate, Sbom, Statement,
    claimed_predicate_type,
};
use crate::tree::{Change, Difference, Limits, Overlay, Shelf, TreeError, diff};

/// A capsule, as far as it is compared.
pub struct Edition<'a> {
    /// Holds the directories of its tree.
    pub tree: &'a dyn Shelf,
    /// What it says of itself.
    pub manifest: Cow<'a, Manifest>,
    /// The packages in it, where it says something of them.
    pub packages: Option<Sbom>,
}

/// What differs between two capsules.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Files, in the order of their paths.
    pub files: Vec<Difference>,
    /// Fields of the manifest.
    pub fields: Vec<fields::Difference>,
    /// Packages, by package URL.
    pub packages: BTreeMap<String, sbom::Difference>,
    /// Seeds that came, went or hold something else.
    pub seeds: Vec<Seed>,
}

/// A seed that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Its name.
    pub name: String,
    /// What it held.
    pub before: Option<Digest>,
    /// What it holds.
    pub after: Option<Digest>,
}

/// Why two capsules cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Incomparable {
    /// What one of them says of itself.
    #[error("the manifest: {0}")]
    Manifest(#[from] NotVerified),
    /// A manifest of another tree than the one it came with.
    #[error("the manifest is about the tree `{said}`, and the capsule holds `{held}`; fetch it again")]
    Other {
        /// What the manifest says.
        said: Digest,
        /// What is there.
        held: Digest,
    },
    /// A tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// What one of them says of its packages.
    #[error(transparent)]
    Packages(#[from] SbomError),
}

impl<'a> Edition<'a> {
    /// What the capsule `file` says, whoever signed it.
    pub fn of(file: &'a CapsuleFile) -> Result<Self, Incomparable> {
        let envelope = Envelope::read(file.manifest()).map_err(NotVerified::from)?;
        let manifest = <Manifest as Payload>::read(envelope.unverified())?;
        let (said, held) = (manifest.tree, file.outline().root());
        if said != held {
            return Err(Incomparable::Other { said, held });
        }
        let packages = file.attestations().iter().filter_map(|bytes| {
            let envelope = Envelope::read(bytes).ok()?;
            let is_sbom = claimed_predicate_type(&envelope).is_ok_and(|kind| kind == Sbom::TYPE);
            is_sbom.then(|| Statement::<Sbom>::read(envelope.unverified()).ok()).flatten()
        });
        let packages = packages.map(|statement| statement.predicate).next();
        Ok(Self { tree: file.outline(), manifest: Cow::Owned(manifest), packages })
    }
}

/// What differs between `before` and `after`.
pub fn compare(
    before: &Edition<'_>,
    after: &Edition<'_>,
    limits: Limits,
) -> Result<Comparison, Incomparable> {
    let trees = Overlay { above: before.tree, below: after.tree };
    let files = diff(&trees, &before.manifest.tree, &after.manifest.tree, limits)?;
    let fields = differences(&before.manifest, &after.manifest);
    let [from, to] = [before, after].map(|edition| bill(edition.packages.as_ref()));
    let packages = sbom::diff(&from, &to)?;
    Ok(Comparison { files, fields, packages, seeds: seeds(&before.manifest, &after.manifest) })
}

/// The bytes of a list of packages; of an empty one where there is none.
fn bill(packages: Option<&Sbom>) -> Vec<u8> {
    let bytes = packages.and_then(|packages| serde_json::to_vec(packages).ok());
    bytes.unwrap_or_else(|| br#"{"bomFormat":"CycloneDX"}"#.to_vec())
}

fn seeds(before: &Manifest, after: &Manifest) -> Vec<Seed> {
    let by_name = |manifest: &Manifest| -> BTreeMap<String, Digest> {
        manifest.seeds.iter().map(|seed| (seed.name.to_string(), seed.digest)).collect()
    };
    let (before, after) = (by_name(before), by_name(after));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let seed = |name: &&String| Seed {
        name: (*name).clone(),
        before: before.get(*name).copied(),
        after: after.get(*name).copied(),
    };
    names.iter().map(seed).filter(|seed| seed.before != seed.after).collect()
}

impl Comparison {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.fields.is_empty() && self.packages.is_empty() && self.seeds.is_empty()
    }

    /// What is signed of it, beside the tree `parent`.
    pub fn summary(&self, parent: Digest) -> DiffSummary {
        let mut files = FileChanges::default();
        for difference in &self.files {
            *match difference.change() {
                Change::Added => &mut files.added,
                Change::Removed => &mut files.removed,
                Change::Changed | Change::Mode | Change::Renamed => &mut files.changed,
            } += 1;
        }
        let mut packages = PackageChanges::default();
        let versions = |versions: &BTreeSet<String>| {
            shown(&versions.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        };
        for (name, difference) in &self.packages {
            let name = shown(name);
            match difference {
                sbom::Difference::Added(to) => drop(packages.added.insert(name, versions(to))),
                sbom::Difference::Removed(from) => drop(packages.removed.insert(name, versions(from))),
                sbom::Difference::Changed { from, to } => {
                    packages.changed.insert(name, (versions(from), versions(to)));
                }
            }
        }
        let manifest = self.fields.iter().map(|field| field.place.clone()).collect();
        DiffSummary { parent: Some(parent), files, manifest, packages }
    }
}

#[cfg(test)]
mod tests;
