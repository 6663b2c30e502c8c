//! Why there is no bill of materials, with the file and the line.

use xyn_store::legible::excerpt;

use crate::tree::RelPath;

/// A lock file that was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`{fault}")]
pub struct LockError {
    /// Which file.
    pub path: RelPath,
    /// Where in it, and what.
    pub fault: LockFault,
}

/// What is wrong with a lock file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct LockFault {
    /// In which line, from 1, when it is in one.
    pub line: Option<usize>,
    /// What, and what to do.
    pub what: String,
}

/// Characters shown of what a lock file says.
const SHOWN_MAX_CHARS: usize = 120;

impl LockFault {
    pub(super) fn of_file(what: impl Into<String>) -> Self {
        Self { line: None, what: what.into() }
    }

    pub(super) fn at(line: usize, what: impl Into<String>) -> Self {
        Self { line: Some(line), what: what.into() }
    }

    /// A fault of `name`, which is in the first line of `text` that holds it.
    pub(super) fn of(text: &str, name: &str, what: impl Into<String>) -> Self {
        let line = text.find(name).map(|at| 1 + text[..at].matches('\n').count());
        Self { line, what: format!("`{}` {}", shown(name), what.into()) }
    }

    /// A version of the format that is not understood.
    pub(super) fn version(text: &str, name: &str, found: &str, known: &str) -> Self {
        let found = shown(found);
        let what = format!(
            "is version `{found}` of its format, and {known} are understood; write it with one of those"
        );
        Self { line: Self::of(text, name, "").line, what }
    }
}

/// What a lock file says, on one line and cut where it is long.
pub(super) fn shown(text: &str) -> String {
    excerpt(text, SHOWN_MAX_CHARS)
}

/// Why there is no bill of materials.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// More packages than one may list.
    #[error("the lock files name more than {} packages together", super::PACKAGES_MAX)]
    TooMany,
    /// A document that is no CycloneDX that can be compared.
    #[error("is no bill of materials in CycloneDX: {0}")]
    Document(String),
}
