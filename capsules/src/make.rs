//! Making a capsule: what was packed, what its author says of it, and the signature that binds both.
//!
//! Owns what is found out while packing and how it gets into the manifest, with a statement of where the
//! capsule comes from. Invariant: equal content, author's words, key and instant make equal bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use xyn_store::ids::EntryId;
use xyn_store::{Digest, Timestamp};

use crate::checks::Checked;
use crate::compare::{Edition, Incomparable, compare};
use crate::container::{ContainerError, Draft, Sealed};
use crate::manifest::{Attestation, Authored, Extra, Facts, Line, Manifest, Unfilled, fill};
use crate::sbom::{self, Lock, SbomError};
use crate::secrets::redact_env;
use crate::sign::{
    BuildDefinition, Builder, Metadata, NotVerified, Predicate, Provenance, Resource, RunDetails, Sbom,
    SecretKey, Statement, Subject, seal,
};
use crate::tree::{Entry, Limits, RelPath};

/// What the parameters of a [`Provenance`] of ours mean.
const BUILD_TYPE: &str = "urn:xyn:build:pack:v1";
/// Lock files that are named as inputs.
const INPUTS_MAX: usize = 1_000;

/// Who makes a capsule, and when.
#[derive(Clone, Copy)]
pub struct Maker<'a> {
    /// What signs it.
    pub key: &'a SecretKey,
    /// A name for people, where the author says none.
    pub name: &'a Line,
    /// The generation, where the author says none.
    pub generation: u64,
    /// The instant, where the author says none.
    pub now: Timestamp,
    /// The version of the program.
    pub version: &'a str,
    /// The files that a build of it came to, when one was done.
    pub built: &'a [Resource],
    /// That its own checks did not veto, where they were run.
    pub checked: Option<&'a Checked>,
    /// What it comes after: what it changes of that is told with it.
    pub parent: Option<&'a Edition<'a>>,
    /// Why it is made, and of what.
    pub why: &'a Why,
}

/// Why a capsule is made, as its provenance tells it.
#[derive(Clone, Debug, Default)]
pub struct Why {
    /// In words: what somebody said, or the title of the moment.
    pub text: Option<String>,
    /// The moment of a timeline whose files it holds.
    pub moment: Option<EntryId>,
}

/// A capsule that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Of the bytes of its manifest: the name of the capsule.
    pub digest: Digest,
    /// The file.
    pub sealed: Sealed,
}

/// Why there is no capsule.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// What the author says does not fit, or does not fit what was packed.
    #[error(transparent)]
    Author(#[from] Unfilled),
    /// Its packages cannot be listed.
    #[error(transparent)]
    Packages(#[from] SbomError),
    /// What it changes of its parent cannot be told.
    #[error("the parent: {0}")]
    Parent(#[from] Incomparable),
    /// What it comes to cannot be signed.
    #[error(transparent)]
    Signature(#[from] NotVerified),
    /// The file was not written.
    #[error(transparent)]
    File(#[from] ContainerError),
}

/// Signs what was packed, with the packages that `locks` name, and writes the file. Values of variables that are
/// secret are left out: whoever installs it gives them.
pub fn make(
    draft: Draft,
    mut authored: Authored,
    locks: &[Lock],
    maker: &Maker<'_>,
) -> Result<Made, NotMade> {
    redact(&mut authored);
    let facts = Facts {
        tree: draft.root(),
        seeds: seeds(&draft, &authored),
        generation: maker.generation,
        created_at: maker.now,
        packer: maker.name.clone(),
        key_id: maker.key.public().id(),
        attestations: Vec::new(),
    };
    let mut manifest = fill(authored, facts)?;
    let provenance = provenance(&manifest, inputs(&draft), maker);
    let mut attestations = vec![attest(&manifest, provenance, maker.key)?];
    let packages = (!locks.is_empty()).then(|| packages(&manifest, locks)).transpose()?;
    if let Some(packages) = &packages {
        attestations.push(attest(&manifest, packages.clone(), maker.key)?);
    }
    if let Some(parent) = maker.parent {
        let made = Edition { tree: draft.outline(), manifest: Cow::Borrowed(&manifest), packages };
        let summary = compare(parent, &made, Limits::default())?.summary(parent.manifest.tree);
        attestations.push(attest(&manifest, summary, maker.key)?);
    }
    let (packed, envelopes): (Vec<_>, Vec<_>) = attestations.into_iter().unzip();
    manifest.attestations.extend(packed);
    let envelope = seal(&manifest, maker.key)?;
    let draft = draft.encrypted_to(manifest.recipients.clone());
    let sealed = draft.seal(&envelope.to_bytes(), &envelopes)?;
    Ok(Made { manifest, digest: envelope.digest(), sealed })
}

/// What stands in the tree where the author says that seeds are.
fn seeds(draft: &Draft, authored: &Authored) -> BTreeMap<RelPath, Digest> {
    let entries = &draft.listing().entries;
    let found = authored.seeds.iter().filter_map(|seed| {
        let at = entries.iter().find(|(path, _)| *path == seed.path)?;
        Some((seed.path.clone(), at.1.digest))
    });
    found.collect()
}

/// Takes out the values of variables that are secret.
pub fn redact(authored: &mut Authored) {
    let given = authored
        .app
        .env
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), Value::String(value.clone()?))));
    let (_, secret) = redact_env(given.collect());
    for (name, value) in &mut authored.app.env {
        if secret.contains(name.as_str()) {
            *value = None;
        }
    }
}

