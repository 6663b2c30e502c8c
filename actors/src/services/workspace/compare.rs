//! What differs between two trees of a workspace, or between one and the folder as it is.
//!
//! Reads the folder and writes nothing in it; what is not here of a tree that is named is fetched. Invariant: what is
//! compared is what the timeline says the workspace was, or what is there.

use std::path::Path;
use std::str::FromStr;

use xyn_capsules::tree::{Difference, Directory, Limits, Overlay, diff, look};
use xyn_store::ids::EntryId;
use xyn_store::legible::quoted;
use xyn_store::projection::WorkspaceRow;
use xyn_store::timeline::Facet;
use xyn_store::{Digest, Reader};

use super::refusal::refusal;
use super::{blocking, named, trace};
use crate::runtime::{Inner, Refusal, Runtime};
use crate::services::content;

/// A tree of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// What it was at a moment of the timeline.
    Moment(EntryId),
    /// The tree itself.
    Tree(Digest),
}

/// A text that names no tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither the id of a moment nor the root of a tree")]
pub struct InvalidPlace(String);

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let moment = || text.parse().ok().map(Self::Moment);
        let place = text.parse().ok().map(Self::Tree).or_else(moment);
        place.ok_or_else(|| InvalidPlace(quoted(text)))
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The one; what the workspace was last known to be, when none is named.
    pub from: Option<Place>,
    /// The other; the folder as it is, when none is named.
    pub to: Option<Place>,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The one tree; the empty one before the first snapshot.
    pub from: Digest,
    /// The other.
    pub to: Digest,
    /// Whether the other is the folder as it is.
    pub is_folder: bool,
    /// What differs, in the order of the paths.
    pub differences: Vec<Difference>,
}

impl Runtime {
    /// Compares two trees of the workspace `name`. May read the whole folder, and fetch what a tree lacks.
    pub async fn compare_workspace(&self, name: &str, comparison: Comparison) -> Result<Compared, Refusal> {
        let (inner, name) = (self.0.clone(), name.to_owned());
        let (row, from, to) = blocking(move || {
            let reader = inner.store.read()?;
            let root = |place: Option<Place>| place.map(|it| root_of(&reader, &name, &it)).transpose();
            let (from, to) = (root(comparison.from)?, root(comparison.to)?);
            Ok((named(&reader, &name)?, from, to))
        })
        .await?;
        content::bring_trees(&self.0, from.into_iter().chain(to)).await?;
        let inner = self.0.clone();
        blocking(move || compare(&inner, &row, from, to)).await
    }
}

/// Compares what is here.
fn compare(
    inner: &Inner,
    row: &WorkspaceRow,
    from: Option<Digest>,
    to: Option<Digest>,
) -> Result<Compared, Refusal> {
    let (blobs, limits) = (inner.store.blobs(), Limits::default());
    let fault = |error| refusal(&row.name, error);
    let known = || row.known.map_or_else(Directory::empty, |known| known.root);
    let from = from.unwrap_or_else(known);
    let is_folder = to.is_none();
    let (to, differences) = match to {
        Some(to) => (to, diff(blobs, &from, &to, limits)),
        None => {
            let seen = trace::read(inner, &row.name);
            let looked = look(Path::new(&row.dir), &seen, None, inner.clock.now(), limits).map_err(fault)?;
            let shelf = Overlay { above: &looked.blobs, below: blobs };
            (looked.root, diff(&shelf, &from, &looked.root, limits))
        }
    };
    Ok(Compared { from, to, is_folder, differences: differences.map_err(fault)? })
}

/// The tree that `place` names of the workspace `name`.
pub(super) fn root_of(reader: &Reader, name: &str, place: &Place) -> Result<Digest, Refusal> {
    let entry_id = match place {
        Place::Tree(root) => return Ok(*root),
        Place::Moment(entry_id) => *entry_id,
    };
    let missing = |kind| Refusal::NotFound { kind, id: entry_id.to_string() };
    let state = reader.state_at(entry_id)?.ok_or_else(|| missing("moment"))?;
    let facet = Facet::Workspace(Some(name.to_owned()));
    let made = state.made.get(&facet).and_then(|entry| facet.digest(entry));
    made.ok_or_else(|| missing("snapshot of this workspace at moment"))
}

/// The digest in a field of an input.
pub(super) fn digest(field: &'static str, text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|error: xyn_store::digest::InvalidDigest| {
        Refusal::invalid("invalid_input", field, error.to_string())
    })
}
