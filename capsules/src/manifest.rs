//! Manifests: what a capsule says of itself.
//!
//! Owns every field of it, how its bytes are read, and how what an author wrote becomes one. Knows bytes only:
//! no signature, no container, no file. Refuses what it does not understand and must, and keeps what it does
//! not understand and need not. Invariant: a [`Manifest`] that was read is consistent in itself.

mod authored;
pub mod fields;
mod id;
mod instant;
mod license;
mod parts;
#[cfg(test)]
pub(crate) mod tests;
mod text;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xyn_store::{Digest, Timestamp};

pub use authored::{
    AUTHORED, Authored, AuthoredBuild, AuthoredCheck, AuthoredPacker, AuthoredSeed, Facts, Unfilled,
    authored_json_schema, fill,
};
pub use id::{AppId, ID_MAX_BYTES, InvalidAppId};
pub use license::{InvalidLicense, LICENSE_MAX_BYTES, License};
pub use parts::{
    Answer, App, Attestation, Build, Check, Expected, Extra, Network, Packer, Rights, Scope, Seed, SeedKind,
    Service, ServiceKind,
};
pub use text::{InvalidWord, LINE_MAX_CHARS, Line, SLUG_MAX_BYTES, Slug, VARIABLE_MAX_BYTES, Variable};

use crate::age::{RECIPIENTS_MAX, Recipient};
use crate::json::{self, InvalidJson, Pointer, shown};

/// The version of the format that is written, and the newest that is read.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes that a manifest may have.
pub const MANIFEST_MAX_BYTES: usize = 256 << 10;

/// Checks of an author's own.
pub const CHECKS_MAX: usize = 32;

/// The fields that this version knows: `critical` may name these.
const KNOWN: [&str; 21] = [
    "formatVersion",
    "id",
    "name",
    "version",
    "generation",
    "createdAt",
    "createdBy",
    "app",
    "services",
    "build",
    "seeds",
    "checks",
    "attestations",
    "rights",
    "recipients",
    "tree",
    "expected",
    "critical",
    "minCore",
    "uiSchema",
    "designTokens",
];

/// What a capsule says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Which version of this format it is in.
    #[schemars(range(min = 1, max = FORMAT_VERSION))]
    pub format_version: u32,
    /// Which app, in which version.
    pub id: AppId,
    /// What the app is called.
    pub name: Line,
    /// The version in `id`.
    #[schemars(with = "String")]
    pub version: Version,
    /// Grows with every capsule of the app.
    pub generation: u64,
    /// When it was packed: an instant, or milliseconds since the Unix epoch.
    #[serde(with = "instant")]
    #[schemars(with = "Value")]
    pub created_at: Timestamp,
    /// Who packed it.
    pub created_by: Packer,
    /// How the app runs.
    pub app: App,
    /// What it needs.
    #[serde(default)]
    pub services: Vec<Service>,
    /// How the tree becomes what runs.
    pub build: Build,
    /// What it starts with.
    #[serde(default)]
    pub seeds: Vec<Seed>,
    /// What looked at it when it was packed; its provenance tells that none vetoed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = CHECKS_MAX))]
    pub checks: Vec<Check>,
    /// Which attestations it was packed with.
    #[serde(default)]
    pub attestations: Vec<Attestation>,
    /// What others may do with it.
    pub rights: Rights,
    /// Whom it is encrypted to; everybody can read one that says nobody.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = RECIPIENTS_MAX))]
    pub recipients: BTreeSet<Recipient>,
    /// The root of its content.
    #[schemars(with = "String", regex(pattern = parts::HEX_64))]
    pub tree: Digest,
    /// What a build should come to.
    #[serde(default, skip_serializing_if = "Expected::is_empty")]
    pub expected: Expected,
    /// Fields that whoever reads it must understand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<String>,
    /// The oldest core that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub min_core: Option<Version>,
    /// The forms of its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_schema: Option<Map<String, Value>>,
    /// Its colours, sizes and fonts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design_tokens: Option<Map<String, Value>>,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Why bytes are no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// They are no such document.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// They are of another version.
    #[error("`/formatVersion`: this program reads {FORMAT_VERSION}, and this is {0}; use a newer program")]
    Format(u32),
    /// They demand what this version does not know.
    #[error("`/critical`: the capsule may only be used by who understands `{0}`; use a newer program")]
    Critical(String),
    /// They name two versions.
    #[error("`/version`: is {version}, and `/id` says {id}; write the same")]
    Version {
        /// The field.
        version: Version,
        /// The one in the id.
        id: Version,
    },
    /// Two of a list have one name.
    #[error("{place}: there is another called `{name}`; give each a name of its own")]
    Twice {
        /// The second.
        place: Pointer,
        /// What both are called.
        name: Slug,
    },
    /// It is for more than a file can be encrypted to.
    #[error("`/recipients`: there are {0}, and there may be {RECIPIENTS_MAX}")]
    Recipients(usize),
    /// More checks than one pack goes through.
    #[error("`/checks`: there are {0}, and there may be {CHECKS_MAX}; let one run several")]
    Checks(usize),
    /// It is for some, and offered to others.
    #[error("`/rights/scope`: what is encrypted to recipients is offered to nobody else; write `private`")]
    Offered,
    /// A seed is for a service that is not there.
    #[error("{place}: there is no service `{name}`; declare it in `/services`")]
    NoService {
        /// Where it is named.
        place: Pointer,
        /// What is not there.
        name: Slug,
    },
}

