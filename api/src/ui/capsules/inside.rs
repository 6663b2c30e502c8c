//! What is in a capsule that is here: what its packer and others say of it, its packages and its files.
//!
//! Invariant: a page shows a bounded part of it, and says so.

use serde_json::Value;
use xyn_capsules::container::{BlobSource, Cover};
use xyn_capsules::manifest::Manifest;
use xyn_capsules::sign::{
    DiffSummary, Envelope, FirstRun, Payload, Predicate, Provenance, Rebuild, Rollback, Sbom, Simulation,
    Statement, claimed_predicate_type,
};
use xyn_capsules::tree::Limits;
use xyn_store::Digest;
use xyn_store::blobs::Blobs;
use xyn_store::projection::CapsuleRow;

use crate::error::{ApiError, Code};
use crate::routes::capsules::opened;
use crate::ui::words::Excerpt;

/// Attestations that a page shows.
const CLAIMS: usize = 20;
/// Rows of a list in a capsule that a page shows.
pub(super) const SLICE: usize = 100;

/// A capsule whose cover was read.
pub(super) struct Inside {
    cover: Cover<BlobSource>,
    pub(super) manifest: Manifest,
    bytes: Vec<u8>,
}

/// Something that is said of a capsule, as an envelope of its own.
pub(super) struct Claim {
    pub(super) title: &'static str,
    pub(super) kind: String,
    /// Whether its packer vouches for it.
    pub(super) is_packed: bool,
    /// Names of keys that the envelope says signed it.
    pub(super) signers: Vec<String>,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) text: Excerpt,
}

/// A part of a list.
pub(super) struct Slice<T> {
    pub(super) items: Vec<T>,
    /// How many there are.
    pub(super) total: usize,
    /// How many fit the filter.
    pub(super) fitting: usize,
    /// Number of the first one shown, from 0.
    pub(super) from: usize,
}

/// A package that the bill of materials names.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) purl: String,
}

/// A file, or a link.
pub(super) struct File {
    pub(super) path: String,
    pub(super) mode: &'static str,
    pub(super) size_bytes: u64,
    pub(super) digest: String,
}

impl Inside {
    pub(super) fn read(blobs: &Blobs, row: &CapsuleRow) -> Result<Self, ApiError> {
        let (cover, bytes) = opened(blobs, row)?;
        let manifest = Manifest::read(&bytes).map_err(|error| damaged(&error))?;
        Ok(Self { cover, manifest, bytes })
    }

    /// The document that its signers signed.
    pub(super) fn document(&self) -> Excerpt {
        let value: Value = serde_json::from_slice(&self.bytes).unwrap_or_default();
        pretty(&value)
    }

    /// What is said of it, and how many attestations are not shown.
    pub(super) fn claims(&self) -> (Vec<Claim>, usize) {
        let packed = |bytes: &Vec<u8>| {
            let digest = Digest::of(bytes);
            self.manifest.attestations.iter().any(|packed| packed.sha256 == digest)
        };
        let all = self.cover.attestations();
        let shown = all.iter().take(CLAIMS).filter_map(|bytes| Claim::read(bytes, packed(bytes)));
        (shown.collect(), all.len().saturating_sub(CLAIMS))
    }

    /// The packages in it whose names hold `wanted`, from the one of number `from` on.
    pub(super) fn packages(&self, wanted: &str, from: usize) -> Slice<Package> {
        let bills = self.cover.attestations().iter().filter_map(|bytes| said::<Sbom>(bytes));
        let components = bills.take(1).flat_map(|Sbom(bill)| match bill.get("components") {
            Some(Value::Array(components)) => components.clone(),
            _ => Vec::new(),
        });
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let packages = components.map(|component| {
            let (group, name) = (text(&component, "group"), text(&component, "name"));
            let name = if group.is_empty() { name } else { format!("{group}/{name}") };
            Package { name, version: text(&component, "version"), purl: text(&component, "purl") }
        });
        Slice::of(packages, from, |package| package.name.contains(wanted))
    }

    /// The files whose paths hold `wanted`, from the one of number `from` on.
    pub(super) fn files(self, wanted: &str, from: usize) -> Result<Slice<File>, ApiError> {
        let capsule = self.cover.open(None, Limits::default()).map_err(|error| damaged(&error))?;
        let entries = capsule.listing().entries.iter().filter(|(_, entry)| !entry.is_directory());
        let files = entries.map(|(path, entry)| File {
            path: path.to_string(),
            mode: entry.mode.as_str(),
            size_bytes: entry.size_bytes,
            digest: entry.digest.to_string(),
        });
        Ok(Slice::of(files, from, |file| file.path.contains(wanted)))
    }
}

fn damaged(error: &dyn std::error::Error) -> ApiError {
    ApiError::new(Code::BlobDamaged, error.to_string())
}

/// What an attestation says, if it is of this kind.
fn said<P: Predicate>(bytes: &[u8]) -> Option<P> {
    let envelope = Envelope::read(bytes).ok()?;
    Some(Statement::<P>::read(envelope.unverified()).ok()?.predicate)
}

