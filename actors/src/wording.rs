//! What is said of input that does not fit: one vocabulary for every door that input comes in by.
//!
//! Owns the sentences for the faults that every kind of input can have. Says nothing of where they are, which
//! stands beside the sentence, and shows no value of a body, which may be long or secret.

use std::fmt::Write as _;

use serde_json::Value;
use xyn_store::legible::quoted;

/// Names that are listed at most.
const LISTED_MAX: usize = 20;

/// A field, parameter or part that nobody knows, beside those that are `known`.
pub fn unknown<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match listed(known) {
        known if known.is_empty() => format!("`{}` is not known here: nothing is taken", quoted(name)),
        known => format!("`{}` is not known here; what may be said: {known}", quoted(name)),
    }
}

/// One that must be there and is not.
pub fn missing(name: &str) -> String {
    format!("`{}` is missing", quoted(name))
}

/// One that is there more than once.
pub fn twice(name: &str) -> String {
    format!("`{}` is said twice", quoted(name))
}

/// A value of the kind `given` where another is `wanted`.
pub fn other_kind(given: &str, wanted: &str) -> String {
    format!("the value is {given}, and not {wanted}")
}

/// A value that is none of those there are.
pub fn none_of<'a>(known: impl IntoIterator<Item = &'a str>) -> String {
    format!("the value is none of {}", listed(known))
}

/// What kind of JSON `value` is.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let mut listed = String::new();
    for name in names.by_ref().take(LISTED_MAX) {
        let gap = if listed.is_empty() { "" } else { ", " };
        // Writing to a text does not fail.
        let _ = write!(listed, "{gap}`{name}`");
    }
    if names.next().is_some() {
        listed.push_str(" and more");
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_one_sentence_on_one_line() {
        assert_eq!(unknown("x", ["a", "b"]), "`x` is not known here; what may be said: `a`, `b`");
        assert_eq!(unknown("x\u{202e}", []), r"`x\u{202e}` is not known here: nothing is taken");
        assert_eq!(other_kind(kind(&Value::from(1)), "a string"), "the value is a number, and not a string");
        let many: Vec<String> = (0..30).map(|n| n.to_string()).collect();
        assert!(none_of(many.iter().map(String::as_str)).ends_with("`18`, `19` and more"));
    }
}
