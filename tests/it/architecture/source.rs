//! Rust sources as the rules see them: the names a file uses, with the line of each.
//!
//! It spells nested `use` trees out and can leave out the items under `#[cfg(test)]`; it resolves no alias.
//! Invariant: a name in code is reported with all the segments it was written with.

use super::lexer::{Token, is_word, spells, tokens};

/// A Rust file: its path from the root of the repository and its text.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

/// A path written in code, such as `std::fs::read`; a lone identifier is a path of one segment.
#[derive(Debug, PartialEq)]
pub(super) struct Name {
    pub(super) line: usize,
    pub(super) segments: Vec<String>,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Every name in the file, test code included.
    pub(super) fn names(&self) -> Vec<Name> {
        names(&tokens(&self.text))
    }

    /// Every name outside items under `#[cfg(test)]`.
    pub(super) fn names_outside_tests(&self) -> Vec<Name> {
        names(&without_tests(&tokens(&self.text)))
    }

    /// The lines on which the attribute `attribute` opens, whatever its arguments.
    pub(super) fn attribute_lines(&self, attribute: &str) -> Vec<usize> {
        let tokens = tokens(&self.text);
        let opens = |three: &&[Token]| spells(three, &["#", "[", attribute]);
        tokens.windows(3).filter(opens).map(|three| three[0].line).collect()
    }
}

impl Name {
    /// Whether `path` (such as `std::fs`) occurs in this name as consecutive segments.
    pub(super) fn mentions(&self, path: &str) -> bool {
        let wanted: Vec<&str> = path.split("::").collect();
        self.segments.windows(wanted.len()).any(|segments| segments == wanted)
    }
}

/// The tokens less every item that stands under `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].len() >= MARK.len() && spells(&tokens[at..at + MARK.len()], &MARK) {
            at += MARK.len() + item_len(&tokens[at + MARK.len()..]);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// An item ends with the `;` or the closing `}` that stands outside all of its brackets.
fn item_len(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(token.text.as_str(), ";" | "}") {
            return index + 1;
        }
    }
    tokens.len()
}

fn names(tokens: &[Token]) -> Vec<Name> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let generic_capture = tokens.get(at + 1).is_some_and(|next| next.text == "<");
        at = if tokens[at].text == "use" && !generic_capture {
            use_tree(tokens, at + 1, &[], &mut found)
        } else {
            path(tokens, at, &[], &mut found)
        };
    }
    found
}

/// Reads one path after `base` and returns where it stops; anything but a word is stepped over.
fn path(tokens: &[Token], start: usize, base: &[String], found: &mut Vec<Name>) -> usize {
    let mut segments = base.to_vec();
    let mut at = start;
    while let Some(token) = tokens.get(at).filter(|token| token.text.starts_with(is_word)) {
        segments.push(token.text.clone());
        at += 1;
        let goes_on = tokens.get(at + 1).is_some_and(|next| next.text.starts_with(is_word));
        if !(goes_on && tokens[at].text == "::") {
            break;
        }
        at += 1;
    }
    if at == start {
        return start + 1;
    }
    found.push(Name { line: tokens[start].line, segments });
    at
}

/// Reads a `use` tree after `base`, spelling each leaf out, and returns where it stops.
fn use_tree(tokens: &[Token], start: usize, base: &[String], found: &mut Vec<Name>) -> usize {
    let mut at = start;
    let mut prefix = base.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ";" => return at,
            "}" => return at + 1,
            "," => {
                prefix = base.to_vec();
                at += 1;
            }
            "{" => at = use_tree(tokens, at + 1, &prefix, found),
            "as" => at += 2,
            text if text.starts_with(is_word) => {
                at = path(tokens, at, &prefix, found);
                prefix = found.last().map_or_else(Vec::new, |name| name.segments.clone());
            }
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(names: &[Name]) -> Vec<String> {
        names.iter().map(|name| format!("{}:{}", name.line, name.segments.join("::"))).collect()
    }

    #[test]
    fn nested_use_trees_are_spelled_out() {
        let source = Source::new("a.rs", "use std::{fs, time::{Duration, Instant as T}};\nuse a::b;\n");
        let names = spelled(&source.names());
        assert_eq!(
            names,
            ["1:std", "1:std::fs", "1:std::time", "1:std::time::Duration", "1:std::time::Instant", "2:a::b"]
        );
    }

    #[test]
    fn comments_literals_and_lifetimes_hold_no_names() {
        let text = "/* a /* b */ c */ // d\n\"e \\\" f\" r#\"g \" h\"# b'i' '\\'' 'j 'k' '\\u{6c}' kept";
        assert_eq!(spelled(&Source::new("a.rs", text).names()), ["2:b", "2:kept"]);
    }

    #[test]
    fn items_under_cfg_test_can_be_left_out() {
        let text = "one();\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests { fn f() { two() } }\n\
                    #[cfg(test)]\nuse a::three;\nfour()";
        let names = spelled(&Source::new("a.rs", text).names_outside_tests());
        assert_eq!(names, ["1:one", "7:four"]);
    }

    #[test]
    fn a_name_mentions_consecutive_segments_only() {
        let name = Name { line: 1, segments: ["xyn_store", "ids", "fresh"].map(String::from).to_vec() };
        assert!(name.mentions("ids::fresh") && name.mentions("fresh"));
        assert!(!name.mentions("xyn_store::fresh") && !name.mentions("id"));
    }
}
