//! From an author's bytes to a tree in which every node knows where it stands.
//!
//! Owns the budgets (size, depth, aliases) and the faults of the text as such. Refuses what is not UTF-8, NaN
//! and infinity, keys that are no text, and the same key twice. JSON is read as the YAML that it is.

use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};

use super::issue::Issue;
use super::{MAX_ALIASES, MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_NODES, refusal};

/// Most parser events that aliases may repeat, all together.
const MAX_REPEATED_EVENTS: usize = 10_000;

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Tree,
    pub(crate) line: u64,
    pub(crate) column: u64,
    /// Bytes of the source; empty where the parser does not know.
    pub(crate) span: Range<usize>,
}

/// The value of a node.
#[derive(Debug)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// What people call the type of the value.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Tree::Null => "nothing",
            Tree::Bool(_) => "true or false",
            Tree::Number(_) => "a number",
            Tree::Text(_) => "text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a mapping",
        }
    }

    /// The text, when it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Tree::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value below `key`, when this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Tree::Map(entries) => {
                entries.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// The same without places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(*value),
            Tree::Number(number) => Value::Number(number.clone()),
            Tree::Text(text) => Value::String(text.clone()),
            Tree::List(items) => items.iter().map(Node::to_json).collect(),
            Tree::Map(entries) => {
                let field = |(key, node): &(Node, Node)| Some((key.as_text()?.to_owned(), node.to_json()));
                Value::Object(entries.iter().filter_map(field).collect())
            }
        }
    }

    /// The key `key` itself, when this is a mapping that has it.
    pub(crate) fn key(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Tree::Map(entries) => {
                entries.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(name, _)| name)
            }
            _ => None,
        }
    }

    /// Whether there is no value: an explicit null says what leaving the key out says.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Tree::Null)
    }

    /// Whether YAML read `{{ … }}` without quotes: a mapping whose only key is a mapping.
    pub(crate) fn is_unquoted_template(&self) -> bool {
        match &self.value {
            Tree::Map(entries) => {
                matches!(entries.as_slice(), [(key, _)] if matches!(key.value, Tree::Map(_)))
            }
            _ => false,
        }
    }
}

/// Reads `source`, which holds a `noun`; one issue at most, since a text that does not parse has no later
/// places.
pub(super) fn parse<'s>(source: &'s [u8], noun: &str) -> Result<(&'s str, Node), Issue> {
    if source.len() > MAX_DOCUMENT_BYTES {
        return Err(refusal::too_large(noun, source.len()));
    }
    let text = std::str::from_utf8(source).map_err(|error| refusal::not_utf8(source, error.valid_up_to()))?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            // Beyond what the scanner looks ahead, so that `max_depth` speaks first, which knows more.
            flow_nesting_limit: 64 * MAX_DEPTH,
            max_documents: 1,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_recorded_anchor_events: MAX_REPEATED_EVENTS,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPEATED_EVENTS,
            max_replay_stack_depth: 8,
        },
        // Ours to report: all of them at once, each with its place.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        // Otherwise `on` and `yes` would be no text.
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Tree>>(text, options) {
        Ok(root) => Ok((text, Node::from(root))),
        Err(error) => Err(refusal::of(noun, text, &error)),
    }
}

impl From<Spanned<Tree>> for Node {
    fn from(spanned: Spanned<Tree>) -> Self {
        let place = spanned.referenced;
        let byte =
            |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok()).unwrap_or_default();
        let start = byte(place.span().byte_offset());
        let span = start..start.saturating_add(byte(place.span().byte_len()));
        Self { value: spanned.value, line: place.line().max(1), column: place.column().max(1), span }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tree, E> {
        Number::from_f64(value).map(Tree::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<Spanned<Tree>>()? {
            items.push(Node::from(item));
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = access.next_entry::<Spanned<Tree>, Spanned<Tree>>()? {
            entries.push((Node::from(key), Node::from(value)));
        }
        Ok(Tree::Map(entries))
    }
}
