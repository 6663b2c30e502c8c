//! Which variables, filters, tests and functions an expression uses, and where.
//!
//! Owns what the checker needs to know beyond "it parses". Expressions bind no names of their own, so every
//! word that is no keyword, attribute or argument name is a variable.

use std::fmt;

use super::engine;
use super::tokens::{Kind, Token, tokens};

const KEYWORDS: [&str; 13] =
    ["true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if", "else"];

/// Everything that one expression uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::blueprint) struct Uses {
    /// Variables, in the order of the text.
    pub(in crate::blueprint) variables: Vec<Use>,
    /// Calls that the engine does not know.
    pub(in crate::blueprint) unknown: Vec<Call>,
}

/// A variable and the attributes that follow it, as far as they are known before the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::blueprint) struct Use {
    /// The variable, then its attributes.
    pub(in crate::blueprint) path: Vec<String>,
    /// Byte offset into the expression.
    pub(in crate::blueprint) offset: usize,
    /// Bytes of the whole path.
    pub(in crate::blueprint) length: usize,
    /// Whether `| default(…)` or a test for being there follows.
    pub(in crate::blueprint) guarded: bool,
    /// Whether this is a test for being there, or a guarded use in a condition: it guards the other uses too.
    pub(in crate::blueprint) guards: bool,
}

/// A filter, test, function or method that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::blueprint) struct Call {
    /// What it would be.
    pub(in crate::blueprint) noun: &'static str,
    /// Its name.
    pub(in crate::blueprint) name: String,
    /// Byte offset into the expression.
    pub(in crate::blueprint) offset: usize,
    /// What exists instead.
    pub(in crate::blueprint) known: &'static [&'static str],
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path.join("."))
    }
}

