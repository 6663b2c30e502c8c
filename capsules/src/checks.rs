//! Checks of an author's own: commands that look at what is packed, and may veto the pack.
//!
//! Owns what they see (exactly the files that are packed, in a workcell, where none of them can be changed) and what is
//! said when one ends otherwise than with 0. Each is run, whatever those before it said, so that everything that is
//! wrong is told at once. Invariant: where no workcell can be put up, nothing is run and nothing is packed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use xyn_store::blobs::Blobs;
use xyn_store::{Digest, Timestamp};

use crate::container::ContainerError;
use crate::manifest::{Authored, Check, Line, Slug};
use crate::rebuild::{Packed, Recipe, from_store, last_lines};
use crate::workcell::{Ended, Workcell, WorkcellError};

/// Lines of each stream that are told of a check.
const SAID_LINES: usize = 10;

/// The checks of an app, and what they are run with.
#[derive(Clone, Debug)]
pub struct Checks {
    checks: Vec<Check>,
    env: BTreeMap<String, String>,
    /// In seconds since the Unix epoch.
    epoch: u64,
}

/// That no check vetoed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Which checks were run.
    pub passed: Vec<Slug>,
    /// Whether they ran within walls.
    pub sandboxed: bool,
}

/// Why a pack is stopped.
#[derive(Debug, thiserror::Error)]
pub enum NotChecked {
    /// The files were not laid out.
    #[error(transparent)]
    Files(#[from] ContainerError),
    /// The workcell did not do it.
    #[error(transparent)]
    Workcell(#[from] WorkcellError),
    /// A check was ended.
    #[error("the check `{name}` (`{run}`): {source}")]
    Stopped {
        /// Which.
        name: Slug,
        /// What it runs.
        run: Line,
        /// Why.
        source: WorkcellError,
    },
    /// Some of them veto.
    #[error("{}", listed(.0))]
    Vetoed(Vec<Veto>),
}

/// The word of a check against a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Veto {
    /// Which check.
    pub name: Slug,
    /// What it runs.
    pub run: Line,
    /// How that ended, and what it said.
    pub ended: Ended,
}

impl Checks {
    /// Those that `authored` names, which is packed at `now`; nothing where it names none. They see the variables that a
    /// build sees: none that is secret.
    pub fn of(authored: &mut Authored, now: Timestamp) -> Option<Self> {
        let recipe = (!authored.checks.is_empty()).then(|| Recipe::of(authored, now))?;
        let checks = authored.checks.iter().cloned().map(Check::from).collect();
        Some(Self { checks, env: recipe.env(), epoch: recipe.epoch() })
    }

    /// Runs them over the tree `root` of the chunk store.
    pub fn run_stored(&self, cell: &Workcell, blobs: &Blobs, root: &Digest) -> Result<Checked, NotChecked> {
        self.run(cell, from_store(blobs, root))
    }

    /// Runs them over what a capsule of the folder `dir` would hold; answers the digest of its tree, too.
    pub fn run_folder(&self, cell: &Workcell, dir: &Path) -> Result<(Digest, Checked), NotChecked> {
        let packed = Packed::of(dir)?;
        let checked = self.run(cell, |tree| packed.lay_out(tree))?;
        Ok((packed.root, checked))
    }

    fn run(
        &self,
        cell: &Workcell,
        lay_out: impl FnOnce(&Path) -> Result<(), ContainerError>,
    ) -> Result<Checked, NotChecked> {
        let room = cell.room()?;
        lay_out(&room.tree())?;
        room.hand_over(self.epoch)?;
        let mut vetoes = Vec::new();
        for Check { name, run, .. } in &self.checks {
            let (name, run) = (name.clone(), run.clone());
            match cell.look(&room, run.as_str(), &self.env) {
                Ok(ended) if ended.code == 0 => {}
                Ok(ended) => vetoes.push(Veto { name, run, ended }),
                Err(source) => return Err(NotChecked::Stopped { name, run, source }),
            }
        }
        let passed = self.checks.iter().map(|check| check.name.clone()).collect();
        match vetoes.is_empty() {
            true => Ok(Checked { passed, sandboxed: cell.is_walled() }),
            false => Err(NotChecked::Vetoed(vetoes)),
        }
    }
}

impl fmt::Display for Veto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, run, ended } = self;
        let said = [&ended.out, &ended.err].map(|said| last_lines(said, SAID_LINES)).concat();
        write!(f, "the check `{name}` (`{run}`) ended with {}{said}", ended.code)
    }
}

fn listed(vetoes: &[Veto]) -> String {
    vetoes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
