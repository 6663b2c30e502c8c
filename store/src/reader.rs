//! Reading: one consistent view of the journal and its projections.
//!
//! Every row's checksum is verified on the way out. A reader never blocks the writer; it should be short-lived,
//! because the database keeps what it sees.

use std::ops::Bound;
use std::sync::Arc;

use crate::envelope::{self, Envelope};
use crate::error::StoreError;
use crate::ids::{RunId, StreamId};
use crate::projection::{ArtifactRow, Cursor, GateRow, Page, Row, RunFilter, RunRow, RunStatus, StepRow};
use crate::tables::{Key, Table, unseal};

/// A consistent view of the node's data.
pub struct Reader {
    transaction: redb::ReadTransaction,
    /// Keeps the engine alive for as long as the view is.
    _engine: Arc<redb::Database>,
}

/// Rows a list looks at for one page; a page that reaches it is short and has a next one.
pub const SCAN_LIMIT: usize = 20_000;

/// Which way a list goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first: newest first where keys are ordered by time.
    Descending,
}

/// A raw row: key and verified value.
pub(crate) type RawRow = (Vec<u8>, Vec<u8>);

impl Reader {
    pub(crate) fn new(transaction: redb::ReadTransaction, engine: Arc<redb::Database>) -> Self {
        Self { transaction, _engine: engine }
    }

    /// The row of type `R` at `key`.
    pub fn get<R: Row>(&self, key: &Key) -> Result<Option<R>, StoreError> {
        self.get_raw(R::TABLE, key.as_bytes())?.map(|value| decode::<R>(&value)).transpose()
    }

    pub(crate) fn get_raw(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = self.transaction.open_table(table.definition())?;
        match rows.get(key)? {
            Some(row) => Ok(Some(unseal(table, key, row.value())?.to_vec())),
            None => Ok(None),
        }
    }

