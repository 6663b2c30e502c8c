//! Holding what an author wrote against a JSON Schema.
//!
//! Owns what a template may still put right: a value that is not known yet is not at fault, but one that is
//! missing or that nobody takes is.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::{Checker, Code, Node, Tree};
use crate::blueprint::Schema;
use crate::blueprint::schema::{MAX_SCHEMA_FAULTS, describe};
use crate::document::suggest;

/// How much is known of a value before a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// All of it.
    Exactly,
    /// That it is text.
    Text,
    /// That it is a list or object, but not all that is in it.
    Shape,
    /// Nothing.
    Nothing,
}

impl<'a> Checker<'_, 'a> {
    /// Reports where `node` does not fit `schema`; `what` names the whole.
    pub(super) fn fits(&mut self, node: &'a Node, schema: &Schema, what: &str) {
        let value = node.to_json();
        for error in schema.errors(&value).filter(|error| is_certain(node, error)).take(MAX_SCHEMA_FAULTS) {
            self.mismatch(node, schema, &error, what);
        }
    }

    fn mismatch(&mut self, node: &'a Node, schema: &Schema, error: &ValidationError<'_>, what: &str) {
        let pointer = error.instance_path().to_string();
        let culprit = at(node, &pointer);
        let place = if pointer.is_empty() {
            what.to_owned()
        } else {
            format!("`{}`", pointer[1..].replace('/', "."))
        };
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let properties = if pointer.is_empty() { schema.source().get("properties") } else { None };
                let known: Vec<&str> = properties
                    .and_then(Value::as_object)
                    .map(|p| p.keys().map(String::as_str).collect())
                    .unwrap_or_default();
                for name in unexpected {
                    let hint = if known.is_empty() {
                        "leave it out".to_owned()
                    } else {
                        suggest(name, known.iter().copied(), "keys here")
                    };
                    self.doc.fault(
                        key(culprit, name),
                        Code::SchemaMismatch,
                        format!("{place} takes no `{name}`"),
                        hint,
                    );
                }
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let hint = format!("add `{name}: …`");
                self.doc.fault(culprit, Code::SchemaMismatch, format!("{place} needs `{name}`"), hint);
            }
            _ => {
                let hint = "write what the schema asks for, or a template that gives it";
                self.doc.fault(
                    culprit,
                    Code::SchemaMismatch,
                    format!("{place} does not fit: {}", describe(error, &Value::Null)),
                    hint,
                );
            }
        }
    }
}

/// Whether no template can put `error` right.
fn is_certain(node: &Node, error: &ValidationError<'_>) -> bool {
    let known = known(at(node, error.instance_path().as_str()));
    match error.kind() {
        _ if known == Known::Exactly => true,
        ValidationErrorKind::Type { .. } => known != Known::Nothing,
        ValidationErrorKind::AdditionalProperties { .. }
        | ValidationErrorKind::MaxItems { .. }
        | ValidationErrorKind::MaxProperties { .. }
        | ValidationErrorKind::MinItems { .. }
        | ValidationErrorKind::MinProperties { .. }
        | ValidationErrorKind::Required { .. } => known == Known::Shape,
        _ => false,
    }
}

fn known(node: &Node) -> Known {
    let all = |known: bool| if known { Known::Exactly } else { Known::Shape };
    match &node.value {
        Tree::Text(text) => {
            let text = text.trim();
            match text.find("{{") {
                None => Known::Exactly,
                // Perhaps two expressions side by side, which make text; then less is said than could be.
                Some(0) if text.ends_with("}}") => Known::Nothing,
                Some(_) => Known::Text,
            }
        }
        Tree::List(items) => all(items.iter().all(|item| known(item) == Known::Exactly)),
        Tree::Map(entries) => all(entries.iter().all(|(_, value)| known(value) == Known::Exactly)),
        _ => Known::Exactly,
    }
}

/// The node at a JSON pointer below `node`, or the nearest above it.
pub(super) fn at<'n>(node: &'n Node, pointer: &str) -> &'n Node {
    pointer.split('/').skip(1).fold(node, |node, part| {
        let name = part.replace("~1", "/").replace("~0", "~");
        match &node.value {
            Tree::List(items) => {
                name.parse::<usize>().ok().and_then(|index| items.get(index)).unwrap_or(node)
            }
            _ => node.get(&name).unwrap_or(node),
        }
    })
}

/// The key `name` of `node`.
fn key<'n>(node: &'n Node, name: &str) -> &'n Node {
    match &node.value {
        Tree::Map(entries) => {
            entries.iter().find(|(key, _)| key.as_text() == Some(name)).map_or(node, |(key, _)| key)
        }
        _ => node,
    }
}
