//! Splits a text into what stands there and what is computed.
//!
//! Owns the outer syntax: `{{ expression }}`, with `{{-` and `-}}` trimming the text beside. Refuses blocks
//! (`{% %}`). Offsets in faults are bytes into the text.

use std::fmt::Write as _;

use super::program::{Program, SyntaxFault};
use super::{MAX_TEXT_BYTES, Node, Scope, TemplateError};

/// Most expressions in one text.
const MAX_EXPRESSIONS: usize = 1000;

/// Text with expressions in it.
#[derive(Debug)]
pub(in crate::blueprint) struct Text(Vec<Part>);

#[derive(Debug)]
enum Part {
    Literal(Box<str>),
    Program(Program),
}

impl Text {
    /// The expressions in it.
    pub(super) fn programs(&self) -> impl Iterator<Item = &Program> {
        self.0.iter().filter_map(|part| match part {
            Part::Program(program) => Some(program),
            Part::Literal(_) => None,
        })
    }

    /// The text with its expressions replaced by their values.
    pub(super) fn render(&self, scope: &Scope) -> Result<String, TemplateError> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Program(program) => write_value(&mut text, program, scope)?,
            }
        }
        Ok(text)
    }
}

fn write_value(text: &mut String, program: &Program, scope: &Scope) -> Result<(), TemplateError> {
    let value = program.eval(scope)?;
    match value.as_str() {
        _ if value.is_undefined() => return Err(program.undefined()),
        // Null is nothing to read; objects and lists read as JSON.
        _ if value.is_none() => {}
        Some(value) => text.push_str(value),
        None => match program.json(&value)? {
            serde_json::Value::String(value) => text.push_str(&value),
            // Writing to a string cannot fail.
            json => write!(text, "{json}").unwrap_or_default(),
        },
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(TemplateError::TooLarge {
            expression: program.source().to_owned(),
            limit: MAX_TEXT_BYTES,
        });
    }
    Ok(())
}

/// Where an expression stands in a text.
struct Span {
    /// Of the opening braces.
    start: usize,
    /// Of what is between the braces.
    inner: std::ops::Range<usize>,
    /// Behind the closing braces.
    end: usize,
    trim_before: bool,
    trim_after: bool,
}

/// Compiles `text`.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxFault> {
    let spans = spans(text)?;
    if let [span] = spans.as_slice()
        && span.start == 0
        && span.end == text.len()
    {
        return Program::compile(&text[span.inner.clone()], span.inner.start).map(Node::Program);
    }
    if spans.is_empty() {
        return Ok(Node::Literal(text.into()));
    }
    let mut parts = Vec::with_capacity(spans.len() * 2 + 1);
    let (mut at, mut trim) = (0, false);
    for span in spans {
        push_literal(&mut parts, &text[at..span.start], trim, span.trim_before);
        parts.push(Part::Program(Program::compile(&text[span.inner.clone()], span.inner.start)?));
        (at, trim) = (span.end, span.trim_after);
    }
    push_literal(&mut parts, &text[at..], trim, false);
    Ok(Node::Text(Text(parts)))
}

/// Compiles `{{ expression }}` or a bare expression.
pub(super) fn parse_expression(text: &str) -> Result<Program, SyntaxFault> {
    let lead = text.len() - text.trim_start().len();
    let body = text.trim();
    if !body.contains("{{") {
        return Program::compile(text, 0);
    }
    match spans(body)?.as_slice() {
        [span] if span.start == 0 && span.end == body.len() => {
            Program::compile(&body[span.inner.clone()], lead + span.inner.start)
        }
        _ => Err(SyntaxFault {
            offset: lead,
            length: body.len(),
            message: "this must be one expression, with no text around it".into(),
        }),
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str, trim_start: bool, trim_end: bool) {
    let text = if trim_start { text.trim_start() } else { text };
    let text = if trim_end { text.trim_end() } else { text };
    if !text.is_empty() {
        parts.push(Part::Literal(text.into()));
    }
}

fn spans(text: &str) -> Result<Vec<Span>, SyntaxFault> {
    let (mut spans, mut at) = (Vec::new(), 0);
    while let Some(found) = text[at..].find('{') {
        let start = at + found;
        match text.as_bytes().get(start + 1) {
            Some(b'{') => {
                if spans.len() == MAX_EXPRESSIONS {
                    let message = format!("one text holds at most {MAX_EXPRESSIONS} expressions");
                    return Err(SyntaxFault { offset: start, length: 2, message });
                }
                let span = span(text, start)?;
                at = span.end;
                spans.push(span);
            }
            Some(b'%') => {
                let message =
                    "`{% … %}` blocks are not available: use `{{ a if condition else b }}` and filters";
                return Err(SyntaxFault { offset: start, length: 2, message: message.into() });
            }
            _ => at = start + 1,
        }
    }
    Ok(spans)
}

/// The expression whose braces open at `start`.
fn span(text: &str, start: usize) -> Result<Span, SyntaxFault> {
    let bytes = text.as_bytes();
    let trim_before = bytes.get(start + 2) == Some(&b'-');
    let first = start + 2 + usize::from(trim_before);
    let (mut at, mut depth, mut quote) = (first, 0u32, None);
    while let Some(&byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => {
                let trim_after = at > first && bytes[at - 1] == b'-';
                let inner = first..at - usize::from(trim_after);
                return Ok(Span { start, inner, end: at + 2, trim_before, trim_after });
            }
            _ => {}
        }
        at += 1;
    }
    let message = if quote.is_some() {
        "a quote in this template is never closed"
    } else {
        "`{{` is never closed by `}}`"
    };
    Err(SyntaxFault { offset: start, length: text.len() - start, message: message.into() })
}
