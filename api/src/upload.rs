//! Uploads: bytes from the network into the blob store, in bounded memory.
//!
//! Owns the way from a stream of pieces to a written blob. The disk is written on a blocking thread; pieces
//! wait for it in a bounded queue, so a fast sender is slowed down by a slow disk. Invariant: an upload
//! that breaks off leaves nothing behind, unless it comes in parts that go on from there.

pub(crate) mod parts;

use axum::body::Bytes;
use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use futures::{Stream, StreamExt};
use http::StatusCode;
use tokio::sync::{mpsc, oneshot};
use xyn_store::Digest;
use xyn_store::blobs::{Blobs, Written};

use crate::error::{ApiError, Code};
use crate::extract::{JsonBody, in_time, is_json, media_type, unsupported};
use crate::limits::{BLOB_MAX_BYTES, BODY_PAUSE_MAX, UPLOAD_QUEUE};
use crate::routes::Fields;
use crate::state::{AppState, blocking};

/// The media type of a form that holds files.
pub(crate) const FORM: &str = "multipart/form-data";

/// Writes `pieces` as one blob of at most `limit_bytes`.
pub(crate) async fn write<E: Into<ApiError>>(
    blobs: Blobs,
    limit_bytes: u64,
    pieces: impl Stream<Item = Result<Bytes, E>>,
) -> Result<Written, ApiError> {
    through(pieces, move |mut incoming| {
        let mut writer = blobs.writer(limit_bytes);
        while let Some(piece) = incoming.next()? {
            writer = writer.write(&piece)?;
        }
        Ok(writer.finish()?)
    })
    .await
}

/// The pieces of a body, on the thread that works on them.
struct Incoming {
    receiver: mpsc::Receiver<Bytes>,
    finished: Option<oneshot::Receiver<()>>,
}

impl Incoming {
    /// The next piece; none when all came.
    fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        if let Some(piece) = self.receiver.blocking_recv() {
            return Ok(Some(piece));
        }
        // A sender that is gone without a word broke off.
        match self.finished.take().map(oneshot::Receiver::blocking_recv) {
            Some(Err(_)) => Err(broken_off("the sender is gone")),
            Some(Ok(())) | None => Ok(None),
        }
    }
}

/// Does `work` with `pieces` on a thread that may wait for the disk.
async fn through<T: Send + 'static, E: Into<ApiError>>(
    pieces: impl Stream<Item = Result<Bytes, E>>,
    work: impl FnOnce(Incoming) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let (sender, receiver) = mpsc::channel::<Bytes>(UPLOAD_QUEUE);
    let (finish, finished) = oneshot::channel::<()>();
    let working = tokio::spawn(blocking(move || work(Incoming { receiver, finished: Some(finished) })));
    let mut pieces = std::pin::pin!(pieces);
    while let Some(piece) = in_time(BODY_PAUSE_MAX, pieces.next()).await? {
        // Work that is over says why at the end.
        if sender.send(piece.map_err(Into::into)?).await.is_err() {
            break;
        }
    }
    // It may be over by now; its result says so.
    let _ = finish.send(());
    drop(sender);
    working.await.map_err(|error| ApiError::unexpected(&error.to_string()))?
}

/// The parts of a form, each as large as the writer of a blob lets it be. Anything else is refused.
pub(crate) async fn form(state: &AppState, mut request: Request) -> Result<Multipart, ApiError> {
    let kind = media_type(request.headers());
    if kind.as_deref() != Some(FORM) {
        return Err(unsupported(kind.as_deref(), FORM));
    }
    DefaultBodyLimit::disable().apply(&mut request);
    let form = Multipart::from_request(request, state).await;
    form.map_err(|error| ApiError::invalid("Content-Type", error.body_text()))
}

/// The fields of a request: those of a JSON object, or what `form` makes of a form that holds files.
pub(crate) async fn fields(
    state: &AppState,
    request: Request,
    form: impl AsyncFnOnce(&AppState, Request) -> Result<Fields, ApiError>,
) -> Result<Fields, ApiError> {
    match media_type(request.headers()).as_deref() {
        Some(FORM) => form(state, request).await,
        Some(kind) if is_json(kind) => Ok(JsonBody::from_request(request, state).await?.0),
        other => Err(unsupported(other, "application/json or multipart/form-data")),
    }
}

