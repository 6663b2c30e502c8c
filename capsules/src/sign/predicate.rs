//! What can be said of a capsule.
//!
//! Owns the shape of each thing that can be said, and when it makes no sense. Fields that another maker adds
//! are passed over, as in-toto demands.

mod provenance;
mod report;
mod rollback;
mod run;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ring::Role;

pub use provenance::{BuildDefinition, Builder, Metadata, Provenance, Resource, RunDetails};
pub use report::{
    Check, DiffSummary, Distribution, FileChanges, PackageChanges, Passed, Rebuild, Replayed, Simulation,
};
pub use rollback::Rollback;
pub use run::{FirstRun, RUN_LOG_MAX_BYTES};

/// Something that can be said of the content of a capsule.
pub trait Predicate: Serialize + DeserializeOwned {
    /// Which kind of thing it is.
    const TYPE: &'static str;
    /// Who may say it.
    const ROLE: Role = Role::Attestor;

    /// What of it cannot be.
    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }

    /// What it comes to, in words for people; nothing where the kind says enough.
    fn summary(&self) -> Option<String> {
        None
    }
}

/// The packages in a capsule: a CycloneDX document.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Sbom(pub Map<String, Value>);

impl Predicate for Sbom {
    const TYPE: &'static str = "https://cyclonedx.org/bom";

    fn check(&self) -> Result<(), &'static str> {
        let is_cyclone = self.0.get("bomFormat").is_some_and(|format| format == "CycloneDX");
        if is_cyclone { Ok(()) } else { Err("`bomFormat` is not `CycloneDX`") }
    }
}
