//! One statement after the other, judged when it ends.
//!
//! Invariant: a statement is judged by its own words; strings are data, but for the bodies of code.

use std::borrow::Cow;

use xyn_store::legible::quoted;

use super::SqlRefusal;
use super::names;
use super::tokens::{Dialect, Kind, Token};

type Fault = (usize, SqlRefusal);

/// Tokens of a statement that are kept. Only rows of data are longer than what is judged by its words.
const HEAD_MAX: usize = 4_096;
/// Words of a block in the body of a function behind which a statement begins.
const BLOCK_WORDS: [&str; 5] = ["begin", "then", "else", "loop", "declare"];
/// Words between a verb and what it is about.
const GLUE: [&str; 8] = ["or", "replace", "trusted", "procedural", "if", "not", "exists", "local"];

/// What is known of the statement that is being read.
pub(super) struct Statement<'s> {
    dialect: Dialect,
    /// Whether it is in the body of a function: then `BEGIN` and `END` are of a block.
    is_body: bool,
    head: Vec<Token<'s>>,
    /// How many tokens it has.
    length: usize,
    previous: Option<Token<'s>>,
    /// Whether the next token is the name of the setting that `set_config` changes.
    is_setting_next: bool,
    /// Blocks of a trigger of SQLite that are open.
    blocks: usize,
}

impl<'s> Statement<'s> {
    pub(super) fn new(dialect: Dialect, is_body: bool) -> Self {
        let (head, previous) = (Vec::new(), None);
        Self { dialect, is_body, head, length: 0, previous, is_setting_next: false, blocks: 0 }
    }

