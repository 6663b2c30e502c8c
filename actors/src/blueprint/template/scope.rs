//! What the variables of a template stand for.
//!
//! Owns the names `inputs`, `vars`, `run`, `event`, `steps`, `item` and `index`. Values are converted once,
//! when they are set; copies of a scope share them.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value as Engine;
use minijinja::value::{Enumerator, Object};
use serde_json::Value;

use super::values::from_json;

/// Names and their values; cheap to copy.
#[derive(Clone, Debug)]
pub struct Scope(Arc<Names>);

#[derive(Clone, Debug)]
struct Names {
    inputs: Engine,
    vars: Engine,
    run: Engine,
    event: Option<Engine>,
    steps: Arc<Steps>,
    item: Option<(Engine, Engine)>,
}

/// Outputs of the steps that have ended, by step id.
#[derive(Clone, Debug, Default)]
struct Steps(BTreeMap<String, Engine>);

impl Scope {
    /// A scope with no event and no step.
    pub fn new(inputs: &Value, vars: &Value, run: &Value) -> Self {
        Self(Arc::new(Names {
            inputs: from_json(inputs),
            vars: from_json(vars),
            run: from_json(run),
            event: None,
            steps: Arc::default(),
            item: None,
        }))
    }

    /// Makes `event` stand for the event.
    pub fn set_event(&mut self, event: &Value) {
        Arc::make_mut(&mut self.0).event = Some(from_json(event));
    }

    /// Makes `steps.<id>.output` stand for `output`; null for a skipped step.
    pub fn set_step(&mut self, id: &str, output: &Value) {
        let step = Engine::from_pairs([("output", from_json(output))]);
        Arc::make_mut(&mut Arc::make_mut(&mut self.0).steps).0.insert(id.to_owned(), step);
    }

    /// The same scope, with `item` and `index` (from 0) of a fan-out.
    pub fn with_item(&self, item: &Value, index: usize) -> Self {
        let mut names = Names::clone(&self.0);
        names.item = Some((from_json(item), Engine::from(index)));
        Self(Arc::new(names))
    }

    /// The scope as the engine sees it.
    pub(super) fn context(&self) -> Engine {
        Engine::from_dyn_object(Arc::clone(&self.0))
    }
}

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Engine) -> Option<Engine> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Engine> {
        match key {
            "inputs" => Some(self.inputs.clone()),
            "vars" => Some(self.vars.clone()),
            "run" => Some(self.run.clone()),
            "event" => self.event.clone(),
            "steps" => Some(Engine::from_dyn_object(Arc::clone(&self.steps))),
            "item" => self.item.as_ref().map(|(item, _)| item.clone()),
            "index" => self.item.as_ref().map(|(_, index)| index.clone()),
            _ => None,
        }
    }
}

impl Object for Steps {
    fn get_value(self: &Arc<Self>, key: &Engine) -> Option<Engine> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Engine> {
        self.0.get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|id| Engine::from(id.as_str())).collect())
    }
}
