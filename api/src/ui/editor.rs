//! The editor of texts that are checked: blueprints and policies.
//!
//! A plain field for text, its lines numbered, and what is wrong with it at line and column. Everything works
//! by sending the form; with a script at hand it is checked while somebody types. Invariant: what is checked
//! is what the field holds, and nothing is kept by checking.

use askama::Template;
use axum::response::Response;
use xyn_actors::document::Issue;

use super::shell::render;
use crate::error::ApiError;

/// Faults that are shown at once.
const FAULTS_MAX: usize = 50;
/// Lines that are numbered before the script takes over.
const NUMBERED: usize = 5_000;

/// A text, and what was found in it.
pub(super) struct Edited {
    pub(super) source: String,
    pub(super) found: Found,
}

/// What is wrong with a text.
#[derive(Default)]
pub(super) struct Found {
    pub(super) faults: Vec<Fault>,
    /// How many there are.
    pub(super) total: usize,
}

/// A fault, and where it is.
pub(super) struct Fault {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) code: String,
    pub(super) path: String,
    pub(super) message: String,
    pub(super) hint: String,
}

#[derive(Template)]
#[template(path = "faults.html")]
struct Part {
    found: Found,
}

impl Edited {
    /// `source`, checked by `check`.
    pub(super) fn of(source: String, check: impl FnOnce(&str) -> Vec<Issue>) -> Self {
        let found = if source.trim().is_empty() { Found::default() } else { Found::of(check(&source)) };
        Self { source, found }
    }

    /// The numbers of its lines, each with whether something is wrong there.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (u64, bool)> {
        numbers(&self.source).map(|line| (line, self.found.faults.iter().any(|fault| fault.line == line)))
    }
}

/// The numbers of the lines of `source`.
pub(super) fn numbers(source: &str) -> impl Iterator<Item = u64> {
    (1..).take(source.split('\n').take(NUMBERED).count())
}

impl Found {
    fn of(issues: Vec<Issue>) -> Self {
        let total = issues.len();
        Self { faults: issues.into_iter().take(FAULTS_MAX).map(Fault::of).collect(), total }
    }

    /// As a part of a page.
    pub(super) fn part(self) -> Result<Response, ApiError> {
        render(&Part { found: self })
    }
}

impl Fault {
    fn of(issue: Issue) -> Self {
        let code = serde_json::to_value(issue.code).unwrap_or_default();
        Self {
            line: issue.line,
            column: issue.column,
            code: code.as_str().unwrap_or_default().to_owned(),
            path: issue.path,
            message: issue.message,
            hint: issue.hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use xyn_actors::governance;

    use super::*;

    #[test]
    fn what_a_text_and_its_faults_say_is_escaped() {
        let source = "policy_id: \"</textarea><script>alert(1)</script>\"\n".to_owned();
        let edited =
            Edited::of(source, |source| governance::parse(source.as_bytes()).err().unwrap_or_default());
        assert!(edited.found.total > 0);
        assert_eq!(edited.numbers().count(), 2);
        let html = Part { found: edited.found }.render().expect("renders");
        assert!(!html.contains("<script"), "{html}");
    }

    #[test]
    fn nothing_is_wrong_with_nothing() {
        assert_eq!(Edited::of("  \n".to_owned(), |_| unreachable!("nothing to check")).found.total, 0);
    }
}
