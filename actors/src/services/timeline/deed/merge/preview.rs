//! What a merge would come to, for people who are asked whose change is right.
//!
//! Invariant: it finds the conflicts that the merge itself finds, and writes nothing.

use std::collections::BTreeMap;

use xyn_store::ids::EntryId;
use xyn_store::timeline::entry::Branch;

use super::{Conflict, Join, Sides, Trees};
use crate::runtime::{Refusal, Runtime};
use crate::services::{blocking, content};

/// What joining a branch into another would come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The newest moment that both follow from.
    pub base: Option<EntryId>,
    /// Where the branch stands that is joined into.
    pub ours: EntryId,
    /// Where the one stands that is joined.
    pub theirs: EntryId,
    /// Places where people have to say which side is right.
    pub conflicts: Vec<Conflict>,
}

impl Runtime {
    /// What joining `from` into `into` would come to; nothing is written. May fetch what the trees lack.
    pub async fn preview_merge(&self, from: Branch, into: Branch) -> Result<Preview, Refusal> {
        let inner = self.0.clone();
        let (join, trees) = blocking(move || {
            let reader = inner.store.read()?;
            let join = Join::between(&reader, from, into, inner.clock.now())?;
            let trees = Trees::of(&reader, &join)?;
            Ok((join, trees))
        })
        .await?;
        content::bring_trees(&self.0, trees.needed()).await?;
        let inner = self.0.clone();
        blocking(move || {
            let sides = Sides { everywhere: None, at: BTreeMap::new() };
            let conflicts = trees.join(inner.store.blobs(), &sides)?.open;
            let base = join.base.map(|base| base.entry_id);
            Ok(Preview { base, ours: join.ours.entry_id, theirs: join.theirs.entry_id, conflicts })
        })
        .await
    }
}
