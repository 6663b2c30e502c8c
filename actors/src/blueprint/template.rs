//! Templates: JSON trees whose strings may hold `{{ expressions }}`.
//!
//! Owns compiling and rendering. Refuses blocks (`{% %}`), clocks, randomness, files and anything else that
//! would make two renderings differ. Invariant: the same template over the same scope gives the same value or
//! the same error, within a bounded number of instructions.
//!
//! Two transforms like those of the shipped `bp.hello` take 3.3 µs together, a condition 0.5 µs (measured
//! without optimisation on one core of a 2-core virtual machine).

mod engine;
mod parts;
mod program;
mod scope;
mod tokens;
mod uses;
mod values;

use serde_json::{Map, Value};

use parts::Text;
pub(super) use program::{Program, SyntaxFault};
pub use scope::Scope;
pub(super) use uses::{Call, Use, Uses};

/// Instructions that one expression may take. There are no loops, so its length bounds them as well: at the longest,
/// sums of inputs take 1,365, objects of them 746 (measured); only rows of bare operators take more, up to 4,097.
pub const FUEL: u64 = 2_000;
/// Longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 4 * 1024;
/// Longest text that a mixed text, `replace` or `join` may give, in bytes.
pub const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// Largest value that an expression may give, in bytes of text and 16 bytes for each value in it.
pub const MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;

/// Why a template gave no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not parse.
    #[error("`{expression}` is no template: {reason}")]
    Syntax {
        /// The text.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A variable in it has no value.
    #[error("`{expression}` has no value: {reason}")]
    Undefined {
        /// The expression.
        expression: String,
        /// Which part is undefined, as far as it is known.
        reason: String,
    },
    /// It could not be evaluated.
    #[error("`{expression}` failed: {reason}")]
    Failed {
        /// The expression.
        expression: String,
        /// Why.
        reason: String,
    },
    /// It took more than [`FUEL`] instructions.
    #[error("`{expression}` takes more than {FUEL} instructions")]
    OutOfFuel {
        /// The expression.
        expression: String,
    },
    /// It gave more than [`MAX_TEXT_BYTES`] of text or [`MAX_VALUE_BYTES`] in all.
    #[error("`{expression}` gives more than {limit} bytes")]
    TooLarge {
        /// The expression.
        expression: String,
        /// The bound it went over.
        limit: usize,
    },
    /// A list was asked for.
    #[error("`{expression}` gives {kind}, not a list")]
    NotAList {
        /// The expression.
        expression: String,
        /// What it gave.
        kind: &'static str,
    },
}

/// A JSON tree whose strings may hold expressions, compiled.
///
/// `{{ x }}` alone keeps the type of `x`; text around it, be it a line break, makes a string.
#[derive(Debug)]
pub struct Template(Node);

/// A part of a template.
#[derive(Debug)]
pub(super) enum Node {
    /// Holds no expression.
    Literal(Value),
    /// One expression; keeps its type.
    Program(Program),
    /// Text and expressions; a string.
    Text(Text),
    /// A list.
    List(Vec<Node>),
    /// An object, in the author's order.
    Object(Vec<(String, Node)>),
}

impl Template {
    /// Compiles all strings in `value`.
    pub fn compile(value: &Value) -> Result<Self, TemplateError> {
        Node::of(value).map(Self)
    }

    /// A template that always gives `value`, whatever its strings look like.
    pub fn literal(value: Value) -> Self {
        Self(Node::Literal(value))
    }

    /// A template from its parts.
    pub(super) fn from_node(node: Node) -> Self {
        Self(node)
    }

    /// The value that the template gives in `scope`.
    pub fn render(&self, scope: &Scope) -> Result<Value, TemplateError> {
        self.0.render(scope)
    }
}

