//! Talk about moments, and what is hidden of the timeline.

use serde::Serialize;
use utoipa::ToSchema;
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::{CommentId, EntryId};
use xyn_store::timeline::board::{self, Side, View};
use xyn_store::timeline::{Excluded, Matter, Why};
use xyn_store::trust::{Roster, Standing};

use super::Moment;
use crate::schema;

/// What people say of a moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct Comments {
    #[schema(schema_with = schema::id)]
    pub(crate) entry_id: EntryId,
    /// Oldest first.
    pub(crate) comments: Vec<Comment>,
}

/// A comment as it reads now.
#[derive(Serialize, ToSchema)]
pub(crate) struct Comment {
    #[schema(schema_with = schema::id)]
    comment_id: CommentId,
    /// When it was begun.
    #[schema(schema_with = schema::instant)]
    at: Timestamp,
    /// The node that began it.
    #[schema(schema_with = schema::digest)]
    node: PublicKey,
    /// Whose node that is; left out where the roster does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    by: Option<String>,
    /// The words, of everyone who worked on them.
    text: String,
    /// The line it is about; left out where it is about the whole moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    place: Option<Place>,
}

/// A line of a file in the change that a moment made.
#[derive(Serialize, ToSchema)]
pub(crate) struct Place {
    /// The workspace; left out where there is only one, without a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    workspace: Option<String>,
    /// The file in it.
    path: String,
    /// Which of its two versions: `before` or `after`.
    side: &'static str,
    /// The line there, from 1.
    #[schema(schema_with = schema::count)]
    line: u32,
}

impl Place {
    fn of(place: board::Place) -> Self {
        let board::Place { workspace, path, side, line } = place;
        Self { workspace, path, side: side_word(side), line }
    }
}

/// The word for a version of a file that was changed.
pub(crate) fn side_word(side: Side) -> &'static str {
    match side {
        Side::Before => "before",
        Side::After => "after",
    }
}

impl Comment {
    /// What `view` shows, with the names that `roster` has for nodes.
    pub(crate) fn all(view: View, roster: &Roster) -> Vec<Self> {
        let View::Thread { comments, .. } = view else { return Vec::new() };
        let shown = |comment: board::Comment| {
            let board::Comment { at, comment_id, node, text, place } = comment;
            let by = roster.member(node).map(|member| member.principal.to_string());
            Self { comment_id, at: at.at, node, by, text, place: place.map(Place::of) }
        };
        comments.into_iter().map(shown).collect()
    }
}

/// A review of a moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct Review {
    #[schema(schema_with = schema::id)]
    pub(crate) entry_id: EntryId,
    #[schema(schema_with = schema::review_status)]
    pub(crate) status: &'static str,
    /// Oldest first.
    pub(crate) comments: Vec<Comment>,
    /// Moments that approve the moment or reject it, oldest first. The `principal` of each is the person whom the
    /// roster names for its node, whatever name it was written under.
    pub(crate) verdicts: Vec<Moment>,
}

/// A review in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReviewSummary {
    #[schema(schema_with = schema::id)]
    pub(crate) entry_id: EntryId,
    #[schema(schema_with = schema::review_status)]
    pub(crate) status: &'static str,
    /// How many comments there are.
    #[schema(schema_with = schema::count)]
    pub(crate) comments: usize,
    /// What is reviewed; left out where it is hidden or not here yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) moment: Option<Moment>,
}

/// The word for how a review stands.
pub(crate) fn status(view: &View) -> &'static str {
    match view {
        View::Thread { is_resolved: true, .. } => "resolved",
        _ => "open",
    }
}

/// A record that is kept and does not count.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExcludedRecord {
    /// The node that wrote it.
    #[schema(schema_with = schema::digest)]
    pub(crate) node: PublicKey,
    /// Which life of the node.
    #[schema(schema_with = schema::incarnation)]
    pub(crate) incarnation: String,
    /// Its number in the feed.
    #[schema(schema_with = schema::count)]
    pub(crate) seq: u64,
    /// When, by its author's clock.
    #[schema(schema_with = schema::instant)]
    pub(crate) at: Timestamp,
    /// What it is.
    #[schema(schema_with = schema::matter)]
    pub(crate) what: &'static str,
    /// The moment that it would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) moment: Option<Moment>,
    /// Why it does not count.
    #[schema(schema_with = schema::exclusion)]
    pub(crate) why: &'static str,
    /// The first record of the feed that does not count.
    #[schema(schema_with = schema::count)]
    pub(crate) since: u64,
}

impl ExcludedRecord {
    /// Whether it is the word by which a node took another key: it stands behind all that counts, as it should.
    pub(crate) fn is_farewell(&self) -> bool {
        self.why == "retired" && self.what == "statement" && self.seq == self.since
    }

    /// How `excluded` shows.
    pub(crate) fn of(excluded: Excluded, roster: &Roster) -> Self {
        let Excluded { feed, seq, at, matter, why } = excluded;
        let (what, moment) = match matter {
            Matter::Entry(entry) => ("moment", Some(Moment::of(*entry, roster))),
            Matter::Board(_) => ("board", None),
            Matter::Statement => ("statement", None),
        };
        let (why, since) = match why {
            Why::Equivocation { seq } => ("equivocation", seq),
            Why::Cut { after } => {
                let standing = roster.member(feed.node).map(|member| member.standing());
                let why = match standing {
                    Some(Standing::Revoked) => "revoked",
                    Some(Standing::Retired) => "retired",
                    Some(Standing::Active) | None => "not_a_member",
                };
                (why, after + 1)
            }
        };
        let incarnation = format!("{:016x}", feed.incarnation);
        Self { node: feed.node, incarnation, seq, at: at.at, what, moment, why, since }
    }
}
