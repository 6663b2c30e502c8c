//! Rows of deployments: which capsule of an app serves in which stage, and which one served before it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Row;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::EntryId;
use crate::legible::quoted;
use crate::scope::{Principal, Stage};
use crate::tables::{Key, Table};

/// An app in a stage, on a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentRow {
    /// Which app.
    pub app: String,
    /// In which stage.
    pub stage: Stage,
    /// How it is served.
    pub target: Target,
    /// The port of this machine at which it is served.
    pub port: u16,
    /// What serves.
    pub current: Release,
    /// What served before it, whole and ready to serve again.
    pub previous: Option<Release>,
    /// The highest generation that served here, and which capsule had it. A rollback changes nothing about it.
    pub highest: (u64, Digest),
    /// The data of the capsule that was laid out here, now or by one before it: name and content.
    pub seeds: Vec<(String, Digest)>,
    /// Which secret of the node is the address of which service of the app. Names only.
    pub services: Vec<(String, String)>,
}

/// A capsule that serves, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Which capsule.
    pub capsule: Digest,
    /// Which app in which version, as a URN.
    pub id: String,
    /// What the app is called.
    pub name: String,
    /// Its place among the capsules of the app.
    pub generation: u64,
    /// The root of its content.
    pub tree: Digest,
    /// The root of what serves: its content, with what was built of that where its recipe leaves it.
    pub served: Digest,
    /// What it answers well when it is well: a path.
    pub health: String,
    /// When it began to serve.
    pub at: Timestamp,
    /// Who had it deployed, or rolled back to.
    pub by: Principal,
    /// The moment that says so, unless the capsule is private: nobody is told of that.
    pub entry_id: EntryId,
}

/// How an app is served. Variants are append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Its files are served by the node.
    Static,
    /// Its command runs, and the node hands requests on to it.
    Process,
}

/// A word that is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no target; write `static` or `process`")]
pub struct InvalidTarget(String);

impl Target {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Process => "process",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        match text {
            "static" => Ok(Self::Static),
            "process" => Ok(Self::Process),
            other => Err(InvalidTarget(quoted(other))),
        }
    }
}

impl Row for DeploymentRow {
    const TABLE: Table = Table::Deployments;

    fn key(&self) -> Key {
        Self::key_of(&self.app, self.stage, self.target)
    }

    fn blobs(&self) -> Vec<Digest> {
        let releases = [&self.current].into_iter().chain(&self.previous);
        releases.flat_map(|release| [release.tree, release.served]).collect()
    }
}

impl DeploymentRow {
    /// The key of a deployment's row.
    pub fn key_of(app: &str, stage: Stage, target: Target) -> Key {
        Self::prefix(app, stage).text(target.as_str())
    }

    /// Before the deployments of `app` in `stage`.
    pub fn prefix(app: &str, stage: Stage) -> Key {
        Key::new().text(app).text(stage.as_str())
    }
}
