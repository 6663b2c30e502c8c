//! JSON Schemas of inputs, outputs and actions, compiled.
//!
//! Owns compiling and applying a schema (draft 2020-12). Refuses references to anything outside the document
//! and patterns that need backtracking. A schema never reads the network or the disk, and its faults are few.

use std::fmt;
use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, PatternOptions, ValidationError, Validator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xyn_store::legible::is_disruptive;

use crate::wording;

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
                reason: describe(&error, &Value::Null),
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
            .map(|error| SchemaFault { path: place(&error), message: describe(&error, self.source()) })
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

/// The name of something that is there already: any text of one line.
pub const KNOWN: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";
/// A text of one line that somebody writes: it says something, and turns nothing that stands beside it.
pub const LINE: &str = concat!(
    r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*",
    r"[^\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]",
    r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$",
);
/// A text of any number of lines that somebody writes: it says something.
pub const WORDS: &str = r"[^\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]";
/// A name that may stand in an address.
pub const WORD: &str = "^[A-Za-z0-9_.-]+$";

/// What is wrong with `value`, which does not match `pattern`, for those that people meet.
fn form(pattern: &str, value: &Value) -> Option<&'static str> {
    let controls = "holds a control character, such as the end of a line";
    match pattern {
        WORD => Some("holds more than letters, digits, `_`, `.` and `-`"),
        KNOWN => Some(controls),
        LINE if value.as_str().is_some_and(|text| text.contains(char::is_control)) => Some(controls),
        LINE if value.as_str().is_some_and(|text| text.contains(is_disruptive)) => {
            Some("holds a character that is not seen and turns the direction of what is read, such as U+202E")
        }
        LINE | WORDS => Some("is blank: nothing in it can be seen"),
        _ => None,
    }
}

/// What `error`, found by the schema `source`, says without the value: values may be long, and may be secret.
pub(super) fn describe(error: &ValidationError<'_>, source: &Value) -> String {
    let message = match error.kind() {
        ValidationErrorKind::Required { property } => wording::missing(property.as_str().unwrap_or_default()),
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let name = unexpected.first().map(String::as_str).unwrap_or_default();
            let object = error.schema_path().as_str().trim_end_matches("/additionalProperties");
            let known = source.pointer(object).and_then(|object| object["properties"].as_object());
            wording::unknown(name, known.into_iter().flatten().map(|(name, _)| name.as_str()))
        }
        ValidationErrorKind::Type { kind } => {
            let wanted = match kind {
                TypeKind::Single(wanted) => kind_of(*wanted).to_owned(),
                TypeKind::Multiple(wanted) => wanted.iter().map(kind_of).collect::<Vec<_>>().join(" or "),
            };
            wording::other_kind(wording::kind(error.instance()), &wanted)
        }
        ValidationErrorKind::Enum { options } => {
            let words = options.as_array().into_iter().flatten();
            let words: Vec<_> =
                words.map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned)).collect();
            wording::none_of(words.iter().map(String::as_str))
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            alternatives(context)
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => "the value says the same in two ways".to_owned(),
        ValidationErrorKind::FalseSchema => "the value does not belong beside what else is said".to_owned(),
        ValidationErrorKind::MinLength { limit: 1 } => "the value is empty".to_owned(),
        ValidationErrorKind::Pattern { pattern } => match form(pattern, error.instance()) {
            Some(form) => format!("the value {form}"),
            None => error.masked_with("the value").to_string(),
        },
        _ => error.masked_with("the value").to_string(),
    };
    match message.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

/// What is lacking where one of several forms is wanted, each of which was tried: what each still misses.
fn alternatives(tried: &[Vec<ValidationError<'_>>]) -> String {
    let misses = |faults: &Vec<ValidationError<'_>>| {
        let names = faults.iter().filter_map(|fault| match fault.kind() {
            ValidationErrorKind::Required { property } => Some(format!("`{}`", property.as_str()?)),
            _ => None,
        });
        let names: Vec<_> = names.collect();
        (!names.is_empty()).then(|| names.join(" and "))
    };
    let missed: Vec<_> = tried.iter().filter_map(misses).collect();
    match missed.is_empty() {
        true => "the value has none of the forms that are taken here".to_owned(),
        false => format!("one of these is missing: {}", missed.join(", or ")),
    }
}

fn kind_of(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "a list",
        JsonType::Object => "an object",
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
        assert!(found.contains(&("/port", "the value is a string, and not a whole number")), "{found:?}");
        assert!(found.contains(&("/host", "`host` is missing")), "{found:?}");
        assert!(schema.validate(&json!({ "host": "a", "port": 1 })).is_empty());
        let faults = schema.validate(&json!({ "host": "a", "prot": 1 }));
        assert_eq!(faults[0].path, "/prot");
        assert_eq!(faults[0].message, "`prot` is not known here; what may be said: `host`, `port`");
    }

    #[test]
    fn what_people_write_says_something_and_turns_nothing_around() {
        let fault = |pattern: &str, text: &str| {
            let schema = Schema::compile(&json!({ "type": "string", "pattern": pattern })).expect("a schema");
            schema.validate(&text.into()).pop().map(|fault| fault.message)
        };
        for text in ["x", "Größe 日本", " a b ", "👩\u{200d}💻", "می\u{200c}خواهم", "שלום\u{200f}"]
        {
            assert_eq!((fault(LINE, text), fault(WORDS, text)), (None, None), "{text}");
        }
        for blank in [" ", "\t\n", "\u{a0}\u{3000}", "\u{200b}\u{feff}"] {
            let said = fault(WORDS, blank).expect("is blank");
            assert!(said.contains("is blank"), "{blank:?}: {said}");
        }
        assert!(fault(LINE, "  ").is_some_and(|said| said.contains("is blank")));
        assert!(fault(LINE, "a\nb").is_some_and(|said| said.contains("the end of a line")));
        for turned in ["a\u{202e}b", "\u{2066}a", "a\u{2028}b"] {
            assert!(fault(LINE, turned).is_some_and(|said| said.contains("U+202E")), "{turned:?}");
        }
        assert_eq!(fault(KNOWN, "a\u{202e}b"), None, "what is there already is named as it is");
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
