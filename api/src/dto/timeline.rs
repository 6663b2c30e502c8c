//! Moments of the timeline, branches, and what lies between two moments.
//!
//! Invariant: a moment shows nothing that only this node knows, so that nodes in sync show equal bytes.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::{ArtifactId, EntryId, RunId};
use xyn_store::scope::{Principal, Stage};
use xyn_store::timeline::entry::{Branch, Entry, Kind, Refs};
use xyn_store::timeline::{Facet, State};
use xyn_store::{Digest, Timestamp};

use crate::schema;

/// A moment of the timeline.
#[derive(Serialize, ToSchema)]
pub(crate) struct Moment {
    #[schema(schema_with = schema::id)]
    pub(crate) entry_id: EntryId,
    #[schema(schema_with = schema::instant)]
    pub(crate) at: Timestamp,
    /// Orders moments of one instant.
    pub(crate) counter: u16,
    /// The node whose feed holds it.
    #[schema(schema_with = schema::digest)]
    pub(crate) node: PublicKey,
    /// Who did it.
    #[schema(value_type = String)]
    pub(crate) principal: Principal,
    #[schema(value_type = String)]
    pub(crate) branch: Branch,
    #[schema(schema_with = schema::moment_kind)]
    pub(crate) kind: Kind,
    /// What happened, in words.
    pub(crate) title: String,
    pub(crate) refs: MomentRefs,
}

/// What a moment refers to.
#[derive(Serialize, ToSchema)]
pub(crate) struct MomentRefs {
    /// The run it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::id, required = false)]
    pub(crate) run_id: Option<RunId>,
    /// What was made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schema::Id>, required = false)]
    pub(crate) artifacts: Vec<ArtifactId>,
    /// The capsule it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::digest, required = false)]
    pub(crate) capsule: Option<Digest>,
    /// Root of the workspace before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::digest, required = false)]
    pub(crate) before: Option<Digest>,
    /// Root of the workspace after.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::digest, required = false)]
    pub(crate) after: Option<Digest>,
    /// The environment that was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) env: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::stage, required = false)]
    pub(crate) stage: Option<Stage>,
    /// The domain that was mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) domain: Option<String>,
    /// The moments that it joins, or is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schema::Id>, required = false)]
    pub(crate) parents: Vec<EntryId>,
}

/// A moment, and what people attached to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct MomentView {
    pub(crate) moment: Moment,
    /// Names that were given to it.
    pub(crate) labels: Vec<String>,
    /// Whether it is kept in sight.
    pub(crate) is_pinned: bool,
    pub(crate) state: MomentState,
}

/// A branch of the timeline.
#[derive(Serialize, ToSchema)]
pub(crate) struct BranchView {
    #[schema(value_type = String)]
    pub(crate) name: Branch,
    /// The moment it begins at; null for the branch that every timeline has.
    #[schema(schema_with = schema::optional_id)]
    pub(crate) base: Option<EntryId>,
    /// Its newest moment, or the one it was moved to; null when nothing happened on it.
    #[schema(schema_with = schema::optional_id)]
    pub(crate) head: Option<EntryId>,
    /// Heads that others moved it to at the same time.
    #[schema(value_type = Vec<schema::Id>)]
    pub(crate) contenders: BTreeSet<EntryId>,
    /// Whether it was put away.
    pub(crate) is_closed: bool,
}

/// What lies between two moments.
#[derive(Serialize, ToSchema)]
pub(crate) struct MomentDiff {
    pub(crate) from: Moment,
    pub(crate) to: Moment,
    /// What the one state has that the other has not.
    pub(crate) changes: Vec<StateChange>,
    /// What happened between them, oldest first: behind the earlier one, up to and with the later one.
    pub(crate) items: Vec<Moment>,
    /// Where the next page begins; null at the end.
    pub(crate) next_cursor: Option<String>,
}

/// Something of the state that differs.
#[derive(Serialize, ToSchema)]
pub(crate) struct StateChange {
    /// `workspace`, `stage:<env>/<stage>` or `domain:<name>`.
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
    /// Root of the workspace; null before the first snapshot.
    #[schema(schema_with = schema::optional_digest)]
    pub(crate) workspace: Option<Digest>,
    /// What is deployed where.
    pub(crate) deployed: Vec<Deployed>,
    /// What each domain leads to.
    pub(crate) domains: Vec<Mapped>,
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

/// What a note or merge is answered with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
pub(crate) struct Said {
    #[schema(schema_with = schema::id)]
    entry_id: EntryId,
}

impl From<Entry> for Moment {
    fn from(entry: Entry) -> Self {
        let Entry { entry_id, at, node, note } = entry;
        Self {
            entry_id,
            at: at.at,
            counter: at.counter,
            node,
            principal: note.principal,
            branch: note.branch,
            kind: note.kind,
            title: note.title,
            refs: note.refs.into(),
        }
    }
}

impl From<Refs> for MomentRefs {
    fn from(refs: Refs) -> Self {
        Self {
            run_id: refs.run,
            artifacts: refs.artifacts,
            capsule: refs.capsule,
            before: refs.before,
            after: refs.after,
            env: refs.env,
            stage: refs.stage,
            domain: refs.domain,
            parents: refs.parents,
        }
    }
}

impl From<State> for MomentState {
    fn from(state: State) -> Self {
        let mut shown = Self { workspace: None, deployed: Vec::new(), domains: Vec::new() };
        for (facet, entry) in state {
            let digest = digest(&facet, &entry);
            let since = entry.entry_id;
            match facet {
                Facet::Workspace => shown.workspace = digest,
                Facet::Deployed(env, stage) => {
                    shown.deployed.extend(digest.map(|capsule| Deployed { env, stage, capsule, since }));
                }
                Facet::Domain(domain) => shown.domains.push(Mapped { domain, capsule: digest, since }),
            }
        }
        shown
    }
}

impl StateChange {
    /// What differs of `facet`; none when it is the same.
    pub(crate) fn of(facet: &Facet, before: &State, after: &State) -> Option<Self> {
        let [before, after] =
            [before, after].map(|state| state.get(facet).and_then(|entry| digest(facet, entry)));
        let of = match facet {
            Facet::Workspace => "workspace".to_owned(),
            Facet::Deployed(env, stage) => format!("stage:{env}/{}", stage.as_str()),
            Facet::Domain(domain) => format!("domain:{domain}"),
        };
        (before != after).then_some(Self { of, before, after })
    }
}

/// What `entry` made of `facet`.
fn digest(facet: &Facet, entry: &Entry) -> Option<Digest> {
    match facet {
        Facet::Workspace => entry.note.refs.after,
        Facet::Deployed(..) | Facet::Domain(_) => entry.note.refs.capsule,
    }
}
