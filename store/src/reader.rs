//! Reading: one consistent view of the journal and its projections.
//!
//! Every row's checksum is verified on the way out, and panics of the engine on a damaged page are contained here:
//! only [`Reader::get_raw`] and [`Reader::scan`] touch it. A reader never blocks the writer; it should be
//! short-lived, because the database keeps what it sees.

use std::ops::Bound;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::Engine;
use crate::envelope::{self, Envelope};
use crate::error::StoreError;
use crate::ids::{RunId, StreamId};
use crate::projection::{
    ArtifactRow, Cursor, GateRow, IntentRow, Page, Row, RunFilter, RunRow, StepRow, TimerRow,
};
use crate::tables::{Key, Table, unseal};

/// A consistent view of the node's data.
pub struct Reader {
    /// Gone only while the reader is dropped.
    transaction: Option<redb::ReadTransaction>,
    /// Also kept alive for as long as the view is.
    engine: Arc<Engine>,
}

type Rows = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

impl Drop for Reader {
    /// An engine that panicked may panic again when it is told that nobody reads any more.
    fn drop(&mut self) {
        let transaction = self.transaction.take();
        // What failed marks the engine; there is nobody to tell.
        let _ = self.engine.guard(|| {
            drop(transaction);
            Ok(())
        });
    }
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

impl Order {
    /// Whether `next` may come after `key`.
    fn admits(self, key: &[u8], next: &[u8]) -> bool {
        match self {
            Self::Ascending => key < next,
            Self::Descending => key > next,
        }
    }
}

impl Reader {
    pub(crate) fn new(transaction: redb::ReadTransaction, engine: Arc<Engine>) -> Self {
        Self { transaction: Some(transaction), engine }
    }

    fn open(&self, table: Table) -> Result<Rows, StoreError> {
        let transaction = self.transaction.as_ref().expect("the transaction is taken by drop alone");
        Ok(transaction.open_table(table.definition())?)
    }

    /// The row of type `R` at `key`.
    pub fn get<R: Row>(&self, key: &Key) -> Result<Option<R>, StoreError> {
        self.get_raw(R::TABLE, key.as_bytes())?.map(|value| decode::<R>(&value)).transpose()
    }

