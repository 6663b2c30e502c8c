//! Reading: one consistent view of the journal and its projections.
//!
//! Every row's checksum is verified on the way out, and panics of the engine on a damaged page are contained: only
//! [`view`] touches it. A reader never blocks the writer; it should be short-lived, because the database keeps what
//! it sees.

mod lists;
mod log;
mod view;

use std::ops::Bound;
use std::sync::Arc;

use crate::audit::tiles::Tiles;
use crate::database::Engine;
use crate::error::StoreError;
use crate::projection::{Cursor, Page, Row};
use crate::simulation::Rows;
use crate::tables::{Key, Table};
use view::View;

/// A consistent view of the node's data.
pub struct Reader(View);

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
        Self(View::of_engine(transaction, engine))
    }

    /// A view of rows in memory.
    pub(crate) fn of_rows(rows: Arc<Rows>) -> Self {
        Self(View::Memory(rows))
    }

    /// What is kept of the log's tiles, if anything is.
    pub(crate) fn tiles(&self) -> Option<&Tiles> {
        self.0.tiles()
    }

    /// The row of type `R` at `key`.
    pub fn get<R: Row>(&self, key: &Key) -> Result<Option<R>, StoreError> {
        self.get_raw(R::TABLE, key.as_bytes())?.map(|value| decode::<R>(&value)).transpose()
    }

    pub(crate) fn get_raw(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.look_at(table, key, <[u8]>::to_vec)
    }

    /// What `look` makes of the value at `key`, which is not copied for it.
    pub(crate) fn look_at<T>(
        &self,
        table: Table,
        key: &[u8],
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StoreError> {
        self.0.look_at(table, key, look)
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
        let mut before: Option<Vec<u8>> = None;
        self.0.each(table, (low, high), order, |key, value| {
            // A damaged branch page can lead to the wrong leaf, whose rows are intact.
            let in_order =
                key.starts_with(prefix) && before.as_deref().is_none_or(|it| order.admits(it, key));
            if !in_order {
                return Err(StoreError::Damaged(format!("table `{}` is out of order", table.name())));
            }
            let goes_on = visit(key, value)?;
            before.get_or_insert_default().clear();
            before.get_or_insert_default().extend_from_slice(key);
            Ok(goes_on)
        })
    }

    /// The first key below `prefix` behind the key `after`, in `order`.
    pub(crate) fn first_key(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        order: Order,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let mut first = None;
        self.scan(table, prefix, after, order, |key, _| {
            first = Some(key.to_vec());
            Ok(false)
        })?;
        Ok(first)
    }

    /// Every row of type `R`, in the order of their keys: for tables that are small by what they hold.
    pub fn all<R: Row>(&self) -> Result<Vec<R>, StoreError> {
        let mut rows = Vec::new();
        self.scan(R::TABLE, &[], None, Order::Ascending, |_, value| {
            rows.push(decode::<R>(value)?);
            Ok(true)
        })?;
        Ok(rows)
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
}

/// Collects a page and knows when it is full.
pub(crate) struct PageBuilder<T> {
    items: Vec<T>,
    limit: usize,
    seen: usize,
    last: Vec<u8>,
    more: bool,
}

impl<T> PageBuilder<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { items: Vec::new(), limit: limit.max(1), seen: 0, last: Vec::new(), more: false }
    }

    /// Takes the next row (`None` when it is filtered out). Answers whether another is wanted.
    pub(crate) fn offer(&mut self, key: &[u8], row: Option<T>) -> bool {
        if self.items.len() == self.limit || self.seen == SCAN_LIMIT {
            self.more = true;
            return false;
        }
        self.seen += 1;
        self.last = key.to_vec();
        self.items.extend(row);
        true
    }

    pub(crate) fn finish(self) -> Page<T> {
        Page { items: self.items, next: self.more.then_some(Cursor::from_bytes(self.last)) }
    }
}

/// Decodes a verified value.
pub(crate) fn decode<R: Row>(value: &[u8]) -> Result<R, StoreError> {
    postcard::from_bytes(value).map_err(|source| StoreError::UnreadableRow { table: R::TABLE.name(), source })
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
