//! What peers send, gathered for a moment and judged in one batch.
//!
//! Owns the wait for others that come at the same time and the bound on what waits. Judges nothing: the timeline
//! does. Invariant: whoever handed something over is answered.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use xyn_net::driver::most::JUDGED_BYTES_MAX;
use xyn_net::proto::sync::Refused;
use xyn_net::records::{self, known};
use xyn_net::wire::{FrameBytes, Known};
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::feed::FeedId;

use super::Shared;
use crate::runtime::Inner;
use crate::services::timeline::Sent;

/// How long the first of a batch waits for others.
const WINDOW: Duration = Duration::from_millis(20);
/// Bytes of a batch that waits for nobody else.
const BATCH_BYTES: usize = 256 << 10;
/// Bytes that wait to be judged, of all peers together; what is more is refused as `busy`.
pub(super) const WAITING_BYTES_MAX: usize = JUDGED_BYTES_MAX;
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
    let verdicts = match judged {
        Ok(verdicts) => verdicts,
        Err(error) => return refuse(batch, &error),
    };
    let shared = Arc::clone(shared);
    let told = tokio::task::spawn_blocking(move || tell(&shared, &inner, batch, &counts, verdicts));
    if let Err(error) = told.await {
        tracing::error!(%error, "what came of what peers sent is not told");
    }
}

/// Tells each what came of its frames, of which it has so many. Reads the store: not on a thread that others wait for.
fn tell(shared: &Shared, inner: &Inner, batch: Vec<Parcel>, counts: &[usize], verdicts: Vec<Verdict>) {
    let reader = match inner.store.read() {
        Ok(reader) => reader,
        Err(error) => return refuse(batch, &error),
    };
    let mut verdicts = verdicts.into_iter();
    for (parcel, count) in batch.into_iter().zip(counts) {
        let verdicts: Vec<Verdict> = verdicts.by_ref().take(*count).collect();
        shared.judged(parcel.peer, parcel.feed, &verdicts);
        if let (Ok(timeline), Ok(Some(row))) = (inner.timeline(), reader.feed(&parcel.feed)) {
            shared.note_twin(timeline.own(), &row, &verdicts);
        }
        let known = known(&reader, parcel.feed);
        let result = records::answer(parcel.feed, parcel.first, &verdicts)
            .and_then(|()| known.map_err(|_| Refused::Busy));
        parcel.answer(result);
    }
}

fn refuse(batch: Vec<Parcel>, error: &dyn Display) {
    tracing::warn!(%error, "what peers sent cannot be kept at the moment");
    batch.into_iter().for_each(|parcel| parcel.answer(Err(Refused::Busy)));
}

impl Parcel {
    fn answer(self, result: Result<Known, Refused>) {
        // Whoever asked may be gone.
        let _ = self.answer.send(result);
    }
}
