//! One compiled expression.
//!
//! Owns evaluation and the words for its failures. Messages name the expression, never the values in it.

use std::fmt;

use minijinja::{ErrorKind, Value as Engine};
use serde_json::Value;

use super::engine::ENGINE;
use super::uses::Uses;
use super::values::{self, Refusal};
use super::{MAX_EXPRESSION_BYTES, MAX_VALUE_BYTES, Scope, TemplateError};

/// An expression, ready to run.
pub(in crate::blueprint) struct Program {
    source: Box<str>,
    /// Byte of the author's text at which the source starts.
    offset: usize,
    code: minijinja::Expression<'static, 'static>,
}

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::blueprint) struct SyntaxFault {
    /// Byte offset into the text.
    pub(in crate::blueprint) offset: usize,
    /// Bytes that are at fault.
    pub(in crate::blueprint) length: usize,
    /// What is wrong.
    pub(in crate::blueprint) message: String,
}

impl Program {
    /// Compiles `source`, which stands at `offset` of the author's text.
    pub(super) fn compile(source: &str, offset: usize) -> Result<Self, SyntaxFault> {
        let start = source.len() - source.trim_start().len();
        let (source, offset) = (source.trim(), offset + start);
        let fault = |message: String| SyntaxFault { offset, length: source.len(), message };
        if source.is_empty() {
            return Err(fault("there is nothing between the braces".into()));
        }
        if source.len() > MAX_EXPRESSION_BYTES {
            return Err(fault(format!("an expression is at most {MAX_EXPRESSION_BYTES} bytes long")));
        }
        let code = ENGINE.compile_expression_owned(source.to_owned()).map_err(|error| {
            let range = error.range().filter(|range| range.end <= source.len()).unwrap_or(0..source.len());
            SyntaxFault {
                offset: offset + range.start,
                length: range.len(),
                message: error.detail().unwrap_or("this does not parse").to_owned(),
            }
        })?;
        Ok(Self { source: source.into(), offset, code })
    }

    /// The text of the expression.
    pub(in crate::blueprint) fn source(&self) -> &str {
        &self.source
    }

    /// Byte of the author's text at which [`Program::source`] starts.
    pub(in crate::blueprint) fn offset(&self) -> usize {
        self.offset
    }

    /// The value in `scope`, as JSON.
    pub(super) fn value(&self, scope: &Scope) -> Result<Value, TemplateError> {
        self.json(&self.eval(scope)?)
    }

    /// The JSON of a value that this expression gave.
    pub(super) fn json(&self, value: &Engine) -> Result<Value, TemplateError> {
        values::to_json(value).map_err(|refusal| match refusal {
            Refusal::Undefined => self.undefined(),
            Refusal::TooLarge => {
                TemplateError::TooLarge { expression: self.source.to_string(), limit: MAX_VALUE_BYTES }
            }
            Refusal::Not(reason) => TemplateError::Failed { expression: self.source.to_string(), reason },
            Refusal::Engine(error) => self.failure(&error),
        })
    }

    /// Whether the value in `scope` is neither false, zero, empty nor null.
    pub(super) fn truthy(&self, scope: &Scope) -> Result<bool, TemplateError> {
        let value = self.eval(scope)?;
        if value.is_undefined() { Err(self.undefined()) } else { Ok(value.is_true()) }
    }

    /// The value in `scope`, as the engine has it.
    pub(super) fn eval(&self, scope: &Scope) -> Result<Engine, TemplateError> {
        self.code.eval(scope.context()).map_err(|error| self.failure(&error))
    }

    pub(super) fn undefined(&self) -> TemplateError {
        let names: Vec<_> = Uses::of(&self.source).variables.iter().map(|used| used.to_string()).collect();
        TemplateError::Undefined {
            expression: self.source.to_string(),
            reason: match names.as_slice() {
                [] => "it gives nothing".to_owned(),
                [name] => format!("`{name}` is not defined"),
                names => format!("one of `{}` is not defined", names.join("`, `")),
            },
        }
    }

    fn failure(&self, error: &minijinja::Error) -> TemplateError {
        let expression = self.source.to_string();
        match error.kind() {
            ErrorKind::UndefinedError => self.undefined(),
            ErrorKind::OutOfFuel => TemplateError::OutOfFuel { expression },
            _ => TemplateError::Failed {
                expression,
                reason: error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
            },
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{ {} }}}}", self.source)
    }
}
