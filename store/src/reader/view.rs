//! What is looked at: a transaction of the database, or rows in memory.
//!
//! Owns the two ways to a row. Invariant: a row is handed out only after its checksum was verified.

use std::ops::Bound;
use std::sync::Arc;

use super::Order;
use crate::audit::tiles::Tiles;
use crate::database::Engine;
use crate::error::StoreError;
use crate::simulation::Rows;
use crate::tables::{Table, unseal};

pub(super) enum View {
    Engine {
        /// Gone only while the view is dropped.
        transaction: Option<redb::ReadTransaction>,
        /// Also kept alive for as long as the view is.
        engine: Arc<Engine>,
    },
    /// Of a simulated node.
    Memory(Arc<Rows>),
}

type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

impl Drop for View {
    /// An engine that panicked may panic again when it is told that nobody reads any more.
    fn drop(&mut self) {
        if let Self::Engine { transaction, engine } = self {
            let transaction = transaction.take();
            // What failed marks the engine; there is nobody to tell.
            let _ = engine.guard(|| {
                drop(transaction);
                Ok(())
            });
        }
    }
}

impl View {
    pub(super) fn of_engine(transaction: redb::ReadTransaction, engine: Arc<Engine>) -> Self {
        Self::Engine { transaction: Some(transaction), engine }
    }

    /// The log's tiles; none of a simulated node, which proves nothing from here.
    pub(super) fn tiles(&self) -> Option<&Tiles> {
        match self {
            Self::Engine { engine, .. } => Some(&engine.tiles),
            Self::Memory(_) => None,
        }
    }

    pub(super) fn look_at<T>(
        &self,
        table: Table,
        key: &[u8],
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StoreError> {
        let verified = |row: &[u8]| Ok(look(unseal(table, key, row)?));
        match self {
            Self::Memory(rows) => rows.get(table, key).map(verified).transpose(),
            Self::Engine { transaction, engine } => engine.guard(|| {
                let row = open(transaction, table)?.get(key)?;
                row.map(|row| verified(row.value())).transpose()
            }),
        }
    }

    /// Calls `visit` with each key and value within `bounds`, until it answers `false`.
    pub(super) fn each(
        &self,
        table: Table,
        bounds: Bounds<'_>,
        order: Order,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Memory(rows) => {
                for (key, row) in rows.range(table, bounds, order) {
                    if !visit(key, unseal(table, key, row)?)? {
                        break;
                    }
                }
                Ok(())
            }
            Self::Engine { transaction, engine } => {
                let mut range = engine.guard(|| Ok(open(transaction, table)?.range::<&[u8]>(bounds)?))?;
                loop {
                    let entry = engine.guard(|| {
                        let next = match order {
                            Order::Ascending => range.next(),
                            Order::Descending => range.next_back(),
                        };
                        Ok(next.transpose()?)
                    })?;
                    let Some((key, row)) = entry else { return Ok(()) };
                    let (key, value) =
                        engine.guard(|| Ok((key.value(), unseal(table, key.value(), row.value())?)))?;
                    if !visit(key, value)? {
                        return Ok(());
                    }
                }
            }
        }
    }
}

type EngineTable = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

fn open(transaction: &Option<redb::ReadTransaction>, table: Table) -> Result<EngineTable, StoreError> {
    let transaction = transaction.as_ref().expect("the transaction is taken by drop alone");
    Ok(transaction.open_table(table.definition())?)
}