/// Keeps `pieces` as a blob that nothing names yet; answers its digest and length.
pub(crate) async fn keep<E: Into<ApiError>>(
    state: &AppState,
    pieces: impl Stream<Item = Result<Bytes, E>>,
) -> Result<(Digest, u64), ApiError> {
    let blobs = state.runtime().store().blobs().clone();
    let written = write(blobs.clone(), BLOB_MAX_BYTES, pieces).await?;
    let kept = (written.digest(), written.size_bytes());
    if let Written::Inline(_, bytes) = written {
        // The journal keeps small blobs with the entry that names them; this one has none yet.
        blocking(move || Ok(blobs.put(&bytes)?)).await?;
    }
    Ok(kept)
}

/// An upload whose sender stopped in the middle.
pub(crate) fn broken_off(why: &str) -> ApiError {
    ApiError::invalid("body", format!("the upload broke off: {why}"))
}

impl From<MultipartError> for ApiError {
    fn from(error: MultipartError) -> Self {
        let is_too_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(if is_too_large { Code::TooLarge } else { Code::MalformedForm }, error.body_text())
            .at("body")
    }
}

impl From<axum::Error> for ApiError {
    fn from(error: axum::Error) -> Self {
        broken_off(&error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use xyn_store::blobs::CHUNK_MAX;
    use xyn_store::{Options, Store};

    use super::*;

    const LIMIT_BYTES: u64 = 1 << 30;

    fn pieces(count: usize, fault: Option<&'static str>) -> impl Stream<Item = Result<Bytes, ApiError>> {
        let good = (0..count).map(|_| Ok(Bytes::from_static(&[7; 1000])));
        stream::iter(good.chain(fault.map(|why| Err(broken_off(why)))))
    }

    fn store(blob_quota_bytes: u64) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = Options::default();
        options.blob_quota_bytes = blob_quota_bytes;
        let store = Store::open(folder.path(), options).expect("opens");
        (folder, store)
    }

    #[tokio::test]
    async fn a_large_upload_is_stored_and_a_small_one_stays_in_memory() {
        let (_folder, store) = store(1 << 30);
        let large = write(store.blobs().clone(), LIMIT_BYTES, pieces(100, None)).await.expect("writes");
        assert_eq!(large, Written::Stored { digest: Digest::of(&[7; 100_000]), size_bytes: 100_000 });
        let used = store.blobs().used_bytes();
        let small = write(store.blobs().clone(), LIMIT_BYTES, pieces(1, None)).await.expect("writes");
        assert_eq!(small, Written::Inline(Digest::of(&[7; 1000]), vec![7; 1000]));
        assert_eq!(store.blobs().used_bytes(), used);
    }

    #[tokio::test]
    async fn an_upload_that_breaks_off_leaves_nothing() {
        let (folder, store) = store(1 << 30);
        let files = || {
            let files = std::fs::read_dir(folder.path().join("blobs")).expect("lists");
            files.filter_map(Result::ok).count()
        };
        // So many that some chunks were written.
        let count = 8 * CHUNK_MAX / 1000;
        assert!(write(store.blobs().clone(), LIMIT_BYTES, pieces(count, Some("gone"))).await.is_err());
        while store.blobs().used_bytes() != 0 || files() != 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_upload_over_the_quota_is_refused() {
        let (_folder, store) = store(50);
        let error = write(store.blobs().clone(), LIMIT_BYTES, pieces(100, None)).await.expect_err("is over");
        assert_eq!(error.fault().code, Code::QuotaReached);
    }

    #[tokio::test]
    async fn an_upload_over_its_limit_is_refused_with_it_and_leaves_nothing() {
        let (_folder, store) = store(1 << 30);
        let at_limit = write(store.blobs().clone(), 100_000, pieces(100, None)).await;
        assert_eq!(at_limit.expect("is within").size_bytes(), 100_000);
        let used = store.blobs().used_bytes();
        let error = write(store.blobs().clone(), 99_999, pieces(100, None)).await.expect_err("is over");
        assert_eq!(error.fault().code, Code::TooLarge);
        assert!(error.fault().message.contains("99999"), "{}", error.fault().message);
        assert_eq!(store.blobs().used_bytes(), used);
    }
}
