//! Outputs: what a completed run answers with.
//!
//! Owns their names and what one without `from` means. When a run ends, every step has.

use super::names::Names;
use super::outline::{Outline, plain_name};
use super::{Checker, Code, Node, source};
use crate::blueprint::plan::Output;
use crate::blueprint::template::{self, Template};
use crate::document::shorten;

impl<'a> Checker<'_, 'a> {
    /// The outputs that `node` lists.
    pub(super) fn outputs(&mut self, node: &'a Node, outline: &Outline<'a>) -> Option<Vec<Output>> {
        let items = self.doc.items(node, "`outputs`")?;
        let mut seen: Vec<&str> = Vec::new();
        let mut outputs = Vec::with_capacity(items.len());
        for item in items {
            let Some(fields) = self.doc.fields::<source::Output>(item, "an output") else {
                continue;
            };
            let node = self.doc.required(fields, "an output", "name", "give it a name: `name: summary`");
            let from = fields.get("from").map(|node| self.template(node, &Names::of_step(outline, None)));
            let Some((node, name)) = node.zip(self.doc.text(fields, "name")) else {
                continue;
            };
            if let Err(rule) = plain_name(name) {
                self.doc.fault(
                    node,
                    Code::InvalidValue,
                    format!("`{}` is no name of an output", shorten(name)),
                    rule,
                );
                continue;
            }
            if seen.contains(&name) {
                let message = format!("there are two outputs called `{name}`");
                self.doc.fault(node, Code::DuplicateId, message, "rename one");
            }
            seen.push(name);
            let from = from.or_else(|| self.field_of_last_step(node, name, outline));
            outputs.extend(from.map(|from| Output { name: name.to_owned(), from }));
        }
        Some(outputs)
    }

    /// What an output without `from` means.
    fn field_of_last_step(&mut self, node: &'a Node, name: &str, outline: &Outline<'a>) -> Option<Template> {
        let last = outline.steps.last()?;
        let source = format!("{{{{ {}.{name} }}}}", outline.reference(last.id?));
        let compiled = template::Node::of_text(&source).ok()?;
        for program in compiled.programs() {
            self.uses(node, program, &Names::of_step(outline, None));
        }
        Some(Template::from_node(compiled))
    }
}
