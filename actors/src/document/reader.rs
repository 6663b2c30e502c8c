//! The reading under way: what it has found wrong, and where that stands.
//!
//! Owns the way from a node to an issue, and the faults that any mapping can have. Invariant: issues come
//! out in the order of the text, [`MAX_ISSUES`] of them at most.

use std::collections::BTreeMap;

use super::issue::{Code, Issue, shorten};
use super::tree::{Node, Tree};
use super::{MAX_ISSUES, refusal};

/// Longest message, in characters: some quote the author's text, which may be as long as the document.
const MAX_MESSAGE_CHARS: usize = 300;

/// Reads nodes as types and keeps what is wrong with them.
pub(crate) struct Reader<'a> {
    source: &'a str,
    root: &'a Node,
    issues: Vec<Issue>,
}

/// A place in the text.
struct Place {
    line: u64,
    column: u64,
    text: String,
}

impl<'a> Reader<'a> {
    /// Starts reading: what no document may have is reported at once.
    pub(super) fn new(source: &'a str, root: &'a Node) -> Self {
        let mut reader = Self { source, root, issues: Vec::new() };
        reader.check_keys(root);
        reader
    }

    /// What was found, in the order of the text.
    pub(super) fn into_issues(mut self) -> Vec<Issue> {
        self.issues.sort_by_key(|issue| (issue.line, issue.column));
        self.issues
    }

    /// Whether nothing more will be reported: time to stop looking.
    pub(crate) fn is_full(&self) -> bool {
        self.issues.len() >= MAX_ISSUES
    }

    /// Reports a fault of `node`.
    pub(crate) fn fault(
        &mut self,
        node: &Node,
        code: Code,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        if !self.is_full() {
            let place = self.place_of(node);
            self.report(node, place, code, message.into(), hint.into());
        }
    }

    /// Reports a fault of the `length` bytes at `offset` of the text that `node` holds.
    pub(crate) fn fault_within(
        &mut self,
        node: &Node,
        (offset, length): (usize, usize),
        code: Code,
        message: String,
        hint: String,
    ) {
        if !self.is_full() {
            let place = self.place_within(node, offset, length).unwrap_or_else(|| self.place_of(node));
            self.report(node, place, code, message, hint);
        }
    }

    fn report(&mut self, node: &Node, place: Place, code: Code, mut message: String, hint: String) {
        if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE_CHARS) {
            message.truncate(end);
            message.push('…');
        }
        let path = path_of(self.root, node).unwrap_or_default();
        let Place { line, column, text } = place;
        self.issues.push(Issue { path, line, column, code, message, hint, text });
    }

    fn place_of(&self, node: &Node) -> Place {
        Place { line: node.line, column: node.column, text: self.text_of(node) }
    }

    /// The source of `node`, shortened.
    fn text_of(&self, node: &Node) -> String {
        let end = match node.value {
            Tree::List(_) | Tree::Map(_) => self.source.len(),
            _ => node.span.end,
        };
        shorten(self.source.get(node.span.start..end).unwrap_or_default())
    }

    /// Where bytes of a node's text stand in the source. Quotes and folding may stand between the two, so the
    /// text is looked for; when it is not found as it is, nobody knows.
    fn place_within(&self, node: &Node, offset: usize, length: usize) -> Option<Place> {
        let text = node.as_text()?;
        let wanted = text.get(offset..offset + length).filter(|wanted| !wanted.is_empty())?;
        let earlier = text.match_indices(wanted).take_while(|(at, _)| *at < offset).count();
        let written = self.source.get(node.span.clone())?;
        let (at, _) = written.match_indices(wanted).nth(earlier)?;
        let (line, column) = refusal::position(self.source, node.span.start + at);
        Some(Place { line, column, text: shorten(wanted) })
    }

    /// Reports keys that no mapping can have, wherever they are, and templates that lost their quotes.
    fn check_keys(&mut self, node: &Node) {
        match &node.value {
            Tree::List(items) => items.iter().for_each(|item| self.check_keys(item)),
            Tree::Map(_) if node.is_unquoted_template() => {
                let written = self.text_of(node);
                let quoted = written.split_inclusive("}}").next().unwrap_or_default();
                let hint = format!("put it in quotes: \"{quoted}\"");
                self.fault(node, Code::UnquotedTemplate, refusal::UNQUOTED, hint);
            }
            Tree::Map(entries) => {
                let mut seen = BTreeMap::new();
                for (key, value) in entries {
                    self.check_key(key, &mut seen);
                    self.check_keys(value);
                }
            }
            _ => {}
        }
    }

    /// Reports `key` if it is no text or one of those already `seen`, each with its line.
    fn check_key<'k>(&mut self, key: &'k Node, seen: &mut BTreeMap<&'k str, u64>) {
        let Some(name) = key.as_text() else {
            let message = format!("a key must be text, not {}", key.kind());
            return self.fault(key, Code::WrongType, message, "put it in quotes");
        };
        match seen.get(name) {
            Some(line) => {
                let hint = format!("keep one of them; the first is on line {line}");
                self.fault(key, Code::DuplicateKey, format!("`{}` is here twice", shorten(name)), hint);
            }
            None => {
                seen.insert(name, key.line);
            }
        }
    }
}

/// The path from `root` to `wanted`, found by identity.
fn path_of(root: &Node, wanted: &Node) -> Option<String> {
    if std::ptr::eq(root, wanted) {
        return Some(String::new());
    }
    match &root.value {
        Tree::List(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| path_of(item, wanted).map(|rest| join(&format!("[{index}]"), &rest))),
        Tree::Map(entries) => entries.iter().find_map(|(key, value)| {
            let rest = if std::ptr::eq(key, wanted) { Some(String::new()) } else { path_of(value, wanted) };
            rest.map(|rest| join(&shorten(key.as_text().unwrap_or("?")), &rest))
        }),
        _ => None,
    }
}

fn join(first: &str, rest: &str) -> String {
    if rest.is_empty() || rest.starts_with('[') {
        format!("{first}{rest}")
    } else {
        format!("{first}.{rest}")
    }
}
