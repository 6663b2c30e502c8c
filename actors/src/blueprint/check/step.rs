//! Steps: what every kind has, and what only an action has.
//!
//! Owns retries, sagas and fan-out. An effect that could happen twice, or that nobody said how to undo in a
//! saga, is refused here.

use xyn_store::duration;

use super::names::Names;
use super::outline::Outline;
use super::{Checker, Code, Fields, Node, source};
use crate::actions::Action;
use crate::blueprint::plan::{Backoff, Call, FailureKind, Foreach, Kind, Limits, OnUncertain, Retry, Step};
use crate::document::{shorten, suggest};

/// Kinds of step that this version has.
const KINDS: [&str; 3] = ["action_task", "transform", "gate"];
/// Items of a fan-out under way at once, when the author does not say.
const DEFAULT_PARALLEL: u32 = 8;

impl<'a> Checker<'_, 'a> {
    /// Checks the step at `index` of the plan. Its `needs` are left to the caller, who knows the order.
    pub(super) fn step(
        &mut self,
        outline: &Outline<'a>,
        index: usize,
        saga: bool,
        limits: &Limits,
    ) -> Option<Step> {
        let node = outline.steps[index].node;
        self.doc.mapping(node, "a step")?;
        let bare = Fields { node };
        self.doc.required(bare, "a step", "id", "give it a stable id, such as `id: analyze`");
        self.doc.text(bare, "id");
        let hint = "say what it does: `action_task`, `transform` or `gate`";
        self.doc.required(bare, "a step", "kind", hint)?;
        let kind = self.doc.text(bare, "kind")?;
        let fields = match kind {
            "action_task" => self.doc.fields_tagged::<source::ActionTask>(node, "an `action_task`", "kind"),
            "transform" => self.doc.fields_tagged::<source::Transform>(node, "a `transform`", "kind"),
            "gate" => self.doc.fields_tagged::<source::Gate>(node, "a `gate`", "kind"),
            _ => self.unknown_kind(bare, kind),
        }?;
        let mut names = Names::of_step(outline, Some(index));
        let when = fields.get("when").and_then(|node| self.condition(node, &names));
        let (when, sure) = when.map_or_else(Default::default, |(when, sure)| (Some(when), sure));
        names.guarded = sure;
        let foreach = self.foreach(fields, &names);
        if fields.get("foreach").is_some() {
            names = names.with_item();
        }
        let id = outline.steps[index].id;
        let mut step = Step {
            id: id.unwrap_or_default().to_owned(),
            kind: Kind::Transform { set: Vec::new() },
            needs: Vec::new(),
            when,
            foreach,
            timeout: None,
            retry: Retry::default(),
            on_uncertain: OnUncertain::default(),
            idempotent: None,
            compensate: None,
            irreversible: false,
        };
        match kind {
            "action_task" => self.action_task(fields, &mut step, &names, saga, limits)?,
            "transform" => step.kind = Kind::Transform { set: self.set(fields, &names)? },
            _ => step.kind = Kind::Gate(self.gate(fields, &names)?),
        }
        id.map(|_| step)
    }

    fn unknown_kind(&mut self, fields: Fields<'a>, kind: &str) -> Option<Fields<'a>> {
        let node = fields.get("kind").unwrap_or(fields.node);
        if kind == "agent_task" {
            let hint = "call a model with an `action_task` (`http.call`), or leave the step out";
            self.doc.fault(node, Code::Unavailable, "agents are not available in this version", hint);
        } else {
            let hint = suggest(kind, KINDS, "kinds");
            self.doc.fault(node, Code::UnknownWord, format!("`{}` is no kind of step", shorten(kind)), hint);
        }
        None
    }

    fn set(
        &mut self,
        fields: Fields<'a>,
        names: &Names<'_>,
    ) -> Option<Vec<(String, crate::blueprint::Template)>> {
        let hint = "say which fields it computes: `set: { text: \"{{ … }}\" }`";
        let node = self.doc.required(fields, "a `transform`", "set", hint)?;
        let entries = self.doc.mapping(node, "`set`")?;
        if entries.is_empty() {
            self.doc.fault(node, Code::MissingKey, "`set` is empty", hint);
        }
        let mut set = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let Some(name) = key.as_text() else { continue };
            set.push((name.to_owned(), self.template(value, names)));
        }
        Some(set)
    }

    fn foreach(&mut self, fields: Fields<'a>, names: &Names<'_>) -> Option<Foreach> {
        let most = self.limits.max_parallel;
        let max_parallel =
            self.doc.whole(fields, "max_parallel", 1..=most).unwrap_or(DEFAULT_PARALLEL.min(most));
        let Some(node) = fields.get("foreach") else {
            if let Some(key) = fields.key("max_parallel") {
                let message = "`max_parallel` without `foreach` means nothing";
                self.doc.fault(
                    key,
                    Code::Contradiction,
                    message,
                    "add `foreach: \"{{ inputs.hosts }}\"`, or leave it out",
                );
            }
            return None;
        };
        self.list(node, names).map(|items| Foreach { items, max_parallel })
    }

    fn action_task(
        &mut self,
        fields: Fields<'a>,
        step: &mut Step,
        names: &Names<'_>,
        saga: bool,
        limits: &Limits,
    ) -> Option<()> {
        let called = self.call(fields, "an `action_task`", names);
        step.timeout = self.doc.time(fields, "timeout", limits.wall_clock);
        step.on_uncertain = self.doc.word(fields, "on_uncertain").unwrap_or_default();
        step.idempotent = self.doc.boolean(fields, "idempotent");
        step.irreversible = self.doc.boolean(fields, "irreversible").unwrap_or_default();
        step.retry = self.retry(fields, step, called.as_ref().map(|(_, action)| *action));
        step.compensate = fields.get("compensate").and_then(|node| self.compensate(node, names));
        self.undoing(fields, step, saga);
        step.kind = Kind::Action(called?.0);
        Some(())
    }

    fn compensate(&mut self, node: &'a Node, names: &Names<'_>) -> Option<Call> {
        let fields = self.doc.fields::<source::Compensate>(node, "`compensate`")?;
        // It runs after the step, so the step's own output is there.
        let names = Names { own_output: true, ..names.clone() };
        self.call(fields, "`compensate`", &names).map(|(call, _)| call)
    }

    fn undoing(&mut self, fields: Fields<'a>, step: &Step, saga: bool) {
        let undone = fields.get("compensate").is_some();
        if let Some(key) = fields.key("irreversible").filter(|_| undone && step.irreversible) {
            let hint = "keep `compensate` if the effect can be undone, `irreversible` if not";
            self.doc.fault(
                key,
                Code::Contradiction,
                "a step that is irreversible cannot be compensated",
                hint,
            );
        }
        if saga && !undone && !step.irreversible {
            let node = fields.key("action").unwrap_or(fields.node);
            let message = format!("in a saga `{}` must say how its effect is undone", step.id);
            self.doc.fault(
                node,
                Code::NotUndoable,
                message,
                "add `compensate: { action: … }`, or `irreversible: true`",
            );
        }
    }

    fn retry(&mut self, fields: Fields<'a>, step: &Step, action: Option<&Action>) -> Retry {
        let mut retry = Retry::default();
        // A templated input is a text here: an action that judges by it then cannot promise anything.
        let input = fields.get("with").map(|node| node.to_json());
        let Some(node) = fields.get("retry") else {
            return retry;
        };
        let Some(fields) = self.doc.fields::<source::Retry>(node, "`retry`") else {
            return retry;
        };
        self.doc.required(fields, "`retry`", "max_attempts", "say how often it is tried: `max_attempts: 5`");
        let most = self.max_wait();
        retry.max_attempts =
            self.doc.whole(fields, "max_attempts", 1..=self.limits.max_attempts).unwrap_or(1);
        retry.backoff = self.doc.word::<Backoff>(fields, "backoff").unwrap_or(retry.backoff);
        retry.initial = self.doc.time(fields, "initial", most).unwrap_or(retry.initial);
        let max = self.doc.time(fields, "max", most);
        if let Some((node, max)) = fields.get("max").zip(max).filter(|(_, max)| *max < retry.initial) {
            let message = "the longest wait is shorter than the first one";
            let hint = format!("write {} or more", duration::show(retry.initial.max(max)));
            self.doc.fault(node, Code::Contradiction, message, hint);
        }
        retry.max = max.unwrap_or(retry.max.max(retry.initial));
        retry.jitter = self.doc.boolean(fields, "jitter").unwrap_or(retry.jitter);
        if let Some(node) = fields.get("on") {
            for item in self.doc.items(node, "`on`").unwrap_or_default() {
                let Some(kind) = self.doc.word_of::<FailureKind>(item, "kind of failure") else {
                    continue;
                };
                let idempotent = step
                    .idempotent
                    .or(action.map(|action| action.spec.idempotent(input.as_ref())))
                    .unwrap_or(true);
                if kind == FailureKind::Timeout && !idempotent {
                    let message =
                        "after a timeout nobody knows whether the effect took place: again may be twice";
                    let hint =
                        "add `idempotent: true` if the peer honours the key, or leave it to `on_uncertain`";
                    self.doc.fault(item, Code::UnsafeRetry, message, hint);
                }
                retry.on.push(kind);
            }
        }
        retry
    }
}
