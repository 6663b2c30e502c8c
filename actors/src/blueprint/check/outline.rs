//! The names a blueprint defines, read before anything that uses them.
//!
//! Owns ids: which steps, inputs and vars there are, who waits for whom, which steps may be skipped. Reports
//! what is wrong with the names themselves.

use std::collections::BTreeSet;

use super::{Checker, Code, Fields, Node, Tree, edges};
use crate::document::{shorten, suggest};

/// Words of the template language, which no name can be.
const RESERVED: [&str; 15] = [
    "true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if", "else", "loop",
    "self",
];
/// Most inputs, vars or steps.
const MAX_NAMES: usize = 500;
/// Longest name of a step, input, var or output, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The names a blueprint defines.
#[derive(Default)]
pub(super) struct Outline<'a> {
    pub(super) inputs: Vec<&'a str>,
    pub(super) vars: Vec<&'a str>,
    pub(super) steps: Vec<StepOutline<'a>>,
}

/// What other steps may know of a step.
pub(super) struct StepOutline<'a> {
    pub(super) node: &'a Node,
    /// Its id, when it has a valid one.
    pub(super) id: Option<&'a str>,
    /// Whether it may end without an output.
    pub(super) skippable: bool,
    /// The fields of its output, when they are known.
    pub(super) fields: Option<Vec<&'a str>>,
    /// Steps it waits for.
    pub(super) needs: Vec<usize>,
    /// For each step, whether this one waits for it, directly or through others.
    pub(super) ancestors: Vec<bool>,
}

impl<'a> Outline<'a> {
    /// The step called `id`, the first one if there are two.
    pub(super) fn index_of(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id == Some(id))
    }

    /// How a template names the output of the step called `id`.
    pub(super) fn reference(&self, id: &str) -> String {
        let plain = !id.contains('-') && !id.starts_with(|first: char| first.is_ascii_digit());
        if plain { format!("steps.{id}.output") } else { format!("steps['{id}'].output") }
    }
}

