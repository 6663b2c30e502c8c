//! Reading the journal as events: pages newest first, one by id, and following oldest first.

mod position;

use std::collections::BTreeSet;

use xyn_store::envelope::Envelope;
use xyn_store::ids::{EventId, RunId, StreamId};
use xyn_store::projection::{Cursor, Page};
use xyn_store::tables::NAME_BLOCK;
use xyn_store::{Order, Reader, StoreError, Timestamp};

use crate::blueprint::EventPattern;
use crate::record::{self, EventView};

pub use position::{InvalidPosition, Position};

/// Which events are shown. Empty shows all.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only events of this name or pattern.
    pub name: Option<EventPattern>,
    /// Only events about this run.
    pub run_id: Option<RunId>,
    /// Only events of this interaction.
    pub correlation_id: Option<String>,
    /// Only events recorded at or after.
    pub since: Option<Timestamp>,
    /// Only events recorded before.
    pub until: Option<Timestamp>,
}

impl EventFilter {
    /// Whether `event` is shown.
    pub fn admits(&self, event: &EventView) -> bool {
        self.name.as_ref().is_none_or(|name| name.matches(&event.event_name))
            && self.run_id.is_none_or(|run| event.run_id == Some(run))
            && self.correlation_id.as_ref().is_none_or(|id| event.correlation_id == *id)
            && self.since.is_none_or(|since| event.occurred_at >= since)
            && self.until.is_none_or(|until| event.occurred_at < until)
    }
}

/// Entries looked at for one page; a page that reaches it is short and has a next one.
const SCAN_LIMIT: usize = 10_000;

