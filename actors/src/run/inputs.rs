//! Inputs: from what a caller or an event gives to what a run begins with.

use serde_json::{Map, Value};

use crate::blueprint::{Plan, Scope};

/// An input that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input `{name}`: {message}")]
pub struct InvalidInput {
    /// The input.
    pub name: String,
    /// What is wrong with it.
    pub message: String,
}

/// The inputs that a run of `plan` begins with: `given` by name, the rest from `event`, then defaults. All
/// faults are reported.
pub fn resolve_inputs(plan: &Plan, given: &Value, event: Option<&Value>) -> Result<Value, Vec<InvalidInput>> {
    let empty = Map::new();
    let given = given.as_object().unwrap_or(&empty);
    let mut faults: Vec<InvalidInput> = given
        .keys()
        .filter(|name| !plan.inputs.iter().any(|input| input.name == **name))
        .map(|name| {
            let known: Vec<&str> = plan.inputs.iter().map(|input| input.name.as_str()).collect();
            let message = format!("the blueprint has no such input; it has: {}", known.join(", "));
            InvalidInput { name: name.clone(), message }
        })
        .collect();
    let mut scope = Scope::new(&Value::Null, &plan.vars, &Value::Null);
    if let Some(event) = event {
        scope.set_event(event);
    }
    let mut inputs = Map::new();
    for input in &plan.inputs {
        let mut fault = |message: String| faults.push(InvalidInput { name: input.name.clone(), message });
        let found = match (given.get(&input.name), event, &input.from) {
            (Some(value), _, _) => Ok(Some(value.clone())),
            (None, Some(_), Some(from)) => from.render(&scope).map(Some),
            (None, Some(event), None) => Ok(event["data"].get(&input.name).cloned()),
            (None, None, _) => Ok(None),
        };
        let value = match found {
            Ok(found) => found.or_else(|| input.default.clone()),
            Err(error) if input.required => {
                fault(error.to_string());
                continue;
            }
            // An optional input whose template does not resolve is absent.
            Err(_) => input.default.clone(),
        };
        match (value, &input.schema) {
            (None, _) if input.required => fault("it is required".into()),
            (None, _) => {
                inputs.insert(input.name.clone(), Value::Null);
            }
            (Some(value), schema) => {
                let wrong = schema.as_ref().map(|schema| schema.validate(&value)).unwrap_or_default();
                wrong
                    .into_iter()
                    .for_each(|wrong| fault(format!("{}{}", prefix(&wrong.path), wrong.message)));
                inputs.insert(input.name.clone(), value);
            }
        }
    }
    if faults.is_empty() { Ok(Value::Object(inputs)) } else { Err(faults) }
}

fn prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("at `{path}`: ") }
}
