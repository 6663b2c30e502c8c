//! Merging two capsules that began as one.
//!
//! Owns what comes together how: text by its lines, the manifest and `capsule.json` by field, seeds that are
//! documents of Automerge by that. A lock file that both sides changed is never put together: whoever owns it
//! resolves it again. Invariant: whatever people have to say is named, and where they said it, their word is
//! what is there.

use std::collections::BTreeSet;

use serde_json::Value;
use xyn_store::timeline::merge_documents;

use crate::container::{Base, CapsuleFile, Several};
use crate::manifest::fields::{self, authored};
use crate::manifest::{Authored, Manifest, SeedKind, Slug};
use crate::sbom;
use crate::tree::{self, Clash, Favour, Limits, Merged, RelPath, Side, TreeError, mark_text, merge_text};

/// What the author writes, at the root of the tree.
const AUTHORED: &str = "capsule.json";

/// One of three: a capsule, and what it says of itself.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// The file.
    pub file: &'a CapsuleFile,
    /// Its manifest.
    pub manifest: &'a Manifest,
}

/// Two capsules in one, not packed yet.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The tree. At a conflict it has what the side has that was said to be right; where nobody said it, what
    /// ours has, or a text in which the lines of both stand between markers.
    pub tree: Merged,
    /// What the manifest is made of.
    pub authored: Authored,
    /// The generation: one above both.
    pub generation: u64,
    /// Where people have to say; none when all went together.
    pub conflicts: Vec<Conflict>,
}

/// A place where both sides changed something, each in its own way.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Where: a path of the tree, or the pointer to a field of the manifest, which begins with `/`.
    pub place: String,
    /// Why they do not go together.
    pub clash: Clash,
    /// What makes the file again, where that is not for people to do.
    pub resolver: Option<&'static str>,
    /// What each side has, of a field.
    pub sides: Option<(Value, Value)>,
}

/// Why there is nothing to merge.
#[derive(Debug, thiserror::Error)]
pub enum NotMerged {
    /// They are other apps.
    #[error("these are capsules of `{0}` and of `{1}`; only capsules of one app are merged")]
    Apps(Slug, Slug),
    /// A tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// What comes of the manifests is none.
    #[error("the manifest: {0}")]
    Manifest(#[from] crate::json::InvalidJson),
}

/// Merges `ours` and `theirs`, which began as `base`. Where they clash, `side` says whose is right, if
/// somebody said that: it is asked with the path, or with the pointer to the field.
pub fn merge(
    base: Part<'_>,
    ours: Part<'_>,
    theirs: Part<'_>,
    side: &dyn Fn(&str) -> Option<Side>,
    limits: Limits,
) -> Result<Joined, NotMerged> {
    let app = |part: Part<'_>| part.manifest.id.app.clone();
    for other in [ours, theirs] {
        if app(base) != app(other) {
            return Err(NotMerged::Apps(app(base), app(other)));
        }
    }
    let [of_base, of_ours, of_theirs] = [base, ours, theirs].map(|part| authored(part.manifest));
    let mut clashes = Vec::new();
    let favoured = |place: &str| side(place).unwrap_or(Side::Ours);
    let document = fields::merge(&of_base, &of_ours, &of_theirs, &favoured, &mut clashes);
    let written = crate::json::write(&document)?;
    let authored = Authored::read(&written)?;

    let seeds = [ours, theirs].into_iter().flat_map(|part| &part.manifest.seeds);
    let documents = seeds.filter(|seed| seed.kind == SeedKind::Crdt).map(|seed| seed.path.clone());
    let joining = Joining { side, documents: documents.collect() };
    let made = Default::default();
    let files = Several { made: &made, rest: &[ours.file, theirs.file, base.file] };
    let roots = [base, ours, theirs].map(|part| part.file.outline().root());
    let tree = tree::merge(&files, &roots[0], &roots[1], &roots[2], joining, limits)?;

    let of_tree = tree.conflicts.iter().map(|conflict| Conflict {
        place: conflict.path.to_string(),
        clash: conflict.clash,
        resolver: sbom::resolver(&conflict.path).filter(|_| conflict.clash == Clash::Content),
        sides: None,
    });
    let of_fields = clashes.into_iter().map(|clash| Conflict {
        place: clash.place,
        clash: Clash::Content,
        resolver: None,
        sides: Some((clash.ours.unwrap_or_default(), clash.theirs.unwrap_or_default())),
    });
    let conflicts = of_tree.chain(of_fields).collect();
    let generation = ours.manifest.generation.max(theirs.manifest.generation).saturating_add(1);
    Ok(Joined { tree, authored, generation, conflicts })
}

/// How the contents of files come together.
struct Joining<'a> {
    side: &'a dyn Fn(&str) -> Option<Side>,
    /// Seeds that are documents of Automerge.
    documents: BTreeSet<RelPath>,
}

impl Favour for Joining<'_> {
    fn side(&self, path: &RelPath) -> Side {
        (self.side)(path.as_str()).unwrap_or(Side::Ours)
    }

    fn join(&self, path: &RelPath, base: Option<&[u8]>, ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
        if self.documents.contains(path) {
            return merge_documents(ours, theirs).ok();
        }
        if sbom::is_lock(path) {
            return None;
        }
        let text = merge_text(base?, ours, theirs);
        text.or_else(|| (path.as_str() == AUTHORED).then(|| by_field(base?, ours, theirs)).flatten())
    }

    fn mark(&self, path: &RelPath, base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
        let is_text = !self.documents.contains(path) && !sbom::is_lock(path);
        (is_text && (self.side)(path.as_str()).is_none()).then(|| mark_text(base, ours, theirs)).flatten()
    }
}

/// What comes of three documents of which every field comes from one side.
fn by_field(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    let read = |bytes: &[u8]| crate::json::read::<Value>(bytes, crate::manifest::MANIFEST_MAX_BYTES).ok();
    let mut clashes = Vec::new();
    let merged = fields::merge(&read(base)?, &read(ours)?, &read(theirs)?, &|_| Side::Ours, &mut clashes);
    let mut written = crate::json::write(&merged).ok()?;
    written.push(b'\n');
    clashes.is_empty().then_some(written)
}

#[cfg(test)]
mod tests;
