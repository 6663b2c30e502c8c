//! One transaction: sequence checks, claims, rows, and the head with its Merkle frontier.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::{AppendError, Prepared, Receipt, Request, WriterOptions};
use crate::audit::merkle::Frontier;
use crate::blobs::{Room, index};
use crate::error::StoreError;
use crate::ids::StreamId;
use crate::projection::{Change, Changes, ClaimRow, Row};
use crate::reader::{Reader, decode};
use crate::tables::{Key, NAME_BLOCK, Table, seal, unseal};

const HEAD_KEY: &[u8] = b"head";
/// Stream heads kept in memory; past it they are forgotten and read again when needed.
const HEADS_LIMIT: usize = 16_384;

/// Where the log ends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Number of entries; the offset of the next.
    pub(crate) len: u64,
    /// The audit tree over all entries.
    pub(crate) frontier: Frontier,
}

impl Head {
    pub(crate) fn read(reader: &Reader) -> Result<Self, StoreError> {
        match reader.get_raw(Table::Meta, HEAD_KEY)? {
            Some(bytes) => postcard::from_bytes(&bytes)
                .map_err(|source| StoreError::UnreadableRow { table: Table::Meta.name(), source }),
            None => Ok(Self::default()),
        }
    }
}

/// The writer's memory between transactions. Nothing in it outlives a failed commit.
pub(super) struct Ledger {
    head: Head,
    streams: HashMap<StreamId, u64>,
    /// Names that the current block of the index holds already.
    block: u64,
    names: HashSet<String>,
}

/// The rows of one transaction, gathered so that each table is opened once and written in key order.
type Rows = Vec<Change>;

impl Ledger {
    pub(super) fn new(head: Head) -> Self {
        let block = head.len / NAME_BLOCK;
        Self { head, streams: HashMap::new(), block, names: HashSet::new() }
    }

    pub(super) fn len(&self) -> u64 {
        self.head.len
    }

    /// Commits every request that is in order and answers each.
    pub(super) fn commit(
        &mut self,
        engine: &redb::Database,
        batch: &mut [Request],
        options: &WriterOptions,
    ) -> Result<Vec<Result<Receipt, AppendError>>, StoreError> {
        if self.streams.len() > HEADS_LIMIT {
            self.streams.clear();
        }
        let mut transaction = engine.begin_write()?;
        transaction.set_quick_repair(options.quick_repair);
        let mut room = Room::of(&options.quota);
        let mut rows = Rows::new();
        let mut claimed = HashMap::new();
        let mut answers = Vec::with_capacity(batch.len());
        for request in batch.iter_mut() {
            answers.push(match self.refusal(&transaction, request, &claimed, &mut room) {
                Ok(None) => Ok(self.accept(request, &mut claimed, &mut rows)),
                Ok(Some(refusal)) => Err(refusal),
                // A damaged row is the trouble of those who need it, not of the whole batch.
                Err(error @ (StoreError::DamagedRow(_) | StoreError::UnreadableRow { .. })) => {
                    Err(AppendError::Unavailable(Arc::new(error)))
                }
                Err(error) => return Err(error),
            });
        }
        if rows.is_empty() {
            transaction.abort()?;
            return Ok(answers);
        }
        let head = postcard::to_stdvec(&self.head)
            .map_err(|source| StoreError::UnreadableRow { table: Table::Meta.name(), source })?;
        put(&mut rows, Table::Meta, HEAD_KEY.to_vec(), head);
        let grown = write_rows(&transaction, Changes(rows))?;
        index::count(&transaction, grown)?;
        transaction.commit()?;
        room.keep(grown.try_into().unwrap_or(0));
        Ok(answers)
    }

    /// Why `request` cannot be accepted, if it cannot.
    fn refusal(
        &mut self,
        transaction: &WriteTransaction,
        request: &Request,
        claimed: &HashMap<String, ClaimRow>,
        room: &mut Room,
    ) -> Result<Option<AppendError>, StoreError> {
        if let Some(claim) = &request.claim {
            let earlier = match claimed.get(&claim.key) {
                Some(earlier) => Some(earlier.clone()),
                None => stored_claim(transaction, &claim.key)?,
            };
            let now = request.entries.first().map(|entry| entry.at).unwrap_or_default();
            if let Some(earlier) = earlier.filter(|earlier| earlier.expires_at > now) {
                return Ok(Some(AppendError::Claimed(Box::new(earlier))));
            }
        }
        for (index, entry) in request.entries.iter().enumerate() {
            let earlier = request.entries[..index].iter().rfind(|earlier| earlier.stream == entry.stream);
            let actual = match earlier {
                Some(earlier) => earlier.expected + 1,
                None => self.stream_head(transaction, entry.stream)?,
            };
            if actual != entry.expected {
                let (stream, expected) = (entry.stream, entry.expected);
                return Ok(Some(AppendError::Conflict { stream, expected, actual }));
            }
        }
        let refusal = index::refusal(transaction, &request.changes, room)?;
        Ok(refusal.map(|error| AppendError::Unavailable(Arc::new(error.into()))))
    }

