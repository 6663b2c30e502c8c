//! What an evaluation looks at: who wants to do what, to what, where and when.
//!
//! Owns the shape. Refuses to find anything out: the caller states every fact, the present instant included.

use serde::{Deserialize, Serialize};
use xyn_store::Timestamp;
use xyn_store::ids::{ArtifactId, SessionId};
use xyn_store::scope::Stage;

use super::identity::Identity;
use super::words::Risk;

/// The facts an evaluation is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Who acts, with roles and teams.
    pub actor: Identity,
    /// The organisation unit it acts for.
    pub pou_id: Option<String>,
    /// The environment.
    pub env_id: String,
    /// The action or intent, such as `http.call`.
    pub action: String,
    /// Stage of the target.
    pub stage: NamedStage,
    /// What is acted on.
    pub resource: Option<Resource>,
    /// How much the act can break.
    pub risk: Risk,
    /// What was produced and bears on the act.
    pub artifacts: Vec<Evidence>,
    /// The session it happens in.
    pub session: Option<SessionFacts>,
    /// The present instant.
    pub now: Timestamp,
}

/// A stage as somebody named it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum NamedStage {
    /// A stage that governance knows.
    Known(Stage),
    /// Any other word; denied.
    Unknown(String),
}

impl From<Stage> for NamedStage {
    fn from(stage: Stage) -> Self {
        Self::Known(stage)
    }
}

impl From<String> for NamedStage {
    fn from(name: String) -> Self {
        name.parse().map_or(Self::Unknown(name), Self::Known)
    }
}

impl From<NamedStage> for String {
    fn from(stage: NamedStage) -> Self {
        stage.as_str().to_owned()
    }
}

impl NamedStage {
    /// The word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(stage) => stage.as_str(),
            Self::Unknown(name) => name,
        }
    }
}

/// Something that is acted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its type, such as `capsule`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// An artifact that bears on the act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The artifact.
    pub artifact_id: Option<ArtifactId>,
    /// Whether the tests it reports on passed; none when it is no test report.
    pub tests_passed: Option<bool>,
}

/// What is known about the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// The session; none in a table of cases.
    pub id: Option<SessionId>,
    /// Whether it was opened with a second factor; none when nobody knows.
    pub mfa: Option<bool>,
}

impl Context {
    /// `action` by `actor` on a target of `stage`, with nothing else known.
    pub fn of_action(actor: Identity, env_id: &str, action: &str, stage: Stage, now: Timestamp) -> Self {
        Self {
            actor,
            pou_id: None,
            env_id: env_id.to_owned(),
            action: action.to_owned(),
            stage: stage.into(),
            resource: None,
            risk: Risk::default(),
            artifacts: Vec::new(),
            session: None,
            now,
        }
    }

    /// Whether there is a test report that passed and none that failed.
    pub(super) fn tests_passed(&self) -> bool {
        let mut reports = self.artifacts.iter().filter_map(|evidence| evidence.tests_passed).peekable();
        reports.peek().is_some() && reports.all(|passed| passed)
    }
}
