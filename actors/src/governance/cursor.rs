//! Walking a document: each read either gives a value or notes a fault and goes on.
//!
//! Owns the wording of faults of shape (missing, unknown, wrong kind). Refuses to stop at the first fault.
//! Invariant: whoever gets `None` for a value that was there finds an issue about it in the list.

use std::fmt::Display;

use serde::de::{DeserializeOwned, IntoDeserializer};

use super::document::{Key, Node, Position, Tree};
use super::issue::Issue;

/// Longest message, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// A value of the document and the path to it.
#[derive(Clone)]
pub(super) struct Cursor<'n> {
    node: &'n Node,
    path: String,
}

/// The entries of a map, asked for by name.
pub(super) struct Fields<'n> {
    at: Position,
    path: String,
    entries: &'n [(Key, Node)],
    asked: Vec<&'static str>,
}

impl<'n> Cursor<'n> {
    pub(super) fn root(node: &'n Node) -> Self {
        Self { node, path: String::new() }
    }

    /// Notes a fault of this value.
    pub(super) fn fault(&self, issues: &mut Vec<Issue>, code: &str, message: impl Display, hint: &str) {
        issues.push(issue(self.node.at, &self.path, code, message, hint));
    }

    fn wrong_kind(&self, issues: &mut Vec<Issue>, wanted: &str) {
        let quotes =
            matches!(self.node.tree, Tree::Bool(_) | Tree::Int(_) | Tree::Float(_)) && wanted == "a text";
        let hint = if quotes { "put it in quotes" } else { "" };
        let message = format!("expected {wanted}, found {}", self.node.tree.kind());
        self.fault(issues, "wrong_type", message, hint);
    }

    /// The value as text that is not empty.
    pub(super) fn text(&self, issues: &mut Vec<Issue>) -> Option<&'n str> {
        match &self.node.tree {
            Tree::Text(text) if text.trim().is_empty() => {
                self.fault(issues, "empty", "this must not be empty", "");
                None
            }
            Tree::Text(text) => Some(text),
            _ => {
                self.wrong_kind(issues, "a text");
                None
            }
        }
    }

    /// The text if this is one; notes nothing otherwise.
    pub(super) fn as_text(&self) -> Option<&'n str> {
        if let Tree::Text(text) = &self.node.tree { Some(text) } else { None }
    }

    /// The value as a whole number in `range`.
    pub(super) fn whole(&self, issues: &mut Vec<Issue>, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        match &self.node.tree {
            Tree::Int(value) if range.contains(value) => Some(*value),
            Tree::Int(value) => {
                let message = format!("`{value}` is not between {} and {}", range.start(), range.end());
                self.fault(issues, "out_of_range", message, "");
                None
            }
            _ => {
                self.wrong_kind(issues, "a whole number");
                None
            }
        }
    }

    /// The value as a boolean.
    pub(super) fn flag(&self, issues: &mut Vec<Issue>) -> Option<bool> {
        if let Tree::Bool(value) = self.node.tree {
            return Some(value);
        }
        self.wrong_kind(issues, "`true` or `false`");
        None
    }

    /// The value as one of the words of `T`, which is an enum of unit variants.
    pub(super) fn word<T: DeserializeOwned>(&self, issues: &mut Vec<Issue>) -> Option<T> {
        let text = self.text(issues)?;
        let read: Result<T, serde::de::value::Error> = T::deserialize(text.into_deserializer());
        read.inspect_err(|error| {
            let expected = error.to_string();
            let hint = expected.split_once(", ").map_or("", |(_, rest)| rest);
            self.fault(issues, "unknown_word", format!("`{text}` is not known here"), hint);
        })
        .ok()
    }

    /// The value as text that `parse` understands; its error becomes the message.
    pub(super) fn parsed<T, E: Display>(
        &self,
        issues: &mut Vec<Issue>,
        code: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(self.text(issues)?).inspect_err(|error| self.fault(issues, code, error, "")).ok()
    }

    /// The items of a list of at most `max`.
    pub(super) fn list(&self, issues: &mut Vec<Issue>, max: usize) -> Vec<Cursor<'n>> {
        let Tree::List(nodes) = &self.node.tree else {
            self.wrong_kind(issues, "a list");
            return Vec::new();
        };
        if nodes.len() > max {
            let message = format!("{} items are too many; the limit is {max}", nodes.len());
            self.fault(issues, "too_many", message, "");
        }
        let item = |(index, node)| Cursor { node, path: format!("{}[{index}]", self.path) };
        nodes.iter().take(max).enumerate().map(item).collect()
    }

    /// The entries of a map.
    pub(super) fn fields(&self, issues: &mut Vec<Issue>) -> Option<Fields<'n>> {
        let Tree::Map(entries) = &self.node.tree else {
            self.wrong_kind(issues, "a map");
            return None;
        };
        Some(Fields { at: self.node.at, path: self.path.clone(), entries, asked: Vec::new() })
    }

    /// The value as a free JSON object.
    pub(super) fn object(
        &self,
        issues: &mut Vec<Issue>,
    ) -> Option<serde_json::Map<String, serde_json::Value>> {
        if let serde_json::Value::Object(object) = self.node.tree.to_json() {
            return Some(object);
        }
        self.wrong_kind(issues, "a map");
        None
    }
}

impl<'n> Fields<'n> {
    /// The entry called `key`; an explicit null counts as absent.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Cursor<'n>> {
        self.asked.push(key);
        let (_, node) = self.entries.iter().find(|(k, _)| k.name == key)?;
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        (!matches!(node.tree, Tree::Null)).then_some(Cursor { node, path })
    }

    /// The entry called `key`, whose absence is a fault.
    pub(super) fn required(&mut self, key: &'static str, issues: &mut Vec<Issue>) -> Option<Cursor<'n>> {
        let found = self.get(key);
        if found.is_none() {
            issues.push(issue(self.at, &self.path, "missing_key", format!("`{key}` is missing"), ""));
        }
        found
    }

    /// Notes every entry that nobody asked for.
    pub(super) fn finish(self, issues: &mut Vec<Issue>) {
        for (key, _) in self.entries.iter().filter(|(key, _)| !self.asked.contains(&key.name.as_str())) {
            let hint = format!("allowed here: {}", self.asked.join(", "));
            issues.push(issue(
                key.at,
                &self.path,
                "unknown_key",
                format!("`{}` is not known here", key.name),
                &hint,
            ));
        }
    }
}

/// Messages quote the author's text, which may be as long as the document.
fn shortened(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE_CHARS) {
        message.truncate(end);
        message.push('…');
    }
    message
}

fn issue(at: Position, path: &str, code: &str, message: impl Display, hint: &str) -> Issue {
    Issue {
        path: path.to_owned(),
        line: at.line,
        column: at.column,
        code: code.to_owned(),
        message: shortened(message.to_string()),
        hint: (!hint.is_empty()).then(|| hint.to_owned()),
    }
}
