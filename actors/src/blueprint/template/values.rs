//! Between JSON and the engine's values.
//!
//! Owns both ways, and the bound of the way back. Refuses what JSON cannot hold: undefined values, bytes, NaN
//! and infinity.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value as Engine};
use serde_json::{Map, Number, Value};

use super::MAX_VALUE_BYTES;

/// What one value costs apart from its text.
const VALUE_BYTES: usize = 16;
/// Deepest nesting of a value.
const MAX_DEPTH: usize = 128;

/// Why a value has no JSON.
#[derive(Debug)]
pub(super) enum Refusal {
    Undefined,
    TooLarge,
    Not(String),
    Engine(Error),
}

impl Refusal {
    /// The same for the engine, when it asked.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Undefined => Error::from(ErrorKind::UndefinedError),
            Self::TooLarge => Error::new(ErrorKind::InvalidOperation, "the value is too large"),
            Self::Not(reason) => Error::new(ErrorKind::BadSerialization, reason),
            Self::Engine(error) => error,
        }
    }
}

/// The engine's form of `value`.
pub(super) fn from_json(value: &Value) -> Engine {
    match value {
        Value::Null => Engine::from(()),
        Value::Bool(value) => Engine::from(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Engine::from(number),
            (_, Some(number)) => Engine::from(number),
            // INVARIANT: serde_json holds i64, u64 and f64, nothing else, unless a feature says so.
            _ => Engine::from(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Engine::from(text.as_str()),
        Value::Array(items) => Engine::from(items.iter().map(from_json).collect::<Vec<_>>()),
        Value::Object(fields) => {
            Engine::from_pairs(fields.iter().map(|(key, value)| (key.as_str(), from_json(value))))
        }
    }
}

/// The JSON of `value`.
pub(super) fn to_json(value: &Engine) -> Result<Value, Refusal> {
    convert(value, &mut MAX_VALUE_BYTES.clone(), MAX_DEPTH)
}

fn convert(value: &Engine, budget: &mut usize, depth: usize) -> Result<Value, Refusal> {
    let depth = depth.checked_sub(1).ok_or(Refusal::TooLarge)?;
    let mut charge = |bytes: usize| {
        *budget = budget.checked_sub(bytes + VALUE_BYTES).ok_or(Refusal::TooLarge)?;
        Ok(())
    };
    match value.kind() {
        ValueKind::None => charge(0).map(|()| Value::Null),
        ValueKind::Bool => charge(0).map(|()| Value::Bool(value.is_true())),
        ValueKind::Number => charge(0).and_then(|()| number(value)),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            charge(text.len())?;
            Ok(Value::String(text.to_owned()))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            charge(0)?;
            let items = value.try_iter().map_err(Refusal::Engine)?;
            items.map(|item| convert(&item, budget, depth)).collect()
        }
        ValueKind::Map => {
            charge(0)?;
            let mut object = Map::new();
            for key in value.try_iter().map_err(Refusal::Engine)? {
                let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                *budget = budget.checked_sub(name.len()).ok_or(Refusal::TooLarge)?;
                let field = value.get_item(&key).map_err(Refusal::Engine)?;
                object.insert(name, convert(&field, budget, depth)?);
            }
            Ok(Value::Object(object))
        }
        ValueKind::Undefined => Err(Refusal::Undefined),
        kind => Err(Refusal::Not(format!("{kind} is no value that a step can keep"))),
    }
}

fn number(value: &Engine) -> Result<Value, Refusal> {
    let whole = || {
        let signed = i64::try_from(value.clone()).map(Number::from);
        signed.or_else(|_| u64::try_from(value.clone()).map(Number::from)).ok()
    };
    // A float stays one, also when it is whole: `{{ 1.0 }}` keeps its type.
    let number = if value.is_integer() {
        whole()
    } else {
        f64::try_from(value.clone()).ok().and_then(Number::from_f64)
    };
    number.map(Value::Number).ok_or_else(|| Refusal::Not(format!("{value} is no number that JSON can hold")))
}
