//! Leave to go back.

use serde::{Deserialize, Serialize};
use xyn_store::Timestamp;

use super::Predicate;
use crate::manifest::{Line, Slug};
use crate::sign::ring::Role;

/// Leave to install an older capsule of an app. The subject of the statement is the content to go back to.
///
/// It names the generation that is left, so that it is spent as soon as there is a newer one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollback {
    /// Which app.
    pub app: Slug,
    /// In which environment.
    pub env: Line,
    /// The highest generation seen there.
    pub from: u64,
    /// The generation to install.
    pub to: u64,
    /// When it was given.
    pub issued_at: Timestamp,
    /// Until when it may be used.
    pub expires: Timestamp,
    /// Why, for people.
    pub reason: Line,
}

impl Predicate for Rollback {
    const TYPE: &'static str = "urn:xyn:predicate:rollback:v1";
    const ROLE: Role = Role::Rollback;

    fn check(&self) -> Result<(), &'static str> {
        if self.to >= self.from {
            Err("`to` is not below `from`: that is no way back")
        } else if self.expires <= self.issued_at {
            Err("`expires` is not after `issuedAt`")
        } else {
            Ok(())
        }
    }
}
