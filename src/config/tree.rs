//! Taking typed values out of the merged tree, and noting where each came from.
//!
//! Invariant: a fault names the key and where its value stands, and repeats nothing that may be a secret.

use std::path::Path;

use config::{Map, Value, ValueKind};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned};
use xyn_store::scope::Stage;

use super::settings::LimitSettings;
use super::{ConfigError, Entry, MeshMode};

const WRONG_HOOKS: &str =
    "each hook has `name`, `event_name` and `secrets_env`, a list of names of environment variables";

/// The merged tree, from which values are taken.
pub(super) struct Tree<'f> {
    values: Map<String, Value>,
    file: &'f Path,
    entries: Vec<Entry>,
}

impl<'f> Tree<'f> {
    /// `values` without an origin stand in `file`.
    pub(super) fn new(values: Map<String, Value>, file: &'f Path) -> Self {
        Self { values, file, entries: Vec::new() }
    }

    /// What was taken, in that order.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The value of `key`.
    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, ConfigError> {
        let value = self.values.remove(key).unwrap_or_else(|| Value::new(None, ValueKind::Nil));
        self.note(key, &value);
        self.typed(key, value)
    }

    /// The stage.
    pub(super) fn take_stage(&mut self) -> Result<Stage, ConfigError> {
        self.take_word("stage", "is no stage; stages: dev, staging, prod")
    }

    /// Whether the node takes part in the mesh.
    pub(super) fn take_mesh(&mut self) -> Result<MeshMode, ConfigError> {
        self.take_word("mesh", "is none of on, lan and off")
    }

    /// One of a few words; `wrong` says what any other is.
    fn take_word<T: DeserializeOwned>(&mut self, key: &str, wrong: &str) -> Result<T, ConfigError> {
        let origin = self.values.get(key).and_then(|value| value.origin().map(str::to_owned));
        let word: String = self.take(key)?;
        T::deserialize(StrDeserializer::<de::value::Error>::new(&word)).map_err(|_| ConfigError::Invalid {
            key: key.to_owned(),
            origin: format!(" (from {})", origin.unwrap_or_else(|| self.file.display().to_string())),
            reason: format!("`{word}` {wrong}"),
        })
    }

    /// The limits, each noted by itself.
    pub(super) fn take_limits(&mut self) -> Result<LimitSettings, ConfigError> {
        let value = self.values.remove("limits").unwrap_or_else(|| Value::new(None, ValueKind::Nil));
        if let ValueKind::Table(table) = &value.kind {
            let mut names: Vec<_> = table.keys().collect();
            names.sort();
            for name in names {
                let below = &table[name];
                self.note(&format!("limits.{name}"), below);
            }
        }
        self.typed("limits", value)
    }

    fn note(&mut self, key: &str, value: &Value) {
        let origin = value.origin().map_or_else(|| self.file.display().to_string(), str::to_owned);
        self.entries.push(Entry { key: key.to_owned(), value: shown(value), origin });
    }

    fn typed<T: DeserializeOwned>(&self, key: &str, value: Value) -> Result<T, ConfigError> {
        let file = self.file.display().to_string();
        let origin = value.origin().unwrap_or(&file).to_owned();
        value.try_deserialize().map_err(|error: config::ConfigError| {
            let (key, reason) = match key {
                // What stands at the wrong place may be a secret: it is not repeated.
                "hooks" => (key.to_owned(), WRONG_HOOKS.to_owned()),
                key => explained(key, &error),
            };
            ConfigError::Invalid { key, origin: format!(" (from {origin})"), reason }
        })
    }
}

/// The key that an error is about and what is wrong, without the crate's own words on where.
fn explained(key: &str, error: &config::ConfigError) -> (String, String) {
    match error {
        config::ConfigError::At { error, key: below, .. } => {
            let below = below.as_ref().map(|below| join(key, below));
            explained(&below.unwrap_or_else(|| key.to_owned()), error)
        }
        config::ConfigError::Type { unexpected, expected, key: below, .. } => {
            let key = below.as_ref().map_or_else(|| key.to_owned(), |below| join(key, below));
            (key, format!("{unexpected} is not {expected}"))
        }
        other => (key.to_owned(), worded(&other.to_string())),
    }
}

/// A deserializer's message as the others read.
fn worded(message: &str) -> String {
    match message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) {
        Some((found, "a sequence")) => format!("{found} is not a list, such as [\"…\", \"…\"]"),
        Some((found, wanted)) => format!("{found} is not {wanted}"),
        None => message.to_owned(),
    }
}

fn join(parent: &str, key: &str) -> String {
    if key.starts_with('[') { format!("{parent}{key}") } else { format!("{parent}.{key}") }
}

fn shown(value: &Value) -> serde_json::Value {
    value.clone().try_deserialize().unwrap_or_default()
}
