//! Tokens of SQL, as PostgreSQL and as SQLite read them.
//!
//! Invariant: all bytes of a text are in one token, in a comment or blank, and each reads it as its database
//! does: what one of them takes for a comment may be a statement to the other.

use super::SqlRefusal;

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL, with `standard_conforming_strings` on.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword without quotes.
    Word,
    /// A name in quotes; its text is without them.
    Quoted,
    /// A string; its text is without its quotes, and those within it are doubled.
    String,
    /// A string with escapes in it.
    Escaped,
    /// A string in dollar quotes; its text is without them.
    Dollar,
    /// One character of anything else.
    Sign,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    pub(super) text: &'s str,
    /// Where it begins in the text.
    pub(super) start: usize,
}

/// The tokens of a text, from the first to the last.
pub(super) struct Tokens<'s> {
    text: &'s str,
    at: usize,
    dialect: Dialect,
}

type Fault = (usize, SqlRefusal);

impl<'s> Tokens<'s> {
    pub(super) fn new(text: &'s str, dialect: Dialect) -> Self {
        Self { text, at: 0, dialect }
    }

    /// The next token; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'s>>, Fault> {
        self.skip_blanks()?;
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let next = rest[first.len_utf8()..].chars().next();
        let token = match (first, next) {
            // Neither dialect has one outside of quotes; shells do.
            ('\\', _) => Err((self.at, SqlRefusal::Shell(first))),
            ('\'', _) => self.quoted(0, '\'', Kind::String, false),
            ('e' | 'E', Some('\'')) if !self.is_sqlite() => self.quoted(1, '\'', Kind::Escaped, true),
            ('u' | 'U', Some('&')) if !self.is_sqlite() => self.unicode(),
            ('"', _) => self.quoted(0, '"', Kind::Quoted, false),
            ('`', _) if self.is_sqlite() => self.quoted(0, '`', Kind::Quoted, false),
            ('[', _) if self.is_sqlite() => self.bracketed(),
            ('$', _) if !self.is_sqlite() => self.dollar(),
            (first, _) if is_name_start(first) => Ok(self.word()),
            (first, Some(_)) if first.is_ascii_digit() => Ok(self.word()),
            (first, _) => Ok(self.token(Kind::Sign, self.at, self.at + first.len_utf8(), 0)),
        }?;
        Ok(Some(token))
    }

    fn is_sqlite(&self) -> bool {
        self.dialect == Dialect::Sqlite
    }

    /// Makes a token of start..end, whose text has `quotes` bytes less on each side, and goes on behind it.
    fn token(&mut self, kind: Kind, start: usize, end: usize, quotes: usize) -> Token<'s> {
        self.at = end;
        Token { kind, text: &self.text[start + quotes..end - quotes], start }
    }

    fn skip_blanks(&mut self) -> Result<(), Fault> {
        loop {
            let rest = &self.text[self.at..];
            // To PostgreSQL a mark of byte order is a letter.
            let is_mark = |c| c == '\u{feff}' && self.is_sqlite();
            let blank = rest.len() - rest.trim_start_matches(|c| is_blank(c) || is_mark(c)).len();
            self.at += blank;
            let rest = &rest[blank..];
            if rest.starts_with("--") {
                self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Comments are in one another for PostgreSQL; SQLite takes one without an end, which is refused here.
    fn comment(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let mut depth = 1;
        self.at += 2;
        while depth > 0 {
            let rest = &self.text[self.at..];
            let mark = rest.find("*/").ok_or((start, SqlRefusal::Endless("comment")))?;
            match rest[..mark + 1].find("/*").filter(|_| !self.is_sqlite()) {
                Some(inner) => (depth, self.at) = (depth + 1, self.at + inner + 2),
                None => (depth, self.at) = (depth - 1, self.at + mark + 2),
            }
        }
        Ok(())
    }

    /// A text in quotes that are doubled within it, from `prefix` bytes on.
    fn quoted(
        &mut self,
        prefix: usize,
        quote: char,
        kind: Kind,
        has_escapes: bool,
    ) -> Result<Token<'s>, Fault> {
        let start = self.at + prefix;
        let mut chars = self.text[start + 1..].char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if has_escapes && c == '\\' {
                chars.next();
            } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
                return Ok(self.token(kind, start, start + 1 + at + 1, 1));
            }
        }
        let what = if kind == Kind::Quoted { "quoted name" } else { "string" };
        Err((start, SqlRefusal::Endless(what)))
    }

    /// Names can be written in escapes that hide them; nobody needs to.
    fn unicode(&mut self) -> Result<Token<'s>, Fault> {
        match self.text[self.at + 2..].chars().next() {
            Some('"') => {
                let why = "it hides which name it is; write the name itself";
                Err((self.at, SqlRefusal::Named { name: "U&\"…\"".into(), why }))
            }
            Some('\'') => self.quoted(2, '\'', Kind::Escaped, false),
            _ => Ok(self.word()),
        }
    }

    fn bracketed(&mut self) -> Result<Token<'s>, Fault> {
        let end = self.text[self.at..].find(']').ok_or((self.at, SqlRefusal::Endless("quoted name")))?;
        Ok(self.token(Kind::Quoted, self.at, self.at + end + 1, 1))
    }

    /// `$tag$ … $tag$`, or a parameter.
    fn dollar(&mut self) -> Result<Token<'s>, Fault> {
        let rest = &self.text[self.at + 1..];
        let tag = rest.find(|c: char| !is_name(c) || c == '$').unwrap_or(rest.len());
        let is_tag = rest[tag..].starts_with('$') && !rest.starts_with(|c: char| c.is_ascii_digit());
        if !is_tag {
            return Ok(self.token(Kind::Sign, self.at, self.at + 1, 0));
        }
        let quote = tag + 2;
        let (start, mark) = (self.at, &self.text[self.at..self.at + quote]);
        let body = &self.text[start + quote..];
        let end = body.find(mark).ok_or((start, SqlRefusal::Endless("dollar quote")))?;
        Ok(self.token(Kind::Dollar, start, start + quote + end + quote, quote))
    }

    /// A name, keyword or number.
    fn word(&mut self) -> Token<'s> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        self.token(Kind::Word, self.at, self.at + length.max(1), 0)
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_name(c: char) -> bool {
    is_name_start(c) || c.is_ascii_digit() || c == '$'
}
