//! JSON kept as text: opaque to the store, copied to the wire without being parsed again.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A valid JSON document. In binary formats it is its text; in JSON it is itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Box<str>);

impl Json {
    /// The JSON `null`.
    pub fn null() -> Self {
        Self("null".into())
    }

    /// Renders `value`. Values of this code base have string keys and finite numbers, so rendering cannot fail.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|text| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the document as `T`.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The parsed document.
    pub fn to_value(&self) -> serde_json::Value {
        // INVARIANT: a `Json` is only made from rendered values or checked text, so it parses.
        self.read().unwrap_or(serde_json::Value::Null)
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            // A text that is no JSON passed a checksum and was never checked: it shows as `to_value` reads it.
            match serde_json::from_str::<&RawValue>(&self.0) {
                Ok(raw) => raw.serialize(serializer),
                Err(_) => serializer.serialize_unit(),
            }
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let raw = Box::<RawValue>::deserialize(deserializer)?;
            Ok(Self(Box::<str>::from(raw)))
        } else {
            Box::<str>::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_a_stranger_made_show_as_null_and_do_not_fail() {
        let bytes = postcard::to_stdvec("{").expect("encodes");
        let json = postcard::from_bytes::<Json>(&bytes).expect("it is text");
        assert_eq!(serde_json::to_string(&json).expect("renders"), "null");
        assert_eq!(serde_json::to_value(&json).expect("renders"), json.to_value());
    }

    #[test]
    fn json_is_itself_in_json_and_text_in_postcard() {
        let json = Json::of(&serde_json::json!({"a": [1, null]})).expect("renders");
        assert_eq!(serde_json::to_string(&json).expect("renders"), r#"{"a":[1,null]}"#);
        let bytes = postcard::to_stdvec(&json).expect("encodes");
        assert_eq!(postcard::from_bytes::<Json>(&bytes).expect("decodes"), json);
        assert_eq!(serde_json::from_str::<Json>(r#" {"a": 1}"#).expect("parses").as_str(), r#"{"a": 1}"#);
    }
}
