//! What may be packed although it looks like a secret: a file in the tree that says so, for all to see.
//!
//! A line of [`ALLOW_FILE`] is a fingerprint, a glob of paths, or the name of a rule and a glob; `#` begins a
//! comment. Invariant: a line that says nothing is an error, since someone believes that it does.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};

use super::finding::{Finding, Fingerprint, Rule};
use super::place::escaped;

/// The file at the root of the tree.
pub const ALLOW_FILE: &str = ".capsuleallow";
/// What allows all that is on the line it stands on.
pub const ALLOW_MARK: &str = "capsule:allow";
/// Bytes and lines that the file may have.
const ALLOW_MAX_BYTES: usize = 1 << 20;
const ALLOW_MAX_LINES: usize = 10_000;

/// What is allowed.
#[derive(Clone, Debug, Default)]
pub struct Allow {
    fingerprints: BTreeSet<Fingerprint>,
    paths: Vec<(Option<String>, GlobMatcher)>,
}

/// A line that allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{ALLOW_FILE}`:{line}: {fault}")]
pub struct InvalidAllow {
    /// Which line, from 1.
    pub line: usize,
    fault: String,
}

impl Allow {
    /// Reads the content of [`ALLOW_FILE`].
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidAllow> {
        let fail = |line, fault: &str| Err(InvalidAllow { line, fault: fault.into() });
        let Ok(text) = std::str::from_utf8(bytes) else { return fail(1, "is not UTF-8") };
        if bytes.len() > ALLOW_MAX_BYTES || text.lines().count() > ALLOW_MAX_LINES {
            return fail(1, "is longer than 1 MiB or 10,000 lines");
        }
        let mut allow = Self::default();
        for (index, line) in text.lines().enumerate() {
            let words: Vec<&str> =
                line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
            let fault = |fault| InvalidAllow { line: index + 1, fault };
            match words[..] {
                [] => {}
                [word] if word.parse::<Fingerprint>().is_ok() => {
                    allow.fingerprints.extend(word.parse::<Fingerprint>())
                }
                [path] => allow.paths.push((None, glob(path).map_err(fault)?)),
                [rule, path] if Rule::is_name(rule) => {
                    allow.paths.push((Some(rule.into()), glob(path).map_err(fault)?));
                }
                [rule, _] => return Err(fault(format!("`{}` is no rule", shown(rule)))),
                _ => return Err(fault("is neither a fingerprint, nor a path, nor a rule and a path".into())),
            }
        }
        Ok(allow)
    }

    /// Whether `finding` may be packed.
    pub fn allows(&self, finding: &Finding) -> bool {
        let path = finding.place.path().as_str();
        self.fingerprints.contains(&finding.fingerprint)
            || self.paths.iter().any(|(rule, glob)| {
                rule.as_ref().is_none_or(|rule| rule == finding.rule.name()) && glob.is_match(path)
            })
    }
}

fn glob(text: &str) -> Result<GlobMatcher, String> {
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| format!("`{}`: {}", shown(text), error.kind()))
}

fn shown(text: &str) -> String {
    escaped(text.chars().take(80))
}
