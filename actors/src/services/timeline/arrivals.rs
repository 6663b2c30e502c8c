//! Moments in the order in which they came to this node: what a screen that stays open is told.
//!
//! Time is no such order, for what others did a week ago arrives today. The journal is: each place in it is the place
//! of a moment of this node's own, or of a record that came in. Invariant: whoever goes on behind a place gets every
//! moment behind it once, whatever came in between.

use xyn_store::timeline::entry::Entry;
use xyn_store::{Order, Reader, StoreError};

use super::Event;
use crate::events::Position;
use crate::record::{self, Record};
use crate::services::mesh;

/// Entries of the journal looked at in one go.
const SCAN_LIMIT: usize = 10_000;

/// Moments that came from `from` on, at most `limit`, each with its place; and where to go on. What does not count
/// any more is left out.
pub fn arrivals(
    reader: &Reader,
    from: Position,
    limit: usize,
) -> Result<(Vec<(Position, Entry)>, Position), StoreError> {
    let (mut found, mut next, mut seen) = (Vec::new(), from, 0);
    reader.log(from.offset, Order::Ascending, |offset, envelope| {
        let mut at = Position { offset, index: 0 };
        for record in record::decode(offset, &envelope)? {
            let is_full = match record {
                Record::Timeline(Event::EntryAdded(added)) => {
                    let entry = if at >= from { reader.entry(added.entry_id)? } else { None };
                    found.extend(entry.map(|entry| (at, entry)));
                    at = at.next();
                    found.len() >= limit
                }
                Record::Mesh(event) => {
                    let mesh::Event::Admitted(span) = *event else { continue };
                    let mut records = span.first..=span.last;
                    loop {
                        let Some(seq) = records.next() else { break false };
                        let entry = if at >= from { reader.entry_in(&span.feed, seq)? } else { None };
                        found.extend(entry.map(|entry| (at, entry)));
                        at = at.next();
                        if found.len() >= limit {
                            break true;
                        }
                    }
                }
                _ => false,
            };
            if is_full {
                next = at;
                return Ok(false);
            }
        }
        next = Position { offset: offset + 1, index: 0 };
        seen += 1;
        Ok(seen < SCAN_LIMIT)
    })?;
    Ok((found, next))
}
