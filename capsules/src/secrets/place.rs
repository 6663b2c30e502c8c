//! Where a finding is: a file of the tree, and in it the entry of an archive.
//!
//! Invariant: what an archive calls its entries is shown escaped and cut short.

use std::fmt;

use crate::tree::RelPath;

/// Characters that are shown of one name within an archive.
const NAME_MAX_CHARS: usize = 200;

/// A file, or what is packed in it. Shown as `dist.tgz!dist.tar!app/.env`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    path: RelPath,
    /// From the file inwards, escaped.
    inner: Vec<String>,
}

impl Place {
    pub(super) fn new(path: &RelPath) -> Self {
        Self { path: path.clone(), inner: Vec::new() }
    }

    /// What the archive here calls `name`.
    pub(super) fn within(&self, name: &str) -> Self {
        let mut inner = self.inner.clone();
        inner.push(escaped(name.chars().take(NAME_MAX_CHARS)));
        Self { path: self.path.clone(), inner }
    }

    /// The file of the tree.
    pub fn path(&self) -> &RelPath {
        &self.path
    }

    /// Names within archives, from the file inwards; none where the file itself is meant.
    pub fn inner(&self) -> &[String] {
        &self.inner
    }

    /// The last part of the innermost name.
    pub(super) fn name(&self) -> &str {
        let name = self.inner.last().map_or(self.path.as_str(), String::as_str);
        name.rsplit('/').next().unwrap_or(name)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        self.inner.iter().try_for_each(|name| write!(f, "!{name}"))
    }
}

/// `text` with nothing in it that moves a cursor, turns text round or is not seen.
pub(super) fn escaped(text: impl Iterator<Item = char>) -> String {
    let mut shown = String::new();
    for c in text {
        if matches!(c, '"' | '\'' | '\\') { shown.push(c) } else { shown.extend(c.escape_debug()) }
    }
    shown
}