/// What is said of the content of a capsule, signed: how the manifest names it, and its envelope.
fn attest<P: Predicate>(
    manifest: &Manifest,
    said: P,
    key: &SecretKey,
) -> Result<(Attestation, Vec<u8>), NotVerified> {
    let subject = Subject { name: line(&manifest.id.to_string()), tree: manifest.tree };
    let envelope = seal(&Statement { subject, predicate: said }, key)?.to_bytes();
    let (kind, sha256) = (line(P::TYPE), Digest::of(&envelope));
    Ok((Attestation { kind, sha256, meta: Map::new(), extra: Extra::new() }, envelope))
}

/// The packages in a capsule.
fn packages(manifest: &Manifest, locks: &[Lock]) -> Result<Sbom, SbomError> {
    let (id, version) = (manifest.id.to_string(), manifest.version.to_string());
    let subject = sbom::Subject { id: &id, name: manifest.name.as_str(), version: &version };
    let bytes = sbom::document(subject, locks, Some(manifest.created_at))?;
    Ok(serde_json::from_slice(&bytes).expect("it was written as an object"))
}

/// The lock files in what was packed: they say what a build of it is made of besides.
fn inputs(draft: &Draft) -> Vec<Resource> {
    let entries = draft.listing().entries.iter();
    let locks = entries.filter(|(path, entry)| entry.mode.is_file() && sbom::is_lock(path));
    let input = |(path, entry): &(RelPath, Entry)| Resource {
        name: Some(path.to_string()),
        uri: None,
        digest: BTreeMap::from([("sha256".to_owned(), entry.digest.to_string())]),
    };
    locks.take(INPUTS_MAX).map(input).collect()
}

/// Where a capsule comes from. The instant is that of the manifest, so that making it again makes it equal.
fn provenance(manifest: &Manifest, inputs: Vec<Resource>, maker: &Maker<'_>) -> Provenance {
    let parameters = json!({ "capsule": manifest.id.to_string(), "packer": manifest.created_by.name });
    let Value::Object(mut external_parameters) = parameters else {
        unreachable!("it was written as an object")
    };
    let Why { text, moment } = maker.why;
    external_parameters.extend(text.iter().map(|why| ("why".to_owned(), json!(why))));
    external_parameters.extend(moment.iter().map(|moment| ("moment".to_owned(), json!(moment))));
    let tree = Resource {
        name: Some("tree".to_owned()),
        uri: None,
        digest: BTreeMap::from([("sha256".to_owned(), manifest.tree.to_string())]),
    };
    Provenance {
        build_definition: BuildDefinition {
            build_type: BUILD_TYPE.to_owned(),
            external_parameters,
            internal_parameters: checked(maker.checked),
            resolved_dependencies: [vec![tree], inputs].concat(),
        },
        run_details: RunDetails {
            builder: Builder {
                id: format!("urn:xyn:key:{}", maker.key.public().id()),
                version: BTreeMap::from([("xyn".to_owned(), maker.version.to_owned())]),
            },
            metadata: Some(Metadata { finished_on: Some(manifest.created_at), ..Metadata::default() }),
            byproducts: maker.built.to_vec(),
        },
    }
}

/// What is told of the checks that were run. Nothing of the machine is: packing again elsewhere makes equal bytes.
fn checked(checked: Option<&Checked>) -> Map<String, Value> {
    let told = checked.map(|Checked { passed, sandboxed }| {
        ("checks".to_owned(), json!({ "passed": passed, "sandboxed": sandboxed }))
    });
    told.into_iter().collect()
}

fn line(text: &str) -> Line {
    text.parse().expect("ids and types are lines")
}