impl Uses {
    /// Reads `source`, an expression that parses.
    pub(in crate::blueprint) fn of(source: &str) -> Self {
        let tokens = tokens(source);
        let mut uses = Self::default();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at = match token.kind {
                Kind::Word(word) => uses.word(&tokens, at, word),
                _ => at + 1,
            };
        }
        uses
    }

    /// Takes in the word at `at`; gives the place of the next one.
    fn word(&mut self, tokens: &[Token<'_>], at: usize, word: &str) -> usize {
        let before = |back: usize| at.checked_sub(back).map(|at| &tokens[at].kind);
        let is = |kind: Option<&Kind<'_>>, word: &str| kind == Some(&Kind::Word(word));
        let called = symbol(tokens, at + 1, "(");
        let call = |noun, known| Call { noun, name: word.to_owned(), offset: tokens[at].offset, known };
        let tested = is(before(1), "is") || (is(before(1), "not") && is(before(2), "is"));
        if before(1) == Some(&Kind::Symbol(".")) {
            // A path is taken whole, so an attribute here follows a value that has no name, such as `(a or
            // b).c`.
            if called {
                self.unknown.push(call("method", &[]));
            }
        } else if before(1) == Some(&Kind::Symbol("|")) {
            if !engine::FILTERS.contains(&word) {
                self.unknown.push(call("filter", &engine::FILTERS));
            }
        } else if tested && word != "not" {
            if !engine::TESTS.contains(&word) {
                self.unknown.push(call("test", &engine::TESTS));
            }
        } else if KEYWORDS.contains(&word) || (symbol(tokens, at + 1, "=") && before(1).is_some()) {
            // A keyword, or the name of an argument.
        } else if called {
            if !engine::FUNCTIONS.contains(&word) {
                self.unknown.push(call("function", &engine::FUNCTIONS));
            }
        } else {
            return self.variable(tokens, at, word);
        }
        at + 1
    }

    fn variable(&mut self, tokens: &[Token<'_>], start: usize, word: &str) -> usize {
        let mut path = vec![word.to_owned()];
        let mut at = start + 1;
        loop {
            match (tokens.get(at).map(|t| &t.kind), tokens.get(at + 1).map(|t| &t.kind)) {
                (Some(Kind::Symbol(".")), Some(Kind::Word(name) | Kind::Number(name))) => {
                    if symbol(tokens, at + 2, "(") {
                        let offset = tokens[at + 1].offset;
                        self.unknown.push(Call {
                            noun: "method",
                            name: (*name).to_owned(),
                            offset,
                            known: &[],
                        });
                    }
                    path.push((*name).to_owned());
                    at += 2;
                }
                (Some(Kind::Symbol("[")), Some(Kind::Text(name) | Kind::Number(name)))
                    if symbol(tokens, at + 2, "]") =>
                {
                    path.push((*name).to_owned());
                    at += 3;
                }
                _ => break,
            }
        }
        let (guarded, tested) = guard(tokens, at);
        let offset = tokens[start].offset;
        let end = tokens.get(at).map_or(usize::MAX, |token| token.offset);
        let last = &tokens[at - 1];
        let length = end.min(last.offset + length(&last.kind)) - offset;
        let guards = tested || (guarded && in_condition(&tokens[..start]));
        self.variables.push(Use { path, offset, length, guarded, guards });
        at
    }
}

fn symbol(tokens: &[Token<'_>], at: usize, symbol: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.kind == Kind::Symbol(symbol))
}

fn length(kind: &Kind<'_>) -> usize {
    match kind {
        Kind::Word(text) | Kind::Number(text) | Kind::Symbol(text) => text.len(),
        Kind::Text(text) => text.len() + 2,
    }
}

/// Whether what follows a path guards it, and whether it is a test for being there.
fn guard(tokens: &[Token<'_>], mut at: usize) -> (bool, bool) {
    while symbol(tokens, at, ")") {
        at += 1;
    }
    let word = |at: usize| match tokens.get(at).map(|token| &token.kind) {
        Some(Kind::Word(word)) => *word,
        _ => "",
    };
    if symbol(tokens, at, "|") {
        return (matches!(word(at + 1), "default" | "d"), false);
    }
    let test = match (word(at), word(at + 1)) {
        ("is", "not") => word(at + 2),
        ("is", test) => test,
        _ => "",
    };
    let tested = matches!(test, "defined" | "undefined" | "none");
    (tested, tested)
}

/// Whether the place behind `before` is in the condition of `a if condition else b`.
fn in_condition(before: &[Token<'_>]) -> bool {
    let last = before.iter().rev().find_map(|token| match token.kind {
        Kind::Word(word @ ("if" | "else")) => Some(word),
        _ => None,
    });
    last == Some("if")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_found_with_their_places() {
        let uses = Uses::of(
            "steps.a.output.x | default(inputs.y, boolean=z) ~ item['k'] \
             if steps['b-c'].output is not none else d[e]",
        );
        let found: Vec<_> = uses.variables.iter().map(|u| (u.to_string(), u.guarded, u.guards)).collect();
        let expected = [
            ("steps.a.output.x", true, false),
            ("inputs.y", false, false),
            ("z", false, false),
            ("item.k", false, false),
            ("steps.b-c.output", true, true),
            ("d", false, false),
            ("e", false, false),
        ];
        assert_eq!(found, expected.map(|(path, guarded, guards)| (path.to_owned(), guarded, guards)));
        assert_eq!((uses.variables[1].offset, uses.variables[1].length), (27, 8));
        assert!(uses.unknown.is_empty());
    }

    #[test]
    fn unknown_calls_are_found() {
        let uses = Uses::of("secret('x') ~ (inputs.a | nope) ~ (1 is odder) ~ inputs.a.keys() ~ range(2)");
        let found: Vec<_> = uses.unknown.iter().map(|call| (call.noun, call.name.as_str())).collect();
        assert_eq!(
            found,
            [("function", "secret"), ("filter", "nope"), ("test", "odder"), ("method", "keys")]
        );
    }

    proptest::proptest! {
        #[test]
        fn the_variables_found_are_those_of_the_engine(
            words in proptest::collection::vec(proptest::sample::select(vec![
                "a", "b.c", "d['e']", "+", "(", ")", "|trim", "|default(x)", "is defined", "not", "and", "if",
                "else", "[1]", "~", "'t'",
            ]), 1..9),
        ) {
            let source = words.join(" ");
            if let Ok(program) = engine::ENGINE.compile_expression_owned(source.clone()) {
                let mut theirs: Vec<String> = program.undeclared_variables(false).into_iter().collect();
                let uses = Uses::of(&source);
                let mut ours: Vec<String> = uses.variables.into_iter().map(|mut used| used.path.remove(0)).collect();
                // To the engine a function nobody knows is a variable that is called.
                ours.extend(uses.unknown.into_iter().filter(|call| call.noun == "function").map(|call| call.name));
                // The engine takes a keyword where a value must stand for a variable; nobody can set one.
                theirs.retain(|name| !["and", "if", "else", "not"].contains(&name.as_str()));
                theirs.sort();
                ours.sort();
                ours.dedup();
                proptest::prop_assert_eq!(ours, theirs, "{}", source);
            }
        }
    }
}
