//! What people say of a moment, and of a line of a file in it.
//!
//! Invariant: whatever a comment says, all of it is shown.

use xyn_store::Timestamp;
use xyn_store::timeline::board::{self, Place, View};
use xyn_store::trust::Roster;

use crate::dto::side_word;

/// A comment as a page shows it.
#[derive(Clone)]
pub(super) struct Comment {
    pub(super) at: Timestamp,
    /// Who began it, or the node when the roster does not say whose it is.
    pub(super) by: String,
    /// The line it is about; none when it is about the whole.
    pub(super) place: Option<Place>,
    pub(super) text: String,
}

impl Comment {
    /// The comments on a board.
    pub(super) fn all(view: Option<View>, roster: &Roster) -> Vec<Self> {
        let Some(View::Thread { comments, .. }) = view else { return Vec::new() };
        let comment = |comment: board::Comment| {
            let by = roster.member(comment.node).map(|member| member.principal.to_string());
            let by = by.unwrap_or_else(|| comment.node.to_string().chars().take(12).collect());
            Self { at: comment.at.at, by, place: comment.place, text: comment.text }
        };
        comments.into_iter().map(comment).collect()
    }

    /// The line it is about, as people write it: `shop:src/a.rs:12`.
    pub(super) fn on(&self) -> Option<String> {
        let Place { workspace, path, side, line } = self.place.as_ref()?;
        let workspace = workspace.as_ref().map(|name| format!("{name}:")).unwrap_or_default();
        let before = if *side == board::Side::Before { " before" } else { "" };
        Some(format!("{workspace}{path}:{line}{before}"))
    }

    /// That line on `page`, which shows the files that a moment changed.
    pub(super) fn href(&self, page: &str) -> String {
        let Some(Place { workspace, path, side, line }) = &self.place else { return page.to_owned() };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(workspace.iter().map(|name| ("workspace", name)));
        query.append_pair("path", path).append_pair("side", side_word(*side));
        query.append_pair("line", &line.to_string());
        format!("{page}?{}#say", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use xyn_store::timeline::board::Side;

    use super::*;

    #[test]
    fn a_comment_on_a_line_says_which_and_leads_there() {
        let place =
            Place { workspace: Some("shop".into()), path: "src/a b.rs".into(), side: Side::Before, line: 7 };
        let at = Timestamp::EPOCH;
        let mut comment = Comment { at, by: "ada".into(), place: Some(place), text: String::new() };
        assert_eq!(comment.on().as_deref(), Some("shop:src/a b.rs:7 before"));
        assert_eq!(comment.href("/r"), "/r?workspace=shop&path=src%2Fa+b.rs&side=before&line=7#say");
        comment.place = None;
        assert_eq!((comment.on(), comment.href("/r").as_str()), (None, "/r"));
    }
}
