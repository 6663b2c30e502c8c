//! Packages and the locks that name them.
//!
//! Invariant: a package is known by its package URL, and stands once in a lock.

use std::collections::{BTreeMap, BTreeSet};

use super::Packages;
use super::hash::Hash;
use super::purl::{Ecosystem, purl};

/// A package as a lock file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its package URL.
    pub purl: String,
    /// The scope of a name that has one: `@scope`.
    pub group: Option<String>,
    /// Its name.
    pub name: String,
    /// Its version, when it is fixed.
    pub version: Option<String>,
    /// Digests of what is downloaded.
    pub hashes: BTreeSet<Hash>,
    /// What can be downloaded, where there is more than one: by URL or file name.
    pub distributions: BTreeMap<String, Distribution>,
    /// Package URLs of what it needs.
    pub dependencies: BTreeSet<String>,
}

/// Digests of one file that can be downloaded.
pub type Distribution = BTreeSet<Hash>;

impl Package {
    pub(super) fn new(
        ecosystem: Ecosystem,
        name: &str,
        version: Option<&str>,
        qualifiers: &[(&str, &str)],
    ) -> Self {
        let scoped =
            (ecosystem == Ecosystem::Npm && name.starts_with('@')).then(|| name.split_once('/')).flatten();
        let (group, short) = scoped.map_or((None, name), |(scope, name)| (Some(scope.to_owned()), name));
        Self {
            purl: purl(ecosystem, name, version, qualifiers),
            group,
            name: short.to_owned(),
            version: version.map(str::to_owned),
            hashes: BTreeSet::new(),
            distributions: BTreeMap::new(),
            dependencies: BTreeSet::new(),
        }
    }
}

/// What a lock file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// Its packages.
    pub packages: Packages,
    /// Package URLs of what the application itself needs, where the lock says so.
    pub roots: BTreeSet<String>,
}

impl Lock {
    /// Adds a package, or what it says to the one that is known already.
    pub(super) fn add(&mut self, package: Package) {
        match self.packages.entry(package.purl.clone()) {
            std::collections::btree_map::Entry::Vacant(vacant) => drop(vacant.insert(package)),
            std::collections::btree_map::Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.hashes.extend(package.hashes);
                known.dependencies.extend(package.dependencies);
                for (url, hashes) in package.distributions {
                    known.distributions.entry(url).or_default().extend(hashes);
                }
            }
        }
    }
}
