//! Who asks and who may answer: principals with their roles and teams, and patterns that name some of them.
//!
//! Owns the words `role:X`, `team:ID`, `principal:ID`. Refuses to authenticate anybody.
//! Invariant: a role is one of the three that governance knows.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xyn_store::scope::Principal;
use xyn_store::trust;

/// What a principal may do in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// Runs the environment.
    Operator,
    /// Owns its data and policies.
    OwnerAdmin,
    /// Uses it.
    User,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Operator, Self::OwnerAdmin, Self::User];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "Operator",
            Self::OwnerAdmin => "OwnerAdmin",
            Self::User => "User",
        }
    }
}

/// A principal with its roles and teams, as the session in which it acts established them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Who.
    pub principal: Principal,
    /// Its roles in the environment.
    pub roles: Vec<Role>,
    /// Ids of its teams.
    pub teams: Vec<String>,
}

impl Identity {
    /// The one principal of a node in open loopback mode, which has every role.
    pub fn local_operator() -> Self {
        Self { principal: Principal::local_operator(), roles: Role::ALL.to_vec(), teams: Vec::new() }
    }

    /// A member of the environment, with the roles that its certificate gives: the one it names and those below
    /// it, because whoever hands a role on hands on at most its own. The only place where the roster's roles
    /// become those of governance; teams are not certified.
    pub fn of_member(principal: Principal, role: trust::Role) -> Self {
        let roles = match role {
            trust::Role::OwnerAdmin => vec![Role::OwnerAdmin, Role::Operator, Role::User],
            trust::Role::Operator => vec![Role::Operator, Role::User],
            trust::Role::User => vec![Role::User],
        };
        Self { principal, roles, teams: Vec::new() }
    }

    /// A principal without roles and teams, such as a webhook.
    pub fn bare(principal: Principal) -> Self {
        Self { principal, roles: Vec::new(), teams: Vec::new() }
    }
}

/// Names principals by role, team or id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Approver {
    /// Everybody who has the role.
    Role(Role),
    /// Everybody in the team.
    Team(String),
    /// One principal.
    Principal(String),
}

/// A text that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApprover {
    /// Not one of the three forms.
    #[error("`{0}` is not `role:X`, `team:ID` or `principal:ID`")]
    Form(String),
    /// A role that does not exist.
    #[error("`{0}` is not a role; roles are Operator, OwnerAdmin and User")]
    Role(String),
}

impl Approver {
    /// Whether `identity` is among those named.
    pub fn includes(&self, identity: &Identity) -> bool {
        match self {
            Self::Role(role) => identity.roles.contains(role),
            Self::Team(team) => identity.teams.contains(team),
            Self::Principal(name) => identity.principal.as_str() == name,
        }
    }
}

impl FromStr for Approver {
    type Err = InvalidApprover;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidApprover::Form(text.to_owned());
        let (kind, name) = text.split_once(':').filter(|(_, name)| !name.is_empty()).ok_or_else(invalid)?;
        match kind {
            "role" => {
                let role = Role::ALL.into_iter().find(|role| role.as_str() == name);
                role.map(Self::Role).ok_or_else(|| InvalidApprover::Role(name.to_owned()))
            }
            "team" => Ok(Self::Team(name.to_owned())),
            "principal" => Ok(Self::Principal(name.to_owned())),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Approver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => write!(f, "role:{}", role.as_str()),
            Self::Team(team) => write!(f, "team:{team}"),
            Self::Principal(name) => write!(f, "principal:{name}"),
        }
    }
}

impl TryFrom<String> for Approver {
    type Error = InvalidApprover;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Approver> for String {
    fn from(approver: Approver) -> Self {
        approver.to_string()
    }
}

impl JsonSchema for Approver {
    fn schema_name() -> Cow<'static, str> {
        "Approver".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "`role:X`, `team:ID` or `principal:ID`",
            "pattern": "^(role:(Operator|OwnerAdmin|User)|team:.+|principal:.+)$",
        })
    }
}
