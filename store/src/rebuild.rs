//! Rebuilding: throws away everything derived and folds the log and the timeline's records again.
//!
//! Works through the log in its order, so that rows come to be exactly as they did when it was written. A marker
//! stands in the database while it is under way; a node does not start on a half-rebuilt folder.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::envelope::Envelope;
use crate::error::StoreError;
use crate::journal::{is_own_interaction, write_rows};
use crate::projection::Changes;
use crate::reader::Order;
use crate::store::Store;
use crate::tables::{Key, NAME_BLOCK, Table};
use crate::timeline::Timeline;
use crate::timeline::feed::FeedId;
use crate::{Digest, Reader};

const MARKER: &[u8] = b"rebuilding";
/// Entries whose rows are committed together.
const BATCH: u64 = 4096;

/// Turns entries into rows; it knows what their records mean.
pub trait Projector {
    /// Adds the rows that `envelope`, entry `offset`, implies, and answers the names of the events among its records.
    /// Called in the log's order.
    fn project(
        &mut self,
        offset: u64,
        envelope: &Envelope,
        changes: &mut Changes,
    ) -> Result<Vec<Cow<'static, str>>, StoreError>;
}

impl Store {
    /// Deletes every derived row and makes them anew, those of the timeline behind those of the log. `progress` is
    /// told of entries folded. Nobody else may use the store meanwhile.
    pub fn rebuild(
        &self,
        projector: &mut dyn Projector,
        mut progress: impl FnMut(u64),
    ) -> Result<u64, StoreError> {
        let engine = self.engine()?;
        engine.guard(|| clear(&engine, &[&Table::DERIVED[..], &Table::HINTS].concat()))?;
        let reader = self.read()?;
        let mut batch = Batch::default();
        let mut entries = 0;
        reader.log(0, Order::Ascending, |offset, envelope| {
            let names = projector.project(offset, &envelope, &mut batch.changes)?;
            batch.index(offset, &envelope, names);
            entries = offset + 1;
            if entries % BATCH == 0 {
                engine.guard(|| batch.commit(&engine))?;
                progress(entries);
            }
            Ok(true)
        })?;
        engine.guard(|| batch.commit(&engine))?;
        progress(entries);
        drop(reader);
        self.rebuild_shared()?;
        engine.guard(|| unmark(&engine))?;
        Ok(entries)
    }

    /// The rows of the timeline, counted as far as the roster says.
    fn rebuild_shared(&self) -> Result<(), StoreError> {
        let Some(env) = self.read()?.environment()? else { return Ok(()) };
        self.rebuild_timeline(env.root(), |reader| {
            let roster = reader.roster(env)?;
            Ok(move |feed: &FeedId| roster.cut(*feed))
        })?;
        if !self.read()?.roster(env)?.is_out(self.key().public()) {
            return Ok(());
        }
        // Whoever was put out before the first record has a row that follows from none.
        let own = FeedId { node: self.key().public(), incarnation: self.incarnation().id };
        let silenced = Timeline::open(&self.read()?, env.root(), own)?.silence();
        let engine = self.engine()?;
        engine.guard(|| Batch { changes: silenced, ..Batch::default() }.commit(&engine))
    }
}

/// Whether a rebuild was begun and not finished.
pub(crate) fn is_unfinished(reader: &Reader) -> Result<bool, StoreError> {
    Ok(reader.get_raw(Table::Meta, MARKER)?.is_some())
}

/// Empties `tables`, and says that they are to be filled.
pub(crate) fn clear(engine: &redb::Database, tables: &[Table]) -> Result<(), StoreError> {
    let transaction = engine.begin_write()?;
    for table in tables {
        transaction.delete_table(table.definition())?;
        transaction.open_table(table.definition())?;
    }
    let mut changes = Changes::new();
    changes.put_bytes(Table::Meta, Key::new().bytes(MARKER), Vec::new());
    write_rows(&transaction, changes)?;
    transaction.commit()?;
    Ok(())
}

/// Says that the tables are filled.
pub(crate) fn unmark(engine: &redb::Database) -> Result<(), StoreError> {
    let transaction = engine.begin_write()?;
    transaction.open_table(Table::Meta.definition())?.remove(MARKER)?;
    transaction.commit()?;
    Ok(())
}

/// Rows gathered for one transaction.
#[derive(Default)]
struct Batch {
    changes: Changes,
    block: u64,
    names: HashSet<String>,
}

impl Batch {
    /// The indexes that the journal itself keeps: names and correlations.
    fn index(&mut self, offset: u64, envelope: &Envelope, names: Vec<Cow<'static, str>>) {
        let correlation = &envelope.attribution.correlation_id;
        if envelope.seq == 1 && !is_own_interaction(correlation, envelope.stream) {
            let key = Key::new().text(correlation.as_str()).bytes(envelope.stream.as_bytes());
            self.changes.mark(Table::Correlations, key);
        }
        if offset / NAME_BLOCK != self.block {
            self.block = offset / NAME_BLOCK;
            self.names.clear();
        }
        for name in names {
            if self.names.insert(name.to_string()) {
                self.changes.mark(Table::Names, Key::new().text(&name).u64(self.block));
            }
        }
    }

    fn commit(&mut self, engine: &redb::Database) -> Result<(), StoreError> {
        let transaction = engine.begin_write()?;
        write_rows(&transaction, std::mem::take(&mut self.changes))?;
        transaction.commit()?;
        Ok(())
    }
}

impl Reader {
    /// A digest over every derived row: two stores with the same log have the same.
    pub fn derived_digest(&self) -> Result<Digest, StoreError> {
        let mut digest = Digest::of(b"");
        for table in Table::DERIVED {
            self.scan(table, &[], None, Order::Ascending, |key, value| {
                let parts = [digest.as_bytes().as_slice(), table.name().as_bytes(), key, value];
                let lengths: Vec<u8> =
                    parts.iter().flat_map(|part| (part.len() as u64).to_le_bytes()).collect();
                digest = Digest::of_parts(&[&lengths, parts[0], parts[1], parts[2], parts[3]]);
                Ok(true)
            })?;
        }
        Ok(digest)
    }
}
