//! Generations: which capsule of an app may follow which.
//!
//! Owns what an environment remembers of an app, and the decision. Knows no keys, so that changing them changes
//! nothing here. Pure: the instant is an argument. Invariant: what is remembered never goes down, and never up
//! by so much that nothing could follow.

use serde::{Deserialize, Serialize};
use xyn_store::{Digest, Timestamp};

use super::predicate::Rollback;
use super::ring::{Admitted, CLOCK_SKEW};
use super::statement::Statement;
use crate::manifest::{Line, Manifest, Slug};

/// How far above the highest generation seen the next may be. Somebody who signs one at the end of the numbers
/// would shut out all that follow; this leaves room for the skipped ones of many years.
pub const GENERATION_JUMP_MAX: u64 = 1_000_000;

/// What an environment remembers of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Which environment.
    pub env: Line,
    /// Which app.
    pub app: Slug,
    /// The capsule with the highest generation.
    pub highest: Option<Mark>,
}

/// A capsule among those of its app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its generation.
    pub generation: u64,
    /// Of its manifest.
    pub capsule: Digest,
}

/// What installing a capsule would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A newer one; this is remembered from then on.
    Forward(Seen),
    /// The highest again.
    Again,
    /// An older one, with leave. What is remembered stays.
    Back,
}

/// Why a capsule may not be installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was let into another environment.
    #[error("the capsule was let into `{found}`, not into `{wanted}`; have it signed for that environment")]
    Env {
        /// Which let it in.
        found: Line,
        /// Where it should be installed.
        wanted: Line,
    },
    /// It is of another app.
    #[error("the capsule is of app `{found}`, not of `{wanted}`")]
    App {
        /// What it is of.
        found: Slug,
        /// What it should be of.
        wanted: Slug,
    },
    /// It is older than what was seen.
    #[error(
        "generation {found} of `{app}` is older than {highest}, which was seen in `{env}`; it needs a signed \
         leave to go back, or pack a newer one"
    )]
    Older {
        /// Which app.
        app: Slug,
        /// Which environment.
        env: Line,
        /// Its generation.
        found: u64,
        /// The highest seen.
        highest: u64,
    },
    /// Another capsule has its generation.
    #[error(
        "generation {generation} of `{app}` is another capsule already (`{have}`, and this is `{found}`); pack \
         it again with a higher one"
    )]
    Fork {
        /// Which app.
        app: Slug,
        /// The generation of both.
        generation: u64,
        /// The one that was seen.
        have: Digest,
        /// This one.
        found: Digest,
    },
    /// It is too far ahead.
    #[error(
        "generation {found} of `{app}` is more than {GENERATION_JUMP_MAX} above {highest}, the highest seen: \
         nothing could follow it; pack it again with the next one"
    )]
    Jump {
        /// Which app.
        app: Slug,
        /// Its generation.
        found: u64,
        /// The highest seen.
        highest: u64,
    },
    /// The leave that was given is for something else.
    #[error("the leave to go back is for {what} `{said}`, not for `{wanted}`; give leave for this")]
    OtherLeave {
        /// What of it does not fit.
        what: &'static str,
        /// What it says.
        said: String,
        /// What is needed.
        wanted: String,
    },
    /// The leave that was given may not be used now.
    #[error("the leave to go back holds from {from} until {until}, and it is {now}; give leave again")]
    Leave {
        /// From when on.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
        /// The present.
        now: Timestamp,
    },
}

impl Seen {
    /// Nothing was seen of `app` in `env`.
    pub fn nothing(env: Line, app: Slug) -> Self {
        Self { env, app, highest: None }
    }
}

/// Whether `candidate` may be installed where `seen` was seen, given `leave` to go back, if there is one.
pub fn decide(
    seen: &Seen,
    candidate: &Admitted<Manifest>,
    leave: Option<&Admitted<Statement<Rollback>>>,
    now: Timestamp,
) -> Result<Step, Refused> {
    let manifest = candidate.value();
    let mark = Mark { generation: manifest.generation, capsule: candidate.verified().digest() };
    if *candidate.env() != seen.env {
        return Err(Refused::Env { found: candidate.env().clone(), wanted: seen.env.clone() });
    }
    if manifest.id.app != seen.app {
        return Err(Refused::App { found: manifest.id.app.clone(), wanted: seen.app.clone() });
    }
    let highest = seen.highest.map_or(0, |highest| highest.generation);
    let (app, found) = (seen.app.clone(), mark.generation);
    match seen.highest {
        Some(have) if have == mark => Ok(Step::Again),
        Some(Mark { generation, capsule: have }) if generation == found => {
            Err(Refused::Fork { app, generation, have, found: mark.capsule })
        }
        Some(_) if found < highest => {
            let refused = Refused::Older { app, env: seen.env.clone(), found, highest };
            let leave = leave.ok_or(refused)?;
            check(leave, seen, highest, manifest, now).map(|()| Step::Back)
        }
        _ if found - highest > GENERATION_JUMP_MAX => Err(Refused::Jump { app, found, highest }),
        _ => Ok(Step::Forward(Seen { highest: Some(mark), ..seen.clone() })),
    }
}

/// Whether `leave` is for this: everything it names, and now.
fn check(
    leave: &Admitted<Statement<Rollback>>,
    seen: &Seen,
    highest: u64,
    manifest: &Manifest,
    now: Timestamp,
) -> Result<(), Refused> {
    let Statement { subject, predicate: said } = leave.value();
    let pairs = [
        ("environment", leave.env().to_string(), seen.env.to_string()),
        ("environment", said.env.to_string(), seen.env.to_string()),
        ("app", said.app.to_string(), seen.app.to_string()),
        ("content", subject.tree.to_string(), manifest.tree.to_string()),
        ("a way from generation", said.from.to_string(), highest.to_string()),
        ("a way to generation", said.to.to_string(), manifest.generation.to_string()),
    ];
    let other = pairs.into_iter().find(|(_, said, wanted)| said != wanted);
    if let Some((what, said, wanted)) = other {
        return Err(Refused::OtherLeave { what, said, wanted });
    }
    let is_given = said.issued_at <= now.after(CLOCK_SKEW);
    if is_given && now < said.expires {
        return Ok(());
    }
    Err(Refused::Leave { from: said.issued_at, until: said.expires, now })
}
