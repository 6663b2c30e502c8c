//! The environment of an application, without its secrets.
//!
//! Invariant: what is kept is nothing that this module would hold for a secret anywhere else.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::assignment::promises_secret;
use super::kind::Kind;
use super::text::Text;
use super::{env, random, run, token, words};

/// Parts `env` into what may be packed and the names that whoever installs must give values for: those that say
/// they are secret, and those whose value is one.
pub fn redact_env(env: Map<String, Value>) -> (Map<String, Value>, BTreeSet<String>) {
    let mut required = BTreeSet::new();
    let kept = env.into_iter().filter_map(|(name, value)| {
        if promises_secret(&name) || is_secret(&name, &value) {
            required.insert(name);
            return None;
        }
        Some((name, value))
    });
    (kept.collect(), required)
}

fn is_secret(name: &str, value: &Value) -> bool {
    match value {
        Value::String(value) => {
            let line = format!("{name}={value}");
            let text = Text { bytes: line.as_bytes(), kind: Kind::Env, is_binary: false };
            let mut hits = env::values(&text, 0..line.len());
            words::search(&text, 0..line.len(), &mut hits);
            let mut runs = run::runs(text.bytes, 0);
            !hits.is_empty()
                || runs.any(|run| token::judge(&text, &run).or_else(|| random::judge(&text, &run)).is_some())
        }
        Value::Array(values) => values.iter().any(|value| is_secret(name, value)),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| promises_secret(name) || is_secret(name, value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
