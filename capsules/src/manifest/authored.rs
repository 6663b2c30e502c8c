//! What an author writes: `capsule.json`, short.
//!
//! Owns what may be left out, and how it becomes a manifest with what packing found out. Invariant: what is
//! packed is never what an author claims; the tree and the key are facts.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use semver::Version;
use serde::Deserialize;
use serde_json::{Map, Value};
use xyn_store::{Digest, Timestamp};

use super::parts::{
    App, Attestation, Build, Check, Expected, Extra, Network, Packer, Rights, SeedKind, Service,
};
use super::text::{InvalidWord, Line, Slug};
use super::{
    AppId, CHECKS_MAX, FORMAT_VERSION, InvalidManifest, KNOWN, MANIFEST_MAX_BYTES, Manifest, Seed, id,
    instant,
};
use crate::age::{RECIPIENTS_MAX, Recipient};
use crate::json::{self, InvalidJson, shown};
use crate::sign::KeyId;
use crate::tree::RelPath;

/// What the file is called, at the root of the app.
pub const AUTHORED: &str = "capsule.json";

/// What an author says of an app: its id, name and version, and what differs from the defaults.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authored {
    /// Which version of the format it is in; the newest when left out.
    #[serde(default)]
    pub format_version: Option<u32>,
    /// The slug of the app, or `urn:xyn:app:<slug>`, or that with `@<version>`.
    pub id: String,
    /// What the app is called.
    pub name: Line,
    /// Its version.
    #[schemars(with = "String")]
    pub version: Version,
    /// When nothing is said, the one after the last.
    #[serde(default)]
    pub generation: Option<u64>,
    /// When nothing is said, now.
    #[serde(default, deserialize_with = "instant::option::deserialize")]
    #[schemars(with = "Value")]
    pub created_at: Option<Timestamp>,
    /// Who packs it.
    #[serde(default)]
    pub created_by: Option<AuthoredPacker>,
    /// How the app runs: `static` files, when nothing is said.
    #[serde(default)]
    pub app: App,
    /// What it needs.
    #[serde(default)]
    pub services: Vec<Service>,
    /// How the tree becomes what runs.
    #[serde(default)]
    pub build: AuthoredBuild,
    /// What it starts with.
    #[serde(default)]
    pub seeds: Vec<AuthoredSeed>,
    /// What looks at it whenever it is packed, and may veto.
    #[serde(default)]
    #[schemars(length(max = CHECKS_MAX))]
    pub checks: Vec<AuthoredCheck>,
    /// Attestations that exist already.
    #[serde(default)]
    pub attestations: Vec<Attestation>,
    /// What others may do with it.
    #[serde(default)]
    pub rights: Rights,
    /// Whom the capsule is encrypted to; everybody can read one that says nobody.
    #[serde(default)]
    #[schemars(length(max = RECIPIENTS_MAX))]
    pub recipients: BTreeSet<Recipient>,
    /// What a build should come to.
    #[serde(default)]
    pub expected: Expected,
    /// Fields that whoever reads it must understand.
    #[serde(default)]
    pub critical: Vec<String>,
    /// The oldest core that it runs on.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub min_core: Option<Version>,
    /// The forms of its settings.
    #[serde(default)]
    pub ui_schema: Option<Map<String, Value>>,
    /// Its colours, sizes and fonts.
    #[serde(default)]
    pub design_tokens: Option<Map<String, Value>>,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Who packs, as an author says it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthoredPacker {
    /// A name for people.
    pub name: Line,
}

/// A build, as an author says it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthoredBuild {
    /// Command lines, run one after the other.
    #[serde(default)]
    pub steps: Vec<Line>,
    /// Where what they make stands; when nothing is said, where the framework leaves it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub out_dir: Option<RelPath>,
    /// The time that a build sees; when nothing is said, that of packing.
    #[serde(default)]
    pub source_date_epoch: Option<u64>,
    /// What a build may reach.
    #[serde(default)]
    pub network: Network,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A seed, as an author says it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthoredSeed {
    /// Its name.
    pub name: Slug,
    /// How it is applied.
    #[serde(rename = "type")]
    pub kind: SeedKind,
    /// Where it stands in the tree.
    #[schemars(with = "String")]
    pub path: RelPath,
    /// What must stand there; when nothing is said, whatever does.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub digest: Option<Digest>,
    /// The service that an SQL seed runs against.
    #[serde(default)]
    pub service: Option<Slug>,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A check, as an author says it: what is not known here would check nothing, so it is refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthoredCheck {
    /// What it is called.
    pub name: Slug,
    /// The command line, run at the root of what is packed, in a sandbox where nothing of it can be changed. It vetoes
    /// unless it ends with 0.
    pub run: Line,
}

impl From<AuthoredCheck> for Check {
    fn from(AuthoredCheck { name, run }: AuthoredCheck) -> Self {
        Self { name, run, extra: Extra::new() }
    }
}

/// What packing found out.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The root of the content.
    pub tree: Digest,
    /// What stands at the paths of the seeds.
    pub seeds: BTreeMap<RelPath, Digest>,
    /// The generation, where the author does not say one.
    pub generation: u64,
    /// The instant, where the author does not say one.
    pub created_at: Timestamp,
    /// Who packs, where the author does not say it.
    pub packer: Line,
    /// The key that signs first.
    pub key_id: KeyId,
    /// Attestations that were made while packing.
    pub attestations: Vec<Attestation>,
}

