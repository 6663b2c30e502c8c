//! Compiling the texts of a blueprint as templates, with every fault at its character.
//!
//! Owns the way from a tree with places to templates, conditions and lists.

use super::names::Names;
use super::{Checker, Code, Node, Tree};
use crate::blueprint::template::{self, Expression, SyntaxFault, Template};

impl<'a> Checker<'_, 'a> {
    /// `node` as a template; what is wrong in it is reported and left out.
    pub(super) fn template(&mut self, node: &'a Node, names: &Names<'_>) -> Template {
        Template::from_node(self.template_node(node, names))
    }

    fn template_node(&mut self, node: &'a Node, names: &Names<'_>) -> template::Node {
        let compiled = match &node.value {
            Tree::Text(text) => match template::Node::of_text(text) {
                Ok(compiled) => {
                    for program in compiled.programs() {
                        self.uses(node, program, names);
                    }
                    compiled
                }
                Err(fault) => {
                    self.syntax(node, fault);
                    template::Node::Literal(serde_json::Value::Null)
                }
            },
            Tree::List(items) => {
                template::Node::List(items.iter().map(|item| self.template_node(item, names)).collect())
            }
            Tree::Map(entries) => {
                let mut fields = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let Some(name) = key.as_text() else { continue };
                    if name.contains("{{") {
                        let hint = "write the key out, or build the object with one expression";
                        self.doc.fault(key, Code::InvalidValue, "a key cannot be a template", hint);
                    }
                    fields.push((name.to_owned(), self.template_node(value, names)));
                }
                template::Node::Object(fields)
            }
            _ => template::Node::Literal(node.to_json()),
        };
        compiled.folded()
    }

    /// `node` as a condition: an expression, true or false. Gives the steps that it makes sure of as well.
    pub(super) fn condition(
        &mut self,
        node: &'a Node,
        names: &Names<'_>,
    ) -> Option<(Expression, Vec<usize>)> {
        match &node.value {
            Tree::Bool(value) => Some((Expression::constant((*value).into()), Vec::new())),
            Tree::Text(text) => self.expression(node, text, names),
            _ => {
                self.doc.wrong_type(
                    node,
                    "a condition",
                    "an expression in quotes, such as \"{{ inputs.x == 1 }}\"",
                );
                None
            }
        }
    }

    /// `node` as a list: an expression, or items.
    pub(super) fn list(&mut self, node: &'a Node, names: &Names<'_>) -> Option<Expression> {
        match &node.value {
            Tree::List(_) => {
                self.constants(node, "the items of a list that is written out");
                Some(Expression::constant(node.to_json()))
            }
            Tree::Text(text) => self.expression(node, text, names).map(|(expression, _)| expression),
            _ => {
                self.doc.wrong_type(node, "`foreach`", "a list, or an expression in quotes that gives one");
                None
            }
        }
    }

    fn expression(
        &mut self,
        node: &'a Node,
        text: &str,
        names: &Names<'_>,
    ) -> Option<(Expression, Vec<usize>)> {
        match Expression::of_text(text) {
            Ok(expression) => {
                let sure = expression.program().map(|program| self.uses(node, program, names));
                Some((expression, sure.unwrap_or_default()))
            }
            Err(fault) => {
                self.syntax(node, fault);
                None
            }
        }
    }

    /// Reports templates in a place where nothing is rendered.
    pub(super) fn constants(&mut self, node: &'a Node, what: &str) {
        match &node.value {
            Tree::Text(text) if text.contains("{{") => {
                let message = format!("{what} are constants: `{{{{ }}}}` is not rendered here");
                self.doc.fault(node, Code::InvalidValue, message, "compute it in a `transform` step");
            }
            Tree::List(items) => items.iter().for_each(|item| self.constants(item, what)),
            Tree::Map(entries) => entries.iter().for_each(|(_, value)| self.constants(value, what)),
            _ => {}
        }
    }

    fn syntax(&mut self, node: &Node, fault: SyntaxFault) {
        let hint = "an expression stands between `{{` and `}}`, such as `{{ inputs.host | trim }}`";
        let message = format!("this template does not parse: {}", fault.message);
        self.doc.fault_within(node, (fault.offset, fault.length), Code::TemplateSyntax, message, hint.into());
    }
}
