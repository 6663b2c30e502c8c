//! What two moments have in common: the newest moment that both follow from.
//!
//! A moment follows from what is before it on its branch, from what its branch began at, and from what was merged
//! into its branch. Invariant: the answer is an ancestor of both; an older one than there might be makes a merge ask
//! more, and never drops a change.

use super::canonical::Moment;
use super::entry::{Branch, Entry, Kind};
use super::page::EntryFilter;
use crate::Reader;
use crate::error::StoreError;
use crate::ids::EntryId;
use crate::reader::Order;

/// Merges looked at on one branch.
const MERGES_MAX: usize = 1_000;
/// Pages of moments looked through for them.
const PAGES_MAX: usize = 32;

impl Reader {
    /// The newest moment that `one` and `other` both follow from. None when they have nothing in common, or when one
    /// of them is not here.
    pub fn common_ancestor(&self, one: EntryId, other: EntryId) -> Result<Option<Entry>, StoreError> {
        let (Some(one), Some(other)) = (self.lineage_of(one)?, self.lineage_of(other)?) else {
            return Ok(None);
        };
        let fork = one.iter().find_map(|(branch, at)| {
            let same = other.iter().find(|(of, _)| of == branch);
            same.map(|(_, end)| *at.min(end))
        });
        let mut newest = fork;
        for (line, beside) in [(&one, &other), (&other, &one)] {
            for merged in self.merged_into(&line[0], fork)? {
                let Some(entry) = self.moment(merged)? else { continue };
                let (branch, end) = &beside[0];
                if entry.note.branch == *branch && merged <= *end {
                    newest = newest.max(Some(merged));
                }
            }
        }
        newest.map_or(Ok(None), |moment| self.moment(moment))
    }

    fn lineage_of(&self, entry_id: EntryId) -> Result<Option<Vec<(Branch, Moment)>>, StoreError> {
        let Some(moment) = self.place_of(entry_id)? else { return Ok(None) };
        let Some(entry) = self.moment(moment)? else { return Ok(None) };
        self.lineage(entry.note.branch, moment).map(Some)
    }

    /// What merges on a branch joined into it, from `fork` up to its end.
    fn merged_into(
        &self,
        (branch, end): &(Branch, Moment),
        fork: Option<Moment>,
    ) -> Result<Vec<Moment>, StoreError> {
        let filter = EntryFilter {
            branch: Some(branch.clone()),
            kind: Some(Kind::Merge),
            since: fork.map(|fork| fork.at.at),
            until: None,
        };
        let (mut merged, mut cursor) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.entries(&filter, Order::Descending, cursor.as_ref(), MERGES_MAX)?;
            for merge in page.items {
                let is_in = self.place_of(merge.entry_id)?.is_some_and(|place| place <= *end);
                for parent in merge.note.refs.parents.iter().filter(|_| is_in) {
                    merged.extend(self.place_of(*parent)?);
                }
            }
            cursor = page.next;
            if cursor.is_none() || merged.len() >= MERGES_MAX {
                break;
            }
        }
        Ok(merged)
    }
}
