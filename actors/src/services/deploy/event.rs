//! What happened to deployments: facts of the journal. Those that change one carry its row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xyn_store::projection::{Changes, DeploymentRow, Target};
use xyn_store::scope::Stage;

use super::gates::Finding;
use super::name::Place;

/// A fact about a deployment. Variants are append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A capsule passed the gates up to the switch, and is made ready.
    Accepted {
        /// Which, and where to.
        what: What,
        /// What was found.
        gates: Vec<Finding>,
    },
    /// A capsule serves.
    Deployed {
        /// What became of the deployment.
        row: Box<DeploymentRow>,
        /// What was found.
        gates: Vec<Finding>,
    },
    /// A capsule was not deployed. What served before still does.
    Failed {
        /// Which, and where to.
        what: What,
        /// What was found, up to the gate that stopped it.
        gates: Vec<Finding>,
        /// A word for programs.
        code: String,
        /// Why.
        message: String,
    },
    /// The capsule that served before serves again.
    RolledBack {
        /// What became of the deployment.
        row: Box<DeploymentRow>,
    },
    /// The capsule that served before serves again, and its seeds were applied again, too.
    RolledBackWithSeeds {
        /// What became of the deployment.
        row: Box<DeploymentRow>,
    },
}

/// What somebody wants deployed, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct What {
    /// The capsule, as it was named.
    pub capsule: String,
    /// In which stage.
    pub stage: Stage,
    /// On which target, where that is known.
    pub target: Option<Target>,
}

impl Event {
    /// The event's name in the catalogue.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "xyn.capsule.deploy.accepted",
            Self::Deployed { .. } => "xyn.capsule.deploy.completed",
            Self::Failed { .. } => "xyn.capsule.deploy.failed",
            Self::RolledBack { .. } | Self::RolledBackWithSeeds { .. } => "xyn.capsule.rolled_back",
        }
    }

    /// The deployment it is about, where there is one.
    pub(crate) fn deployment(&self) -> Option<String> {
        match self {
            Self::Deployed { row, .. } | Self::RolledBack { row } | Self::RolledBackWithSeeds { row } => {
                Some(Place::of(row).to_string())
            }
            Self::Accepted { .. } | Self::Failed { .. } => None,
        }
    }

    /// What it says.
    pub(crate) fn data(&self) -> Value {
        let of_row = |row: &DeploymentRow| {
            json!({
                "app": row.app, "stage": row.stage, "target": row.target, "port": row.port,
                "capsule": row.current.capsule, "id": row.current.id, "generation": row.current.generation,
                "tree": row.current.tree, "entry_id": row.current.entry_id,
                "before": row.previous.as_ref().map(|previous| previous.capsule),
                "seeds": row.seeds.iter().map(|(name, digest)| json!({ "name": name, "digest": digest })).collect::<Vec<_>>(),
                "services": row.services.iter().cloned().collect::<BTreeMap<_, _>>(),
            })
        };
        let of_what = |What { capsule, stage, target }: &What| json!({ "capsule": capsule, "stage": stage, "target": target });
        let (mut data, gates) = match self {
            Self::Accepted { what, gates } => (of_what(what), gates.as_slice()),
            Self::Deployed { row, gates } => (of_row(row), gates.as_slice()),
            Self::Failed { what, gates, code, message } => {
                let mut data = of_what(what);
                data["code"] = json!(code);
                data["message"] = json!(message);
                (data, gates.as_slice())
            }
            Self::RolledBack { row } => return of_row(row),
            Self::RolledBackWithSeeds { row } => {
                let mut data = of_row(row);
                data["seeds_again"] = json!(true);
                return data;
            }
        };
        data["gates"] = json!(gates);
        data
    }

    /// Puts the row that it carries.
    pub(crate) fn render(&self, changes: &mut Changes) {
        match self {
            Self::Deployed { row, .. } | Self::RolledBack { row } | Self::RolledBackWithSeeds { row } => {
                changes.put(row.as_ref());
            }
            Self::Accepted { .. } | Self::Failed { .. } => {}
        }
    }
}
