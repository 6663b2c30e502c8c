//! Which variables a template may use, and whether they surely have a value.
//!
//! Owns the rules of scope. A step's output is there for the steps that follow it through `needs`; the output
//! of a step that may be skipped only behind a guard.

use super::outline::Outline;
use super::{Checker, Code, Node};
use crate::blueprint::template::{Call, Program, Use, Uses};
use crate::document::{closest, suggest};

/// What an event has at its top.
const EVENT_KEYS: [&str; 11] = [
    "event_id",
    "event_name",
    "occurred_at",
    "env_id",
    "actor",
    "correlation_id",
    "causation_id",
    "run_id",
    "step_id",
    "resource",
    "data",
];

/// The variables of one place in a blueprint.
#[derive(Clone)]
pub(super) struct Names<'o> {
    /// Inputs, vars and steps there are.
    pub(super) outline: &'o Outline<'o>,
    /// Variables in scope.
    pub(super) roots: Vec<&'static str>,
    /// Whose steps have surely ended; none where all have.
    pub(super) before: Option<usize>,
    /// Whether the step's own output is there too.
    pub(super) own_output: bool,
    /// Steps that the step's own condition has made sure of.
    pub(super) guarded: Vec<usize>,
}

impl<'o> Names<'o> {
    /// Only what is there before a run: the event and constants.
    pub(super) fn at_start(outline: &'o Outline<'o>) -> Self {
        Self { outline, roots: vec!["event", "vars"], before: None, own_output: false, guarded: Vec::new() }
    }

    /// What a step sees, or with none the outputs of a run.
    pub(super) fn of_step(outline: &'o Outline<'o>, step: Option<usize>) -> Self {
        let roots = vec!["inputs", "event", "vars", "run", "steps"];
        Self { outline, roots, before: step, own_output: false, guarded: Vec::new() }
    }

    /// The same with `item` and `index`.
    pub(super) fn with_item(mut self) -> Self {
        self.roots.extend(["item", "index"]);
        self
    }
}

impl<'a> Checker<'_, 'a> {
    /// Checks what `program`, a part of `node`, uses. Gives the steps that it makes sure of.
    pub(super) fn uses(&mut self, node: &Node, program: &Program, names: &Names<'_>) -> Vec<usize> {
        if self.doc.is_full() {
            return Vec::new();
        }
        let uses = Uses::of(program.source());
        for call in &uses.unknown {
            self.unknown_call(node, program.offset(), call);
        }
        let step_of = |used: &Use| match used.path.as_slice() {
            [root, id, ..] if root == "steps" => names.outline.index_of(id),
            _ => None,
        };
        let guards: Vec<usize> =
            uses.variables.iter().filter(|used| used.guards).filter_map(step_of).collect();
        for used in &uses.variables {
            if let Some((code, message, hint)) = wrong_use(used, names, &guards) {
                let place = (program.offset() + used.offset, used.length);
                self.doc.fault_within(node, place, code, message, hint);
            }
        }
        guards
    }

    fn unknown_call(&mut self, node: &Node, offset: usize, call: &Call) {
        let place = (offset + call.offset, call.name.len());
        if call.noun == "function" && call.name == "secret" {
            let hint = "leave it out: no step can take a secret yet";
            let message = "secrets are not available in this version";
            return self.doc.fault_within(node, place, Code::Unavailable, message.into(), hint.into());
        }
        let hint = match call.noun {
            "method" => "values have no methods: use a filter, as in `{{ x | items }}`".to_owned(),
            noun => suggest(&call.name, call.known.iter().copied(), &format!("{noun}s there are")),
        };
        self.doc.fault_within(
            node,
            place,
            Code::TemplateSyntax,
            format!("there is no {} `{}`", call.noun, call.name),
            hint,
        );
    }
}

type Fault = (Code, String, String);