    /// The code in `token`, when it is the body of what is made here.
    pub(super) fn body(&self, token: &Token<'s>) -> Result<Option<Cow<'s, str>>, Fault> {
        if !self.is_code() {
            return Ok(None);
        }
        let is_continued = matches!(token.kind, Kind::String | Kind::Escaped)
            && self.previous.is_some_and(|previous| matches!(previous.kind, Kind::String | Kind::Escaped));
        match token.kind {
            Kind::Dollar => Ok(Some(token.text.into())),
            Kind::String if !is_continued => Ok(Some(token.text.replace("''", "'").into())),
            Kind::String | Kind::Escaped => {
                Err(named(token, "AS", "its escapes or parts hide what it does; write the body between `$$`"))
            }
            _ => Ok(None),
        }
    }

    /// Takes the next token; answers whether it ended the statement, of which it is no part then.
    pub(super) fn take(&mut self, token: Token<'s>) -> Result<bool, Fault> {
        let is_end = token.text == ";" && token.kind == Kind::Sign && self.blocks == 0;
        if is_end || (self.is_body && BLOCK_WORDS.iter().any(|word| token.is(word))) {
            self.end()?;
            *self = Self::new(self.dialect, self.is_body);
            return Ok(true);
        }
        let is_behind_escapes = self.previous.is_some_and(|previous| previous.kind == Kind::Escaped);
        if is_behind_escapes && token.kind == Kind::String {
            return Err(named(
                &token,
                "continued E string",
                "its second part has escapes, too; write it as one string",
            ));
        }
        if self.dialect == Dialect::Postgres && token.is_name() {
            refuse(&token, || token.text.to_owned(), names::relation(token.text))?;
        }
        self.call(&token)?;
        if self.is_body && token.is("execute") {
            return Err(named(&token, "EXECUTE", "it runs text as a statement, which cannot be checked"));
        }
        self.trigger(&token);
        self.length += 1;
        if self.head.len() < HEAD_MAX {
            self.head.push(token);
        }
        self.previous = Some(token);
        Ok(false)
    }

    /// What is called by a name and `(`.
    fn call(&mut self, token: &Token<'_>) -> Result<(), Fault> {
        if std::mem::take(&mut self.is_setting_next)
            && (token.kind != Kind::String || token.text != "search_path")
        {
            return Err(named(token, "set_config", "of all settings a seed may change `search_path` by it"));
        }
        let Some(name) = self.previous.filter(|previous| token.text == "(" && previous.is_name()) else {
            return Ok(());
        };
        self.is_setting_next = name.text.eq_ignore_ascii_case("set_config");
        match names::function(name.text) {
            Some(why) => Err(named(&name, name.text, why)),
            None => Ok(()),
        }
    }

    /// Statements of a trigger of SQLite are between `BEGIN` and `END`; `CASE` has an `END`, too.
    fn trigger(&mut self, token: &Token<'_>) {
        let is_trigger = self.dialect == Dialect::Sqlite
            && self.word(0) == "create"
            && self.head.iter().take(3).any(|token| token.is("trigger"));
        if token.is("begin") && is_trigger || token.is("case") && self.blocks > 0 {
            self.blocks += 1;
        } else if token.is("end") {
            self.blocks = self.blocks.saturating_sub(1);
        }
    }

    /// The word `index` of the statement, in lower case; nothing where something else stands.
    fn word(&self, index: usize) -> String {
        let word = self.head.get(index).filter(|token| token.kind == Kind::Word);
        word.map(|token| token.text.to_ascii_lowercase()).unwrap_or_default()
    }

    /// Whether it makes code: a function, a procedure, an anonymous block.
    fn is_code(&self) -> bool {
        let makes = self.word(0) == "create"
            && self.head.iter().take(4).any(|token| token.is("function") || token.is("procedure"));
        self.dialect == Dialect::Postgres && (makes || self.word(0) == "do")
    }

    /// Judges the statement, all of which was taken.
    pub(super) fn end(&self) -> Result<(), Fault> {
        let Some(first) = self.head.first() else { return Ok(()) };
        if first.text == "." && first.kind == Kind::Sign {
            return Err((first.start, SqlRefusal::Shell('.')));
        }
        let verb = self.word(0);
        let refused = names::statement(self.dialect, &verb);
        if let Some(why) = refused.filter(|_| !(self.is_body && verb == "end")) {
            return Err(named(first, verb.to_ascii_uppercase(), why));
        }
        match (self.dialect, verb.as_str()) {
            (Dialect::Sqlite, "pragma") => self.pragma(first),
            (Dialect::Sqlite, "create") if self.word(1) == "virtual" => self.module(first),
            (Dialect::Postgres, "copy") => Err(self.copy(first)),
            (Dialect::Postgres, "set") => self.set(first),
            (Dialect::Postgres, "create" | "alter" | "drop") => self.object(first, &verb),
            (Dialect::Postgres, "do") => self.language(first),
            _ => Ok(()),
        }
    }

    fn pragma(&self, first: &Token<'_>) -> Result<(), Fault> {
        let is_qualified = self.head.get(2).is_some_and(|token| token.text == ".");
        let pragma = self.head.get(if is_qualified { 3 } else { 1 }).map_or("", |token| token.text);
        refuse(first, || format!("PRAGMA {pragma}"), names::pragma(pragma))
    }

    fn module(&self, first: &Token<'_>) -> Result<(), Fault> {
        let using = self.head.iter().position(|token| token.is("using"));
        let module = using.and_then(|using| self.head.get(using + 1)).map_or("", |token| token.text);
        refuse(first, || format!("CREATE VIRTUAL TABLE … USING {module}"), names::module(module))
    }

    /// No form of `COPY` is for a seed.
    fn copy(&self, first: &Token<'_>) -> Fault {
        let has = |word| self.head.iter().any(|token| token.is(word));
        if has("program") {
            named(first, "COPY … PROGRAM", "it runs a program on the server")
        } else if has("stdin") || has("stdout") {
            named(first, "COPY … STDIN", "its rows are no statements; write them as `INSERT`")
        } else {
            named(first, "COPY", "it reaches files outside the database")
        }
    }

    fn set(&self, first: &Token<'_>) -> Result<(), Fault> {
        self.setting(first, if matches!(self.word(1).as_str(), "local" | "session") { 2 } else { 1 })
    }

    /// Judges the setting whose name is the token `at`, and its value.
    fn setting(&self, first: &Token<'_>, at: usize) -> Result<(), Fault> {
        let setting = self.head.get(at).map_or(String::new(), |token| token.text.to_ascii_lowercase());
        refuse(first, || format!("SET {setting}"), names::setting(&setting))?;
        let value = self.head.get(at + 2).map_or("", |token| token.text);
        refuse(first, || format!("SET {setting}"), names::value(&setting, value))
    }

    fn object(&self, first: &Token<'_>, verb: &str) -> Result<(), Fault> {
        let about = |from: usize| (from..from + 4).find(|index| !GLUE.contains(&self.word(*index).as_str()));
        let at = about(1).unwrap_or(1);
        let object = self.word(at);
        refuse(first, || format!("{verb} {object}").to_ascii_uppercase(), names::object(&object))?;
        if object == "extension" {
            let name = about(at + 1).and_then(|at| self.head.get(at)).map_or("", |token| token.text);
            return refuse(first, || format!("EXTENSION {name}"), names::extension(name));
        }
        if matches!(object.as_str(), "function" | "procedure" | "routine") {
            self.settings(first)?;
        }
        if self.is_code() { self.language(first) } else { Ok(()) }
    }

    /// Judges what a function sets while it runs: by that its body is read, too.
    fn settings(&self, first: &Token<'_>) -> Result<(), Fault> {
        if self.length > HEAD_MAX {
            return Err(named(first, "FUNCTION", "it says too much of itself to be checked"));
        }
        let (mut depth, mut tokens) = (0_usize, self.head.iter().enumerate().peekable());
        while let Some((index, token)) = tokens.next() {
            match (token.kind, token.text) {
                // What is called `set` here is an argument, or a column.
                (Kind::Sign, "(") => depth += 1,
                (Kind::Sign, ")") => depth = depth.saturating_sub(1),
                _ if depth > 0 || !token.is("set") => {}
                // The function itself may be called so, and may be moved to another schema.
                _ if tokens.peek().is_some_and(|(_, next)| next.text == "(" || next.is("schema")) => {}
                _ => self.setting(token, index + 1)?,
            }
        }
        Ok(())
    }

    /// Code is in a language that is checked, and in a string.
    fn language(&self, first: &Token<'_>) -> Result<(), Fault> {
        if self.length > HEAD_MAX || self.head.iter().any(|token| token.is("atomic")) {
            return Err(named(first, "BEGIN ATOMIC", "such a body is not checked; write it between `$$`"));
        }
        let languages = self.head.windows(2).filter(|pair| pair[0].is("language"));
        for language in languages.map(|pair| &pair[1]) {
            refuse(language, || format!("LANGUAGE {}", language.text), names::language(language.text))?;
        }
        Ok(())
    }
}

impl Token<'_> {
    /// Whether it is the word `word`, in lower case, without quotes.
    fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }
}

/// A refusal at `token`.
fn named(token: &Token<'_>, name: impl AsRef<str>, why: &'static str) -> Fault {
    (token.start, SqlRefusal::Named { name: quoted(name.as_ref()), why })
}

fn refuse(token: &Token<'_>, name: impl FnOnce() -> String, why: Option<&'static str>) -> Result<(), Fault> {
    why.map_or(Ok(()), |why| Err(named(token, name(), why)))
}
