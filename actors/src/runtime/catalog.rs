//! What is in force: the active blueprints and policies, compiled.
//!
//! Readers take one consistent version and never wait. Invariant: a catalog is never changed, only replaced.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use xyn_store::projection::{BlueprintRow, BlueprintStatus, PolicyRow, PolicyStatus};
use xyn_store::{Digest, Reader, Store, StoreError};

use crate::actions::Registry;
use crate::blueprint::{self, NodeLimits, Plan, Scope};
use crate::governance::{self, Policy, PolicySet};

/// The active blueprints and policies of a node.
#[derive(Default)]
pub struct Catalog {
    blueprints: BTreeMap<String, Active>,
    /// Active policies by id.
    policies: BTreeMap<String, (Policy, u32)>,
    /// The same, compiled.
    set: PolicySet,
}

/// An active blueprint version.
#[derive(Clone)]
pub struct Active {
    /// The version.
    pub version: u32,
    /// What it compiles to.
    pub plan: Arc<Plan>,
}

/// Why the library of a data folder cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was valid when it was promoted is not any more.
    #[error("{kind} `{id}` version {version} is not valid any more: {fault}")]
    Invalid {
        /// `blueprint` or `policy`.
        kind: &'static str,
        /// Which.
        id: String,
        /// Which version.
        version: u32,
        /// The first fault.
        fault: String,
    },
}

impl Catalog {
    /// Compiles all that is active in the store.
    pub fn load(reader: &Reader, registry: &Registry, limits: &NodeLimits) -> Result<Self, CatalogError> {
        let mut catalog = Self::default();
        for row in
            reader.all::<BlueprintRow>()?.into_iter().filter(|row| row.status == BlueprintStatus::Active)
        {
            let plan = blueprint::compile_promoted(row.source.as_bytes(), registry, limits);
            let plan = plan.map_err(|issues| {
                let fault = issues.first().map(ToString::to_string).unwrap_or_default();
                CatalogError::Invalid {
                    kind: "blueprint",
                    id: row.blueprint_id.clone(),
                    version: row.version,
                    fault,
                }
            })?;
            catalog.blueprints.insert(row.blueprint_id, Active { version: row.version, plan: plan.into() });
        }
        for row in reader.all::<PolicyRow>()?.into_iter().filter(|row| row.status == PolicyStatus::Active) {
            let policy = governance::parse(row.source.as_bytes()).map_err(|issues| {
                let fault = issues.first().map(ToString::to_string).unwrap_or_default();
                CatalogError::Invalid {
                    kind: "policy",
                    id: row.policy_id.clone(),
                    version: row.version,
                    fault,
                }
            })?;
            catalog.policies.insert(row.policy_id, (policy, row.version));
        }
        Ok(catalog.compiled())
    }

    /// This catalog with version `version` of a blueprint in force.
    pub fn with_blueprint(&self, plan: Arc<Plan>, version: u32) -> Self {
        let mut blueprints = self.blueprints.clone();
        blueprints.insert(plan.id.clone(), Active { version, plan });
        Self { blueprints, policies: self.policies.clone(), set: PolicySet::default() }.compiled()
    }

    /// This catalog with version `version` of a policy in force.
    pub fn with_policy(&self, policy: Policy, version: u32) -> Self {
        let mut policies = self.policies.clone();
        policies.insert(policy.policy_id.clone(), (policy, version));
        Self { blueprints: self.blueprints.clone(), policies, set: PolicySet::default() }.compiled()
    }

    fn compiled(mut self) -> Self {
        self.set = PolicySet::new(self.policies.values().map(|(policy, _)| policy));
        self
    }

    /// The active version of a blueprint.
    pub fn blueprint(&self, id: &str) -> Option<&Active> {
        self.blueprints.get(id)
    }

    /// All active blueprints, by id.
    pub fn blueprints(&self) -> impl Iterator<Item = &Active> {
        self.blueprints.values()
    }

    /// The policies in force, compiled.
    pub fn policies(&self) -> &PolicySet {
        &self.set
    }

    /// The policies in force with their versions, by id.
    pub fn active_policies(&self) -> impl Iterator<Item = (&Policy, u32)> {
        self.policies.values().map(|(policy, version)| (policy, *version))
    }

    /// Blueprints whose trigger may match an event called `name`.
    pub fn listeners(&self, name: &str) -> impl Iterator<Item = &Active> {
        self.blueprints.values().filter(|active| active.plan.trigger.event_type.matches(name))
    }

    /// Plans whose trigger matches the event `view`, called `name`.
    pub fn triggered(&self, name: &str, view: &Value) -> Vec<Arc<Plan>> {
        let matches = |active: &&Active| {
            let trigger = &active.plan.trigger;
            let mut scope = Scope::new(&Value::Null, &active.plan.vars, &Value::Null);
            scope.set_event(view);
            // A filter that cannot be evaluated for this event does not match it.
            trigger.event_type.matches(name)
                && trigger.when.as_ref().is_none_or(|when| when.truthy(&scope).unwrap_or(false))
        };
        self.blueprints.values().filter(matches).map(|active| active.plan.clone()).collect()
    }
}

/// Plans by digest: those of runs under way, which may be older than what is active.
#[derive(Default)]
pub(crate) struct Plans(Mutex<BTreeMap<Digest, Arc<Plan>>>);

/// Compiled plans kept; past it they are forgotten and compiled again when needed.
const PLANS_LIMIT: usize = 1_024;

impl Plans {
    /// The plan with this digest, compiled from the store when it is not in memory.
    pub(crate) fn get(
        &self,
        digest: &Digest,
        store: &Store,
        registry: &Registry,
        limits: &NodeLimits,
    ) -> Result<Arc<Plan>, StoreError> {
        if let Some(plan) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest) {
            return Ok(plan.clone());
        }
        let missing = || StoreError::Inconsistent(format!("the source of blueprint {digest} is missing"));
        let source = store.blob(digest)?.ok_or_else(missing)?;
        let plan = blueprint::compile_promoted(&source, registry, limits).map_err(|issues| {
            let fault = issues.first().map(ToString::to_string).unwrap_or_default();
            StoreError::Inconsistent(format!("blueprint {digest} does not compile any more: {fault}"))
        })?;
        let plan = Arc::new(plan);
        self.keep(plan.clone());
        Ok(plan)
    }

    /// Keeps a compiled plan.
    pub(crate) fn keep(&self, plan: Arc<Plan>) {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS_LIMIT {
            plans.clear();
        }
        plans.insert(plan.digest, plan);
    }
}
