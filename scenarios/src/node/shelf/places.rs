//! What a node keeps of where others are, as the node around the driver keeps it.

use xyn_store::StoreError;
use xyn_store::projection::{Changes, ContactRow};

use super::Shelf;

impl Shelf {
    /// Remembers over a restart where a member is. What is not kept is told again.
    pub(crate) fn locate(&mut self, row: &ContactRow) {
        let mut changes = Changes::new();
        changes.put(row);
        let _ = self.commit(changes);
    }

    /// Where members were when that was last known.
    pub(crate) fn located(&self) -> Result<Vec<ContactRow>, StoreError> {
        self.base.read()?.all::<ContactRow>()
    }
}
