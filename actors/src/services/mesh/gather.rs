//! What peers send, gathered for a moment and judged in one batch.
//!
//! Owns the wait for others that come at the same time, the bound on what waits, and the answer that a verdict
//! is to the mesh. Judges nothing: the timeline does. Invariant: whoever handed something over is answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use xyn_net::proto::sync::Refused;
use xyn_net::wire::{FrameBytes, Known};
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::FeedRow;
use xyn_store::timeline::admit::{Refusal, Verdict};
use xyn_store::timeline::feed::FeedId;
use xyn_store::{Reader, StoreError};

use super::Shared;
use crate::services::timeline::Sent;

/// How long the first of a batch waits for others.
const WINDOW: Duration = Duration::from_millis(20);
/// Bytes of a batch that waits for nobody else.
const BATCH_BYTES: usize = 256 << 10;
/// Bytes that wait to be judged, of all peers together; what is more is refused as `busy`.
pub(super) const WAITING_BYTES_MAX: usize = 16 << 20;
/// Parcels that wait to be judged.
pub(super) const PARCELS_MAX: usize = 1024;

/// Frames of one feed that a peer sent.
pub(super) struct Parcel {
    pub(super) peer: PublicKey,
    pub(super) feed: FeedId,
    /// Number of the first record, as the peer says.
    pub(super) first: u64,
    pub(super) frames: Vec<FrameBytes>,
    pub(super) answer: oneshot::Sender<Result<Known, Refused>>,
    /// Its share of the bytes that may wait.
    pub(super) room: OwnedSemaphorePermit,
}

/// Has what comes in judged, until nothing can come any more.
pub(super) async fn serve(shared: &Arc<Shared>, mut intake: mpsc::Receiver<Parcel>) {
    while let Some(first) = intake.recv().await {
        let (mut bytes, mut batch) = (first.room.num_permits(), vec![first]);
        let window = tokio::time::sleep(WINDOW);
        tokio::pin!(window);
        while bytes < BATCH_BYTES {
            let next = tokio::select! {
                () = &mut window => break,
                next = intake.recv() => next,
            };
            let Some(next) = next else { break };
            bytes += next.room.num_permits();
            batch.push(next);
        }
        judge(shared, batch).await;
    }
}

async fn judge(shared: &Arc<Shared>, mut batch: Vec<Parcel>) {
    let Some(inner) = shared.inner() else { return };
    let counts: Vec<usize> = batch.iter().map(|parcel| parcel.frames.len()).collect();
    let frames = batch.iter_mut().flat_map(|parcel| {
        let from = parcel.peer;
        std::mem::take(&mut parcel.frames).into_iter().map(move |frame| Sent { from, frame })
    });
    let frames: Vec<Sent> = frames.collect();
    let judged = match inner.timeline() {
        Ok(timeline) => timeline.admit(frames).await,
        Err(error) => Err(error.into()),
    };
    let read = judged.map_err(|error| error.to_string()).and_then(|verdicts| {
        let reader = inner.store.read().map_err(|error| error.to_string())?;
        Ok((verdicts, reader))
    });
    let (mut verdicts, reader) = match read {
        Ok((verdicts, reader)) => (verdicts.into_iter(), reader),
        Err(error) => {
            tracing::warn!(%error, "what peers sent cannot be kept at the moment");
            return batch.into_iter().for_each(|parcel| parcel.answer(Err(Refused::Busy)));
        }
    };
    for (parcel, count) in batch.into_iter().zip(counts) {
        let verdicts: Vec<Verdict> = verdicts.by_ref().take(count).collect();
        shared.note_refusals(parcel.peer, parcel.feed, &verdicts);
        let known = known(&reader, parcel.feed);
        let result =
            answer(parcel.feed, parcel.first, &verdicts).and_then(|()| known.map_err(|_| Refused::Busy));
        parcel.answer(result);
    }
}

impl Parcel {
    fn answer(self, result: Result<Known, Refused>) {
        // Whoever asked may be gone.
        let _ = self.answer.send(result);
    }
}

/// How far `feed` is known here, and counts.
pub(super) fn known(reader: &Reader, feed: FeedId) -> Result<Known, StoreError> {
    reader.feed(&feed)?.map_or(Ok(Known::default()), |row| known_of(reader, &row))
}

/// How far the feed of `row` counts here.
pub(super) fn known_of(reader: &Reader, row: &FeedRow) -> Result<Known, StoreError> {
    Ok(Known { head: reader.last_shared(row)?, fork: row.fork })
}

/// What the verdicts on frames of `feed`, which were said to begin with record `first`, are to the mesh.
fn answer(feed: FeedId, first: u64, verdicts: &[Verdict]) -> Result<(), Refused> {
    verdicts.iter().try_for_each(|verdict| match verdict {
        Verdict::Admitted { feed: found, .. }
        | Verdict::Gap { feed: found, .. }
        | Verdict::Forked { feed: found, .. }
            if *found != feed =>
        {
            Err(Refused::False)
        }
        Verdict::Paced(found) if *found != feed => Err(Refused::False),
        Verdict::Paced(_) => Err(Refused::Paced),
        // Where the sender's feed branched off is further back than what it sent.
        Verdict::Forked { seq, .. } if *seq < first => Err(Refused::Unlinked),
        Verdict::Admitted { .. } | Verdict::Duplicate | Verdict::Gap { .. } | Verdict::Forked { .. } => {
            Ok(())
        }
        // That is known here, and what is known is the answer.
        Verdict::Refused(Refusal::Equivocation(_)) => Ok(()),
        Verdict::Refused(Refusal::Unprovable(_)) => Err(Refused::Unlinked),
        Verdict::Refused(Refusal::PastCut(_)) => Err(Refused::Cut),
        Verdict::Refused(Refusal::Frame(_) | Refusal::Change { .. }) => Err(Refused::False),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xyn_store::timeline::fork::ProofError;
    use xyn_store::timeline::frame::FrameError;

    const ALICE: FeedId = FeedId { node: PublicKey::from_bytes([1; 32]), incarnation: 1 };
    const BOB: FeedId = FeedId { node: PublicKey::from_bytes([2; 32]), incarnation: 1 };

    #[test]
    fn each_verdict_has_its_answer() {
        let admitted = |feed| Verdict::Admitted { feed, first: 7, last: 9, from_future: 0 };
        let refused = Verdict::Refused;
        let cases = [
            (admitted(ALICE), Ok(())),
            (admitted(BOB), Err(Refused::False)),
            (Verdict::Duplicate, Ok(())),
            (Verdict::Gap { feed: ALICE, have: 3, is_kept: true }, Ok(())),
            (Verdict::Forked { feed: ALICE, seq: 7 }, Ok(())),
            (Verdict::Forked { feed: ALICE, seq: 6 }, Err(Refused::Unlinked)),
            (Verdict::Paced(ALICE), Err(Refused::Paced)),
            (Verdict::Paced(BOB), Err(Refused::False)),
            (refused(Refusal::Equivocation(2)), Ok(())),
            (refused(Refusal::Unprovable(ProofError::NoContradiction)), Err(Refused::Unlinked)),
            (refused(Refusal::PastCut(7)), Err(Refused::Cut)),
            (refused(Refusal::Frame(FrameError::BadSignature)), Err(Refused::False)),
        ];
        for (verdict, expected) in cases {
            assert_eq!(answer(ALICE, 7, std::slice::from_ref(&verdict)), expected, "{verdict:?}");
            assert_eq!(answer(ALICE, 7, &[admitted(ALICE), verdict]), expected);
        }
    }
}
