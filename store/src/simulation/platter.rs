//! The real base: the store's database on a disk that loses power and runs full.
//!
//! Owns the way from rows to the database: one transaction, one sync, in the caller's thread. Invariant: as the
//! journal's writer does, it opens the engine anew after an error.

use std::path::Path;

use super::disk::{Disk, Failure};
use super::{Base, Dice, Survival};
use crate::database::{Slot, check_format};
use crate::error::StoreError;
use crate::journal::write_rows;
use crate::projection::Changes;
use crate::reader::Reader;

/// What errors call the folder.
const FOLDER: &str = "simulated";
/// Operations of the disk within which the power goes: more than a small commit takes.
const OPERATIONS: u64 = 16;

/// A database on a simulated disk.
pub struct Platter {
    disk: Disk,
    slot: Slot,
    /// After how many operations of commits the power goes.
    fuse: Option<u64>,
}

impl Platter {
    /// An empty database.
    pub fn new() -> Result<Self, StoreError> {
        let base = Self::holding(Vec::new())?;
        check_format(&*base.slot.engine()?, Path::new(FOLDER))?;
        Ok(base)
    }

    fn holding(image: Vec<u8>) -> Result<Self, StoreError> {
        let disk = Disk::holding(image);
        Ok(Self { slot: Slot::open(disk.opener())?, disk, fuse: None })
    }

    /// Opens the engine anew if it failed.
    fn tend(&self) -> Result<(), StoreError> {
        // Let go of before it is opened anew: there is one engine at a time.
        let is_sound = self.slot.engine().is_ok_and(|engine| !engine.has_failed());
        if is_sound { Ok(()) } else { self.slot.reopen() }
    }

    fn write(&mut self, changes: Changes) -> Result<(), StoreError> {
        self.tend()?;
        let engine = self.slot.engine()?;
        engine.guard(|| {
            let transaction = engine.begin_write()?;
            write_rows(&transaction, changes)?;
            Ok(transaction.commit()?)
        })
    }
}

impl Base for Platter {
    fn read(&self) -> Result<Reader, StoreError> {
        self.tend()?;
        self.slot.read()
    }

    fn commit(&mut self, changes: Changes) -> Result<(), StoreError> {
        let before = self.disk.operations();
        self.disk.cut_at(self.fuse.map_or(u64::MAX, |left| before + left));
        let committed = self.write(changes);
        // Reading may write too, when the engine makes room in its cache; but nobody waits for that.
        self.disk.cut_at(u64::MAX);
        self.fuse = self.fuse.and_then(|left| left.checked_sub(self.disk.operations() - before));
        committed
    }

    fn unplug(&mut self, dice: &mut Dice) {
        self.fuse = Some(1 + dice.below(OPERATIONS));
    }

    fn has_power(&self) -> bool {
        !self.disk.is_dark()
    }

    fn replug(&mut self, survival: Survival, dice: &mut Dice) -> Result<(), StoreError> {
        *self = Self::holding(self.disk.after_power_cut(survival, dice))?;
        Ok(())
    }

    fn fail(&mut self, failure: Option<Failure>) {
        match failure {
            Some(failure) => self.disk.fail_from(self.disk.operations(), failure),
            None => self.disk.heal(),
        }
    }

    fn copied(&self) -> Result<Box<dyn Base>, StoreError> {
        let image = self.disk.after_power_cut(Survival::None, &mut Dice::new(0));
        Ok(Box::new(Self::holding(image)?))
    }
}
