//! Step names of events: the journal keeps a step's index, people want the id from its blueprint.

use std::collections::HashMap;
use std::sync::Arc;

use xyn_store::ids::RunId;
use xyn_store::projection::RunRow;
use xyn_store::{Reader, StoreError};

use super::Runtime;
use crate::blueprint::Plan;
use crate::record::EventView;

impl Runtime {
    /// Replaces step indices (`0`, `0.3` for an item) in events of runs by the steps' ids.
    pub fn name_steps<'a>(
        &self,
        reader: &Reader,
        events: impl IntoIterator<Item = &'a mut EventView>,
    ) -> Result<(), StoreError> {
        let mut plans: HashMap<RunId, Option<Arc<Plan>>> = HashMap::new();
        for event in events {
            let (Some(run), Some(step)) = (event.run_id, &event.step_id) else { continue };
            let (index, item) = match step.split_once('.') {
                Some((index, item)) => (index, Some(item)),
                None => (step.as_str(), None),
            };
            let Ok(index) = index.parse::<usize>() else { continue };
            let plan = match plans.get(&run) {
                Some(plan) => plan.clone(),
                None => {
                    let row = reader.get::<RunRow>(&RunRow::key_of(run))?;
                    let plan = row.map(|row| self.0.plan(&row.blueprint_digest)).transpose()?;
                    plans.insert(run, plan.clone());
                    plan
                }
            };
            if let Some(step) = plan.as_ref().and_then(|plan| plan.steps.get(index)) {
                let item = item.map(|item| format!(".{item}")).unwrap_or_default();
                event.step_id = Some(format!("{}{item}", step.id));
            }
        }
        Ok(())
    }
}
