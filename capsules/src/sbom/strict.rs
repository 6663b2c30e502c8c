//! Reading the syntax of lock files: JSON, TOML, YAML, each with the line of a fault.
//!
//! Invariant: a key that is there twice is a fault, in all three.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::{LockFault, shown};

/// Nodes that a document of YAML may have: more than the packages of any application.
const YAML_MAX_NODES: usize = 4_000_000;

/// A mapping without a key that is there twice.
#[derive(Debug)]
pub(super) struct Table<V>(pub(super) BTreeMap<String, V>);

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Table<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Unique<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Unique<V> {
            type Value = Table<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<V>, A::Error> {
                let mut table = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, V>()? {
                    if table.contains_key(&key) {
                        return Err(A::Error::custom(format!("`{}` is there twice", shown(&key))));
                    }
                    table.insert(key, value);
                }
                Ok(Table(table))
            }
        }
        deserializer.deserialize_map(Unique(PhantomData))
    }
}

pub(super) fn json<T: DeserializeOwned>(text: &str) -> Result<T, LockFault> {
    serde_json::from_str(text).map_err(|error| {
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        LockFault::at(error.line().max(1), format!("cannot be read: {}", shown(said)))
    })
}

pub(super) fn toml<T: DeserializeOwned>(text: &str) -> Result<T, LockFault> {
    ::toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        LockFault { line, what: format!("cannot be read: {}", shown(error.message())) }
    })
}

pub(super) fn yaml<T: DeserializeOwned>(text: &str) -> Result<T, LockFault> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 32,
            max_documents: 1,
            max_nodes: YAML_MAX_NODES,
            max_events: 4 * YAML_MAX_NODES,
            max_total_scalar_bytes: super::LOCK_MAX_BYTES,
            max_aliases: 0,
            max_anchors: 0,
        },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().and_then(|at| usize::try_from(at.line()).ok()).filter(|line| *line > 0);
        let rendered = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        let said = rendered.split(" at line ").next().unwrap_or_default();
        LockFault { line, what: format!("cannot be read: {}", shown(said)) }
    })
}
