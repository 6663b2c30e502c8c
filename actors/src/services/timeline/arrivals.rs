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

/// Entries of the journal, and moments in them, looked at in one go.
const LOOKS_MAX: usize = 10_000;

/// Moments that came from `from` on, at most `limit`, each with its place; and where to go on. What does not count
/// any more is left out.
pub fn arrivals(
    reader: &Reader,
    from: Position,
    limit: usize,
) -> Result<(Vec<(Position, Entry)>, Position), StoreError> {
    arrivals_within(reader, from, limit, LOOKS_MAX)
}

fn arrivals_within(
    reader: &Reader,
    from: Position,
    limit: usize,
    looks_max: usize,
) -> Result<(Vec<(Position, Entry)>, Position), StoreError> {
    let (mut found, mut next, mut looks) = (Vec::new(), from, 0);
    reader.log(from.offset, Order::Ascending, |offset, envelope| {
        let mut at = Position { offset, index: 0 };
        for record in record::decode(offset, &envelope)? {
            let is_enough = match record {
                Record::Timeline(Event::EntryAdded(added)) => {
                    if at >= from {
                        looks += 1;
                        found.extend(reader.entry(added.entry_id)?.map(|entry| (at, entry)));
                    }
                    at = at.next();
                    found.len() >= limit || looks >= looks_max
                }
                Record::Mesh(event) => {
                    let mesh::Event::Admitted(span) = *event else { continue };
                    let mut records = span.first..=span.last;
                    loop {
                        let Some(seq) = records.next() else { break false };
                        // Many records may be no moments: also they are looked at.
                        if at >= from {
                            looks += 1;
                            found.extend(reader.entry_in(&span.feed, seq)?.map(|entry| (at, entry)));
                        }
                        at = at.next();
                        if found.len() >= limit || looks >= looks_max {
                            break true;
                        }
                    }
                }
                _ => false,
            };
            if is_enough {
                next = at;
                return Ok(false);
            }
        }
        next = Position { offset: offset + 1, index: 0 };
        looks += 1;
        Ok(looks < looks_max)
    })?;
    Ok((found, next))
}

#[cfg(test)]
mod tests {
    use xyn_store::audit::signature::PublicKey;
    use xyn_store::ids;
    use xyn_store::journal::{Append, Entry};
    use xyn_store::timeline::feed::FeedId;
    use xyn_store::{Options, Store, Timestamp};

    use super::*;
    use crate::node::actor::by_node;

    #[tokio::test]
    async fn a_batch_ends_within_an_entry_that_brought_many_records_and_the_next_goes_on_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Options::default()).expect("opens");
        let peer = PublicKey::from_bytes([1; 32]);
        let span = |first, last| {
            let feed = FeedId { node: peer, incarnation: 1 };
            Record::Mesh(Box::new(mesh::Event::Admitted(mesh::Span { feed, first, last, peer })))
        };
        // None of them is here as a moment.
        let records = [span(1, 20), span(21, 25)];
        let (at, stream) = (Timestamp::EPOCH, ids::derived(Timestamp::EPOCH, &[b"spans"]));
        let (names, encoded) = (record::names(&records), record::encode(&records));
        let entry = Entry { stream, expected: 0, at, attribution: by_node(at), names, records: encoded };
        let append = Append { entries: vec![entry], ..Append::default() };
        store.journal().expect("open").append(append).await.expect("commits");
        let reader = store.read().expect("reads");
        let mut next = Position::default();
        for (offset, index) in [(0, 10), (0, 20), (1, 0), (1, 0)] {
            let found;
            (found, next) = arrivals_within(&reader, next, 100, 10).expect("reads");
            assert_eq!((found.len(), next), (0, Position { offset, index }));
        }
    }
}
