//! The follower of the journal that brings milestones to the timeline.
//!
//! Gathers what happened for a moment, so that a batch of milestones is one append, and gives way to the work
//! it reports on: while others make the journal grow, it works a small part of the time. Invariant: the
//! milestones of an entry and the position behind it are in one transaction, so each is said once, also over
//! crashes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;
use xyn_store::ids::EntryId;
use xyn_store::timeline::WriteError;
use xyn_store::timeline::entry::{Note, milestone_id};
use xyn_store::{Order, StoreError};

use super::actor::Command;
use super::{Service, TimelineError, milestone};
use crate::record;
use crate::runtime::Inner;

/// Name of the follower's position in the store.
pub(crate) const FOLLOWER: &str = "milestones";
/// Milestones of one append.
const BATCH: usize = 256;
/// Entries looked at in one go.
const SCAN: u64 = 2_048;
/// How long the first milestone waits for others, while the journal goes on growing.
const GATHERING: Duration = Duration::from_millis(50);
/// When nothing was appended for as long, nothing is waited for any more.
const QUIET: Duration = Duration::from_millis(5);
/// While others make the journal grow, the follower rests so many times as long as it worked.
const REST: u32 = 9;
/// How long it rests when the store does not answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long it rests when this node may not write: only another word on who belongs changes that.
const EXCLUDED_DELAY: Duration = Duration::from_secs(60);

/// Milestones of a piece of the journal.
struct Piece {
    milestones: Vec<(EntryId, Note)>,
    next: u64,
}

/// Follows the journal until the node stops.
pub(crate) async fn follow(inner: Arc<Inner>) {
    let mut head = inner.journal.head();
    let Ok(mut news) = inner.timeline().map(Service::news) else { return };
    loop {
        news.mark_unchanged();
        let Err(error) = follow_from_position(&inner, &mut head).await else { return };
        tracing::warn!(%error, "milestones wait");
        let delay = match &error {
            TimelineError::Write(WriteError::Excluded(_) | WriteError::Leaving) => EXCLUDED_DELAY,
            // The position was read before an append whose outcome was unknown; it is read again.
            TimelineError::Said => Duration::ZERO,
            _ => RETRY_DELAY,
        };
        // What came from others may have changed who belongs: then there is nothing to wait for any more.
        let _ = timeout(delay, news.changed()).await;
    }
}

/// Goes on from the recorded position until something fails, or the journal ends.
async fn follow_from_position(
    inner: &Arc<Inner>,
    head: &mut watch::Receiver<u64>,
) -> Result<(), TimelineError> {
    let mut recorded = inner.store.read()?.position(FOLLOWER)?;
    let mut position = recorded;
    loop {
        inner.timeline()?.follows_to(position);
        let (begun, seen) = (Instant::now(), *head.borrow_and_update());
        if position < seen {
            let Piece { milestones, next } = gather(inner, position).await?;
            let own_entries = u64::from(!milestones.is_empty());
            if own_entries > 0 || next - recorded >= SCAN {
                say(inner.timeline()?, milestones, recorded, next).await?;
                recorded = next;
            }
            position = next;
            if *head.borrow() > seen + own_entries {
                tokio::time::sleep(begun.elapsed() * REST).await;
            }
        } else if head.changed().await.is_err() {
            return Ok(());
        } else {
            until_quiet(head).await;
        }
    }
}

async fn until_quiet(head: &mut watch::Receiver<u64>) {
    let quiet = async { while let Ok(Ok(())) = timeout(QUIET, head.changed()).await {} };
    // However it ends: what came is looked at.
    let _ = timeout(GATHERING, quiet).await;
}

async fn say(
    timeline: &Service,
    milestones: Vec<(EntryId, Note)>,
    from: u64,
    to: u64,
) -> Result<(), TimelineError> {
    timeline.tell(Command::Milestones { milestones, from, to }).await.map(drop)
}

/// The milestones among the entries from `position` on, as many as one append takes.
async fn gather(inner: &Arc<Inner>, position: u64) -> Result<Piece, TimelineError> {
    let inner = inner.clone();
    let read = tokio::task::spawn_blocking(move || read(&inner, position)).await;
    read.map_err(|error| StoreError::Unavailable(error.to_string()))?
}

fn read(inner: &Inner, position: u64) -> Result<Piece, TimelineError> {
    let (own, people) = (inner.timeline()?.own(), inner.timeline()?.people());
    let reader = inner.store.read()?;
    let mut piece = Piece { milestones: Vec::new(), next: position };
    reader.log(position, Order::Ascending, |offset, envelope| {
        let records = record::decode(offset, &envelope)?;
        if let Some(note) = milestone::note(&records, &envelope, inner.env.stage, &reader, &people)? {
            piece.milestones.push((milestone_id(&own, offset, envelope.at), note));
        }
        piece.next = offset + 1;
        Ok(piece.milestones.len() < BATCH && piece.next - position < SCAN)
    })?;
    Ok(piece)
}
