//! Compiled patterns over action names and principals.
//!
//! Owns the meaning of a glob: `*` any text (dots included), `?` one character, `[ab]`, `{a,b}`. Invariant:
//! the common shapes (`*`, a literal, a prefix with `*`) compare bytes and never enter the regex engine.

use globset::{GlobBuilder, GlobMatcher};

use super::identity::{Approver, Identity};

/// Longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 256;

/// A compiled glob.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// Everything.
    Any,
    /// This text.
    Exact(Box<str>),
    /// Everything that begins so.
    Prefix(Box<str>),
    /// Anything else.
    Glob(Box<GlobMatcher>),
}

/// A text that is no glob.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidPattern {
    #[error("`{pattern}` is not a glob: {reason}")]
    Glob { pattern: String, reason: String },
    #[error("a pattern of {0} bytes is too long; the limit is {MAX_PATTERN_BYTES}")]
    TooLong(usize),
    #[error(transparent)]
    Approver(#[from] super::identity::InvalidApprover),
}

impl Pattern {
    pub(super) fn compile(text: &str) -> Result<Self, InvalidPattern> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(InvalidPattern::TooLong(text.len()));
        }
        let plain = |text: &str| !text.contains(['*', '?', '[', ']', '{', '}', '\\']);
        match text.strip_suffix('*') {
            Some("") => return Ok(Self::Any),
            Some(prefix) if plain(prefix) => return Ok(Self::Prefix(prefix.into())),
            None if plain(text) => return Ok(Self::Exact(text.into())),
            _ => {}
        }
        let glob = GlobBuilder::new(text).literal_separator(false).backslash_escape(true).build();
        let glob = glob.map_err(|error| InvalidPattern::Glob {
            pattern: text.to_owned(),
            reason: error.kind().to_string(),
        })?;
        Ok(Self::Glob(Box::new(glob.compile_matcher())))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *text,
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Glob(glob) => glob.is_match(text),
        }
    }
}

/// Compiled `match.actor`.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// `role:X`, `team:ID` or `principal:ID`.
    Named(Approver),
    /// A glob over principals.
    Pattern(Pattern),
}

impl Subject {
    pub(super) fn compile(text: &str) -> Result<Self, InvalidPattern> {
        let named = ["role:", "team:", "principal:"].iter().any(|prefix| text.starts_with(prefix));
        if named { Ok(Self::Named(text.parse()?)) } else { Pattern::compile(text).map(Self::Pattern) }
    }

    pub(super) fn includes(&self, identity: &Identity) -> bool {
        match self {
            Self::Named(approver) => approver.includes(identity),
            Self::Pattern(pattern) => pattern.matches(identity.principal.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_cross_dots_and_literals_do_not_match_more_than_themselves() {
        let table = [
            ("*", "git.commit", true),
            ("git.*", "git.repo.init", true),
            ("git.*", "gitx.commit", false),
            ("git.commit", "git.commit", true),
            ("git.commit", "git.commits", false),
            ("*.failed", "a.b.failed", true),
            ("{git,ssh}.*", "ssh.run", true),
            ("{git,ssh}.*", "http.call", false),
            ("git.[ab]", "git.c", false),
            ("a?c", "abc", true),
        ];
        for (pattern, text, expected) in table {
            let compiled = Pattern::compile(pattern).expect("the table has valid globs");
            assert_eq!(compiled.matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_broken_glob_and_an_overlong_one_are_refused() {
        assert!(Pattern::compile("git.[").is_err());
        assert!(Pattern::compile("{a,b").is_err());
        assert!(Pattern::compile(&"a".repeat(300)).is_err());
    }
}
