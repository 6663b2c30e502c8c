//! Going along the timeline: one state after the other, oldest first.
//!
//! Owns where the stops are. With a step there is at most one stop in each piece of time, the last moment of it, so
//! that a slider over years costs as many look-ups as it has stops. Invariant: a page ends before its states cost
//! more than [`LOOKS_MAX`] look-ups, however much each of them holds.

use std::time::Duration;

use super::canonical::Moment;
use super::entry::{Branch, Entry};
use super::page::EntryFilter;
use super::rows;
use super::state::{FACETS_MAX, State};
use crate::Reader;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::projection::{Cursor, Page};
use crate::reader::Order;
use crate::tables::{Key, Table};

/// Things looked at for one page.
const LOOKS_MAX: usize = 5 * FACETS_MAX;

/// Where to go along.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// Only moments on this branch.
    pub branch: Option<Branch>,
    /// From this instant on.
    pub since: Option<Timestamp>,
    /// Up to this instant, and without it.
    pub until: Option<Timestamp>,
    /// At most one stop in each piece of time so long. Every moment is a stop where there is none.
    pub step: Option<Duration>,
}

/// A moment, and the state it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The moment.
    pub entry: Entry,
    /// Its state.
    pub state: State,
}

impl Reader {
    /// A page of stops, oldest first.
    pub fn scrub(
        &self,
        track: &Track,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Stop>, StoreError> {
        let prefix = track.branch.as_ref().map(rows::branch_prefix).unwrap_or_default();
        let filter = EntryFilter { since: track.since, ..EntryFilter::default() };
        let mut after = filter.start(&prefix, Order::Ascending, cursor);
        let (mut looks, mut items, mut next) = (LOOKS_MAX, Vec::new(), None);
        while let Some(stop) = self.stop_behind(track, &prefix, after.as_deref())? {
            let is_full = items.len() >= limit.max(1) || looks < FACETS_MAX;
            if is_full {
                next = after.map(Cursor::from_bytes);
                break;
            }
            if let Some(entry) = self.moment(stop)? {
                let mut left = FACETS_MAX;
                let state = self.state_of(stop, entry.note.branch.clone(), &mut left)?;
                looks -= FACETS_MAX - left;
                items.push(Stop { entry, state });
            }
            after = Some(rows::append_moment(prefix.clone(), &stop).into_bytes());
        }
        Ok(Page { items, next })
    }

    /// The first stop behind the key `after`.
    fn stop_behind(
        &self,
        track: &Track,
        prefix: &Key,
        after: Option<&[u8]>,
    ) -> Result<Option<Moment>, StoreError> {
        let is_in = |moment: &Moment| track.until.is_none_or(|until| moment.at.at < until);
        let first = self.next_moment(track, prefix, after, Order::Ascending)?.filter(is_in);
        let (Some(first), Some(step)) = (first, track.step) else { return Ok(first) };
        let end = piece_end(first.at.at, step);
        let end = track.until.map_or(end, |until| until.min(end));
        let end = prefix.clone().u64(end.as_micros() as u64).into_bytes();
        let last = self.next_moment(track, prefix, Some(&end), Order::Descending)?;
        // The clock of some moments is behind the epoch or at the end of time: a stop is never passed over for that.
        Ok(last.filter(|last| *last >= first).or(Some(first)))
    }

    fn next_moment(
        &self,
        track: &Track,
        prefix: &Key,
        after: Option<&[u8]>,
        order: Order,
    ) -> Result<Option<Moment>, StoreError> {
        let table = track.branch.as_ref().map_or(Table::TimelineMoments, |_| Table::TimelineBranches);
        self.first_moment(table, prefix.as_bytes(), after, order)
    }
}

/// The end of the piece of time, `step` long and counted from the epoch, that `at` lies in.
fn piece_end(at: Timestamp, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
    let begin = at.as_micros().div_euclid(step).saturating_mul(step);
    Timestamp::from_micros(begin.saturating_add(step))
}
