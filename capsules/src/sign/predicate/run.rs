//! How a capsule fared where it was made to serve for the first time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xyn_store::Timestamp;

use super::Predicate;
use crate::json::shown;

/// Bytes of a log that go along.
pub const RUN_LOG_MAX_BYTES: usize = 8 << 10;
/// Facts about the machine that go along.
const FACTS_MAX: usize = 32;

/// A capsule was made to serve. Values of secrets are taken out by whoever says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstRun {
    /// In which stage.
    pub stage: String,
    /// On which target: a site, or a process.
    pub target: String,
    /// The page that tells whether it is well.
    pub health: String,
    /// Whether it is.
    pub is_well: bool,
    /// What was found.
    pub found: String,
    /// How its process ended, where it ended before it was well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
    /// The end of what it said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// The machine and the core, by name.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was known.
    pub finished_at: Timestamp,
}

impl FirstRun {
    /// Whether `other` says the same of the same place: then one of them is enough.
    pub fn is_like(&self, other: &Self) -> bool {
        let of = |run: &Self| (run.stage.clone(), run.target.clone(), run.is_well);
        of(self) == of(other)
    }
}

impl Predicate for FirstRun {
    const TYPE: &'static str = "urn:xyn:predicate:first-run:v1";

    fn check(&self) -> Result<(), &'static str> {
        if self.finished_at < self.started_at {
            Err("`finishedAt` lies before `startedAt`")
        } else if self.log.len() > RUN_LOG_MAX_BYTES {
            Err("`log` is too long")
        } else if self.environment.len() > FACTS_MAX {
            Err("`environment` names too much")
        } else if self.is_well && self.exit.is_some() {
            Err("`exit` says that it ended, and it is well")
        } else {
            Ok(())
        }
    }

    fn summary(&self) -> Option<String> {
        let verdict = if self.is_well { "well" } else { "not well" };
        let took = self.finished_at.since(self.started_at).as_millis();
        let place = format!("{} as {}", shown(&self.stage), shown(&self.target));
        Some(format!("{verdict} in {place} after {took} ms: {}", shown(&self.found)))
    }
}
