//! Paths within a tree: names, one behind the other.
//!
//! Owns their text and their order, which is that of a walk through the tree: a directory, then all that is in
//! it. Invariant: a [`RelPath`] leads nowhere but into the tree.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::{InvalidName, Name};

/// A path within a tree; without names, the tree itself. Shown with `/` between the names, the tree as `.`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

impl RelPath {
    /// The tree itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Whether it is the tree itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The entry `name` of the directory here.
    pub fn join(&self, name: &Name) -> Self {
        let mut path = String::with_capacity(self.0.len() + 1 + name.as_str().len());
        if !self.is_root() {
            path.push_str(&self.0);
            path.push('/');
        }
        path.push_str(name.as_str());
        Self(path)
    }

    /// The names, from the tree down.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// How many names it has.
    pub fn depth(&self) -> usize {
        self.names().count()
    }

    /// The last name; none of the tree itself.
    pub fn name(&self) -> Option<&str> {
        self.0.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// The directory it stands in; none of the tree itself.
    pub fn parent(&self) -> Option<Self> {
        match self.0.rsplit_once('/') {
            Some((parent, _)) => Some(Self(parent.to_owned())),
            None => (!self.is_root()).then(Self::root),
        }
    }

    /// The directory it stands in, and its name there; none of the tree itself.
    pub fn split(&self) -> Option<(Self, &str)> {
        self.parent().zip(self.name())
    }

    /// Whether it is `directory` or lies in it.
    pub fn is_within(&self, directory: &Self) -> bool {
        let rest = self.0.strip_prefix(directory.as_str());
        directory.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The path; empty for the tree itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RelPath {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if !matches!(text, "" | ".") {
            text.split('/').try_for_each(|name| name.parse::<Name>().map(drop))?;
        }
        Ok(Self(if text == "." { String::new() } else { text.to_owned() }))
    }
}

impl TryFrom<String> for RelPath {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> Self {
        path.0
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.names().cmp(other.names())
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        text.parse().expect(text)
    }

    #[test]
    fn what_leaves_the_tree_is_no_path() {
        for text in ["/", "/etc", "a//b", "a/", "..", "a/../b", "./a", "a/./b", "a\\..\\b", "c:/x", "a/\0"] {
            assert!(text.parse::<RelPath>().is_err(), "{text}");
            assert!(serde_like(text).is_err(), "{text}");
        }
    }

    fn serde_like(text: &str) -> Result<RelPath, InvalidName> {
        RelPath::try_from(text.to_owned())
    }

    #[test]
    fn paths_come_apart_and_together() {
        let deep = path("a/b c/d");
        assert_eq!(deep.names().collect::<Vec<_>>(), ["a", "b c", "d"]);
        assert_eq!((deep.depth(), deep.name(), deep.parent()), (3, Some("d"), Some(path("a/b c"))));
        assert_eq!(path("a").parent(), Some(RelPath::root()));
        assert_eq!((RelPath::root().parent(), RelPath::root().name()), (None, None));
        assert_eq!(path(".").to_string(), ".");
        assert_eq!(path("a").join(&"b".parse().expect("a name")), path("a/b"));
    }

    #[test]
    fn they_sort_as_a_walk_meets_them() {
        let sorted = ["", "a", "a/b", "a/b/c", "a/b-", "a-", "a.b", "b"].map(path);
        assert!(sorted.is_sorted());
    }
}
