//! What a pack checks of its own content before it is sealed.
//!
//! Owns the hook that checks go through, the checks that every pack has, and what a seed of SQL or the author's own
//! file may not say.
//! Refuses to change anything. Invariant: a check sees what is packed and nothing else, so it says the same
//! everywhere.

mod builtin;
mod sql;
mod variables;

use std::collections::BTreeMap;
use std::fmt;

pub use builtin::{HUGE_BYTES, builtin};
pub use sql::{Dialect, SQL_MAX_BYTES, SqlFault, SqlRefusal, SqlStatement, check_sql, sql_statements};
pub use variables::check_variables;

use crate::tree::RelPath;

/// What comes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Likely a mistake.
    Warn,
    /// The pack is stopped.
    Veto,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Veto => "veto",
        })
    }
}

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// About which entry; the tree itself for what is missing.
    pub path: RelPath,
    /// In which line, from 1, when it is in one.
    pub line: Option<u64>,
    /// Which check.
    pub lint: &'static str,
    /// What comes of it.
    pub severity: Severity,
    /// What, and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, lint, severity, message } = self;
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        write!(f, "{severity}: `{path}`{line}: {lint}: {message}")
    }
}

/// An entry that is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory, also one that is only there because of what it holds.
    Directory,
    /// A link, and what it says.
    Link(String),
    /// A file.
    File {
        /// Its length.
        bytes: u64,
        /// Its permissions on the disk it is packed from, where there is one: the last nine bits of a mode.
        permissions: Option<u32>,
    },
}

/// What is packed, without the content of files.
#[derive(Clone, Debug, Default)]
pub struct Pack {
    /// Every entry.
    pub entries: BTreeMap<RelPath, Entry>,
    /// Files of seeds that the manifest names.
    pub seeds: Vec<RelPath>,
    /// Where the recipe puts what it builds, and whether it has steps that do.
    pub out_dir: Option<RelPath>,
    /// Whether the recipe builds anything: then `out_dir` need not be there yet.
    pub is_built: bool,
    /// The licence that the manifest names, as an SPDX expression.
    pub license: String,
}

/// A check. Each method says nothing unless it is written.
pub trait Lint: Send + Sync {
    /// Its name, as findings tell it.
    fn name(&self) -> &'static str;

    /// Looks at a file of text.
    fn file(&self, _path: &RelPath, _text: &str) -> Vec<Finding> {
        Vec::new()
    }

    /// Looks at all that is packed.
    fn pack(&self, _pack: &Pack) -> Vec<Finding> {
        Vec::new()
    }
}

/// What `lints` say of a file; content that is no text is not looked at.
pub fn check_file(lints: &[Box<dyn Lint>], path: &RelPath, content: &[u8]) -> Vec<Finding> {
    let text = std::str::from_utf8(content).unwrap_or_default();
    lints.iter().flat_map(|lint| lint.file(path, text)).collect()
}

/// What `lints` say of a pack, in the order of its entries.
pub fn check_pack(lints: &[Box<dyn Lint>], pack: &Pack) -> Vec<Finding> {
    let mut findings: Vec<_> = lints.iter().flat_map(|lint| lint.pack(pack)).collect();
    findings.sort();
    findings
}

/// Whether `findings` stop a pack.
pub fn is_vetoed(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Veto)
}

#[cfg(test)]
mod tests;
