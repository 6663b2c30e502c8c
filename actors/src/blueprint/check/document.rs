//! The top of a blueprint: identity, trigger, inputs, limits.
//!
//! Owns everything that is neither a step nor an output. Puts the plan together when all of it is there.

use std::time::Duration;

use xyn_store::Digest;

use super::names::Names;
use super::outline::Outline;
use super::{Checker, Code, Fields, Node, Tree, source};
use crate::blueprint::plan::{Input, Limits, Plan, Step, Trigger};
use crate::blueprint::{EventPattern, Schema};

impl<'a> Checker<'_, 'a> {
    /// Checks the document; gives a plan when all parts of one are there.
    pub(super) fn blueprint(&mut self, digest: Digest) -> Option<Plan> {
        let (root, what) = (self.root, "a blueprint");
        if matches!(root.value, Tree::Null) {
            let hint = "start with `id`, `trigger` and `plan`; `xyn blueprint new` writes an example";
            self.doc.fault(root, Code::MissingKey, "there is nothing in this blueprint", hint);
            return None;
        }
        let top = self.doc.fields::<source::Blueprint>(root, what)?;
        let hint = "give it a stable id, such as `id: bp.team.purpose`";
        let id = self.doc.id(top, what, "id", hint);
        let name = self.doc.text(top, "name").or(id);
        self.doc.text(top, "description");
        let steps = self.doc.required(top, what, "plan", "list at least one step below `plan:`");
        let steps = steps.and_then(|node| self.plan_items(node));
        let (outline, order) = if steps.is_some() { self.outline() } else { Default::default() };
        let trigger = self.doc.required(
            top,
            what,
            "trigger",
            "say which event starts it: `trigger: { event_type: … }`",
        );
        let trigger = trigger.and_then(|node| self.trigger(node, &outline));
        let inputs = top.get("inputs").and_then(|node| self.inputs(node, &outline));
        let vars = top.get("vars").map(|node| {
            self.doc.mapping(node, "`vars`");
            self.constants(node, "vars");
            node.to_json()
        });
        let limits = self.limits(top, outline.steps.len());
        let saga = self.doc.boolean(top, "saga").unwrap_or_default();
        let steps = self.steps(&outline, &order, saga, &limits);
        let outputs = top.get("outputs").and_then(|node| self.outputs(node, &outline));
        Some(Plan {
            digest,
            id: id?.to_owned(),
            name: name?.to_owned(),
            trigger: trigger?,
            inputs: inputs.unwrap_or_default(),
            vars: vars.unwrap_or_else(|| serde_json::json!({})),
            limits,
            saga,
            steps,
            outputs: outputs.unwrap_or_default(),
        })
    }

    fn plan_items(&mut self, node: &'a Node) -> Option<&'a [Node]> {
        let items = self.doc.items(node, "`plan`")?;
        let most = self.limits.max_steps as usize;
        if items.is_empty() {
            self.doc.fault(
                node,
                Code::MissingKey,
                "the plan is empty",
                "list at least one step below `plan:`",
            );
            return None;
        }
        if items.len() > most {
            let message =
                format!("the plan has {} steps, over the {most} that this node allows", items.len());
            self.doc.fault(node, Code::OverLimit, message, "split it into blueprints that start each other");
            return None;
        }
        Some(items)
    }

    fn trigger(&mut self, node: &'a Node, outline: &Outline<'a>) -> Option<Trigger> {
        let fields = self.doc.fields::<source::Trigger>(node, "`trigger`")?;
        let event_type = self.event_type(fields, "`trigger`");
        let names = Names::at_start(outline);
        let when = fields.get("when").map(|node| self.condition(node, &names));
        Some(Trigger { event_type: event_type?, when: when.flatten().map(|(when, _)| when) })
    }

    /// The event name or pattern below `event_type`.
    pub(super) fn event_type(&mut self, fields: Fields<'a>, what: &str) -> Option<EventPattern> {
        let hint = "name the event, such as `event_type: demo.hello`";
        let node = self.doc.required(fields, what, "event_type", hint)?;
        match self.doc.text(fields, "event_type")?.parse::<EventPattern>() {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let hint =
                    "names look like `checkmk.alert`; `*` stands for one part, `**` for any number of parts";
                self.doc.fault(node, Code::InvalidValue, error.to_string(), hint);
                None
            }
        }
    }

    fn inputs(&mut self, node: &'a Node, outline: &Outline<'a>) -> Option<Vec<Input>> {
        let items = self.doc.items(node, "`inputs`")?;
        let names = Names::at_start(outline);
        Some(items.iter().filter_map(|item| self.input(item, &names)).collect())
    }

    fn input(&mut self, node: &'a Node, names: &Names<'_>) -> Option<Input> {
        let fields = self.doc.fields::<source::Input>(node, "an input")?;
        self.doc.required(fields, "an input", "name", "give it the name that templates use: `name: host`");
        let description = self.doc.text(fields, "description").map(str::to_owned);
        let from = fields.get("from").map(|node| self.template(node, names));
        let schema = fields.get("schema").and_then(|node| self.json_schema(node));
        let required = self.doc.boolean(fields, "required").unwrap_or_default();
        let default = fields.get("default");
        if let Some(node) = default {
            self.constants(node, "defaults");
            if required {
                let hint = "keep one: without `required` the default is used";
                self.doc.fault(
                    node,
                    Code::Contradiction,
                    "an input that is required never takes its default",
                    hint,
                );
            }
            if let Some(schema) = &schema {
                self.fits(node, schema, "`default`");
            }
        }
        let name = self.doc.text(fields, "name")?.to_owned();
        Some(Input { name, description, from, schema, required, default: default.map(Node::to_json) })
    }

    fn json_schema(&mut self, node: &'a Node) -> Option<Schema> {
        match Schema::compile(&node.to_json()) {
            Ok(schema) => Some(schema),
            Err(error) => {
                let culprit = super::schema::at(node, &error.path);
                let hint = "write a JSON Schema, such as `{ type: string }`";
                self.doc.fault(
                    culprit,
                    Code::InvalidSchema,
                    format!("this is no JSON Schema: {}", error.reason),
                    hint,
                );
                None
            }
        }
    }

    fn limits(&mut self, top: Fields<'a>, steps: usize) -> Limits {
        let node_limits = self.limits;
        let all = Limits {
            max_steps: node_limits.max_steps,
            wall_clock: node_limits.wall_clock,
            concurrency: None,
        };
        let fields = top.get("limits").and_then(|node| self.doc.fields::<source::Limits>(node, "`limits`"));
        let Some(fields) = fields else { return all };
        let max_steps = self.doc.whole(fields, "max_steps", 1..=all.max_steps);
        if let Some((most, node)) = max_steps.zip(fields.get("max_steps"))
            && (most as usize) < steps
        {
            let message = format!("the plan has {steps} steps, more than its own limit of {most}");
            self.doc.fault(node, Code::Contradiction, message, format!("write {steps} or more"));
        }
        Limits {
            max_steps: max_steps.unwrap_or(all.max_steps),
            wall_clock: self.doc.time(fields, "wall_clock", all.wall_clock).unwrap_or(all.wall_clock),
            concurrency: self.doc.whole(fields, "concurrency", 1..=node_limits.concurrency),
        }
    }

    /// The steps in an order in which each follows what it needs.
    fn steps(&mut self, outline: &Outline<'a>, order: &[usize], saga: bool, limits: &Limits) -> Vec<Step> {
        let place = |index: usize| order.iter().position(|step| *step == index);
        let mut steps: Vec<Option<Step>> = (0..outline.steps.len())
            .map(|index| {
                let mut step = self.step(outline, index, saga, limits)?;
                step.needs = outline.steps[index].needs.iter().filter_map(|need| place(*need)).collect();
                step.needs.sort_unstable();
                Some(step)
            })
            .collect();
        order.iter().filter_map(|index| steps[*index].take()).collect()
    }

    /// The longest wait that this node allows.
    pub(super) fn max_wait(&self) -> Duration {
        self.limits.max_wait
    }
}
