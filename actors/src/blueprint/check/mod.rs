//! From a tree with places to a [`Plan`], or to every fault that stands in the way.
//!
//! Owns the rules of a blueprint. Never stops at the first fault: what is missing or wrong is reported and
//! checking goes on with the rest. Invariant: a plan is returned exactly when there is no issue.

mod call;
mod document;
mod edges;
mod fields;
mod gate;
mod names;
mod outline;
mod outputs;
mod schema;
mod step;
mod text;

use std::collections::BTreeMap;

use xyn_store::Digest;

use super::issue::{Code, Issue, shorten};
use super::parse::{self, Node, Tree};
use super::plan::Plan;
use super::{NodeLimits, source};
use crate::actions::Registry;

/// Most issues that one check reports.
pub const MAX_ISSUES: usize = 100;

/// Compiles an author's text, YAML or JSON. The issues are all there are (at most [`MAX_ISSUES`]), in the
/// order of the text.
pub fn compile(source: &[u8], registry: &Registry, node_limits: &NodeLimits) -> Result<Plan, Vec<Issue>> {
    let (text, root) = parse::parse(source).map_err(|issue| vec![issue])?;
    let mut checker =
        Checker { source: text, root: &root, registry, limits: node_limits, issues: Vec::new() };
    checker.keys(&root);
    let plan = checker.blueprint(Digest::of(source));
    let mut issues = checker.issues;
    issues.sort_by_key(|issue| (issue.line, issue.column));
    match plan {
        Some(plan) if issues.is_empty() => Ok(plan),
        // INVARIANT: whoever gives up on a part says why, so there is an issue whenever there is no plan.
        _ => Err(issues),
    }
}

/// The check under way.
struct Checker<'a> {
    source: &'a str,
    root: &'a Node,
    registry: &'a Registry,
    limits: &'a NodeLimits,
    issues: Vec<Issue>,
}

impl<'a> Checker<'a> {
    /// Whether nothing more will be reported: time to stop looking.
    fn is_full(&self) -> bool {
        self.issues.len() >= MAX_ISSUES
    }

    /// Reports a fault of `node`.
    fn fault(&mut self, node: &Node, code: Code, message: impl Into<String>, hint: impl Into<String>) {
        self.report(node, node.line, node.column, self.text_of(node), code, message.into(), hint.into());
    }

    /// Reports a fault of the `length` bytes at `offset` of the text that `node` holds.
    fn fault_within(
        &mut self,
        node: &Node,
        (offset, length): (usize, usize),
        code: Code,
        message: String,
        hint: String,
    ) {
        if self.is_full() {
            return;
        }
        let place = self.locate(node, offset, length);
        let (line, column, text) = place.unwrap_or_else(|| (node.line, node.column, self.text_of(node)));
        self.report(node, line, column, text, code, message, hint);
    }

    #[expect(clippy::too_many_arguments, reason = "the one place that puts an issue together")]
    fn report(
        &mut self,
        node: &Node,
        line: u64,
        column: u64,
        text: String,
        code: Code,
        message: String,
        hint: String,
    ) {
        if !self.is_full() {
            let path = path_of(self.root, node).unwrap_or_default();
            self.issues.push(Issue { path, line, column, code, message, hint, text });
        }
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
    fn locate(&self, node: &Node, offset: usize, length: usize) -> Option<(u64, u64, String)> {
        let text = node.as_text()?;
        let wanted = text.get(offset..offset + length).filter(|wanted| !wanted.is_empty())?;
        let earlier = text.match_indices(wanted).take_while(|(at, _)| *at < offset).count();
        let written = self.source.get(node.span.clone())?;
        let (at, _) = written.match_indices(wanted).nth(earlier)?;
        let (line, column) = parse::position(self.source, node.span.start + at);
        Some((line, column, shorten(wanted)))
    }

    /// Reports keys that no mapping can have, wherever they are, and templates that lost their quotes.
    fn keys(&mut self, node: &'a Node) {
        match &node.value {
            Tree::List(items) => items.iter().for_each(|item| self.keys(item)),
            Tree::Map(_) if node.is_unquoted_template() => {
                let written = self.text_of(node);
                let quoted = written.split_inclusive("}}").next().unwrap_or_default();
                self.fault(
                    node,
                    Code::UnquotedTemplate,
                    "YAML reads `{{ }}` without quotes as a mapping",
                    format!("put it in quotes: \"{quoted}\""),
                );
            }
            Tree::Map(entries) => {
                let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
                for (key, value) in entries {
                    match key.as_text() {
                        None => self.fault(
                            key,
                            Code::WrongType,
                            format!("a key must be text, not {}", key.kind()),
                            "put it in quotes",
                        ),
                        Some(name) => match seen.get(name) {
                            Some(line) => {
                                let message = format!("`{}` is here twice", shorten(name));
                                self.fault(
                                    key,
                                    Code::DuplicateKey,
                                    message,
                                    format!("keep one of them; the first is on line {line}"),
                                );
                            }
                            None => {
                                seen.insert(name, key.line);
                            }
                        },
                    }
                    self.keys(value);
                }
            }
            _ => {}
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

#[cfg(test)]
mod tests;