/// A page of events, newest first. A cursor that is not one of events gives the first page.
pub fn page(
    reader: &Reader,
    filter: &EventFilter,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<Page<EventView>, StoreError> {
    let from = cursor.and_then(Position::of);
    let mut search = Search { reader, filter, from, limit, page: Page { items: Vec::new(), next: None } };
    match candidates(reader, filter)? {
        Candidates::All => search.everywhere()?,
        Candidates::Offsets(offsets) => search.entries(&offsets)?,
        Candidates::Blocks(blocks) => search.blocks(&blocks)?,
    }
    Ok(search.page)
}

/// Entries that are looked at for the newest events of some names, in blocks that hold such an event.
const NEWEST: u64 = 1_500;

/// The newest events of `names`, at most `limit`: a short pass over the blocks that hold one, however far back.
pub fn newest(reader: &Reader, names: &[EventPattern], limit: usize) -> Result<Vec<EventView>, StoreError> {
    let mut blocks = BTreeSet::new();
    for name in names {
        blocks.extend(reader.blocks_named(name.prefix(), |known| name.matches(known))?);
    }
    let fits = |view: &EventView| names.iter().any(|name| name.matches(&view.event_name));
    let mut found = Vec::new();
    for block in blocks.into_iter().rev().take(NEWEST.div_ceil(NAME_BLOCK) as usize) {
        let first = block * NAME_BLOCK;
        reader.log(first + NAME_BLOCK - 1, Order::Descending, |offset, envelope| {
            if offset >= first {
                found.extend(record::views(offset, &envelope)?.into_iter().rev().filter(fits));
            }
            Ok(offset > first && found.len() < limit)
        })?;
        if found.len() >= limit {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// A page being filled.
struct Search<'s> {
    reader: &'s Reader,
    filter: &'s EventFilter,
    /// The page holds what lies before it.
    from: Option<Position>,
    limit: usize,
    page: Page<EventView>,
}

impl Search<'_> {
    /// Takes what fits of an entry; answers whether there is room for more.
    fn take(&mut self, offset: u64, envelope: &Envelope) -> Result<bool, StoreError> {
        for (index, record) in record::decode(offset, envelope)?.iter().enumerate().rev() {
            let position = Position { offset, index: index as u32 };
            if self.from.is_some_and(|from| position >= from) {
                continue;
            }
            let view = record.view(offset, index, envelope);
            if self.filter.admits(&view) {
                self.page.items.push(view);
                if self.page.items.len() == self.limit {
                    self.page.next = Some(position.cursor());
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn everywhere(&mut self) -> Result<(), StoreError> {
        let start = self.from.map_or(u64::MAX, |from| from.offset);
        let (mut seen, mut last) = (0, None);
        let reader = self.reader;
        reader.log(start, Order::Descending, |offset, envelope| {
            if self.filter.since.is_some_and(|since| envelope.at < since) {
                return Ok(false);
            }
            seen += 1;
            last = (seen >= SCAN_LIMIT).then_some(offset);
            Ok(self.take(offset, &envelope)? && last.is_none())
        })?;
        if self.page.next.is_none() {
            self.page.next = last.map(|offset| Position { offset, index: 0 }.cursor());
        }
        Ok(())
    }

    fn entries(&mut self, offsets: &[u64]) -> Result<(), StoreError> {
        for offset in offsets.iter().copied().rev() {
            if self.from.is_some_and(|from| offset > from.offset) {
                continue;
            }
            if let Some(envelope) = self.reader.envelope(offset)?
                && !self.take(offset, &envelope)?
            {
                break;
            }
        }
        Ok(())
    }

    fn blocks(&mut self, blocks: &[u64]) -> Result<(), StoreError> {
        let (reader, mut seen) = (self.reader, 0);
        for block in blocks.iter().rev() {
            let first = block * NAME_BLOCK;
            let last = first + NAME_BLOCK - 1;
            if self.from.is_some_and(|from| from.offset < first) {
                continue;
            }
            let start = self.from.map_or(last, |from| from.offset.min(last));
            let mut has_room = true;
            reader.log(start, Order::Descending, |offset, envelope| {
                if offset < first {
                    return Ok(false);
                }
                seen += 1;
                has_room = self.take(offset, &envelope)?;
                Ok(has_room)
            })?;
            if !has_room {
                break;
            }
            if seen >= SCAN_LIMIT {
                self.page.next = Some(Position { offset: first, index: 0 }.cursor());
                break;
            }
        }
        Ok(())
    }
}

/// Where the events of a filter may be.
enum Candidates {
    /// Anywhere.
    All,
    /// In these entries, ascending.
    Offsets(Vec<u64>),
    /// In these blocks of entries, ascending.
    Blocks(Vec<u64>),
}

/// Entries of one interaction or run that a page looks at.
const ENTRY_LIMIT: usize = 10_000;

fn candidates(reader: &Reader, filter: &EventFilter) -> Result<Candidates, StoreError> {
    if let Some(run) = filter.run_id {
        let stream = StreamId::from(uuid::Uuid::from(run));
        return Ok(Candidates::Offsets(reader.stream_offsets(stream, ENTRY_LIMIT)?));
    }
    if let Some(correlation) = &filter.correlation_id {
        let mut offsets = Vec::new();
        for stream in reader.correlated(correlation, ENTRY_LIMIT)? {
            offsets.extend(reader.stream_offsets(stream, ENTRY_LIMIT)?);
        }
        offsets.sort_unstable();
        return Ok(Candidates::Offsets(offsets));
    }
    match &filter.name {
        Some(pattern) => {
            Ok(Candidates::Blocks(reader.blocks_named(pattern.prefix(), |name| pattern.matches(name))?))
        }
        None => Ok(Candidates::All),
    }
}

/// The event with this id.
pub fn find(reader: &Reader, id: EventId) -> Result<Option<EventView>, StoreError> {
    if let Some((offset, index)) = id.place()
        && let Some(envelope) = reader.envelope(offset)?
        && let Some(record) = record::decode(offset, &envelope)?.get(usize::from(index))
    {
        let view = record.view(offset, usize::from(index), &envelope);
        if view.event_id == id {
            return Ok(Some(view));
        }
    }
    for (offset, envelope) in reader.stream(record::stream_of(id), 0, 1)? {
        let views = record::views(offset, &envelope)?;
        if let Some(view) = views.into_iter().find(|view| view.event_id == id) {
            return Ok(Some(view));
        }
    }
    Ok(None)
}

/// Events from `from` on, oldest first, at most `limit`, each with its place; and where to go on.
pub fn after(
    reader: &Reader,
    filter: &EventFilter,
    from: Position,
    limit: usize,
) -> Result<(Vec<(Position, EventView)>, Position), StoreError> {
    let (mut events, mut next, mut seen) = (Vec::new(), from, 0);
    reader.log(from.offset, Order::Ascending, |offset, envelope| {
        for (index, record) in record::decode(offset, &envelope)?.iter().enumerate() {
            let position = Position { offset, index: index as u32 };
            if position < from {
                continue;
            }
            let view = record.view(offset, index, &envelope);
            if filter.admits(&view) {
                events.push((position, view));
                if events.len() == limit {
                    next = position.next();
                    return Ok(false);
                }
            }
        }
        next = Position { offset: offset + 1, index: 0 };
        seen += 1;
        Ok(seen < SCAN_LIMIT)
    })?;
    Ok((events, next))
}
