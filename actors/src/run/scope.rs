//! What the templates of a run see: a view of how it began and of what its steps gave.
//!
//! Owns which values templates are shown. Invariant: the scope follows from the rest of the state, so nobody
//! records it.

use serde_json::{Value, json};
use xyn_store::projection::StepKey;

use super::state::{Begin, Phase, State};
use crate::blueprint::Scope;

impl State {
    /// What templates see once the run has begun: a fold of how it began and of the steps that ended.
    pub(super) fn scope_of(&self, begin: &Begin) -> Scope {
        let correlation_id = begin.attribution.correlation_id.as_str();
        let run = json!({ "run_id": self.id.to_string(), "correlation_id": correlation_id });
        let mut scope = Scope::new(&begin.created.inputs.to_value(), &self.plan.vars, &run);
        if let Some(event) = &begin.created.event {
            scope.set_event(&event.to_value());
        }
        for (step, plan) in self.steps.iter().zip(&self.plan.steps) {
            step.phase.publish(&plan.id, &mut scope);
        }
        scope
    }

    /// What templates of this step or item see.
    pub fn scope_at(&self, at: StepKey) -> Scope {
        let item = at.item.and_then(|index| {
            let fan = self.steps.get(usize::from(at.step))?.fan.as_ref()?;
            Some((fan.items.get(index as usize)?, index))
        });
        match item {
            Some((item, index)) => self.scope.with_item(item, index as usize),
            None => self.scope.clone(),
        }
    }

    /// What templates of its undoing see: also its own output.
    pub fn undo_scope_at(&self, at: StepKey) -> Scope {
        let mut scope = self.scope_at(at);
        let step = usize::from(at.step);
        let fan = self.steps.get(step).and_then(|step| step.fan.as_ref());
        if let (Some(item), Some(fan)) = (at.item, fan)
            && let Some(output) = fan.outputs.get(&item)
        {
            scope.set_step(&self.plan.steps[step].id, &output.to_value());
        }
        scope
    }
}

impl Phase {
    /// Shows templates what an ended step called `name` gave.
    pub(super) fn publish(&self, name: &str, scope: &mut Scope) {
        match self {
            Self::Completed(output) => scope.set_step(name, &output.to_value()),
            Self::Skipped => scope.set_step(name, &Value::Null),
            _ => {}
        }
    }
}