    /// Calls `visit` with each key and verified value below `prefix`, from `after` on (not including it), until it
    /// answers `false`.
    pub(crate) fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        order: Order,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let rows = self.transaction.open_table(table.definition())?;
        let end = prefix_end(prefix);
        let mut low = Bound::Included(prefix);
        let mut high = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        match (order, after) {
            (Order::Ascending, Some(after)) if after >= prefix => low = Bound::Excluded(after),
            (Order::Descending, Some(after)) if end.as_deref().is_none_or(|end| after < end) => {
                high = Bound::Excluded(after);
            }
            _ => {}
        }
        if is_empty(low, high) {
            return Ok(());
        }
        let mut range = rows.range::<&[u8]>((low, high))?;
        let mut next = || match order {
            Order::Ascending => range.next(),
            Order::Descending => range.next_back(),
        };
        while let Some(entry) = next() {
            let (key, row) = entry?;
            if !visit(key.value(), unseal(table, key.value(), row.value())?)? {
                break;
            }
        }
        Ok(())
    }

    /// A page of rows of type `R` below `prefix` that `admit` lets through, in `order`.
    pub fn page<R: Row>(
        &self,
        prefix: &Key,
        order: Order,
        cursor: Option<&Cursor>,
        limit: usize,
        admit: impl Fn(&R) -> bool,
    ) -> Result<Page<R>, StoreError> {
        let mut page = PageBuilder::new(limit);
        self.scan(R::TABLE, prefix.as_bytes(), cursor.map(|c| c.0.as_slice()), order, |key, value| {
            let row = decode::<R>(value)?;
            let admitted = admit(&row).then_some(row);
            Ok(page.offer(key, admitted))
        })?;
        Ok(page.finish())
    }

    /// A page of rows of type `R` whose keys are the tails of index entries of `index` behind `prefix`.
    pub(crate) fn page_by_index<R: Row>(
        &self,
        index: Table,
        prefix: &Key,
        order: Order,
        cursor: Option<&Cursor>,
        limit: usize,
        admit: impl Fn(&R) -> bool,
    ) -> Result<Page<R>, StoreError> {
        let mut page = PageBuilder::new(limit);
        let skip = prefix.as_bytes().len();
        self.scan(index, prefix.as_bytes(), cursor.map(|c| c.0.as_slice()), order, |key, _| {
            let row: Option<R> = self.get(&Key::new().bytes(&key[skip..]))?;
            Ok(page.offer(key, row.filter(|row| admit(row))))
        })?;
        Ok(page.finish())
    }

    /// Runs, newest first.
    pub fn runs(
        &self,
        filter: &RunFilter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<RunRow>, StoreError> {
        let admit = |row: &RunRow| filter.admits(row);
        match filter.status {
            Some(status) => {
                let prefix = RunRow::status_prefix(status);
                self.page_by_index(Table::RunsByStatus, &prefix, Order::Descending, cursor, limit, admit)
            }
            None => self.page(&Key::new(), Order::Descending, cursor, limit, admit),
        }
    }

    /// Ids of up to `limit` runs that stand at `status`, oldest first, behind `after`.
    pub fn run_ids(
        &self,
        status: RunStatus,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunId>, StoreError> {
        let prefix = RunRow::status_prefix(status);
        let after = after.map(|id| prefix.clone().bytes(id.as_bytes()).into_bytes());
        let mut ids = Vec::new();
        self.scan(Table::RunsByStatus, prefix.as_bytes(), after.as_deref(), Order::Ascending, |key, _| {
            ids.extend(tail_id(key).map(RunId::from));
            Ok(ids.len() < limit)
        })?;
        Ok(ids)
    }

    /// Steps and items of `run_id`, in the plan's order.
    pub fn steps(
        &self,
        run_id: RunId,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<StepRow>, StoreError> {
        let prefix = Key::new().bytes(run_id.as_bytes());
        self.page(&prefix, Order::Ascending, cursor, limit, |_| true)
    }

    /// Gates that people can answer, oldest run first.
    pub fn open_gates(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page<GateRow>, StoreError> {
        self.page_by_index(Table::GatesOpen, &Key::new(), Order::Ascending, cursor, limit, |_| true)
    }

    /// Artifacts of `run_id`, or all of them newest first.
    pub fn artifacts(
        &self,
        run_id: Option<RunId>,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<ArtifactRow>, StoreError> {
        match run_id {
            Some(run_id) => {
                let prefix = ArtifactRow::run_prefix(run_id);
                self.page_by_index(Table::ArtifactsByRun, &prefix, Order::Ascending, cursor, limit, |_| true)
            }
            None => self.page(&Key::new(), Order::Descending, cursor, limit, |_| true),
        }
    }

    /// The envelope at `offset` of the log.
    pub fn envelope(&self, offset: u64) -> Result<Option<Envelope>, StoreError> {
        let bytes = self.get_raw(Table::Log, &offset.to_be_bytes())?;
        bytes.map(|bytes| open(offset, &bytes)).transpose()
    }

    /// Calls `visit` with each envelope from `offset` on, until it answers `false`.
    pub fn log(
        &self,
        from: u64,
        order: Order,
        mut visit: impl FnMut(u64, Envelope) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let after = match order {
            Order::Ascending => from.checked_sub(1).map(u64::to_be_bytes),
            Order::Descending => from.checked_add(1).map(u64::to_be_bytes),
        };
        self.scan(Table::Log, &[], after.as_ref().map(<[u8; 8]>::as_slice), order, |key, value| {
            let offset = offset_of(key)?;
            visit(offset, open(offset, value)?)
        })
    }

    /// The envelopes of `stream` behind `after_seq` (0 for all), at most `limit`, oldest first, with their offsets.
    pub fn stream(
        &self,
        stream: StreamId,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Envelope)>, StoreError> {
        let prefix = Key::new().bytes(stream.as_bytes());
        let after = prefix.clone().u64(after_seq);
        let mut offsets = Vec::new();
        self.scan(Table::Streams, prefix.as_bytes(), Some(after.as_bytes()), Order::Ascending, |_, value| {
            offsets.push(offset_of(value)?);
            Ok(offsets.len() < limit)
        })?;
        let envelope = |offset| {
            let found = self.envelope(offset)?;
            let missing = || StoreError::Inconsistent(format!("stream {stream} names entry {offset}, which is missing"));
            Ok((offset, found.ok_or_else(missing)?))
        };
        offsets.into_iter().map(envelope).collect()
    }
}

/// Collects a page and knows when it is full.
struct PageBuilder<T> {
    items: Vec<T>,
    limit: usize,
    seen: usize,
    last: Vec<u8>,
    more: bool,
}

impl<T> PageBuilder<T> {
    fn new(limit: usize) -> Self {
        Self { items: Vec::new(), limit: limit.max(1), seen: 0, last: Vec::new(), more: false }
    }

    /// Takes the next row (`None` when it is filtered out). Answers whether another is wanted.
    fn offer(&mut self, key: &[u8], row: Option<T>) -> bool {
        if self.items.len() == self.limit || self.seen == SCAN_LIMIT {
            self.more = true;
            return false;
        }
        self.seen += 1;
        self.last = key.to_vec();
        self.items.extend(row);
        true
    }

    fn finish(self) -> Page<T> {
        Page { items: self.items, next: self.more.then_some(Cursor(self.last)) }
    }
}

/// Decodes a verified value.
pub(crate) fn decode<R: Row>(value: &[u8]) -> Result<R, StoreError> {
    postcard::from_bytes(value).map_err(|source| StoreError::UnreadableRow { table: R::TABLE.name(), source })
}

fn open(offset: u64, bytes: &[u8]) -> Result<Envelope, StoreError> {
    envelope::decode(bytes).map_err(|source| StoreError::Envelope { offset, source })
}

pub(crate) fn offset_of(bytes: &[u8]) -> Result<u64, StoreError> {
    let bytes = <[u8; 8]>::try_from(bytes);
    bytes.map(u64::from_be_bytes).map_err(|_| StoreError::Inconsistent("an offset is not eight bytes".into()))
}

fn tail_id(key: &[u8]) -> Option<uuid::Uuid> {
    key.last_chunk::<16>().map(|bytes| uuid::Uuid::from_bytes(*bytes))
}

/// The smallest key behind all that begin with `prefix`; none when there is no such key.
fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn is_empty(low: Bound<&[u8]>, high: Bound<&[u8]>) -> bool {
    match (low, high) {
        (Bound::Included(low), Bound::Excluded(high)) => low >= high,
        (Bound::Excluded(low), Bound::Excluded(high)) => low >= high,
        _ => false,
    }
}
