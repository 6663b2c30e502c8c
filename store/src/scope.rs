//! Who acts, where, and in answer to what: the attribution that every recorded fact carries.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{EventId, SessionId};

/// Who acts: `operator@local`, `webhook:<hook>`, `cron:<entry>`, `run:<run id>`, `node`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The one principal of a node in open loopback mode.
    pub const LOCAL_OPERATOR: &'static str = "operator@local";
    /// The kinds of machines that a node has act beside itself.
    const MACHINES: [&'static str; 3] = ["webhook", "cron", "run"];

    /// A principal by its name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The principal of a node in open loopback mode.
    pub fn local_operator() -> Self {
        Self::new(Self::LOCAL_OPERATOR)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a person stands behind this principal: `name@place`. Machines have a kind and a colon, whatever
    /// their name holds: `webhook:a@b` is none.
    pub fn is_person(&self) -> bool {
        self.0.contains('@') && !self.0.contains(':')
    }

    /// Whether it is a machine that nodes have: any other name may be taken for somebody's.
    pub fn is_machine(&self) -> bool {
        self.as_str() == "node"
            || self.0.split_once(':').is_some_and(|(kind, _)| Self::MACHINES.contains(&kind))
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How strict policies are about the target of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Development: what no policy names is allowed.
    Dev,
    /// Staging (also called `test`): what no policy names is allowed.
    #[serde(alias = "test")]
    Staging,
    /// Production: what no policy names is denied.
    Prod,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dev, Self::Staging, Self::Prod];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }
}

/// A word that names no stage.
#[derive(Debug, thiserror::Error)]
#[error("the stages are dev, staging (or test) and prod")]
pub struct InvalidStage;

impl FromStr for Stage {
    type Err = InvalidStage;

    fn from_str(word: &str) -> Result<Self, InvalidStage> {
        match word {
            "dev" => Ok(Self::Dev),
            "staging" | "test" => Ok(Self::Staging),
            "prod" => Ok(Self::Prod),
            _ => Err(InvalidStage),
        }
    }
}

/// A correlation id: groups everything that follows from one interaction. At most 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CorrelationId(Arc<str>);

/// A correlation id that is empty, too long or not visible ASCII.
#[derive(Debug, thiserror::Error)]
#[error("a correlation id is 1 to 128 visible ASCII characters")]
pub struct InvalidCorrelationId;

impl CorrelationId {
    /// Checks and wraps `text`.
    pub fn parse(text: &str) -> Result<Self, InvalidCorrelationId> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.into())) } else { Err(InvalidCorrelationId) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<EventId> for CorrelationId {
    fn from(id: EventId) -> Self {
        Self(id.to_string().into())
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who did something, in which session, and what it belongs to and follows from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// The principal who acts.
    pub actor: Principal,
    /// The session it acts in; none for the node itself.
    pub session: Option<SessionId>,
    /// The interaction all of this belongs to.
    pub correlation_id: CorrelationId,
    /// The event that led to this one.
    pub causation_id: Option<EventId>,
}
