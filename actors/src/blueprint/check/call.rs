//! Calls of actions: the action itself, its input, and what undoes it.
//!
//! Owns the link to the registry. An input that is written out must fit the action's schema; one that is
//! computed is checked when the step starts.

use xyn_store::scope::Stage;

use super::names::Names;
use super::{Checker, Code, Fields, source};
use crate::actions::Action;
use crate::blueprint::plan::Call;
use crate::blueprint::template::Template;
use crate::document::{shorten, suggest};

impl<'a> Checker<'_, 'a> {
    /// The call that `fields` describe, and the action it calls.
    pub(super) fn call(
        &mut self,
        fields: Fields<'a>,
        what: &str,
        names: &Names<'_>,
    ) -> Option<(Call, &'a Action)> {
        let action = self.action(fields, what);
        let with = match fields.get("with") {
            Some(node) => {
                let entries = self.doc.mapping(node, "`with`");
                if let Some(action) = action.filter(|_| entries.is_some()) {
                    self.fits(node, &action.input, "`with`");
                }
                self.template(node, names)
            }
            None => {
                if let Some(action) = action {
                    self.fits_nothing(fields, action);
                }
                Template::literal(serde_json::json!({}))
            }
        };
        let stage = self.doc.word::<source::StageName>(fields, "stage").map(|stage| match stage {
            source::StageName::Dev => Stage::Dev,
            source::StageName::Staging | source::StageName::Test => Stage::Staging,
            source::StageName::Prod => Stage::Prod,
        });
        let action = action?;
        Some((Call { action: action.spec.name.to_owned(), with, stage }, action))
    }

    fn action(&mut self, fields: Fields<'a>, what: &str) -> Option<&'a Action> {
        let hint = "name an action, such as `action: artifacts.put`";
        let node = self.doc.required(fields, what, "action", hint)?;
        let name = self.doc.text(fields, "action")?;
        let found = self.registry.get(name);
        if found.is_none() {
            let known: Vec<&str> = self.registry.iter().map(|action| action.spec.name).collect();
            let hint = suggest(name, known.iter().copied(), "actions");
            self.doc.fault(
                node,
                Code::UnknownAction,
                format!("there is no action `{}`", shorten(name)),
                hint,
            );
        }
        found
    }

    /// A call without `with` has an empty input.
    fn fits_nothing(&mut self, fields: Fields<'a>, action: &Action) {
        let faults = action.input.validate(&serde_json::json!({}));
        let Some(first) = faults.first() else { return };
        let node = fields.key("action").unwrap_or(fields.node);
        let message = format!(
            "`{}` needs an input: {}",
            action.spec.name,
            first.message.replace("the value", "`with`")
        );
        self.doc.fault(node, Code::MissingKey, message, "give it one below `with:`");
    }
}
