//! From the fields of a form to the input of an action.

use serde_json::{Map, Number, Value};

use crate::error::ApiError;

/// Parts that the name of a field may have.
const DEPTH_MAX: usize = 8;

/// The input that `form` says, typed as `schema` or the fields' own names have it. A field that is left
/// empty is left out.
pub(super) fn of(schema: &Value, form: &[(String, String)]) -> Result<Value, ApiError> {
    let mut input = Map::new();
    for (name, text) in form.iter().filter(|(name, text)| !name.starts_with('~') && !text.is_empty()) {
        let (path, kind) = match name.rsplit_once(':') {
            Some((path, kind)) => (path, Some(kind)),
            None => (name.as_str(), None),
        };
        let parts: Vec<_> = path.split('.').map(decoded).collect();
        if parts.len() > DEPTH_MAX || parts.iter().any(String::is_empty) {
            return Err(ApiError::invalid(path, "the name of a field is words with dots between them"));
        }
        let kind = kind.or_else(|| kind_of(schema, &parts)).unwrap_or("string");
        put(&mut input, &parts, value(path, kind, text)?)?;
    }
    Ok(Value::Object(input))
}

/// A field's name out of `words`; those that hold dots, colons or anything else a name is read by are encoded.
pub(in crate::ui) fn name_of(words: &[&str]) -> String {
    let encoded = |word: &&str| {
        let word: String = form_urlencoded::byte_serialize(word.as_bytes()).collect();
        word.replace('.', "%2E")
    };
    words.iter().map(encoded).collect::<Vec<_>>().join(".")
}

/// The fields of `schema` that are no text, each with its type, for what copies a form.
pub(super) fn types(schema: &Value) -> String {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let typed = fields.filter_map(|(name, schema)| Some((name, type_of(schema)?)));
    let typed = typed.filter(|(_, kind)| *kind != "string").map(|(name, kind)| format!("{name}={kind}"));
    typed.collect::<Vec<_>>().join(" ")
}

fn decoded(word: &str) -> String {
    form_urlencoded::parse(word.as_bytes()).next().map(|(word, _)| word.into_owned()).unwrap_or_default()
}

/// The type that `schema` gives to the value at `parts`, when it gives just one.
fn kind_of<'s>(schema: &'s Value, parts: &[String]) -> Option<&'s str> {
    let found = parts.iter().try_fold(schema, |schema, part| schema["properties"].get(part.as_str()))?;
    type_of(found)
}

/// The type that a value of `schema` has, when it has just one.
fn type_of(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    }
}

/// `text` as a value of `kind`.
fn value(path: &str, kind: &str, text: &str) -> Result<Value, ApiError> {
    let refuse = |wanted: &str| ApiError::invalid(path, format!("`{}` is not {wanted}", shown(text)));
    match kind {
        "integer" => text.trim().parse::<i64>().map(Value::from).map_err(|_| refuse("a whole number")),
        "number" => {
            let number = text.trim().parse::<f64>().ok().and_then(Number::from_f64);
            let whole = text.trim().parse::<i64>().map(Number::from);
            whole.ok().or(number).map(Value::Number).ok_or_else(|| refuse("a number"))
        }
        "boolean" => match text {
            "true" | "on" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(refuse("`true` or `false`")),
        },
        "lines" => Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()),
        "object" | "array" | "json" => serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            refuse("JSON").with("line", line).with("column", column)
        }),
        // What browsers send for a line break is CR LF; a file has LF.
        _ => Ok(text.replace("\r\n", "\n").into()),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Puts `value` at `parts`; several values of one name are a list.
fn put(input: &mut Map<String, Value>, parts: &[String], value: Value) -> Result<(), ApiError> {
    let [name, deeper @ ..] = parts else { return Ok(()) };
    if deeper.is_empty() {
        match input.get_mut(name) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => drop(input.insert(name.clone(), value)),
        }
        return Ok(());
    }
    match input.entry(name).or_insert_with(|| Value::Object(Map::new())) {
        Value::Object(inner) => put(inner, deeper, value),
        _ => Err(ApiError::invalid(name, "it is a value and has fields, which is not possible")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<Value, String> {
        let schema = json!({ "properties": {
            "priority": { "type": "integer" },
            "labels": { "type": "object" },
            "force": { "type": ["boolean", "null"] },
        }});
        let form: Vec<_> =
            fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        of(&schema, &form).map_err(|error| error.fault().message.clone())
    }

    #[test]
    fn fields_have_the_types_of_the_schema_or_those_they_say() {
        let form = [
            ("priority", " 7"),
            ("labels", "{\"a\": 1}"),
            ("force", "on"),
            ("inputs.host", "web-1"),
            ("inputs.count:number", "2.5"),
            ("inputs.many:lines", "a\r\n\r\nb"),
            ("source", "a\r\nb"),
            ("left_out", ""),
            ("~next", "/ui/runs"),
        ];
        let expected = json!({
            "priority": 7, "labels": {"a": 1}, "force": true,
            "inputs": {"host": "web-1", "count": 2.5, "many": ["a", "b"]}, "source": "a\nb",
        });
        assert_eq!(read(&form), Ok(expected));
    }

    #[test]
    fn a_name_may_hold_whatever_names_are_read_by() {
        let place = "shop:src/a+b.rs & %2E=1";
        let name = name_of(&["sides", place]);
        assert_eq!(read(&[(&name, "ours")]), Ok(json!({"sides": {place: "ours"}})));
    }

    #[test]
    fn a_field_given_twice_is_a_list() {
        assert_eq!(read(&[("to", "a"), ("to", "b"), ("to", "c")]), Ok(json!({"to": ["a", "b", "c"]})));
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_name() {
        assert_eq!(read(&[("priority", "high")]), Err("`high` is not a whole number".into()));
        assert_eq!(read(&[("labels", "{")]), Err("`{` is not JSON".into()));
        assert_eq!(read(&[("force", "maybe")]), Err("`maybe` is not `true` or `false`".into()));
        for nonsense in
            [&[("a..b", "1")][..], &[(".", "1")], &[("a.b.c.d.e.f.g.h.i", "1")], &[("a", "1"), ("a.b", "2")]]
        {
            assert!(read(nonsense).is_err(), "{nonsense:?}");
        }
    }
}
