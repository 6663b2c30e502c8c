//! The bill of materials itself: CycloneDX 1.6 as JSON, written, and read again to compare two.
//!
//! Invariant: everything in it is sorted, and follows from what was given.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use xyn_store::Timestamp;

use super::error::SbomError;
use super::hash::Hash;
use super::package::{Lock, Package};
use super::together;

/// What is described: the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The id of the capsule.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<Component<'a>>,
    dependencies: Vec<Edges<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    component: Component<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component<'a> {
    r#type: &'static str,
    #[serde(rename = "bom-ref")]
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    hashes: &'a BTreeSet<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<Reference<'a>>,
}

#[derive(Serialize)]
struct Reference<'a> {
    r#type: &'static str,
    url: &'a str,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    hashes: &'a BTreeSet<Hash>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Edges<'a> {
    r#ref: &'a str,
    depends_on: &'a BTreeSet<String>,
}

static NO_HASHES: BTreeSet<Hash> = BTreeSet::new();

/// The bill of materials of `subject`, made of all `locks`; `at` is told as its time.
pub fn document<'l>(
    subject: Subject<'_>,
    locks: impl IntoIterator<Item = &'l Lock>,
    at: Option<Timestamp>,
) -> Result<Vec<u8>, SbomError> {
    let all = together(locks)?;
    let own = Component {
        r#type: "application",
        id: subject.id,
        group: None,
        name: subject.name,
        version: Some(subject.version),
        hashes: &NO_HASHES,
        purl: None,
        external_references: Vec::new(),
    };
    let edges = |(purl, package): (&'_ String, &'_ Package)| (purl.clone(), package.dependencies.clone());
    let mut dependencies: BTreeMap<String, BTreeSet<String>> = all.packages.iter().map(edges).collect();
    dependencies.insert(subject.id.to_owned(), all.roots.clone());
    let document = Document {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        version: 1,
        metadata: Metadata { timestamp: at.map(|at| at.to_string()), component: own },
        components: all.packages.values().map(component).collect(),
        dependencies: dependencies.iter().map(|(id, needs)| Edges { r#ref: id, depends_on: needs }).collect(),
    };
    Ok(serde_json::to_vec(&document).expect("texts and lists of texts can always be written"))
}

fn component(package: &Package) -> Component<'_> {
    let reference = |(url, hashes)| Reference { r#type: "distribution", url, hashes };
    Component {
        r#type: "library",
        id: &package.purl,
        group: package.group.as_deref(),
        name: &package.name,
        version: package.version.as_deref(),
        hashes: &package.hashes,
        purl: Some(&package.purl),
        external_references: package
            .distributions
            .iter()
            .map(|(url, hashes)| reference((url.as_str(), hashes)))
            .collect(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    bom_format: String,
    #[serde(default)]
    components: Vec<ReadComponent>,
}

#[derive(Deserialize)]
struct ReadComponent {
    purl: Option<String>,
}

/// The packages that a bill of materials names, by their package URL without version, with all versions of each.
pub fn packages(document: &[u8]) -> Result<BTreeMap<String, BTreeSet<String>>, SbomError> {
    let read: Read =
        serde_json::from_slice(document).map_err(|error| SbomError::Document(error.to_string()))?;
    if read.bom_format != "CycloneDX" {
        return Err(SbomError::Document("`bomFormat` is another one".into()));
    }
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for purl in read.components.into_iter().filter_map(|component| component.purl) {
        let (rest, qualifiers) =
            purl.split_once('?').map_or((purl.as_str(), ""), |(rest, _)| (rest, &purl[rest.len()..]));
        let (name, version) = rest.rsplit_once('@').unwrap_or((rest, ""));
        packages.entry(name.to_owned()).or_default().insert(format!("{version}{qualifiers}"));
    }
    Ok(packages)
}

/// What differs in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It came, in these versions.
    Added(BTreeSet<String>),
    /// It went, with these versions.
    Removed(BTreeSet<String>),
    /// It is there in other versions.
    Changed {
        /// Those it had.
        from: BTreeSet<String>,
        /// Those it has.
        to: BTreeSet<String>,
    },
}

/// What differs between two bills of materials, by package.
pub fn diff(from: &[u8], to: &[u8]) -> Result<BTreeMap<String, Difference>, SbomError> {
    let (mut old, new) = (packages(from)?, packages(to)?);
    let mut differences = BTreeMap::new();
    for (name, to) in new {
        match old.remove(&name) {
            None => drop(differences.insert(name, Difference::Added(to))),
            Some(from) if from != to => drop(differences.insert(name, Difference::Changed { from, to })),
            Some(_) => {}
        }
    }
    differences.extend(old.into_iter().map(|(name, from)| (name, Difference::Removed(from))));
    Ok(differences)
}