impl Manifest {
    /// Reads the manifest that is all of `bytes`.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            format_version: u32,
            #[serde(default)]
            critical: Vec<String>,
        }
        json::judge(bytes, MANIFEST_MAX_BYTES)?;
        // What another version means by the other fields is not known.
        let head: Head = json::parse(bytes)?;
        if head.format_version != FORMAT_VERSION {
            return Err(InvalidManifest::Format(head.format_version));
        }
        if let Some(name) = head.critical.iter().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(InvalidManifest::Critical(shown(name)));
        }
        let manifest: Self = json::parse(bytes)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The bytes that are signed. They are made once: what was signed is never written again.
    pub fn to_bytes(&self) -> Result<Vec<u8>, InvalidManifest> {
        let bytes = json::write(self)?;
        // What is signed can be read: whoever packs learns of it and not whoever installs.
        Self::read(&bytes).map(|_| bytes)
    }

    /// Attestations it was packed with that are not among envelopes of these digests: lost, or others in their
    /// place.
    pub fn lacks<'a>(&'a self, envelopes: &'a BTreeSet<Digest>) -> impl Iterator<Item = &'a Attestation> {
        self.attestations.iter().filter(|attestation| !envelopes.contains(&attestation.sha256))
    }

    fn check(&self) -> Result<(), InvalidManifest> {
        if self.version != self.id.version {
            let (version, id) = (self.version.clone(), self.id.version.clone());
            return Err(InvalidManifest::Version { version, id });
        }
        match self.recipients.len() {
            0 => {}
            count if count > RECIPIENTS_MAX => return Err(InvalidManifest::Recipients(count)),
            _ if self.rights.scope != Scope::Private => return Err(InvalidManifest::Offered),
            _ => {}
        }
        if self.checks.len() > CHECKS_MAX {
            return Err(InvalidManifest::Checks(self.checks.len()));
        }
        distinct("checks", self.checks.iter().map(|check| &check.name))?;
        distinct("services", self.services.iter().map(|service| &service.name))?;
        distinct("seeds", self.seeds.iter().map(|seed| &seed.name))?;
        for (index, seed) in self.seeds.iter().enumerate() {
            let missing = seed.service.as_ref().filter(|name| self.services.iter().all(|s| s.name != **name));
            if let Some(name) = missing {
                let place = Pointer::default().join("seeds").join(index).join("service");
                return Err(InvalidManifest::NoService { place, name: name.clone() });
            }
        }
        Ok(())
    }
}

/// The JSON Schema of a manifest.
pub fn manifest_json_schema() -> schemars::Schema {
    schemars::schema_for!(Manifest)
}

fn distinct<'a>(list: &str, names: impl Iterator<Item = &'a Slug>) -> Result<(), InvalidManifest> {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            let place = Pointer::default().join(list).join(index).join("name");
            return Err(InvalidManifest::Twice { place, name: name.clone() });
        }
    }
    Ok(())
}
