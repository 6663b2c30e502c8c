//! What people say of a moment, and of a line of a file in it.
//!
//! A comment is text, on every node and in every shell; one about a line begins with a line that says which:
//! `@ workspace:path:line`. Invariant: whatever a comment says, all of it is shown.

use xyn_store::Timestamp;
use xyn_store::timeline::board::{self, View};
use xyn_store::trust::Roster;

/// A comment as a page shows it.
pub(super) struct Comment {
    pub(super) at: Timestamp,
    /// Who began it, or the node when the roster does not say whose it is.
    pub(super) by: String,
    /// The line it is about, as [`place`] names it; empty when it is about the whole.
    pub(super) on: String,
    pub(super) text: String,
}

/// How a line of a file is named in front of what is said of it.
pub(super) fn place(workspace: &str, path: &str, line: usize) -> String {
    format!("@ {workspace}:{path}:{line}")
}

/// The comments on a board.
pub(super) fn all(view: Option<View>, roster: &Roster) -> Vec<Comment> {
    let Some(View::Thread { comments, .. }) = view else { return Vec::new() };
    let comment = |comment: board::Comment| {
        let by = roster.member(comment.node).map(|member| member.principal.to_string());
        let (on, text) = split(&comment.text);
        let by = by.unwrap_or_else(|| comment.node.to_string().chars().take(12).collect());
        Comment { at: comment.at.at, by, on: on.to_owned(), text: text.to_owned() }
    };
    comments.into_iter().map(comment).collect()
}

/// The place that `text` begins with, and the rest.
fn split(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let number = first.strip_prefix("@ ").and_then(|place| place.rsplit_once(':'));
    match number {
        Some((_, number)) if number.parse::<usize>().is_ok() => (first, rest.trim_start_matches('\n')),
        _ => ("", text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_on_a_line_names_it_first_and_all_others_are_left_as_they_are() {
        let text = format!("{}\nWhy not 8?", place("shop", "src/a:b.rs", 12));
        assert_eq!(split(&text), ("@ shop:src/a:b.rs:12", "Why not 8?"));
        for text in ["", "@ ada: look", "plain\n@ a:b:1", "@", "@ a:b:1x\nno"] {
            assert_eq!(split(text), ("", text), "{text}");
        }
    }
}
