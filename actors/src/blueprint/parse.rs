//! From an author's bytes to a tree in which every node knows where it stands.
//!
//! Owns the budgets (size, depth, aliases) and the faults of the text as such. Refuses what is not UTF-8, NaN and
//! infinity, keys that are no text, and the same key twice. JSON is read as the YAML that it is.

use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};

use super::issue::{Code, Issue, shorten};

/// Largest source, in bytes.
pub(super) const MAX_SOURCE_BYTES: usize = 1024 * 1024;
/// Deepest nesting of lists and mappings.
const MAX_DEPTH: usize = 32;
/// Most nodes of a document, aliases expanded.
const MAX_NODES: usize = 50_000;
/// Most uses of aliases.
const MAX_ALIASES: usize = 100;
/// Most parser events that aliases may repeat, all together.
const MAX_REPEATED_EVENTS: usize = 10_000;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) value: Tree,
    pub(super) line: u64,
    pub(super) column: u64,
    /// Bytes of the source; empty where the parser does not know.
    pub(super) span: Range<usize>,
}

/// The value of a node.
#[derive(Debug)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// What people call the type of the value.
    pub(super) fn kind(&self) -> &'static str {
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
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Tree::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value below `key`, when this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Tree::Map(entries) => entries.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The same without places.
    pub(super) fn to_json(&self) -> Value {
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

    /// Whether YAML read `{{ … }}` without quotes: a mapping whose only key is a mapping.
    pub(super) fn is_unquoted_template(&self) -> bool {
        match &self.value {
            Tree::Map(entries) => matches!(entries.as_slice(), [(key, _)] if matches!(key.value, Tree::Map(_))),
            _ => false,
        }
    }
}

/// Reads `source`; at most one issue, since a text that does not parse has no later places.
pub(super) fn parse(source: &[u8]) -> Result<(&str, Node), Issue> {
    if source.len() > MAX_SOURCE_BYTES {
        let message = format!("the source has {} bytes; a blueprint has at most {MAX_SOURCE_BYTES}", source.len());
        return Err(at_start(Code::TooLarge, message, "keep data in artifacts or inputs, not in the blueprint"));
    }
    let text = std::str::from_utf8(source).map_err(|error| not_utf8(source, error.valid_up_to()))?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
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
        Err(error) => Err(syntax(text, &error)),
    }
}

fn at_start(code: Code, message: String, hint: &str) -> Issue {
    Issue { path: String::new(), line: 1, column: 1, code, message, hint: hint.into(), text: String::new() }
}

fn not_utf8(source: &[u8], valid: usize) -> Issue {
    // Decoding the valid part again costs less than carrying it around, and cannot lose anything.
    let before = String::from_utf8_lossy(&source[..valid]);
    let (line, column) = position(&before, before.len());
    let message = format!("the source is not UTF-8: byte {valid} is 0x{:02x}", source[valid]);
    let hint = "save the file as UTF-8";
    Issue { line, column, ..at_start(Code::InvalidUtf8, message, hint) }
}

/// Line and column of a byte of `text`, both from 1, columns in characters.
pub(super) fn position(text: &str, byte: usize) -> (u64, u64) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line as u64, before[line_start..].chars().count() as u64 + 1)
}

fn syntax(text: &str, error: &serde_saphyr::Error) -> Issue {
    let place = error.location();
    let (line, column) = place.map_or((1, 1), |at| (at.line().max(1), at.column().max(1)));
    let rendered = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    // The place is in the issue already.
    let reason = rendered.rsplit_once(" at line ").map_or(rendered.as_str(), |(reason, _)| reason);
    let lines = || text.lines().take(usize::try_from(line).unwrap_or(usize::MAX));
    let offending = lines().last().unwrap_or_default();
    let issue = |code, message: String, hint: &str| Issue {
        line,
        column,
        text: shorten(offending),
        ..at_start(code, message, hint)
    };
    match error.without_snippet() {
        serde_saphyr::Error::Budget { .. } => issue(
            Code::TooLarge,
            format!("the source is over a limit: {reason}"),
            "nest less deeply, repeat less, and use fewer aliases",
        ),
        serde_saphyr::Error::NonFiniteFloat { .. } => {
            issue(Code::InvalidValue, "a number must be finite".into(), "NaN and infinity have no JSON: quote the word or leave it out")
        }
        serde_saphyr::Error::MergeKeyNotAllowed { .. } => {
            issue(Code::Syntax, "merge keys (`<<`) are not available".into(), "write the keys out")
        }
        _ if reason.contains("alias") => issue(
            Code::TooLarge,
            format!("the source is over a limit: {reason}"),
            "use fewer aliases, or write the values out",
        ),
        _ => match lines().enumerate().filter(|(_, line)| is_unquoted(line)).last() {
            Some((index, culprit)) if index as u64 + 2 >= line => Issue {
                line: index as u64 + 1,
                column: position(culprit, culprit.find("{{").unwrap_or_default()).1,
                text: shorten(culprit),
                ..issue(
                    Code::UnquotedTemplate,
                    "YAML reads `{{` without quotes as a mapping".into(),
                    "put the whole value in quotes: \"{{ … }}\"",
                )
            },
            _ => issue(Code::Syntax, format!("this is not valid YAML: {reason}"), "check indentation, quotes and brackets here and on the line above"),
        },
    }
}

/// Whether a value on this line starts with braces and no quote.
fn is_unquoted(line: &str) -> bool {
    line.split_once("{{").is_some_and(|(before, _)| before.trim_end().ends_with([':', '-', ',', '[']))
}

impl From<Spanned<Tree>> for Node {
    fn from(spanned: Spanned<Tree>) -> Self {
        let place = spanned.referenced;
        let byte = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok()).unwrap_or_default();
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
