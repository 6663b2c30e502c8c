//! Documents that people write, in YAML or JSON: read as types, with every fault at its place.
//!
//! Owns the one reader that blueprints, policies and tables of cases share: the budgets against bombs,
//! places, the shape of a fault and the words for faults of shape. Refuses to know what a document means.
//! Invariant: whoever gets nothing for a value that was there finds an issue about it; reading never stops
//! at the first.

mod duration;
mod fields;
mod issue;
mod keys;
mod reader;
mod refusal;
mod tree;
mod values;

pub(crate) use duration::parse_duration;
pub(crate) use fields::Fields;
pub use issue::{Code, Issue};
pub(crate) use issue::{closest, shorten, suggest};
pub(crate) use reader::Reader;
pub(crate) use tree::{Node, Tree};

/// Largest document, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;
/// Deepest nesting of lists and mappings.
const MAX_DEPTH: usize = 32;
/// Most nodes of a document, aliases expanded.
const MAX_NODES: usize = 50_000;
/// Most uses of aliases.
const MAX_ALIASES: usize = 100;
/// Most issues that one reading reports; more would drown them.
pub const MAX_ISSUES: usize = 100;
/// Longest id of a document or of a part of one, in bytes.
const MAX_ID_BYTES: usize = 120;

/// The text of a document and the tree in it.
#[derive(Debug)]
pub(crate) struct Document<'s> {
    text: &'s str,
    /// The value of the whole.
    pub(crate) root: Node,
}

impl<'s> Document<'s> {
    /// Reads `source`, which holds a `noun`, as a tree. A text that does not parse has one issue: it has no
    /// later places.
    pub(crate) fn parse(source: &'s [u8], noun: &str) -> Result<Self, Vec<Issue>> {
        let (text, root) = tree::parse(source, noun).map_err(|issue| vec![issue])?;
        Ok(Self { text, root })
    }

    /// Reads the tree as types: whatever `read` reports stands in the way of its result.
    pub(crate) fn read<'a, T>(
        &'a self,
        read: impl FnOnce(&mut Reader<'a>, &'a Node) -> Option<T>,
    ) -> Result<T, Vec<Issue>> {
        let mut reader = Reader::new(self.text, &self.root);
        let found = read(&mut reader, &self.root);
        let issues = reader.into_issues();
        match found {
            Some(found) if issues.is_empty() => Ok(found),
            // INVARIANT: whoever gives up on a part says why, so there is an issue whenever there is no result.
            _ => Err(issues),
        }
    }
}
