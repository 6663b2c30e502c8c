//! Variables whose values would be packed although they are secret: those that the tree's own `capsule.json` gives.
//!
//! The manifest of a capsule leaves such values out, and the file that it was made of is packed as it is. Nobody can
//! allow that. Invariant: no message shows a value.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Finding, Severity};
use crate::json::shown;
use crate::manifest::AUTHORED;
use crate::secrets::redact_env;
use crate::tree::RelPath;

/// What is wrong with the variables in `bytes`, the `capsule.json` at the root of the tree of `app`. What is no such
/// document gives no variables.
pub fn check_variables(bytes: &[u8], app: &str) -> Vec<Finding> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
    let parts =
        Fields::of(text).called("app").flat_map(|app| Fields::of(app).called("env").collect::<Vec<_>>());
    let variables = parts.flat_map(|env| Fields::of(env).0);
    let given = variables.filter(|(name, value)| is_given_away(name, value));
    given.map(|(name, value)| finding(&name, line(text, value.get()), app)).collect()
}

/// Whether a value stands there that a manifest would leave out.
fn is_given_away(name: &str, value: &RawValue) -> bool {
    let Ok(value) = serde_json::from_str::<Value>(value.get()) else { return false };
    !value.is_null() && !redact_env(Map::from_iter([(name.to_owned(), value)])).1.is_empty()
}

fn finding(name: &str, line: u64, app: &str) -> Finding {
    let (name, app) = (shown(name), shown(app));
    let message = format!(
        "the value of `{name}` is secret, and this file is packed as it is; write null in its place, and keep the \
         value where the app is installed: xyn secret put app/{app}/{name}"
    );
    Finding {
        path: AUTHORED.parse().unwrap_or_else(|_| RelPath::root()),
        line: Some(line),
        lint: "secret-variable",
        severity: Severity::Veto,
        message,
    }
}

/// The line of `text`, from 1, in which `part` of it begins.
fn line(text: &str, part: &str) -> u64 {
    let at = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() as u64 + 1
}

/// The fields of an object, each as it stands there: one that is said twice comes twice.
#[derive(Default)]
struct Fields<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Fields<'t> {
    /// Those of the object that `text` is; none of anything else.
    fn of(text: &'t str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    fn called(self, name: &str) -> impl Iterator<Item = &'t str> {
        self.0.into_iter().filter(move |(key, _)| key == name).map(|(_, value)| value.get())
    }
}

impl<'de: 't, 't> Deserialize<'de> for Fields<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                while let Some(field) = map.next_entry()? {
                    fields.0.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        check_variables(text.as_bytes(), "shop").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_secret_value_is_vetoed_where_it_stands_and_is_not_shown() {
        let text = "{\n  \"uiSchema\": {\"DB_PASSWORD\": \"a label\"},\n  \"app\": {\"env\": {\n    \"PORT\": \"8080\",\n    \
                    \"DB_PASSWORD\": \"hunter2\",\n    \"LATER_TOKEN\": null\n  }}\n}";
        let told = told(text);
        assert!(
            told.len() == 1
                && told[0].starts_with("veto: `capsule.json`:5: secret-variable: the value of `DB_PASSWORD`"),
            "{told:?}"
        );
        assert!(
            told[0].ends_with("xyn secret put app/shop/DB_PASSWORD") && !told[0].contains("hunter2"),
            "{told:?}"
        );
    }

    #[test]
    fn a_value_is_found_behind_another_way_to_write_it() {
        let twice = r#"{"app": {"env": {"DB_PASSWORD": "hunter2", "DB_PASSWORD": null}}, "app": {}}"#;
        let escaped = r#"{"app": {"env": {"DB_PASS\u0057ORD": "hunter2"}}}"#;
        let number = r#"{"app": {"env": {"DB_PASSWORD": 4711}}}"#;
        let key = ["AKIA", "IOSFODNN7", "QXR2PLE"].concat();
        let by_value = format!(r#"{{"app": {{"env": {{"REGION": "{key}"}}}}}}"#);
        for text in [twice, escaped, number, by_value.as_str()] {
            assert_eq!(told(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_gives_no_value_is_let_pass() {
        for text in [
            r#"{"app": {"env": {"DB_PASSWORD": null, "PORT": "8080"}}}"#,
            r#"{"app": "shop", "env": {"DB_PASSWORD": "of somebody else"}}"#,
            "[]",
            "",
            "// no JSON",
        ] {
            assert_eq!(told(text), Vec::<String>::new(), "{text}");
        }
    }
}
