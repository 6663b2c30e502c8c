//! What was found out about a capsule: built again, beside its parent, and in a simulation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xyn_store::{Digest, Timestamp};

use super::Predicate;
use crate::tree::RelPath;

/// A capsule was built again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebuild {
    /// Which capsule: of the bytes of its manifest, which says how it is built. One that does not say it proves nothing,
    /// for another capsule may build the same files in another way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capsule: Option<Digest>,
    /// The tree that the manifest expects.
    pub expected: Digest,
    /// The tree that came of it.
    pub found: Digest,
    /// Files that differ, as many as are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub different: Vec<RelPath>,
    /// What was run behind the build, when it was played again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replayed: Vec<Replayed>,
    /// What it was built in.
    pub sandbox: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was done.
    pub finished_at: Timestamp,
}

/// A command that was run behind a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// The command line.
    pub run: String,
    /// Of the answer that was recorded.
    pub expected: Digest,
    /// Of the one that came.
    pub found: Digest,
}

impl Rebuild {
    /// Whether it proves that the capsule `capsule` comes to what its manifest says, which is `expected`. None when it is
    /// about another capsule.
    pub fn proves(&self, capsule: &Digest, expected: Option<&Digest>) -> Option<bool> {
        let is_about_it = self.capsule.as_ref() == Some(capsule);
        is_about_it.then(|| expected == Some(&self.expected) && self.matches())
    }

    /// Whether all came out as expected, bit for bit.
    pub fn matches(&self) -> bool {
        self.expected == self.found && self.replayed.iter().all(|run| run.expected == run.found)
    }
}

impl Predicate for Rebuild {
    const TYPE: &'static str = "urn:xyn:predicate:rebuild:v1";

    fn summary(&self) -> Option<String> {
        Some(if self.matches() { "it came out bit for bit" } else { "it came out otherwise" }.to_owned())
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.expected == self.found && !self.different.is_empty() {
            Err("`different` names files, and both trees are one")
        } else if self.finished_at < self.started_at {
            Err("`finishedAt` lies before `startedAt`")
        } else {
            Ok(())
        }
    }
}

/// What a capsule changes of its parent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffSummary {
    /// The tree of the parent; nothing when it is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Digest>,
    /// Files, by what became of them.
    pub files: FileChanges,
    /// Fields of the manifest that differ, as JSON pointers.
    #[serde(default)]
    pub manifest: Vec<String>,
    /// Packages, by what became of them.
    #[serde(default)]
    pub packages: PackageChanges,
}

/// How many files came, went and changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChanges {
    /// Came.
    pub added: u64,
    /// Went.
    pub removed: u64,
    /// Changed.
    pub changed: u64,
}

/// Packages that came, went and changed, with their versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PackageChanges {
    /// Came, in this version.
    pub added: BTreeMap<String, String>,
    /// Went, in that version.
    pub removed: BTreeMap<String, String>,
    /// Changed, from one version to the other.
    pub changed: BTreeMap<String, (String, String)>,
}

impl Predicate for DiffSummary {
    const TYPE: &'static str = "urn:xyn:predicate:diff-summary:v1";
}

/// A capsule was put under a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulation {
    /// What the scenario is called.
    pub scenario: String,
    /// Of its file.
    pub scenario_digest: Digest,
    /// From which all chance came.
    pub seed: u64,
    /// Of all that happened: the same seed gives the same.
    pub trace: Digest,
    /// How many nodes took part.
    pub nodes: u32,
    /// How long it was for them.
    pub virtual_ms: u64,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// How the capsule itself spread over the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
}

/// How a capsule spread over the nodes of a simulation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Distribution {
    /// Of the capsule's file.
    pub file: Digest,
    /// Its bytes, which each node came to keep.
    pub size_bytes: u64,
    /// In how many chunks it travelled.
    pub chunks: u64,
    /// Files in it, proved at each node.
    pub files: u64,
    /// Its place among the capsules of its app.
    pub generation: u64,
    /// Bytes that nodes answered each other about content.
    pub sent_bytes: u64,
    /// What each node did with it, one step after the other.
    pub steps: Vec<Passed>,
}

/// Nodes that did something with a capsule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Passed {
    /// What they did.
    pub name: String,
    /// How many did.
    pub nodes: u64,
    /// How long after it was offered half of them had, in virtual time.
    pub p50_ms: u64,
    /// And all of them.
    pub max_ms: u64,
}

/// One thing that had to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What it is called.
    pub name: String,
    /// Whether it held.
    pub held: bool,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

impl Simulation {
    /// Whether all held, with the capsule in it. Nothing that was not looked at did.
    pub fn passed(&self) -> bool {
        let is_tried = self.distribution.as_ref().is_some_and(|it| !it.steps.is_empty());
        is_tried && !self.checks.is_empty() && self.checks.iter().all(|check| check.held)
    }
}

impl Predicate for Simulation {
    const TYPE: &'static str = "urn:xyn:predicate:simulation:v1";

    fn summary(&self) -> Option<String> {
        Some(if self.passed() { "it passed" } else { "it did not pass" }.to_owned())
    }
}