impl<'a> Checker<'_, 'a> {
    /// Reads the names of the document. The order is one in which every step follows what it needs.
    pub(super) fn outline(&mut self) -> (Outline<'a>, Vec<usize>) {
        let list = |key: &str| match self.root.get(key).map(|node| &node.value) {
            Some(Tree::List(items)) => items.as_slice(),
            _ => &[],
        };
        let (inputs, steps) = (list("inputs"), list("plan"));
        let vars = match self.root.get("vars").map(|node| &node.value) {
            Some(Tree::Map(entries)) => entries.as_slice(),
            _ => &[],
        };
        // The same key twice was reported already.
        let mut seen = BTreeSet::new();
        let vars = vars.iter().map(|(key, _)| key).filter(|key| seen.insert(key.as_text()));
        let mut outline = Outline {
            inputs: self.names(inputs.iter().filter_map(|input| input.get("name")), "input", plain_name),
            vars: self.names(vars, "var", plain_name),
            steps: Vec::with_capacity(steps.len()),
        };
        let ids = self.names(steps.iter().filter_map(|step| step.get("id")), "step", step_name);
        for node in steps {
            let id = node.get("id").and_then(Node::as_text).filter(|id| ids.contains(id));
            outline.steps.push(StepOutline {
                node,
                id,
                skippable: may_be_skipped(node),
                fields: fields(node),
                needs: Vec::new(),
                ancestors: Vec::new(),
            });
        }
        let needs: Vec<Vec<usize>> = (0..steps.len()).map(|step| self.needs(&outline, step)).collect();
        let (order, cycles) = edges::order(&needs);
        cycles.iter().for_each(|cycle| self.cycle(&outline, cycle));
        for ((step, needs), ancestors) in outline.steps.iter_mut().zip(&needs).zip(edges::ancestors(&needs)) {
            (step.needs, step.ancestors) = (needs.clone(), ancestors);
        }
        (outline, order)
    }

    /// The texts among `nodes` that are names; reports the others and those that come twice.
    fn names(
        &mut self,
        nodes: impl Iterator<Item = &'a Node>,
        noun: &str,
        check: fn(&str) -> Result<(), &'static str>,
    ) -> Vec<&'a str> {
        let mut names: Vec<(&str, u64)> = Vec::new();
        for node in nodes {
            if names.len() == MAX_NAMES {
                let message = format!("there are more than {MAX_NAMES} {noun}s");
                self.doc.fault(node, Code::OverLimit, message, "put what belongs together into one object");
                break;
            }
            // A key that is no text, or not there, is reported where its mapping is read.
            let Some(name) = node.as_text() else { continue };
            if RESERVED.contains(&name) {
                let message = format!("no {noun} can be called `{name}`: templates use the word themselves");
                self.doc.fault(node, Code::ReservedName, message, "choose another name");
            } else if let Err(rule) = check(name) {
                self.doc.fault(
                    node,
                    Code::InvalidValue,
                    format!("`{}` is no name of a {noun}", shorten(name)),
                    rule,
                );
            } else if let Some((_, line)) = names.iter().find(|(known, _)| *known == name) {
                let message = format!("there are two {noun}s called `{name}`");
                self.doc.fault(
                    node,
                    Code::DuplicateId,
                    message,
                    format!("rename one; the first is on line {line}"),
                );
            } else {
                names.push((name, node.line));
            }
        }
        names.into_iter().map(|(name, _)| name).collect()
    }

    /// Whom a step waits for: whom it names, else the step above it.
    fn needs(&mut self, outline: &Outline<'a>, step: usize) -> Vec<usize> {
        let Some(node) = (Fields { node: outline.steps[step].node }).get("needs") else {
            return step.checked_sub(1).into_iter().collect();
        };
        let mut needs = Vec::new();
        for item in self.doc.items(node, "`needs`").unwrap_or_default() {
            if self.doc.is_full() {
                break;
            }
            let Some(id) = item.as_text() else {
                self.doc.wrong_type(item, "an item of `needs`", "the id of a step");
                continue;
            };
            match outline.index_of(id) {
                Some(index) if !needs.contains(&index) => needs.push(index),
                Some(_) => {}
                None => {
                    let ids = outline.steps.iter().filter_map(|step| step.id);
                    let hint = suggest(id, ids, "steps");
                    self.doc.fault(
                        item,
                        Code::UnknownStep,
                        format!("there is no step `{}`", shorten(id)),
                        hint,
                    );
                }
            }
        }
        needs
    }

    fn cycle(&mut self, outline: &Outline<'a>, cycle: &[usize]) {
        let Some(first) = cycle.first().map(|first| &outline.steps[*first]) else {
            return;
        };
        let names: Vec<_> = cycle.iter().map(|step| outline.steps[*step].id.unwrap_or("?")).collect();
        let message = format!("these steps wait for each other: {} → {}", names.join(" → "), names[0]);
        let node = first.node.get("needs").unwrap_or(first.node);
        self.doc.fault(node, Code::Cycle, message, "take one of them out of `needs`");
    }
}

/// Whether a step may end without an output: by its condition, or when its wait ends.
fn may_be_skipped(node: &Node) -> bool {
    Fields { node }.get("when").is_some() || node.get("on_timeout").and_then(Node::as_text) == Some("skip")
}

/// The fields of a step's output, when they are known: a transform that is done once.
fn fields(node: &Node) -> Option<Vec<&str>> {
    match node.get("set").map(|set| &set.value) {
        Some(Tree::Map(entries)) if Fields { node }.get("foreach").is_none() => {
            Some(entries.iter().filter_map(|(key, _)| key.as_text()).collect())
        }
        _ => None,
    }
}

fn step_name(name: &str) -> Result<(), &'static str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let rule = "use 1 to 64 letters, digits, `_` and `-`";
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(fits) { Ok(()) } else { Err(rule) }
}

/// A name that templates can write after a dot.
pub(super) fn plain_name(name: &str) -> Result<(), &'static str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts = !name.starts_with(|first: char| first.is_ascii_digit());
    let rule = "use 1 to 64 letters, digits and `_`, no digit first";
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && starts && name.bytes().all(fits) {
        Ok(())
    } else {
        Err(rule)
    }
}