    pub(crate) fn get_raw(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.engine.guard(|| {
            let rows = self.open(table)?;
            match rows.get(key)? {
                Some(row) => Ok(Some(unseal(table, key, row.value())?.to_vec())),
                None => Ok(None),
            }
        })
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
        let mut range = self.engine.guard(|| {
            let rows = self.open(table)?;
            Ok(rows.range::<&[u8]>((low, high))?)
        })?;
        let mut before: Option<Vec<u8>> = None;
        loop {
            let entry = self.engine.guard(|| {
                let next = match order {
                    Order::Ascending => range.next(),
                    Order::Descending => range.next_back(),
                };
                Ok(next.transpose()?)
            })?;
            let Some((key, row)) = entry else { return Ok(()) };
            let (key, value) =
                self.engine.guard(|| Ok((key.value(), unseal(table, key.value(), row.value())?)))?;
            // A damaged branch page can lead to the wrong leaf, whose rows are intact.
            let in_order =
                key.starts_with(prefix) && before.as_deref().is_none_or(|it| order.admits(it, key));
            if !in_order {
                return Err(StoreError::Damaged(format!("table `{}` is out of order", table.name())));
            }
            if !visit(key, value)? {
                return Ok(());
            }
            before.get_or_insert_default().clear();
            before.get_or_insert_default().extend_from_slice(key);
        }
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
        self.scan(R::TABLE, prefix.as_bytes(), cursor.map(Cursor::as_bytes), order, |key, value| {
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
        self.scan(index, prefix.as_bytes(), cursor.map(Cursor::as_bytes), order, |key, _| {
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

    /// Ids of up to `limit` runs that are under way or not begun, oldest first, behind `after`.
    pub fn active_runs(&self, after: Option<RunId>, limit: usize) -> Result<Vec<RunId>, StoreError> {
        let mut ids = Vec::new();
        let after = after.as_ref().map(|id| id.as_bytes().as_slice());
        self.scan(Table::RunsActive, &[], after, Order::Ascending, |key, _| {
            ids.extend(tail_id(key).map(RunId::from));
            Ok(ids.len() < limit)
        })?;
        Ok(ids)
    }

    /// Timers due at `now` or before, earliest first, at most `limit`.
    pub fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<TimerRow>, StoreError> {
        let mut due = Vec::new();
        self.scan(Table::Timers, &[], None, Order::Ascending, |_, value| {
            let timer = decode::<TimerRow>(value)?;
            let is_due = timer.due <= now;
            due.extend(is_due.then_some(timer));
            Ok(is_due && due.len() < limit)
        })?;
        Ok(due)
    }

    /// When the earliest timer is due.
    pub fn next_timer(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut next = None;
        self.scan(Table::Timers, &[], None, Order::Ascending, |_, value| {
            next = Some(decode::<TimerRow>(value)?.due);
            Ok(false)
        })?;
        Ok(next)
    }

    /// Patterns that gates wait for, each once.
    pub fn awaited_patterns(&self) -> Result<Vec<String>, StoreError> {
        let mut patterns = Vec::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let mut found = None;
            self.scan(Table::EventWaits, &[], after.as_deref(), Order::Ascending, |key, _| {
                found = key.iter().position(|&byte| byte == 0).map(|end| key[..end].to_vec());
                Ok(false)
            })?;
            let Some(pattern) = found else { return Ok(patterns) };
            // Skips all other waits for the same pattern.
            after = Some([pattern.as_slice(), &[1]].concat());
            patterns.extend(String::from_utf8(pattern));
        }
    }

    /// Up to `limit` runs with a gate that waits for `pattern`, behind `after`; each once for each gate.
    pub fn runs_awaiting(
        &self,
        pattern: &str,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunId>, StoreError> {
        let prefix = GateRow::wait_prefix(pattern);
        let after = after.map(|id| prefix.clone().bytes(id.as_bytes()).u64(u64::MAX).into_bytes());
        let mut runs = Vec::new();
        self.scan(Table::EventWaits, prefix.as_bytes(), after.as_deref(), Order::Ascending, |key, _| {
            let id = key.get(prefix.as_bytes().len()..).and_then(|rest| rest.first_chunk::<16>());
            runs.extend(id.map(|bytes| RunId::from(uuid::Uuid::from_bytes(*bytes))));
            runs.dedup();
            Ok(runs.len() < limit)
        })?;
        Ok(runs)
    }

    /// How far `follower` of the log has come; 0 for one that never began.
    pub fn position(&self, follower: &str) -> Result<u64, StoreError> {
        let found = self.get_raw(Table::Positions, Key::new().text(follower).as_bytes())?;
        found.map_or(Ok(0), |bytes| offset_of(&bytes))
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

    /// Intents that wait for approvals, oldest first.
    pub fn parked_intents(
        &self,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<IntentRow>, StoreError> {
        self.page_by_index(Table::IntentsParked, &Key::new(), Order::Ascending, cursor, limit, |_| true)
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

    /// Sequence of the last entry of `stream`; 0 when it has none.
    pub fn last_seq(&self, stream: StreamId) -> Result<u64, StoreError> {
        let prefix = Key::new().bytes(stream.as_bytes());
        let mut seq = 0;
        self.scan(Table::Streams, prefix.as_bytes(), None, Order::Descending, |key, _| {
            seq = key.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            Ok(false)
        })?;
        Ok(seq)
    }

    /// Offsets of the entries of `stream`, oldest first, at most `limit`.
    pub fn stream_offsets(&self, stream: StreamId, limit: usize) -> Result<Vec<u64>, StoreError> {
        let mut offsets = Vec::new();
        self.scan(Table::Streams, stream.as_bytes(), None, Order::Ascending, |_, value| {
            offsets.push(offset_of(value)?);
            Ok(offsets.len() < limit)
        })?;
        Ok(offsets)
    }

    /// Streams that began in the interaction `correlation_id`, at most `limit`.
    pub fn correlated(&self, correlation_id: &str, limit: usize) -> Result<Vec<StreamId>, StoreError> {
        let prefix = Key::new().text(correlation_id);
        let mut streams = Vec::new();
        self.scan(Table::Correlations, prefix.as_bytes(), None, Order::Ascending, |key, _| {
            streams.extend(tail_id(key).map(StreamId::from));
            Ok(streams.len() < limit)
        })?;
        Ok(streams)
    }

    /// Blocks of the log that hold an event whose name `matches`, ascending.
    pub fn blocks_named(&self, matches: impl Fn(&str) -> bool) -> Result<Vec<u64>, StoreError> {
        let mut blocks = Vec::new();
        self.scan(Table::Names, &[], None, Order::Ascending, |key, _| {
            if let Some((name, block)) = key.split_last_chunk::<8>()
                && std::str::from_utf8(&name[..name.len().saturating_sub(1)]).is_ok_and(&matches)
            {
                blocks.push(u64::from_be_bytes(*block));
            }
            Ok(true)
        })?;
        blocks.sort_unstable();
        blocks.dedup();
        Ok(blocks)
    }

    /// Whether `timer` is still set.
    pub fn has_timer(&self, timer: &TimerRow) -> Result<bool, StoreError> {
        Ok(self.get::<TimerRow>(&timer.key())?.is_some())
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
        self.scan(
            Table::Streams,
            prefix.as_bytes(),
            Some(after.as_bytes()),
            Order::Ascending,
            |_, value| {
                offsets.push(offset_of(value)?);
                Ok(offsets.len() < limit)
            },
        )?;
        let envelope = |offset| {
            let found = self.envelope(offset)?;
            let missing = || {
                StoreError::Inconsistent(format!("stream {stream} names entry {offset}, which is missing"))
            };
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
        Page { items: self.items, next: self.more.then_some(Cursor::from_bytes(self.last)) }
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
