//! Noting in what an author wrote what a build of it comes to, and what that answers.
//!
//! Invariant: what the author said already is only confirmed.

use xyn_store::{Digest, Timestamp};

use super::{Built, NotBuilt, Recipe};
use crate::make::redact;
use crate::manifest::{Authored, Line};
use crate::sign::Resource;
use crate::tree::TreeError;
use crate::workcell::Workcell;

/// Why it was not noted.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// Nothing was built, or nothing answers.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// The author says that it comes to something else.
    #[error("`/expected/buildDigest` is {said}, and the build came to {found}; write that, or leave it out")]
    Build {
        /// What stands there.
        said: Digest,
        /// What came of it.
        found: Digest,
    },
    /// The author says that it answers something else.
    #[error("`/expected/outputs`: what `{run}` answers has the digest {found}; write that, or leave it out")]
    Output {
        /// What was run.
        run: Line,
        /// Of what it answered.
        found: Digest,
    },
    /// What was built cannot be listed.
    #[error(transparent)]
    Files(#[from] TreeError),
}

impl Recipe {
    /// How what `authored` describes is built when it is packed at `now`: without values that are secret.
    pub fn of(authored: &mut Authored, now: Timestamp) -> Self {
        redact(authored);
        let created_at = *authored.created_at.get_or_insert(now);
        Self::new(&authored.build.clone().fill(&authored.app, created_at), &authored.app)
    }

    /// Notes in `authored` what came of a build in `cell`; answers its files.
    pub fn record(
        &self,
        cell: &Workcell,
        built: &Built,
        authored: &mut Authored,
    ) -> Result<Vec<Resource>, NotRecorded> {
        let (found, expected) = (built.root(), &mut authored.expected);
        match expected.build_digest {
            Some(said) if said != found => return Err(NotRecorded::Build { said, found }),
            _ => expected.build_digest = Some(found),
        }
        for output in &mut expected.outputs {
            let found = self.replay(cell, built, &output.run)?;
            if output.digest.is_some_and(|said| said != found) {
                return Err(NotRecorded::Output { run: output.run.clone(), found });
            }
            output.digest = Some(found);
        }
        Ok(built.byproducts()?)
    }
}
