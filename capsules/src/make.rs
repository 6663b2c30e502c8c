//! Making a capsule: what was packed, what its author says of it, and the signature that binds both.
//!
//! Owns what is found out while packing and how it gets into the manifest, with a statement of where the
//! capsule comes from. Invariant: equal content, author's words, key and instant make equal bytes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use xyn_store::{Digest, Timestamp};

use crate::container::{ContainerError, Draft, Sealed};
use crate::manifest::{Attestation, Authored, Extra, Facts, Line, Manifest, Unfilled, fill};
use crate::sign::{
    BuildDefinition, Builder, Envelope, Metadata, NotVerified, Predicate, Provenance, Resource, RunDetails,
    SecretKey, Statement, Subject, seal,
};

/// What the parameters of a [`Provenance`] of ours mean.
const BUILD_TYPE: &str = "urn:xyn:build:pack:v1";

/// Who makes a capsule, and when.
#[derive(Clone, Copy, Debug)]
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
    /// What it comes to cannot be signed.
    #[error(transparent)]
    Signature(#[from] NotVerified),
    /// The file was not written.
    #[error(transparent)]
    File(#[from] ContainerError),
}

/// Signs what was packed, and writes the file.
pub fn make(draft: Draft, authored: Authored, maker: &Maker<'_>) -> Result<Made, NotMade> {
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
    let provenance = statement(&manifest, provenance(&manifest, maker), maker.key)?.to_bytes();
    manifest.attestations.push(Attestation {
        kind: line(Provenance::TYPE),
        sha256: Digest::of(&provenance),
        meta: Map::new(),
        extra: Extra::new(),
    });
    let envelope = seal(&manifest, maker.key)?;
    let sealed = draft.seal(&envelope.to_bytes(), &[provenance])?;
    Ok(Made { manifest, digest: envelope.digest(), sealed })
}

/// What stands in the tree where the author says that seeds are.
fn seeds(draft: &Draft, authored: &Authored) -> BTreeMap<crate::tree::RelPath, Digest> {
    let entries = &draft.listing().entries;
    let found = authored.seeds.iter().filter_map(|seed| {
        let at = entries.iter().find(|(path, _)| *path == seed.path)?;
        Some((seed.path.clone(), at.1.digest))
    });
    found.collect()
}

/// What is said of the content of a capsule, signed.
fn statement<P: Predicate>(manifest: &Manifest, said: P, key: &SecretKey) -> Result<Envelope, NotVerified> {
    let subject = Subject { name: line(&manifest.id.to_string()), tree: manifest.tree };
    seal(&Statement { subject, predicate: said }, key)
}

/// Where a capsule comes from. The instant is that of the manifest, so that making it again makes it equal.
fn provenance(manifest: &Manifest, maker: &Maker<'_>) -> Provenance {
    let parameters = json!({ "capsule": manifest.id.to_string(), "packer": manifest.created_by.name });
    let Value::Object(external_parameters) = parameters else { unreachable!("it was written as an object") };
    let tree = Resource {
        name: Some("tree".to_owned()),
        uri: None,
        digest: BTreeMap::from([("sha256".to_owned(), manifest.tree.to_string())]),
    };
    Provenance {
        build_definition: BuildDefinition {
            build_type: BUILD_TYPE.to_owned(),
            external_parameters,
            internal_parameters: Map::new(),
            resolved_dependencies: vec![tree],
        },
        run_details: RunDetails {
            builder: Builder {
                id: format!("urn:xyn:key:{}", maker.key.public().id()),
                version: BTreeMap::from([("xyn".to_owned(), maker.version.to_owned())]),
            },
            metadata: Some(Metadata { finished_on: Some(manifest.created_at), ..Metadata::default() }),
            byproducts: Vec::new(),
        },
    }
}

fn line(text: &str) -> Line {
    text.parse().expect("ids and types are lines")
}
