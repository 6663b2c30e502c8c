//! Storage for simulated nodes: rows in the store's format, without files, threads or chance.
//!
//! Owns what a node's rows are kept in when the machine is made up, and what a power cut leaves of them. Knows
//! nothing of what the rows say. Invariant: what [`Base::commit`] answered for is there after every crash, and of
//! anything else all or nothing is.

mod dice;
mod disk;
mod memory;
mod platter;
#[cfg(test)]
mod tests;

use crate::error::StoreError;
use crate::projection::Changes;
use crate::reader::Reader;

pub use dice::Dice;
#[cfg(test)]
pub(crate) use disk::Disk;
pub use disk::{Failure, Survival};
pub use memory::Memory;
pub(crate) use memory::Rows;
pub use platter::Platter;

/// Where a simulated node keeps its rows.
pub trait Base {
    /// A consistent view of what is committed.
    fn read(&self) -> Result<Reader, StoreError>;

    /// Commits `changes` in one piece. After an error they may be there or not, until the next [`Base::replug`] or
    /// the next commit.
    fn commit(&mut self, changes: Changes) -> Result<(), StoreError>;

    /// The power will go in the middle of one of the next commits.
    fn unplug(&mut self, dice: &mut Dice);

    /// Whether there is power. It may have gone right behind a commit that succeeded.
    fn has_power(&self) -> bool;

    /// The power goes, if it has not, and comes back; `survival` says what becomes of writes that were not synced.
    /// The disk works again.
    fn replug(&mut self, survival: Survival, dice: &mut Dice) -> Result<(), StoreError>;

    /// What the disk answers from now on; none when it works.
    fn fail(&mut self, failure: Option<Failure>);

    /// A copy of the folder as it is on the disk now.
    fn copied(&self) -> Result<Box<dyn Base>, StoreError>;
}
