//! JSON Schemas of inputs, outputs and actions, compiled.
//!
//! Owns compiling and applying a schema (draft 2020-12). Refuses references to anything outside the document
//! and patterns that need backtracking. A schema never reads the network or the disk, and its faults are few.

use std::fmt;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most faults that one validation reports.
pub const MAX_SCHEMA_FAULTS: usize = 20;

/// A compiled JSON Schema; copies share it.
#[derive(Clone)]
pub struct Schema(Arc<Compiled>);

struct Compiled {
    source: Value,
    validator: Validator,
}

/// A document that is no JSON Schema.
#[derive(Debug, thiserror::Error)]
#[error("not a JSON Schema: {reason}")]
pub struct InvalidSchema {
    /// JSON pointer into the schema; empty for the whole.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

/// One way in which a value does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaFault {
    /// JSON pointer into the value; empty for the whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl Schema {
    /// Compiles `source`.
    pub fn compile(source: &Value) -> Result<Self, InvalidSchema> {
        let validator = jsonschema::draft202012::options()
            .with_pattern_options(PatternOptions::regex())
            .build(source)
            .map_err(|error| InvalidSchema {
                path: error.instance_path().to_string(),
                reason: describe(&error),
            })?;
        Ok(Self(Arc::new(Compiled { source: source.clone(), validator })))
    }

    /// The document it was compiled from.
    pub fn source(&self) -> &Value {
        &self.0.source
    }

    /// All that is wrong with `value`, the first [`MAX_SCHEMA_FAULTS`] of it.
    pub fn validate(&self, value: &Value) -> Vec<SchemaFault> {
        self.errors(value)
            .map(|error| SchemaFault { path: place(&error), message: describe(&error) })
            .take(MAX_SCHEMA_FAULTS)
            .collect()
    }

    /// What the validator says, for the checker, which forgives what a template may still put right.
    pub(super) fn errors<'a>(&'a self, value: &'a Value) -> impl Iterator<Item = ValidationError<'a>> {
        self.0.validator.iter_errors(value)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.0.source)
    }
}

/// Where the fault is: a field that nobody knows or that is missing is named itself, not the object that holds
/// it or should.
fn place(error: &ValidationError<'_>) -> String {
    let path = error.instance_path().to_string();
    let field = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected.first().map(String::as_str),
        ValidationErrorKind::Required { property } => property.as_str(),
        _ => None,
    };
    match field {
        Some(field) => format!("{path}/{}", field.replace('~', "~0").replace('/', "~1")),
        None => path,
    }
}

/// Any text of one line.
pub const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";
/// A name that may stand in an address.
pub const WORD: &str = "^[A-Za-z0-9_.-]+$";

/// What is wrong with a value that does not match `pattern`, for those that people meet.
fn form(pattern: &str) -> Option<&'static str> {
    match pattern {
        LINE => Some("holds a control character, such as the end of a line"),
        WORD => Some("holds more than letters, digits, `_`, `.` and `-`"),
        _ => None,
    }
}

/// The validator's message without the value: values may be long, and may be secret.
pub(super) fn describe(error: &ValidationError<'_>) -> String {
    let message = match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("`{}` is missing", property.as_str().unwrap_or_default())
        }
        ValidationErrorKind::Pattern { pattern } if form(pattern).is_some() => {
            format!("the value {}", form(pattern).unwrap_or_default())
        }
        _ => error.masked_with("the value").to_string(),
    };
    match message.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_say_where_and_what_but_not_the_value() {
        let schema = Schema::compile(&json!({
            "type": "object",
            "required": ["host"],
            "properties": { "host": true, "port": { "type": "integer" } },
            "additionalProperties": false
        }))
        .expect("a schema");
        let faults = schema.validate(&json!({ "port": "hunter2" }));
        let found: Vec<_> = faults.iter().map(|f| (f.path.as_str(), f.message.as_str())).collect();
        assert!(found.contains(&("/port", "the value is not of type \"integer\"")), "{found:?}");
        assert!(found.contains(&("/host", "`host` is missing")), "{found:?}");
        assert!(schema.validate(&json!({ "host": "a", "port": 1 })).is_empty());
    }

    #[test]
    fn a_schema_reaches_nothing_outside_itself() {
        for source in [
            json!({ "$ref": "https://example.invalid/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "type": "no such type" }),
            json!({ "pattern": "(" }),
        ] {
            assert!(Schema::compile(&source).is_err(), "{source}");
        }
        assert!(Schema::compile(&json!({ "$ref": "#/$defs/a", "$defs": { "a": true } })).is_ok());
    }

    #[test]
    fn faults_are_bounded() {
        let schema = Schema::compile(&json!({ "items": { "type": "string" } })).expect("a schema");
        let value = Value::from(vec![1; 1000]);
        assert_eq!(schema.validate(&value).len(), MAX_SCHEMA_FAULTS);
    }
}
