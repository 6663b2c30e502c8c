//! Going about in a folder by paths.
//!
//! Owns the open folders that lead to where something is done, so that the next step is a short one. No link is
//! followed on the way. Invariant: what is reached lies in the folder that was given.

use super::error::TreeError;
use super::folder::Folder;
use super::path::RelPath;

/// A folder, and the way to one in it.
pub(crate) struct Descent {
    /// All on the way, with the given one first.
    open: Vec<Folder>,
    /// The names of all but the first of them.
    at: Vec<String>,
}

impl Descent {
    /// At `folder`.
    pub(crate) fn new(folder: Folder) -> Self {
        Self { open: vec![folder], at: Vec::new() }
    }

    /// The folder at `path`.
    pub(crate) fn folder(&mut self, path: &RelPath) -> Result<&Folder, TreeError> {
        let shared = path.names().zip(&self.at).take_while(|(name, open)| name == open).count();
        self.at.truncate(shared);
        self.open.truncate(shared + 1);
        for name in path.names().skip(shared) {
            let in_the_way = || TreeError::InTheWay(path.clone());
            let folder = self.innermost().folder(name.as_bytes())?.ok_or_else(in_the_way)?;
            self.open.push(folder);
            self.at.push(name.to_owned());
        }
        Ok(self.innermost())
    }

    fn innermost(&self) -> &Folder {
        self.open.last().expect("the first folder stays open")
    }
}