fn wrong_use(used: &Use, names: &Names<'_>, guards: &[usize]) -> Option<Fault> {
    let root = used.path[0].as_str();
    let outline = names.outline;
    if !names.roots.contains(&root) {
        return Some(unknown_root(root, names));
    }
    let attribute = used.path.get(1).map(String::as_str);
    match (root, attribute) {
        ("inputs", Some(name)) if !outline.inputs.contains(&name) => {
            Some(unknown(used, suggest(name, outline.inputs.iter().copied(), "inputs")))
        }
        ("vars", Some(name)) if !outline.vars.contains(&name) => {
            Some(unknown(used, suggest(name, outline.vars.iter().copied(), "vars")))
        }
        ("event", Some(name)) if !EVENT_KEYS.contains(&name) => {
            let hint = match closest(name, EVENT_KEYS) {
                Some(key) => format!("did you mean `event.{key}`?"),
                None => format!("what the sender sent is below `data`: did you mean `event.data.{name}`?"),
            };
            Some(unknown(used, hint))
        }
        ("steps", None) => {
            let hint =
                "name the step, as in `steps.ID.output`, so that the checker can see that it has ended";
            Some((Code::UnknownVariable, "`steps` alone is no value".into(), hint.into()))
        }
        ("steps", Some(id)) => wrong_step(used, id, names, guards),
        _ => None,
    }
}

fn unknown(used: &Use, hint: String) -> Fault {
    (Code::UnknownVariable, format!("nothing gives `{used}` a value"), hint)
}

fn unknown_root(root: &str, names: &Names<'_>) -> Fault {
    let message = format!("nothing gives `{root}` a value here");
    let outline = names.outline;
    let hint = if outline.inputs.contains(&root) && names.roots.contains(&"inputs") {
        format!("did you mean `inputs.{root}`?")
    } else if outline.vars.contains(&root) {
        format!("did you mean `vars.{root}`?")
    } else if outline.index_of(root).is_some() && names.roots.contains(&"steps") {
        format!("did you mean `{}`?", outline.reference(root))
    } else if matches!(root, "item" | "index") {
        "`item` and `index` are there in the `with`, `set` and `compensate` of a step with `foreach`"
            .to_owned()
    } else {
        suggest(root, names.roots.iter().copied(), "variables here")
    };
    (Code::UnknownVariable, message, hint)
}

fn wrong_step(used: &Use, id: &str, names: &Names<'_>, guards: &[usize]) -> Option<Fault> {
    let outline = names.outline;
    let Some(index) = outline.index_of(id) else {
        let dashed = outline
            .steps
            .iter()
            .filter_map(|step| step.id)
            .find(|known| known.strip_prefix(id).is_some_and(|rest| rest.starts_with('-')));
        let hint = match dashed {
            Some(known) => format!("a name with `-` goes in brackets: `{}`", outline.reference(known)),
            None => suggest(id, outline.steps.iter().filter_map(|step| step.id), "steps"),
        };
        return Some((Code::UnknownVariable, format!("there is no step `{id}`"), hint));
    };
    let step = &outline.steps[index];
    let reference = outline.reference(id);
    if used.path.get(2).map(String::as_str) != Some("output") {
        let message = format!("nothing gives `{used}` a value: a step offers its `output`");
        return Some((Code::UnknownVariable, message, format!("write `{reference}`")));
    }
    if let Some(this) = names.before {
        let own = this == index;
        if own && !names.own_output {
            let hint = "use the output of a step that ends before".to_owned();
            return Some((
                Code::NotEarlier,
                format!("step `{id}` uses its own output before it has one"),
                hint,
            ));
        }
        if own {
            // What is undone was done, so it was not skipped.
            return None;
        }
        if !outline.steps[this].ancestors[index] {
            let here = outline.steps[this].id.unwrap_or("this step");
            let message = format!("step `{id}` may not have ended when `{here}` starts");
            return Some((Code::NotEarlier, message, format!("add `{id}` to the `needs` of `{here}`")));
        }
    }
    if step.skippable && !used.guarded && !guards.contains(&index) && !names.guarded.contains(&index) {
        let message = format!("step `{id}` may be skipped, and then `{used}` has no value");
        let hint = format!("write `{used} | default(…)`, or ask first: `{reference} is not none`");
        return Some((Code::UnguardedUse, message, hint));
    }
    match (&step.fields, used.path.get(3)) {
        (Some(fields), Some(field)) if !fields.contains(&field.as_str()) => {
            Some(unknown(used, suggest(field, fields.iter().copied(), &format!("fields that `{id}` sets"))))
        }
        _ => None,
    }
}
