//! The light base: rows in sorted maps. For worlds of a thousand nodes.
//!
//! Owns rows that are sealed and read as those of the database are, so that everything above is the real thing.
//! Invariant: a view is of one moment, whatever is committed later.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{Base, Dice, Failure, Survival};
use crate::error::StoreError;
use crate::projection::Changes;
use crate::reader::{Order, Reader};
use crate::tables::Table;

/// Rows by table and key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows(BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>);

impl Rows {
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Option<&[u8]> {
        self.0.get(&table)?.get(key).map(Vec::as_slice)
    }

    /// The rows between two keys, in `order`.
    pub(crate) fn range<'a>(
        &'a self,
        table: Table,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        order: Order,
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let rows = self.0.get(&table).map(|rows| rows.range::<[u8], _>(bounds));
        let mut rows = rows.into_iter().flatten();
        std::iter::from_fn(move || match order {
            Order::Ascending => rows.next(),
            Order::Descending => rows.next_back(),
        })
        .map(|(key, row)| (key.as_slice(), row.as_slice()))
    }

    fn apply(&mut self, Changes(changes): Changes) {
        for change in changes {
            let table = self.0.entry(change.table).or_default();
            match change.value {
                Some(row) => drop(table.insert(change.key, row)),
                None => drop(table.remove(&change.key)),
            }
        }
    }
}

/// Rows in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    rows: Arc<Rows>,
    power: Power,
    failure: Option<Failure>,
}

#[derive(Clone, Debug, Default)]
enum Power {
    #[default]
    On,
    /// It goes during the next commit.
    Going,
    /// It went, during this commit.
    Off(Changes),
}

impl Memory {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Base for Memory {
    fn read(&self) -> Result<Reader, StoreError> {
        match self.failure {
            Some(Failure::Unreadable) => Err(StoreError::Unavailable("the disk is unreadable".into())),
            _ => Ok(Reader::of_rows(self.rows.clone())),
        }
    }

    fn commit(&mut self, changes: Changes) -> Result<(), StoreError> {
        match self.power {
            Power::On if self.failure.is_some() => {
                Err(StoreError::Unavailable("the disk does not take it".into()))
            }
            Power::On => {
                Arc::make_mut(&mut self.rows).apply(changes);
                Ok(())
            }
            Power::Going => {
                self.power = Power::Off(changes);
                Err(StoreError::Unavailable("the power went".into()))
            }
            Power::Off(_) => Err(StoreError::Unavailable("there is no power".into())),
        }
    }

    fn unplug(&mut self, _: &mut Dice) {
        self.power = Power::Going;
    }

    fn has_power(&self) -> bool {
        !matches!(self.power, Power::Off(_))
    }

    fn replug(&mut self, survival: Survival, dice: &mut Dice) -> Result<(), StoreError> {
        if let Power::Off(changes) = std::mem::take(&mut self.power) {
            let is_there = match survival {
                Survival::None => false,
                Survival::All => true,
                Survival::Prefix | Survival::Some | Survival::Torn => dice.coin(),
            };
            if is_there {
                Arc::make_mut(&mut self.rows).apply(changes);
            }
        }
        Ok(())
    }

    fn fail(&mut self, failure: Option<Failure>) {
        self.failure = failure;
    }

    fn copied(&self) -> Result<Box<dyn Base>, StoreError> {
        Ok(Box::new(Self { rows: self.rows.clone(), ..Self::default() }))
    }
}