/// Why there is no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    /// The id is none.
    #[error("`/id`: {0}")]
    Slug(#[from] InvalidWord),
    /// The id has a version, and it is another.
    #[error("`/id`: says version `{id}`, and `/version` says {version}; leave it out of one of them")]
    Version {
        /// In the id.
        id: String,
        /// The field.
        version: Version,
    },
    /// The author writes what only packing can know.
    #[error("`/{0}`: is filled in by packing; leave it out")]
    Fact(String),
    /// There is nothing where a seed should be.
    #[error("`/seeds/{index}/path`: there is no `{path}` in what is packed")]
    NoSeed {
        /// Which seed.
        index: usize,
        /// Where it should stand.
        path: RelPath,
    },
    /// What stands there is not what the author pinned.
    #[error("`/seeds/{index}/digest`: what is packed is {found}; write that, or pack what was meant")]
    OtherSeed {
        /// Which seed.
        index: usize,
        /// What is there.
        found: Digest,
    },
    /// What it comes to is no manifest.
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
}

impl Authored {
    /// Reads what an author wrote.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidJson> {
        json::read(bytes, MANIFEST_MAX_BYTES)
    }

    /// Which app it says that it is.
    pub fn slug(&self) -> &str {
        id::split(&self.id).0
    }
}

impl AuthoredBuild {
    /// The build of `app`, which is packed at `created_at`.
    pub fn fill(self, app: &App, created_at: Timestamp) -> Build {
        Build {
            steps: self.steps,
            out_dir: self.out_dir.unwrap_or_else(|| app.out_dir()),
            source_date_epoch: self.source_date_epoch.unwrap_or(created_at.as_millis() / 1_000),
            network: self.network,
            extra: self.extra,
        }
    }
}

/// The JSON Schema of what an author writes.
pub fn authored_json_schema() -> schemars::Schema {
    schemars::schema_for!(Authored)
}

/// The manifest of what was packed.
pub fn fill(authored: Authored, facts: Facts) -> Result<Manifest, Unfilled> {
    let format_version = authored.format_version.unwrap_or(FORMAT_VERSION);
    if let Some(name) = authored.extra.keys().find(|name| KNOWN.contains(&name.as_str())) {
        return Err(Unfilled::Fact(name.clone()));
    }
    let (slug, version) = id::split(&authored.id);
    let id = AppId { app: slug.parse()?, version: authored.version.clone() };
    if let Some(said) = version.filter(|said| *said != authored.version.to_string()) {
        return Err(Unfilled::Version { id: shown(said), version: authored.version });
    }
    let created_at = authored.created_at.unwrap_or(facts.created_at);
    let build = authored.build.fill(&authored.app, created_at);
    let seeds = authored.seeds.into_iter().enumerate().map(|(index, seed)| {
        let AuthoredSeed { name, kind, path, digest: pinned, service, extra } = seed;
        match facts.seeds.get(&path) {
            None => Err(Unfilled::NoSeed { index, path }),
            Some(&found) if pinned.is_some_and(|pinned| pinned != found) => {
                Err(Unfilled::OtherSeed { index, found })
            }
            Some(&digest) => Ok(Seed { name, kind, path, digest, service, extra }),
        }
    });
    let manifest = Manifest {
        format_version,
        id,
        name: authored.name,
        version: authored.version,
        generation: authored.generation.unwrap_or(facts.generation),
        created_at,
        created_by: Packer {
            name: authored.created_by.map_or(facts.packer, |packer| packer.name),
            key_id: facts.key_id,
            extra: Extra::new(),
        },
        app: authored.app,
        services: authored.services,
        build,
        seeds: seeds.collect::<Result<_, _>>()?,
        checks: authored.checks.into_iter().map(Check::from).collect(),
        attestations: [authored.attestations, facts.attestations].concat(),
        rights: authored.rights,
        recipients: authored.recipients,
        tree: facts.tree,
        expected: authored.expected,
        critical: authored.critical,
        min_core: authored.min_core,
        ui_schema: authored.ui_schema,
        design_tokens: authored.design_tokens,
        extra: authored.extra,
    };
    // What it comes to must be readable, whoever wrote which part of it.
    manifest.to_bytes()?;
    Ok(manifest)
}
