//! Where two changes of one tree do not go together, and what whoever merges says of such places.

use super::directory::Entry;
use super::path::RelPath;
use super::text::merge_text;

/// One of two trees that are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The tree that is merged into.
    Ours,
    /// The tree that is merged.
    Theirs,
}

/// Which side is taken where changes clash: one for all places, or one said for each.
pub trait Favour {
    /// The side at `path`.
    fn side(&self, path: &RelPath) -> Side;

    /// What `ours` and `theirs` made of the content that `path` had, if it was there, both together; none where
    /// people have to say. Text comes together by its lines.
    fn join(&self, _path: &RelPath, base: Option<&[u8]>, ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
        merge_text(base?, ours, theirs)
    }

    /// What stands where nothing came of `ours` and `theirs` and people have to say; none for what the favoured
    /// side has.
    fn mark(&self, _path: &RelPath, _base: &[u8], _ours: &[u8], _theirs: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

impl Favour for Side {
    fn side(&self, _: &RelPath) -> Side {
        *self
    }
}

impl<F: Fn(&RelPath) -> Side> Favour for F {
    fn side(&self, path: &RelPath) -> Side {
        self(path)
    }
}

/// Why two changes do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash {
    /// Both changed the content, in the same lines or not as text.
    Content,
    /// One removed what the other changed.
    Removed,
    /// One made it a file, the other a directory or a link.
    Shape,
    /// Both added the same file, and only one can be run.
    Mode,
    /// Both added names that some file systems take for one.
    Names,
}

impl Clash {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Removed => "removed",
            Self::Shape => "shape",
            Self::Mode => "mode",
            Self::Names => "names",
        }
    }
}

/// A place where people have to say what is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub path: RelPath,
    /// Why.
    pub clash: Clash,
    /// What was there when the two began.
    pub base: Option<Entry>,
    /// What ours has there.
    pub ours: Option<Entry>,
    /// What theirs has there.
    pub theirs: Option<Entry>,
}
