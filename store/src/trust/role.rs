//! Roles: what a principal may do at most, and the one word for each.
//!
//! Owns their order and their spelling. Invariant: wherever people and programs read a role it is one of these words;
//! postcard writes its number, so variants are append-only.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::legible::quoted;

/// What a principal may do at most. Ordered: whoever issues a certificate gives at most what it has itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Day-to-day work.
    #[default]
    User,
    /// Runs nodes, packs, replication and backups.
    Operator,
    /// Owns the environment and its domains.
    OwnerAdmin,
}

/// No word for a role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no role: roles are `user`, `operator` and `owner_admin`")]
pub struct InvalidRole(String);

impl Role {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::User, Self::Operator, Self::OwnerAdmin];
    /// How intents that wait for an approval may have them from before: the words of `ALL`, in its order.
    pub const FORMER: [&str; 3] = ["User", "Operator", "OwnerAdmin"];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::OwnerAdmin => "owner_admin",
        }
    }

    /// Reads a word, or a former one.
    pub fn from_former(word: &str) -> Result<Self, InvalidRole> {
        let former = Self::FORMER.into_iter().zip(Self::ALL).find(|(former, _)| *former == word);
        former.map_or_else(|| word.parse(), |(_, role)| Ok(role))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == word);
        found.ok_or_else(|| InvalidRole(quoted(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_one_word_for_people_and_programs_and_former_ones_are_read_where_they_were_kept() {
        for (role, former) in Role::ALL.into_iter().zip(Role::FORMER) {
            assert_eq!(serde_json::to_value(role).ok(), Some(role.as_str().into()));
            assert_eq!(role.to_string().parse::<Role>().ok(), Some(role));
            assert_eq!(Role::from_former(former).ok(), Some(role));
            assert_eq!(Role::from_former(role.as_str()).ok(), Some(role));
            assert!(former.parse::<Role>().is_err(), "`{former}` is one no more");
        }
        for wrong in ["", "king", "owner-admin", "USER"] {
            assert!(wrong.parse::<Role>().is_err() && Role::from_former(wrong).is_err(), "{wrong}");
        }
        assert!(Role::ALL.is_sorted());
    }
}
