//! What a manifest is made of.
//!
//! Every part keeps fields that this version does not know, in `extra`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xyn_store::Digest;

use super::license::License;
use super::text::{Line, Slug, Variable};
use crate::sign::KeyId;
use crate::tree::RelPath;

/// Fields that this version does not know.
pub type Extra = BTreeMap<String, Value>;

/// The pattern of a [`Digest`] in a JSON Schema.
pub(super) const HEX_64: &str = "^[0-9a-fA-F]{64}$";

/// Who packed a capsule. What proves it is the signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Packer {
    /// A name for people.
    pub name: Line,
    /// The key that signs first.
    pub key_id: KeyId,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How the app runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// `static`, `nextjs`, `rust`, `python`, `process`, or any other word.
    #[serde(default = "static_files")]
    pub framework: Line,
    /// What runs it, such as `20.x`; `node` is another name of this field.
    #[serde(default, alias = "node", skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Line>,
    /// What is run where it is a process: a program and its arguments, in the root of the tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<Line>,
    /// Variables of its environment. One without a value is given when the capsule is installed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<Variable, Option<String>>,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Default for App {
    fn default() -> Self {
        let (command, env, extra) = (Vec::new(), BTreeMap::new(), Extra::new());
        Self { framework: static_files(), runtime: None, command, env, extra }
    }
}

fn static_files() -> Line {
    "static".parse().expect("a word is a line")
}

impl App {
    /// Where frameworks leave what they build, from the root of the tree.
    pub(super) fn out_dir(&self) -> RelPath {
        let folder = match self.framework.as_str() {
            "nextjs" => ".next",
            "rust" => "target/release",
            "astro" | "vite" => "dist",
            _ => ".",
        };
        folder.parse().expect("a folder of the tree")
    }
}

/// A service that the app needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// What the app calls it.
    pub name: Slug,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ServiceKind,
    /// Its settings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Kinds of services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKind {
    /// A PostgreSQL database.
    Postgres,
    /// An HTTP face.
    Edge,
    /// A process that works in the background.
    Worker,
    /// Keys and values.
    Kv,
    /// A SQLite database, which is a file in the data of the deployment.
    Sqlite,
}

impl ServiceKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Edge => "edge",
            Self::Worker => "worker",
            Self::Kv => "kv",
            Self::Sqlite => "sqlite",
        }
    }
}

/// How the tree becomes what runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// Command lines, run one after the other.
    #[serde(default)]
    pub steps: Vec<Line>,
    /// Where what they make stands.
    #[serde(serialize_with = "path_text")]
    #[schemars(with = "String")]
    pub out_dir: RelPath,
    /// The time that a build sees, in seconds since the Unix epoch.
    pub source_date_epoch: u64,
    /// What a build may reach.
    #[serde(default)]
    pub network: Network,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a build may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Nothing.
    #[default]
    None,
    /// These hosts.
    Allow(Vec<Line>),
}

/// Data that an app starts with, applied once per target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seed {
    /// Its name.
    pub name: Slug,
    /// How it is applied.
    #[serde(rename = "type")]
    pub kind: SeedKind,
    /// Where it stands in the tree.
    #[serde(serialize_with = "path_text")]
    #[schemars(with = "String")]
    pub path: RelPath,
    /// Of the file or folder there, as the tree names it.
    #[schemars(with = "String", regex(pattern = HEX_64))]
    pub digest: Digest,
    /// The service that an SQL seed runs against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Slug>,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How a seed is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeedKind {
    /// Run in one transaction.
    Sql,
    /// Merged into the document that is there.
    Crdt,
    /// Laid out.
    Files,
}

/// An attestation that travels with the capsule from the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attestation {
    /// The type of its predicate.
    #[serde(rename = "type")]
    pub kind: Line,
    /// Of the bytes of its envelope.
    #[schemars(with = "String", regex(pattern = HEX_64))]
    pub sha256: Digest,
    /// What its maker says about it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What others may do with the app. An author who says nothing allows resale and attribution under the default
/// licence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rights {
    /// The licence.
    pub license: License,
    /// Who may see the capsule.
    pub scope: Scope,
    /// Whether it may be sold on.
    pub resale_allowed: bool,
    /// On what terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resale_terms: Option<Line>,
    /// Whether its author may be named.
    pub attribution: bool,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Default for Rights {
    fn default() -> Self {
        Self {
            license: License::default(),
            scope: Scope::default(),
            resale_allowed: true,
            resale_terms: None,
            attribution: true,
            extra: Extra::new(),
        }
    }
}

/// Who may see a capsule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The node that packed it.
    Private,
    /// The environment.
    #[default]
    Env,
    /// The local network, too.
    Lan,
    /// Everybody.
    Public,
}

/// What a build should come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    /// The tree in `outDir` when all steps are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub build_digest: Option<Digest>,
    /// What it answers when it is run behind a build, to be played again anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Answer>,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A command line that is run where the build stands, and what it should answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The command line, run at the root of the tree. It ends with 0.
    pub run: Line,
    /// Of all that it prints on stdout; recorded by a pack that builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub digest: Option<Digest>,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Expected {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A check of the author's own, which what is packed passes, or it is not packed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What it is called.
    pub name: Slug,
    /// The command line, run at the root of what is packed. It vetoes unless it ends with 0.
    pub run: Line,
    /// What this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Writes a path as it is shown: the tree itself as `.`.
fn path_text<S: serde::Serializer>(path: &RelPath, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path)
}
