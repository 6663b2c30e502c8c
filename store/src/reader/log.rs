//! Reading the log: in its order, by stream, by interaction, by the names of its events.

use super::{Order, Reader, offset_of, tail_id};
use crate::envelope::{self, Envelope};
use crate::error::StoreError;
use crate::ids::StreamId;
use crate::tables::{Key, Table};

impl Reader {
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

    /// Calls `visit` with the verified bytes of each entry from `offset` on, until it answers `false`.
    pub(crate) fn log_bytes(
        &self,
        from: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let after = from.checked_sub(1).map(u64::to_be_bytes);
        let after = after.as_ref().map(<[u8; 8]>::as_slice);
        self.scan(Table::Log, &[], after, Order::Ascending, |key, value| visit(offset_of(key)?, value))
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

    /// Streams that began in the interaction `correlation_id`, at most `limit`.
    pub fn correlated(&self, correlation_id: &str, limit: usize) -> Result<Vec<StreamId>, StoreError> {
        let prefix = Key::new().text(correlation_id);
        // What began the interaction may have given it its name; it then has no row.
        let mut streams: Vec<StreamId> = correlation_id.parse().into_iter().collect();
        self.scan(Table::Correlations, prefix.as_bytes(), None, Order::Ascending, |key, _| {
            streams.extend(tail_id(key).map(StreamId::from));
            Ok(streams.len() < limit)
        })?;
        Ok(streams)
    }

    /// Blocks of the log that hold an event whose name begins with `prefix` and `matches`, ascending.
    pub fn blocks_named(&self, prefix: &str, matches: impl Fn(&str) -> bool) -> Result<Vec<u64>, StoreError> {
        let mut blocks = Vec::new();
        self.scan(Table::Names, prefix.as_bytes(), None, Order::Ascending, |key, _| {
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
}

fn open(offset: u64, bytes: &[u8]) -> Result<Envelope, StoreError> {
    envelope::decode(bytes).map_err(|source| StoreError::Envelope { offset, source })
}
