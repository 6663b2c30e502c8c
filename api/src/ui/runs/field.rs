//! A field of a form for an input, as the input's JSON Schema has it.
//!
//! Invariant: what a field sends is read back by its name alone, which says the type (`inputs.count:number`).

use serde_json::Value;
use xyn_actors::blueprint::plan::Input;

/// From so many characters on a text has more than a line.
const LINE_MAX: u64 = 300;

/// A field of a form.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    /// What it sends: `inputs.NAME:TYPE`.
    pub(super) name: String,
    pub(super) label: String,
    /// What it is for, as far as anybody said.
    pub(super) description: String,
    /// What fits, in words.
    pub(super) fits: String,
    pub(super) is_required: bool,
    /// What it holds at first.
    pub(super) value: String,
    pub(super) control: Control,
}

/// How it is filled in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Control {
    /// A line, of an HTML type.
    Line { kind: &'static str, min: String, max: String, step: &'static str, placeholder: &'static str },
    /// A text of more lines.
    Text,
    /// JSON.
    Json,
    /// One of a few: what is sent, and what is shown.
    Choice(Vec<(String, String)>),
}

impl Field {
    /// The field of `input`, which holds `value` at first, or the input's default.
    pub(super) fn of(input: &Input, value: Option<&Value>) -> Self {
        let nothing = Value::Bool(true);
        let schema = input.schema.as_ref().map_or(&nothing, |schema| schema.source());
        let (kind, control) = control(schema);
        let value = value.or(input.default.as_ref()).filter(|value| !value.is_null());
        let value = value.map(|value| match (kind, value.as_str()) {
            ("json", _) => serde_json::to_string_pretty(value).unwrap_or_default(),
            (_, Some(text)) => text.to_owned(),
            (_, None) => value.to_string(),
        });
        let said = schema["description"].as_str().or(schema["title"].as_str());
        let description = input.description.as_deref().or(said).unwrap_or_default();
        Self {
            name: format!("inputs.{}:{kind}", input.name),
            label: input.name.clone(),
            description: description.to_owned(),
            fits: fits(schema),
            is_required: input.required,
            value: value.unwrap_or_default(),
            control,
        }
    }
}

/// The type that a value of `schema` is sent as, and how it is filled in.
fn control(schema: &Value) -> (&'static str, Control) {
    let line = |kind, step, placeholder| Control::Line {
        kind,
        step,
        placeholder,
        min: bound(schema, "minimum"),
        max: bound(schema, "maximum"),
    };
    if let Some(words) = schema["enum"].as_array() {
        let shown = |word: &Value| word.as_str().map_or_else(|| word.to_string(), str::to_owned);
        return if words.iter().all(Value::is_string) {
            ("string", Control::Choice(words.iter().map(|word| (shown(word), shown(word))).collect()))
        } else {
            ("json", Control::Choice(words.iter().map(|word| (word.to_string(), shown(word))).collect()))
        };
    }
    match schema["type"].as_str() {
        Some("integer") => ("integer", line("number", "1", "")),
        Some("number") => ("number", line("number", "any", "")),
        Some("boolean") => {
            let word = |word: &str| (word.to_owned(), word.to_owned());
            ("boolean", Control::Choice(vec![word("true"), word("false")]))
        }
        Some("string") => {
            let is_long = schema["maxLength"].as_u64().is_some_and(|length| length > LINE_MAX);
            let control = match schema["format"].as_str() {
                Some("date") => line("date", "", ""),
                Some("date-time") => line("text", "", "2026-01-31T12:00:00Z"),
                Some("email") => line("email", "", ""),
                Some("uri") => line("url", "", "https://"),
                _ if is_long => Control::Text,
                _ => line("text", "", ""),
            };
            ("string", control)
        }
        _ => ("json", Control::Json),
    }
}

fn bound(schema: &Value, name: &str) -> String {
    schema[name].as_number().map(ToString::to_string).unwrap_or_default()
}

/// What fits `schema`, for people.
fn fits(schema: &Value) -> String {
    let mut parts = Vec::new();
    let kind = match schema["type"].as_str() {
        Some("integer") => "a whole number",
        Some("number") => "a number",
        Some("array") => "a list, as JSON",
        Some("object") => "an object, as JSON",
        Some("boolean" | "string") => "",
        _ if schema["enum"].is_array() => "",
        _ => "any value, as JSON",
    };
    parts.extend((!kind.is_empty()).then(|| kind.to_owned()));
    let mut say = |name: &str, word: &str| {
        let bound = bound(schema, name);
        parts.extend((!bound.is_empty()).then(|| format!("{word} {bound}")));
    };
    say("minimum", "from");
    say("maximum", "to");
    say("minItems", "items from");
    say("maxItems", "items to");
    say("maxLength", "characters to");
    parts.extend(schema["pattern"].as_str().map(|pattern| format!("fits {pattern}")));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xyn_actors::blueprint::Schema;

    use super::*;

    fn field(schema: Option<Value>, default: Option<Value>) -> Field {
        let schema = schema.map(|schema| Schema::compile(&schema).expect("a schema"));
        let name = "x".to_owned();
        let input = Input { name, description: None, from: None, schema, required: false, default };
        Field::of(&input, None)
    }

    fn sent_as(schema: Value) -> String {
        field(Some(schema), None).name
    }

    #[test]
    fn a_field_says_the_type_that_its_schema_has() {
        assert_eq!(sent_as(json!({"type": "string"})), "inputs.x:string");
        assert_eq!(sent_as(json!({"type": "integer"})), "inputs.x:integer");
        assert_eq!(sent_as(json!({"type": "number"})), "inputs.x:number");
        assert_eq!(sent_as(json!({"type": "boolean"})), "inputs.x:boolean");
        assert_eq!(sent_as(json!({"type": "array"})), "inputs.x:json");
        assert_eq!(sent_as(json!({"type": ["string", "null"]})), "inputs.x:json");
        assert_eq!(sent_as(json!(true)), "inputs.x:json");
        assert_eq!(field(None, None).name, "inputs.x:json");
    }

    #[test]
    fn words_are_chosen_and_keep_their_type() {
        let words = field(Some(json!({"enum": ["a", "b"]})), Some(json!("b")));
        assert_eq!((words.name.as_str(), words.value.as_str()), ("inputs.x:string", "b"));
        let mixed = field(Some(json!({"enum": [1, "1"]})), None);
        let choice = Control::Choice(vec![("1".into(), "1".into()), ("\"1\"".into(), "1".into())]);
        assert_eq!((mixed.name.as_str(), mixed.control), ("inputs.x:json", choice));
    }

    #[test]
    fn defaults_are_filled_in_as_they_are_read_back() {
        let value = |schema, default| field(Some(schema), Some(default)).value;
        assert_eq!(value(json!({"type": "string"}), json!("a b")), "a b");
        assert_eq!(value(json!({"type": "number"}), json!(2.5)), "2.5");
        assert_eq!(value(json!({"type": "boolean"}), json!(false)), "false");
        assert_eq!(value(json!({"type": "array"}), json!([1])), "[\n  1\n]");
        assert_eq!(value(json!({}), json!("text")), "\"text\"");
    }

    #[test]
    fn what_fits_is_said() {
        let says = |schema| field(Some(schema), None).fits;
        assert_eq!(
            says(json!({"type": "integer", "minimum": 1, "maximum": 9})),
            "a whole number, from 1, to 9"
        );
        assert_eq!(says(json!({"type": "array", "maxItems": 3})), "a list, as JSON, items to 3");
        assert_eq!(says(json!({"type": "string"})), "");
    }
}
