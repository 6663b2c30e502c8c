//! What a moment is the state of, and how two states differ.
//!
//! Invariant: of each thing a state says since which moment it is so, and that moment says by which run and whom.

use serde::Serialize;
use utoipa::ToSchema;
use xyn_store::Digest;
use xyn_store::ids::EntryId;
use xyn_store::scope::Stage;
use xyn_store::timeline::{Facet, State, Stop};
use xyn_store::trust::Roster;

use super::Moment;
use crate::schema;

/// What lies between two moments.
#[derive(Serialize, ToSchema)]
pub(crate) struct MomentDiff {
    pub(crate) from: Moment,
    pub(crate) to: Moment,
    /// What the one state has that the other has not.
    pub(crate) changes: Vec<StateChange>,
    /// Whether a state has too many things to compare all of them.
    pub(crate) is_cut_short: bool,
    /// What happened between them, oldest first: behind the earlier one, up to and with the later one.
    pub(crate) items: Vec<Moment>,
    /// Where the next page begins; null at the end.
    pub(crate) next_cursor: Option<String>,
}

/// Something of the state that differs.
#[derive(Serialize, ToSchema)]
pub(crate) struct StateChange {
    /// `workspace`, `workspace:<name>`, `stage:<env>/<stage>` or `domain:<name>`.
    pub(crate) of: String,
    /// The digest it had at `from`; null when it was not there.
    #[schema(schema_with = schema::optional_digest)]
    pub(crate) before: Option<Digest>,
    /// The digest it has at `to`; null when it is not there.
    #[schema(schema_with = schema::optional_digest)]
    pub(crate) after: Option<Digest>,
}

/// What a moment is the state of.
#[derive(Serialize, ToSchema)]
pub(crate) struct MomentState {
    /// The files of each workspace.
    pub(crate) workspaces: Vec<Files>,
    /// What is deployed where.
    pub(crate) deployed: Vec<Deployed>,
    /// What each domain leads to.
    pub(crate) domains: Vec<Mapped>,
    /// Whether there are too many things to show all of them.
    pub(crate) is_cut_short: bool,
}

/// The files of a workspace.
#[derive(Serialize, ToSchema)]
pub(crate) struct Files {
    /// Its name; left out where it is the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) workspace: Option<String>,
    /// Root of its tree.
    #[schema(schema_with = schema::digest)]
    pub(crate) root: Digest,
    /// The moment that left it so.
    #[schema(schema_with = schema::id)]
    pub(crate) since: EntryId,
}

/// A stop of a scrubber: a moment, and the state it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct StopView {
    pub(crate) moment: Moment,
    pub(crate) state: MomentState,
}

/// A capsule in a stage of an environment.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deployed {
    pub(crate) env: String,
    #[schema(schema_with = schema::stage)]
    pub(crate) stage: Stage,
    #[schema(schema_with = schema::digest)]
    pub(crate) capsule: Digest,
    /// The moment it came there.
    #[schema(schema_with = schema::id)]
    pub(crate) since: EntryId,
}

/// A domain and the capsule it leads to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Mapped {
    pub(crate) domain: String,
    #[schema(schema_with = schema::optional_digest)]
    pub(crate) capsule: Option<Digest>,
    /// The moment it was mapped.
    #[schema(schema_with = schema::id)]
    pub(crate) since: EntryId,
}

impl From<State> for MomentState {
    fn from(state: State) -> Self {
        let State { made, is_cut_short } = state;
        let mut shown =
            Self { workspaces: Vec::new(), deployed: Vec::new(), domains: Vec::new(), is_cut_short };
        for (facet, entry) in made {
            let digest = facet.digest(&entry);
            let since = entry.entry_id;
            match facet {
                Facet::Workspace(workspace) => {
                    shown.workspaces.extend(digest.map(|root| Files { workspace, root, since }));
                }
                Facet::Deployed(env, stage) => {
                    shown.deployed.extend(digest.map(|capsule| Deployed { env, stage, capsule, since }));
                }
                Facet::Domain(domain) => shown.domains.push(Mapped { domain, capsule: digest, since }),
            }
        }
        shown
    }
}

impl StopView {
    /// How `stop` shows to those who are on `roster`.
    pub(crate) fn of(stop: Stop, roster: &Roster) -> Self {
        Self { moment: Moment::of(stop.entry, roster), state: stop.state.into() }
    }
}

impl StateChange {
    /// What differs between two states.
    pub(crate) fn between(before: &State, after: &State) -> Vec<Self> {
        let facets: std::collections::BTreeSet<&Facet> =
            before.made.keys().chain(after.made.keys()).collect();
        facets.into_iter().filter_map(|facet| Self::of(facet, before, after)).collect()
    }

    fn of(facet: &Facet, before: &State, after: &State) -> Option<Self> {
        let [one, other] = [before, after].map(|state| state.made.get(facet));
        let [from, to] = [one, other].map(|entry| entry.and_then(|entry| facet.digest(entry)));
        // A domain may be mapped to no capsule: then the moment tells whether it is mapped at all.
        let is_changed = from != to || one.is_some() != other.is_some();
        let of = match facet {
            Facet::Workspace(None) => "workspace".to_owned(),
            Facet::Workspace(Some(name)) => format!("workspace:{name}"),
            Facet::Deployed(env, stage) => format!("stage:{env}/{}", stage.as_str()),
            Facet::Domain(domain) => format!("domain:{domain}"),
        };
        is_changed.then_some(Self { of, before: from, after: to })
    }
}
