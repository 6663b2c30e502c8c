//! A small lexer of Rust: words and punctuation with their lines, and nothing that is prose or data.
//!
//! It knows comments, strings of every kind, characters and lifetimes, so that none of them passes for code.
//! It does not parse. Invariant: it ends on any input, finished file or not.

/// An identifier, `::`, or one character of punctuation.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) text: String,
}

/// The tokens of a file; comments, literals and lifetimes are left out.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let rest = &chars[at..];
        let blank = blank_len(rest);
        let length = if blank > 0 {
            blank
        } else if is_word(rest[0]) {
            rest.iter().take_while(|c| is_word(**c)).count()
        } else if rest.starts_with(&[':', ':']) {
            2
        } else {
            1
        };
        if blank == 0 {
            found.push(Token { line, text: rest[..length].iter().collect() });
        }
        line += rest[..length].iter().filter(|c| **c == '\n').count();
        at += length;
    }
    found
}

/// How many characters at the start of `rest` are white space, a comment, a literal or a lifetime.
fn blank_len(rest: &[char]) -> usize {
    match rest {
        [c, ..] if c.is_whitespace() => 1,
        ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment_len(rest),
        ['\'', '\\', ..] => 4 + rest.iter().skip(3).position(|c| *c == '\'').unwrap_or(0),
        ['\'', _, '\'', ..] => 3,
        ['\'', ..] => 1 + rest[1..].iter().take_while(|c| is_word(**c)).count(),
        _ => string_len(rest),
    }
    .min(rest.len())
}

fn block_comment_len(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let step = match rest[at..] {
            ['/', '*', ..] => 1,
            ['*', '/', ..] => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a string literal of any kind, or zero.
fn string_len(rest: &[char]) -> usize {
    let prefix = rest.iter().take(2).take_while(|c| matches!(c, 'b' | 'c' | 'r')).count();
    let raw = rest[..prefix].contains(&'r');
    let hashes = if raw { rest[prefix..].iter().take_while(|c| **c == '#').count() } else { 0 };
    let mut at = prefix + hashes;
    if rest.get(at) != Some(&'"') {
        return 0;
    }
    at += 1;
    while at < rest.len() {
        match rest[at] {
            '\\' if !raw => at += 2,
            '"' if rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes => {
                return at + 1 + hashes;
            }
            _ => at += 1,
        }
    }
    at
}

/// Whether a character can stand in an identifier.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the tokens are exactly these words.
pub(super) fn spells(tokens: &[Token], words: &[&str]) -> bool {
    tokens.iter().map(|token| token.text.as_str()).eq(words.iter().copied())
}
