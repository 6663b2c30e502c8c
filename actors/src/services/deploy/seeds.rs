//! Seeds: the data that an app starts with, applied once per target.
//!
//! Owns the folder `data` of a deployment, which outlives its releases, and the notes of what was applied there. What
//! is there already is the app's own: files are never written over, documents are merged into, and statements are run
//! in one transaction that is noted in the database itself. Whoever rolls back may ask for seeds again: then files are
//! put in the place of what is there, which is kept aside, and statements are run once more. Invariant: a seed is applied
//! whole or not at all, and not again after the app may have changed what came of it, unless somebody asked.

mod crdt;
mod files;
mod notes;
mod sql;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use xyn_capsules::manifest::{Manifest, Seed, SeedKind, Slug};
use xyn_capsules::tree::{self, Entry};
use xyn_store::blobs::Blobs;
use xyn_store::{Digest, Timestamp};

use super::needs::Given;
use super::release::unfit;
use crate::runtime::Refusal;
use crate::services::blocking;
use sql::Script;

/// The folders of a deployment's data.
#[derive(Clone)]
pub(super) struct Ground {
    /// What the app keeps.
    pub(super) data: PathBuf,
    /// What was applied there: a file for each seed, with its digest.
    pub(super) notes: PathBuf,
    /// What files that were asked for again took the place of: of each seed the last.
    pub(super) aside: PathBuf,
}

/// What is to be applied: the seeds of the content `root`, which `manifest` describes.
#[derive(Clone)]
pub(super) struct Sowing {
    pub(super) blobs: Blobs,
    pub(super) root: Digest,
    pub(super) manifest: Manifest,
    pub(super) ground: Ground,
    pub(super) now: Timestamp,
    /// Whether what was applied before is applied again.
    pub(super) again: bool,
}

impl Sowing {
    /// Applies what was not applied yet, or all; answers all of it. Statements come first: they fail most.
    pub(super) async fn apply(self, given: &Given) -> Result<Vec<(String, Digest)>, Refusal> {
        let (reading, sowing) = (self.clone(), self);
        let scripts = blocking(move || reading.scripts()).await?;
        for (service, scripts) in scripts {
            let database = given.databases.get(&service).cloned();
            let database = database.ok_or_else(|| unfit(format!("there is no database `{service}`")))?;
            let run = sql::run(database, scripts, sowing.again, &given.scrub, sowing.now);
            run.await.map_err(unfit)?;
        }
        blocking(move || sowing.lay_out()).await
    }

    /// The statements of each service.
    fn scripts(&self) -> Result<BTreeMap<Slug, Vec<Script>>, Refusal> {
        let mut scripts: BTreeMap<Slug, Vec<Script>> = BTreeMap::new();
        std::fs::create_dir_all(&self.ground.data)
            .map_err(|error| cannot(&self.ground.data.display(), error))?;
        for seed in self.manifest.seeds.iter().filter(|seed| seed.kind == SeedKind::Sql) {
            let (service, dialect) = sql::service(&self.manifest, seed)?;
            let text = read(&self.blobs, &self.root, seed, sql::SCRIPT_MAX_BYTES)?;
            let script = Script::read(seed, text, dialect)?;
            scripts.entry(service.clone()).or_default().push(script);
        }
        Ok(scripts)
    }

    /// Lays out files and documents.
    fn lay_out(&self) -> Result<Vec<(String, Digest)>, Refusal> {
        for seed in &self.manifest.seeds {
            match seed.kind {
                SeedKind::Sql => {}
                SeedKind::Files => files::apply(self, seed)?,
                SeedKind::Crdt => crdt::apply(self, seed)?,
            }
        }
        Ok(self.manifest.seeds.iter().map(|seed| (seed.name.to_string(), seed.digest)).collect())
    }
}

/// Refuses seeds that cannot be applied, by what they say: nothing is changed. `root` is in the store.
pub(super) fn check(blobs: &Blobs, root: &Digest, manifest: &Manifest) -> Result<(), Refusal> {
    for seed in &manifest.seeds {
        match seed.kind {
            SeedKind::Files => drop(find(blobs, root, seed)?),
            SeedKind::Crdt => {
                crdt::check(seed, &read(blobs, root, seed, xyn_store::timeline::DOCUMENT_MAX_BYTES)?)?;
            }
            SeedKind::Sql => {
                let (_, dialect) = sql::service(manifest, seed)?;
                Script::read(seed, read(blobs, root, seed, sql::SCRIPT_MAX_BYTES)?, dialect)?;
            }
        }
    }
    Ok(())
}

/// What stands where `seed` says.
fn find(blobs: &Blobs, root: &Digest, seed: &Seed) -> Result<Entry, Refusal> {
    let found =
        tree::find(blobs, root, &seed.path).map_err(|error| Refusal::Unavailable(error.to_string()))?;
    found.filter(|entry| entry.digest == seed.digest).ok_or_else(|| {
        unfit(format!("what stands at `{}` is not the seed `{}`; pack it again", seed.path, seed.name))
    })
}

/// The bytes of a seed that is one file.
fn read(blobs: &Blobs, root: &Digest, seed: &Seed, limit_bytes: usize) -> Result<Vec<u8>, Refusal> {
    let entry = find(blobs, root, seed)?;
    if !entry.mode.is_file() {
        return Err(unfit(format!("its seed `{}` is not one file: `{}`", seed.name, seed.path)));
    }
    if entry.size_bytes > limit_bytes as u64 {
        let message = format!(
            "its seed `{}` (`{}`) has {} bytes, and one of this kind may have {limit_bytes}",
            seed.name, seed.path, entry.size_bytes
        );
        return Err(unfit(message));
    }
    blobs.read(&entry.digest).map_err(|error| Refusal::Unavailable(error.to_string()))
}

fn cannot(what: &dyn std::fmt::Display, error: io::Error) -> Refusal {
    Refusal::Unavailable(format!("cannot apply seeds at `{what}`: {error}"))
}
