//! What of a folder is not taken: what its `.gitignore` and `.xynignore` files say.
//!
//! Owns the order in which they are asked: the deepest folder first, and in one folder `.xynignore` before
//! `.gitignore`. Matching itself is the crate `ignore`'s. Invariant: a file of rules is read, never followed.

use std::io::Read;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::error::TreeError;
use super::folder::Folder;
use super::limit::Exceeded;
use super::name::Name;
use super::path::RelPath;

/// The files of rules, the weaker one first.
const FILES: [&str; 2] = [".gitignore", ".xynignore"];
/// Bytes that a file of rules may have.
const RULES_MAX_BYTES: u64 = 1 << 20;

/// The rules of the folders that are being walked through.
#[derive(Default)]
pub(super) struct Rules(Vec<Level>);

/// The rules of one file, and where paths begin for them.
struct Level {
    start: usize,
    rules: Gitignore,
}

impl Rules {
    /// Reads the rules of `folder`, which is `path`; answers what [`leave`](Self::leave) takes.
    pub(super) fn enter(&mut self, folder: &Folder, path: &RelPath) -> Result<usize, TreeError> {
        let before = self.0.len();
        let start = if path.is_root() { 0 } else { path.as_str().len() + 1 };
        for name in FILES {
            if let Some(rules) = read(folder, path, name)? {
                self.0.push(Level { start, rules });
            }
        }
        Ok(before)
    }

    /// Forgets the rules of the folder last entered.
    pub(super) fn leave(&mut self, before: usize) {
        self.0.truncate(before);
    }

    /// Whether `path` is not taken.
    pub(super) fn is_ignored(&self, path: &str, is_directory: bool) -> bool {
        self.0
            .iter()
            .rev()
            .map(|level| level.rules.matched(&path[level.start..], is_directory))
            .find_map(|found| match found {
                Match::None => None,
                Match::Ignore(_) => Some(true),
                Match::Whitelist(_) => Some(false),
            })
            .unwrap_or(false)
    }
}

fn read(folder: &Folder, path: &RelPath, name: &str) -> Result<Option<Gitignore>, TreeError> {
    let Some(file) = folder.file(name.as_bytes())? else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = file.take(RULES_MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| folder.error("read", name.as_bytes(), error))?;
    if bytes.len() as u64 > RULES_MAX_BYTES {
        let name: Name = name.parse().expect("the names of files of rules are names");
        return Err(TreeError::Limit { path: path.join(&name), source: Exceeded::File(RULES_MAX_BYTES) });
    }
    let mut builder = GitignoreBuilder::new("");
    for line in String::from_utf8_lossy(&bytes).lines() {
        // A line that is no rule ignores nothing, as with git.
        let _taken = builder.add_line(None, line);
    }
    Ok(builder.build().ok().filter(|rules| !rules.is_empty()))
}
