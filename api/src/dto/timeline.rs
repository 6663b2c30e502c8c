//! Moments of the timeline, branches, and what lies between two moments.
//!
//! Invariant: a moment shows nothing that only this node knows, its clock neither, so that nodes in sync show equal
//! bytes. What the reader's clock says of one stands beside it, where one moment is looked at.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::{ArtifactId, EntryId, RunId};
use xyn_store::scope::{Principal, Stage};
use xyn_store::timeline::Sum;
use xyn_store::timeline::entry::{Branch, Entry, Kind, Refs};
use xyn_store::trust::Roster;
use xyn_store::{Digest, Timestamp};

use super::MomentState;
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
    /// Who did it, as that node says.
    #[schema(value_type = String)]
    pub(crate) principal: Principal,
    /// Whose node it is, where the roster names another person for it than did this: nobody but that person answers
    /// for the name. Left out of what machines did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) by_node: Option<String>,
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
    /// The workspace that was changed; the only one where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) workspace: Option<String>,
    /// Root of that workspace before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::digest, required = false)]
    pub(crate) before: Option<Digest>,
    /// Root of that workspace after.
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
    /// Whether its author's clock is ahead of this node's by more than clocks may differ. It is kept and shown, and
    /// moves no other clock.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    pub(crate) is_from_future: bool,
    pub(crate) state: MomentState,
}

fn is_false(flag: &bool) -> bool {
    !flag
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
    /// Other moments at which it was begun, or to which it was moved, by people who did not know of each other. That
    /// it begins at `base` is settled by beginning it there once more.
    #[schema(value_type = Vec<schema::Id>)]
    pub(crate) contenders: BTreeSet<EntryId>,
    /// Whether it was put away: nothing more is put on it.
    pub(crate) is_closed: bool,
}

/// A name of a moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct LabelView {
    pub(crate) name: String,
    #[schema(schema_with = schema::id)]
    pub(crate) entry_id: EntryId,
    /// What it names; left out where it is hidden or not here yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) moment: Option<Moment>,
}

/// A moment that is kept in sight.
#[derive(Serialize, ToSchema)]
pub(crate) struct PinView {
    #[schema(schema_with = schema::id)]
    pub(crate) entry_id: EntryId,
    /// The moment; left out where it is hidden or not here yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) moment: Option<Moment>,
}

/// What two nodes compare.
#[derive(Serialize, ToSchema)]
pub(crate) struct TimelineDigest {
    /// Of the canonical timeline: its moments and boards in their order, without what is excluded.
    #[schema(schema_with = schema::digest)]
    pub(crate) digest: Digest,
    /// Moments in it.
    #[schema(schema_with = schema::count)]
    pub(crate) moments: u64,
    /// Boards in it: branches, the labels, the pins, talks and reviews.
    #[schema(schema_with = schema::count)]
    pub(crate) boards: u64,
    /// Changes to boards that are kept and show on none: what they build on is not here, or they make no sense. Of
    /// those beyond their author's share of a board, one.
    #[schema(schema_with = schema::count)]
    pub(crate) left_out: u64,
}

/// What a note or merge is answered with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
pub(crate) struct Said {
    #[schema(schema_with = schema::id)]
    entry_id: EntryId,
}

impl Moment {
    /// How `entry` shows to those who are on `roster`.
    pub(crate) fn of(entry: Entry, roster: &Roster) -> Self {
        let Entry { entry_id, at, node, note } = entry;
        let person = roster.member(node).map(|member| &member.principal);
        let another = person.filter(|person| **person != note.principal && !note.principal.is_machine());
        Self {
            entry_id,
            at: at.at,
            counter: at.counter,
            node,
            by_node: another.map(Principal::to_string),
            principal: note.principal,
            branch: note.branch,
            kind: note.kind,
            title: note.title,
            refs: note.refs.into(),
        }
    }