impl Node {
    /// Compiles all strings in `value`.
    fn of(value: &Value) -> Result<Self, TemplateError> {
        let node = match value {
            Value::String(text) => Self::of_text(text).map_err(|fault| TemplateError::Syntax {
                expression: crate::document::shorten(text),
                reason: fault.message,
            })?,
            Value::Array(items) => Self::List(items.iter().map(Self::of).collect::<Result<_, _>>()?),
            Value::Object(fields) => {
                let field = |(key, value): (&String, &Value)| Ok((key.clone(), Self::of(value)?));
                Self::Object(fields.iter().map(field).collect::<Result<_, TemplateError>>()?)
            }
            other => Self::Literal(other.clone()),
        };
        Ok(node.folded())
    }

    /// Compiles one text.
    pub(super) fn of_text(text: &str) -> Result<Self, SyntaxFault> {
        parts::parse(text)
    }

    /// The same template with parts that hold no expression made literals, which render by a copy.
    pub(super) fn folded(self) -> Self {
        let constant = |node: &Self| matches!(node, Self::Literal(_));
        let value = |node| match node {
            Self::Literal(value) => value,
            _ => Value::Null,
        };
        match self {
            Self::List(items) if items.iter().all(constant) => {
                Self::Literal(items.into_iter().map(value).collect())
            }
            Self::Object(fields) if fields.iter().all(|(_, node)| constant(node)) => Self::Literal(
                Value::Object(fields.into_iter().map(|(key, node)| (key, value(node))).collect()),
            ),
            other => other,
        }
    }

    /// The expressions of a text; those of lists and objects belong to their parts.
    pub(super) fn programs(&self) -> Vec<&Program> {
        match self {
            Self::Program(program) => vec![program],
            Self::Text(text) => text.programs().collect(),
            _ => Vec::new(),
        }
    }

    fn render(&self, scope: &Scope) -> Result<Value, TemplateError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Program(program) => program.value(scope),
            Self::Text(text) => text.render(scope).map(Value::String),
            Self::List(items) => items.iter().map(|item| item.render(scope)).collect(),
            Self::Object(fields) => {
                let mut object = Map::with_capacity(fields.len());
                for (key, node) in fields {
                    object.insert(key.clone(), node.render(scope)?);
                }
                Ok(Value::Object(object))
            }
        }
    }
}

/// One expression: a condition, a list or a value.
#[derive(Debug)]
pub struct Expression(Source);

#[derive(Debug)]
enum Source {
    Constant(Value),
    Program(Program),
}

impl Expression {
    /// Compiles `{{ expression }}` or a bare expression.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        Self::of_text(text).map_err(|fault| TemplateError::Syntax {
            expression: crate::document::shorten(text),
            reason: fault.message,
        })
    }

    /// An expression that always gives `value`.
    pub fn constant(value: Value) -> Self {
        Self(Source::Constant(value))
    }

    pub(super) fn of_text(text: &str) -> Result<Self, SyntaxFault> {
        parts::parse_expression(text).map(|program| Self(Source::Program(program)))
    }

    /// What is evaluated, when it is no constant.
    pub(super) fn program(&self) -> Option<&Program> {
        match &self.0 {
            Source::Constant(_) => None,
            Source::Program(program) => Some(program),
        }
    }

    /// Whether the expression holds in `scope`: not false, zero, empty or null.
    pub fn truthy(&self, scope: &Scope) -> Result<bool, TemplateError> {
        match &self.0 {
            Source::Constant(value) => Ok(values::from_json(value).is_true()),
            Source::Program(program) => program.truthy(scope),
        }
    }

    /// The items of the list that the expression gives in `scope`.
    pub fn list(&self, scope: &Scope) -> Result<Vec<Value>, TemplateError> {
        match self.value(scope)? {
            Value::Array(items) => Ok(items),
            other => Err(TemplateError::NotAList { expression: self.to_string(), kind: kind_of(&other) }),
        }
    }

    /// The value of the expression in `scope`.
    pub fn value(&self, scope: &Scope) -> Result<Value, TemplateError> {
        match &self.0 {
            Source::Constant(value) => Ok(value.clone()),
            Source::Program(program) => program.value(scope),
        }
    }
}

impl std::fmt::Display for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Source::Constant(value) => write!(f, "{value}"),
            Source::Program(program) => f.write_str(program.source()),
        }
    }
}

/// What people call the type of `value`.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
