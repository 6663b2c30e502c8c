//! Deployments: what serves where, and what served before.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use xyn_actors::services::deploy::{Finding, Place, Served};
use xyn_store::ids::EntryId;
use xyn_store::projection::{DeploymentRow, Release, Target};
use xyn_store::scope::{Principal, Stage};
use xyn_store::{Digest, Timestamp};

use crate::schema;

/// An app in a stage, on a target.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deployment {
    /// Its name: `APP.STAGE.TARGET`.
    deployment: String,
    app: String,
    #[schema(schema_with = schema::stage)]
    stage: Stage,
    #[schema(schema_with = schema::target)]
    target: Target,
    /// Whether it is served at this moment.
    is_served: bool,
    /// Where it is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    url: Option<String>,
    /// Why it is not served.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    fault: Option<String>,
    current: ReleaseView,
    /// What served before; a rollback lets it serve again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    previous: Option<ReleaseView>,
    /// The data of the capsule that was laid out here, now or before.
    seeds: Vec<SeedView>,
    /// Which secret is the address of which service.
    services: BTreeMap<String, String>,
}

/// Data that was laid out.
#[derive(Serialize, ToSchema)]
struct SeedView {
    name: String,
    /// What it is, as a tree names it.
    #[schema(schema_with = schema::digest)]
    digest: Digest,
}

/// A capsule that serves, or did.
#[derive(Serialize, ToSchema)]
struct ReleaseView {
    #[schema(schema_with = schema::digest)]
    capsule: Digest,
    /// Which app in which version, as a URN.
    id: String,
    /// What the app is called.
    name: String,
    generation: u64,
    /// Root of its content.
    #[schema(schema_with = schema::digest)]
    tree: Digest,
    /// Root of what serves: its content, with what was built of that where its recipe leaves it.
    #[schema(schema_with = schema::digest)]
    served: Digest,
    /// What it answers well when it is well.
    health: String,
    /// When it began to serve.
    #[schema(schema_with = schema::instant)]
    at: Timestamp,
    #[schema(value_type = String)]
    by: Principal,
    /// The moment that says so.
    #[schema(schema_with = schema::id)]
    entry_id: EntryId,
}

impl From<Release> for ReleaseView {
    fn from(release: Release) -> Self {
        let Release { capsule, id, name, generation, tree, served, health, at, by, entry_id } = release;
        Self { capsule, id, name, generation, tree, served, health, at, by, entry_id }
    }
}

impl Deployment {
    /// What `row` says, and whether it is so.
    pub(crate) fn of(row: DeploymentRow, served: Served) -> Self {
        let (url, fault) = match served {
            Served::At(url) => (Some(url), None),
            Served::Not(why) => (None, Some(why)),
        };
        Self {
            deployment: Place::of(&row).to_string(),
            app: row.app,
            stage: row.stage,
            target: row.target,
            is_served: url.is_some(),
            url,
            fault,
            current: row.current.into(),
            previous: row.previous.map(ReleaseView::from),
            seeds: row.seeds.into_iter().map(|(name, digest)| SeedView { name, digest }).collect(),
            services: row.services.into_iter().collect(),
        }
    }
}

/// What became of a deployment or a rollback.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the actions answer with")]
pub(crate) struct Switched {
    /// Its name: `APP.STAGE.TARGET`.
    deployment: String,
    /// Where it is served.
    url: String,
    #[schema(schema_with = schema::digest)]
    capsule: Digest,
    /// Which app in which version, as a URN.
    id: String,
    generation: u64,
    /// The moment that says so.
    #[schema(schema_with = schema::id)]
    entry_id: EntryId,
    /// What served until now; null where nothing did.
    before: Option<String>,
    /// Whether seeds were applied again; of a rollback.
    #[schema(required = false)]
    seeds_again: bool,
    /// What was found at each gate; a rollback passes none again.
    #[schema(required = false)]
    gates: Vec<FindingView>,
}

/// What was found at a gate.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the actions answer with")]
struct FindingView {
    #[schema(schema_with = schema::gate)]
    gate: Finding,
    #[schema(schema_with = schema::verdict)]
    verdict: Finding,
    /// Why, for people.
    why: String,
}
