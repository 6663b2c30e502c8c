//! What is said about an author's text.
//!
//! Owns the shape of a fault: where it is, what it is, what to do next. Decides nothing. Every issue points
//! at a character of the author's text, lines and columns counted from 1.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest offending text that an issue repeats, in characters.
const MAX_TEXT_CHARS: usize = 80;

/// A fault in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Place in the document, such as `plan[2].with.host`; empty for the whole.
    pub path: String,
    /// Line, counted from 1.
    pub line: u64,
    /// Column in characters, counted from 1.
    pub column: u64,
    /// Stable word for programs.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// The offending text, shortened to one line.
    pub text: String,
}

/// Kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Not UTF-8.
    InvalidUtf8,
    /// More than the source, depth or alias budget.
    TooLarge,
    /// Not YAML or JSON.
    Syntax,
    /// The same key twice in one mapping.
    DuplicateKey,
    /// A template that YAML reads as a mapping.
    UnquotedTemplate,
    /// A value of another type than the key takes.
    WrongType,
    /// A key that must be there.
    MissingKey,
    /// A key that nobody reads.
    UnknownKey,
    /// A word that is none of the allowed ones.
    UnknownWord,
    /// A value that the key does not take.
    InvalidValue,
    /// A name that templates could not reach or that means something else.
    ReservedName,
    /// The same id or name twice.
    DuplicateId,
    /// An action that is not in the registry.
    UnknownAction,
    /// A policy that nobody handed in.
    UnknownPolicy,
    /// An input that does not fit its schema.
    SchemaMismatch,
    /// A JSON Schema that is none.
    InvalidSchema,
    /// A template that does not parse.
    TemplateSyntax,
    /// A variable that nothing gives a value.
    UnknownVariable,
    /// A step that may not have ended when its output is used.
    NotEarlier,
    /// The output of a step that may be skipped, used without a guard.
    UnguardedUse,
    /// A step in `needs` that does not exist.
    UnknownStep,
    /// Steps that wait for each other.
    Cycle,
    /// A value over what the node allows.
    OverLimit,
    /// A retry that could take effect twice.
    UnsafeRetry,
    /// An effect without a word on how it is undone.
    NotUndoable,
    /// Keys that contradict each other.
    Contradiction,
    /// Something this version does not have.
    Unavailable,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.line, self.column, self.message, self.hint)
    }
}

/// The first line of `text`, shortened.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    match line.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The word of `known` that `word` most likely stands for.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are never typing slips of short ones, and the distance costs the product of both lengths.
    if word.len() > MAX_TEXT_CHARS {
        return None;
    }
    let most = 1 + word.len() / 4;
    let distances = known.into_iter().map(|name| (distance(word, name), name));
    distances.filter(|(distance, _)| *distance <= most).min().map(|(_, name)| name)
}

/// `did you mean …?` when a word is close, else `known` spelled out.
pub(crate) fn suggest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    noun: &str,
) -> String {
    let close = closest(word, known.clone()).map(|name| format!("did you mean `{name}`? "));
    let mut all: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
    all.dedup();
    let list =
        if all.is_empty() { format!("there are no {noun}") } else { format!("{noun}: {}", all.join(", ")) };
    format!("{}{list}", close.unwrap_or_default())
}

/// Edits (insert, delete, replace) between two words; words of very different length are far apart.
fn distance(from: &str, to: &str) -> usize {
    if from.len().abs_diff(to.len()) > 4 {
        return usize::MAX;
    }
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, left) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["timeout", "retry", "needs"];
        assert_eq!(closest("timout", known), Some("timeout"));
        assert_eq!(closest("need", known), Some("needs"));
        assert_eq!(closest("colour", known), None);
        assert_eq!(closest(&"x".repeat(10_000), known), None);
    }

    #[test]
    fn offending_text_is_one_short_line() {
        assert_eq!(shorten("  a: 1\n  b: 2"), "a: 1");
        assert_eq!(shorten(&"é".repeat(100)).chars().count(), MAX_TEXT_CHARS + 1);
    }
}
