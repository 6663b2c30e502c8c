//! What a seed of SQL may not say: anything that reaches beyond the database it is for.
//!
//! Owns the names that are refused, and why. Statements are told apart by a tokenizer of the dialect, so that
//! comments, strings and quotes of every kind hide nothing and hold nothing against an honest seed. Invariant:
//! what the tokenizer cannot read to its end is refused.
//!
//! This is no fence on its own: a seed runs in a transaction, as a role that is given no more than its database.

mod names;
mod statement;
mod tokens;

use std::ops::Range;

pub use tokens::Dialect;

use statement::Statement;
use tokens::Tokens;

/// Bytes that a seed may have.
pub const SQL_MAX_BYTES: usize = 256 << 20;
/// Bodies of functions in one another.
const BODY_DEPTH_MAX: usize = 4;

/// A seed that is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {refusal}")]
pub struct SqlFault {
    /// From 1.
    pub line: usize,
    /// Byte of the line, from 1.
    pub column: usize,
    /// Why.
    pub refusal: SqlRefusal,
}

/// Why a seed is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlRefusal {
    /// A statement or function by its name.
    #[error("`{name}` is refused in a seed: {why}")]
    Named {
        /// Its name, in capitals when it is a statement.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// A string, quote or comment that does not end.
    #[error("the {0} that begins here does not end")]
    Endless(&'static str),
    /// A command to a shell rather than to a database.
    #[error("what begins with `{0}` is for a shell, not for the database; leave it out")]
    Shell(char),
    /// A NUL, or bytes that are no UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
    /// Too large.
    #[error("is larger than {SQL_MAX_BYTES} bytes")]
    TooLarge,
    /// Bodies of functions in one another.
    #[error("has bodies of functions more than {BODY_DEPTH_MAX} deep in one another")]
    TooDeep,
}

/// A statement of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqlStatement<'s> {
    /// The line it begins in, from 1.
    pub line: usize,
    /// Its text, without what ends it.
    pub text: &'s str,
}

/// Checks a seed.
pub fn check_sql(seed: &[u8], dialect: Dialect) -> Result<(), SqlFault> {
    sql_statements(seed, dialect).map(drop)
}

/// The statements of a seed, each of which was checked.
pub fn sql_statements(seed: &[u8], dialect: Dialect) -> Result<Vec<SqlStatement<'_>>, SqlFault> {
    let at = |offset: usize, refusal| {
        let before = &seed[..offset];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column = offset - memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1) + 1;
        SqlFault { line, column, refusal }
    };
    if seed.len() > SQL_MAX_BYTES {
        return Err(at(0, SqlRefusal::TooLarge));
    }
    let text = std::str::from_utf8(seed).map_err(|error| at(error.valid_up_to(), SqlRefusal::NotText))?;
    if let Some(nul) = memchr::memchr(0, seed) {
        return Err(at(nul, SqlRefusal::NotText));
    }
    let spans = check(text, dialect, 0).map_err(|(offset, refusal)| at(offset, refusal))?;
    let (mut line, mut counted) = (1, 0);
    let statements = spans.into_iter().map(|span| {
        line += memchr::memchr_iter(b'\n', &seed[counted..span.start]).count();
        counted = span.start;
        SqlStatement { line, text: &text[span] }
    });
    Ok(statements.collect())
}

/// Where each statement of `text` stands.
fn check(text: &str, dialect: Dialect, depth: usize) -> Result<Vec<Range<usize>>, (usize, SqlRefusal)> {
    if depth > BODY_DEPTH_MAX {
        return Err((0, SqlRefusal::TooDeep));
    }
    let mut statement = Statement::new(dialect, depth > 0);
    let mut tokens = Tokens::new(text, dialect);
    let (mut spans, mut begun) = (Vec::new(), None);
    while let Some(token) = tokens.next()? {
        if let Some(body) = statement.body(&token)? {
            check(&body, dialect, depth + 1).map_err(|(_, refusal)| (token.start, refusal))?;
        }
        if statement.take(token)? {
            spans.extend(begun.take().map(|start| start..token.start));
        } else {
            begun.get_or_insert(token.start);
        }
    }
    spans.extend(begun.map(|start| start..text.len()));
    statement.end().map(|()| spans)
}

#[cfg(test)]
mod tests;