    fn stream_head(&mut self, transaction: &WriteTransaction, stream: StreamId) -> Result<u64, StoreError> {
        if let Some(&head) = self.streams.get(&stream) {
            return Ok(head);
        }
        let rows = transaction.open_table(Table::Streams.definition())?;
        let first = Key::new().bytes(stream.as_bytes()).u64(0);
        let last = Key::new().bytes(stream.as_bytes()).u64(u64::MAX);
        let mut range = rows.range::<&[u8]>(first.as_bytes()..=last.as_bytes())?;
        let head = match range.next_back().transpose()? {
            Some((key, row)) => {
                unseal(Table::Streams, key.value(), row.value())?;
                key.value().last_chunk::<8>().map_or(0, |seq| u64::from_be_bytes(*seq))
            }
            None => 0,
        };
        Ok(*self.streams.entry(stream).or_insert(head))
    }

    /// Gives `request` its offsets and gathers its rows.
    fn accept(
        &mut self,
        request: &mut Request,
        claimed: &mut HashMap<String, ClaimRow>,
        rows: &mut Rows,
    ) -> Receipt {
        let receipt = Receipt { offset: self.head.len };
        for entry in request.entries.drain(..) {
            self.enter(entry, rows);
        }
        index::settle(&mut request.changes);
        rows.append(&mut request.changes.0);
        if let Some(claim) = request.claim.take() {
            let mut changes = Changes::new();
            changes.put(&claim);
            rows.extend(changes.0);
            claimed.insert(claim.key.clone(), claim);
        }
        receipt
    }

    fn enter(&mut self, entry: Prepared, rows: &mut Rows) {
        let offset = self.head.len;
        let seq = entry.expected + 1;
        self.head.len += 1;
        self.head.frontier.push(entry.leaf);
        self.streams.insert(entry.stream, seq);
        let is_own_interaction = entry.is_own_interaction();
        put(rows, Table::Log, offset.to_be_bytes().to_vec(), entry.sealed.into_bytes());
        let position = Key::new().bytes(entry.stream.as_bytes()).u64(seq);
        put(rows, Table::Streams, position.into_bytes(), offset.to_be_bytes().to_vec());
        if seq == 1 && !is_own_interaction {
            let key = Key::new().text(entry.correlation_id.as_str()).bytes(entry.stream.as_bytes());
            put(rows, Table::Correlations, key.into_bytes(), Vec::new());
        }
        if offset / NAME_BLOCK != self.block {
            self.block = offset / NAME_BLOCK;
            self.names.clear();
        }
        for name in entry.names {
            if !self.names.contains(&*name) {
                let key = Key::new().text(&name).u64(self.block);
                put(rows, Table::Names, key.into_bytes(), Vec::new());
                self.names.insert(name.into_owned());
            }
        }
    }
}

fn put(rows: &mut Rows, table: Table, key: Vec<u8>, value: Vec<u8>) {
    let value = Some(seal(table, &key, value));
    rows.push(Change { table, key, value });
}

fn stored_claim(transaction: &WriteTransaction, key: &str) -> Result<Option<ClaimRow>, StoreError> {
    let rows = transaction.open_table(Table::Claims.definition())?;
    let key = ClaimRow::key_of(key);
    match rows.get(key.as_bytes())? {
        Some(row) => decode::<ClaimRow>(unseal(ClaimRow::TABLE, key.as_bytes(), row.value())?).map(Some),
        None => Ok(None),
    }
}

/// Writes rows table by table in key order; of several changes to one key the last one counts. Answers by how many
/// bytes the blobs in the database grew.
pub(crate) fn write_rows(transaction: &WriteTransaction, changes: Changes) -> Result<i64, StoreError> {
    let Changes(mut rows) = changes;
    let mut grown = 0;
    // Stable: changes to one key keep their order.
    rows.sort_by(|a, b| (a.table, &a.key).cmp(&(b.table, &b.key)));
    for group in rows.chunk_by(|a, b| a.table == b.table) {
        let mut table = transaction.open_table(group[0].table.definition())?;
        for changes in group.chunk_by(|a, b| a.key == b.key) {
            let Some(change) = changes.last() else { continue };
            let old = match &change.value {
                Some(value) => table.insert(change.key.as_slice(), value.as_slice())?,
                None => table.remove(change.key.as_slice())?,
            };
            if matches!(change.table, Table::Blobs | Table::Manifests) {
                let old = old.map_or(0, |old| old.value().len());
                grown += change.value.as_ref().map_or(0, Vec::len) as i64 - old as i64;
            }
        }
    }
    Ok(grown)
}