    /// `entry` as the word of the person whose node wrote it, whatever name it gives; nobody's where `roster` does not
    /// know the node.
    pub(crate) fn verdict(mut entry: Entry, roster: &Roster) -> Option<Self> {
        entry.note.principal = roster.member(entry.node)?.principal.clone();
        Some(Self::of(entry, roster))
    }

    /// Who did it, for people.
    pub(crate) fn who(&self) -> String {
        match &self.by_node {
            Some(person) => format!("{}, by {person}'s node", self.principal),
            None => self.principal.to_string(),
        }
    }
}

impl From<Sum> for TimelineDigest {
    fn from(Sum { digest, moments, boards, left_out }: Sum) -> Self {
        Self { digest, moments, boards, left_out }
    }
}

impl From<Refs> for MomentRefs {
    fn from(refs: Refs) -> Self {
        Self {
            run_id: refs.run,
            artifacts: refs.artifacts.into_iter().map(|made| made.artifact_id).collect(),
            capsule: refs.capsule,
            workspace: refs.workspace,
            before: refs.before,
            after: refs.after,
            env: refs.env,
            stage: refs.stage,
            domain: refs.domain,
            parents: refs.parents,
        }
    }
}

#[cfg(test)]
mod tests {
    use xyn_store::audit::key::NodeKey;
    use xyn_store::ids;
    use xyn_store::timeline::entry::Note;
    use xyn_store::timeline::first_certificate;
    use xyn_store::timeline::hlc::Hlc;
    use xyn_store::trust::{EnvId, Placed};

    use super::*;

    /// A roster on which the node with this key is Ada's.
    fn roster(key: &NodeKey) -> Roster {
        let root = NodeKey::from_secret([1; 32]);
        let statement = first_certificate(&root, key, Principal::new("ada@lab"), Timestamp::EPOCH);
        let placed = Placed { statement: statement.expect("signs"), place: None };
        Roster::fold(EnvId::rooted_in(root.public()), [&placed], Default::default())
    }

    /// What the node with `key` says in the name of `principal`.
    fn said(key: &NodeKey, principal: &str) -> Entry {
        let principal = Principal::new(principal);
        let (branch, kind, title) = (Branch::main(), Kind::Approve, "approved".to_owned());
        let note = Note { principal, branch, kind, title, refs: Refs::default() };
        let at = Timestamp::EPOCH;
        Entry { entry_id: ids::derived(at, &[b"said"]), at: Hlc::at(at), node: key.public(), note }
    }

    #[test]
    fn whose_node_it_was_is_said_of_every_name_but_its_persons_and_its_machines() {
        let [ada, stranger] = [2, 3].map(|secret| NodeKey::from_secret([secret; 32]));
        let roster = roster(&ada);
        for name in ["ada@lab", "node", "cron:night", "run:01a", "webhook:bob@lab"] {
            let moment = Moment::of(said(&ada, name), &roster);
            assert_eq!((moment.by_node.as_deref(), moment.who().as_str()), (None, name));
        }
        for name in ["bob@lab", "operator@local", "bob", "bob@lab:", "bob:run", "node "] {
            let moment = Moment::of(said(&ada, name), &roster);
            assert_eq!(moment.by_node.as_deref(), Some("ada@lab"), "{name}");
            assert_eq!(moment.who(), format!("{name}, by ada@lab's node"));
        }
        assert_eq!(Moment::of(said(&stranger, "bob@lab"), &roster).by_node, None, "nobody knows whose");
    }

    #[test]
    fn a_verdict_is_of_the_person_whose_node_it_was_and_a_strangers_is_none() {
        let [ada, stranger] = [2, 3].map(|secret| NodeKey::from_secret([secret; 32]));
        let roster = roster(&ada);
        for name in ["ada@lab", "bob@lab", "run:01a"] {
            let verdict = Moment::verdict(said(&ada, name), &roster).expect("a member's");
            assert_eq!((verdict.principal.as_str(), verdict.by_node), ("ada@lab", None));
            assert!(Moment::verdict(said(&stranger, name), &roster).is_none());
        }
    }
}