impl Claim {
    fn read(bytes: &[u8], is_packed: bool) -> Option<Self> {
        let envelope = Envelope::read(bytes).ok()?;
        let kind = claimed_predicate_type(&envelope).ok()?;
        let statement: Value = serde_json::from_slice(envelope.unverified()).ok()?;
        let (title, facts) = match kind.as_str() {
            Provenance::TYPE => ("Provenance (SLSA v1)", said(bytes).map(provenance)),
            Sbom::TYPE => ("Bill of materials (CycloneDX)", said(bytes).map(packages)),
            DiffSummary::TYPE => ("What changed since its parent", said(bytes).map(changes)),
            Rebuild::TYPE => ("Built again", said(bytes).map(rebuilt)),
            FirstRun::TYPE => ("First run", said(bytes).map(ran)),
            Simulation::TYPE => ("Simulated", None),
            Rollback::TYPE => ("Rollback allowed", None),
            _ => ("Something this version does not know", None),
        };
        Some(Self {
            title,
            is_packed,
            signers: envelope.claimed_signers().map(|key| key.to_string()).collect(),
            facts: facts.unwrap_or_default(),
            text: pretty(&statement["predicate"]),
            kind,
        })
    }
}

fn provenance(said: Provenance) -> Vec<(&'static str, String)> {
    let (asked, done) = (said.build_definition, said.run_details);
    let mut facts = vec![("Built by", done.builder.id), ("Kind of build", asked.build_type)];
    let metadata = done.metadata.unwrap_or_default();
    facts.extend(metadata.invocation_id.map(|id| ("Invocation", id)));
    facts.extend(metadata.started_on.map(|at| ("Began", at.to_string())));
    facts.extend(metadata.finished_on.map(|at| ("Done", at.to_string())));
    let inputs = asked.resolved_dependencies.iter().take(20).map(|input| {
        let name = input.name.as_deref().or(input.uri.as_deref()).unwrap_or("something");
        let digest = input.digest.iter().map(|(kind, digest)| format!(" {kind}:{digest}"));
        format!("{name}{}", digest.collect::<String>())
    });
    let inputs: Vec<_> = inputs.collect();
    facts.extend((!inputs.is_empty()).then(|| ("Made of", inputs.join(", "))));
    facts
}

fn packages(Sbom(bill): Sbom) -> Vec<(&'static str, String)> {
    let count = bill.get("components").and_then(Value::as_array).map_or(0, Vec::len);
    let version = bill.get("specVersion").and_then(Value::as_str).unwrap_or_default();
    vec![("Packages", count.to_string()), ("Format", format!("CycloneDX {version}"))]
}

fn changes(summary: DiffSummary) -> Vec<(&'static str, String)> {
    let (files, packages) = (summary.files, summary.packages);
    let said = |added, removed, changed| format!("{added} came, {removed} went, {changed} changed");
    let parent = summary.parent.map_or("none: it is the first".to_owned(), |tree| tree.to_string());
    let lengths = [packages.added.len(), packages.removed.len(), packages.changed.len()];
    vec![
        ("Parent's content", parent),
        ("Files", said(files.added, files.removed, files.changed)),
        ("Packages", said(lengths[0] as u64, lengths[1] as u64, lengths[2] as u64)),
        ("Manifest", summary.manifest.into_iter().take(50).collect::<Vec<_>>().join(", ")),
    ]
}

fn rebuilt(report: Rebuild) -> Vec<(&'static str, String)> {
    let verdict = if report.matches() { "bit for bit the same" } else { "not the same" };
    let different: Vec<_> = report.different.iter().take(20).map(ToString::to_string).collect();
    let mut facts = vec![("It came to", verdict.to_owned()), ("In", report.sandbox)];
    facts.extend(report.capsule.map(|capsule| ("Of the capsule", capsule.to_string())));
    facts.extend((!different.is_empty()).then(|| ("Different", different.join(", "))));
    facts
}

fn ran(run: FirstRun) -> Vec<(&'static str, String)> {
    let mut facts: Vec<_> = run.summary().map(|summary| ("It was", summary)).into_iter().collect();
    facts.extend(run.exit.map(|exit| ("Its process ended", exit)));
    facts.extend(run.environment.into_iter().take(20).map(|(name, value)| ("On", format!("{name} {value}"))));
    facts
}

fn pretty(value: &Value) -> Excerpt {
    Excerpt::of(serde_json::to_string_pretty(value).unwrap_or_default())
}

impl<T> Slice<T> {
    /// What of `all` fits, from number `from` on, as much as a page shows.
    fn of(all: impl Iterator<Item = T>, from: usize, fits: impl Fn(&T) -> bool) -> Self {
        let mut slice = Self { items: Vec::new(), total: 0, fitting: 0, from };
        for item in all {
            slice.total += 1;
            if fits(&item) {
                if slice.fitting >= from && slice.items.len() < SLICE {
                    slice.items.push(item);
                }
                slice.fitting += 1;
            }
        }
        slice
    }

    /// Where the next part begins, if there is one.
    pub(super) fn next(&self) -> Option<usize> {
        let next = self.from.saturating_add(SLICE);
        (next < self.fitting).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_bounded_and_knows_what_comes_behind_it() {
        let of = |from| Slice::of(0..1_000, from, |number| number % 2 == 0);
        let first = of(0);
        assert_eq!((first.items.len(), first.total, first.fitting), (SLICE, 1_000, 500));
        assert_eq!((first.items[1], first.next()), (2, Some(SLICE)));
        assert_eq!((of(450).items.len(), of(450).next()), (50, None));
        assert!(of(usize::MAX).items.is_empty() && of(usize::MAX).next().is_none());
    }
}
