//! The journal: the one door through which anything becomes a fact.
//!
//! Owns appending with optimistic concurrency and group commit. One writer thread puts everything that is waiting
//! into one transaction and one sync; callers are answered after the commit. Invariant: an append is atomic, and
//! nobody is told of it before it is durable.

mod commit;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use commit::{Head, write_rows};

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use tokio::sync::{oneshot, watch};

use crate::audit::leaf::Salt;
use crate::blobs::Quota;
use crate::clock::Timestamp;
use crate::database::Slot;
use crate::digest::Digest;
use crate::envelope::{DecodeError, Envelope, Sealed};
use crate::error::StoreError;
use crate::ids::StreamId;
use crate::projection::{Changes, ClaimRow};
use crate::scope::{Attribution, CorrelationId};

/// Appends that may wait for the writer; one more is refused as [`AppendError::Overloaded`].
pub const QUEUE_LIMIT: usize = 16_384;
/// Bytes of records that one entry may hold.
pub const ENTRY_MAX_BYTES: usize = 4 << 20;

/// Records to append to one stream.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The stream.
    pub stream: StreamId,
    /// Sequence of the stream's last entry as the caller knows it; 0 for a new stream.
    pub expected: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Who, in answer to what.
    pub attribution: Attribution,
    /// Names of the events among the records, for the index of names.
    pub names: Vec<Cow<'static, str>>,
    /// The records, encoded by the caller.
    pub records: Vec<u8>,
}

/// What is appended in one piece: entries, the rows they imply, and the idempotency key they claim.
#[derive(Clone, Debug, Default)]
pub struct Append {
    /// At least one entry; two of the same stream follow each other.
    pub entries: Vec<Entry>,
    /// Rows to put and remove.
    pub changes: Changes,
    /// A key that only the first append may claim.
    pub claim: Option<ClaimRow>,
}

/// The answer to an append that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Offset of the first entry; the others follow it.
    pub offset: u64,
}

/// Why an append did not become a fact, or may not have.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended first.
    #[error("stream {stream} is at {actual}, not at {expected}")]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// What the caller expected.
        expected: u64,
        /// Where it is.
        actual: u64,
    },
    /// The idempotency key was claimed before; this is what came of it.
    #[error("the idempotency key `{}` was used before", .0.key)]
    Claimed(Box<ClaimRow>),
    /// Too much is waiting already.
    #[error("{QUEUE_LIMIT} appends are waiting already; try again in a moment")]
    Overloaded,
    /// The records are too large.
    #[error("an entry of {bytes} bytes is over the limit of {ENTRY_MAX_BYTES}")]
    TooLarge {
        /// Their size.
        bytes: usize,
    },
    /// The commit failed. Whether it is durable is unknown; retry with the same key. With [`StoreError::Blob`] it was
    /// not tried: the append names a blob that is not here, or brings more than there is room for.
    #[error("the journal could not be written: {0}")]
    Unavailable(Arc<StoreError>),
    /// The node is stopping.
    #[error("the journal is closed")]
    Closed,
    /// The records cannot be encoded.
    #[error("the entry cannot be encoded: {0}")]
    Unencodable(Arc<DecodeError>),
}

/// A sealed entry on its way to the writer.
struct Prepared {
    stream: StreamId,
    expected: u64,
    at: Timestamp,
    correlation_id: CorrelationId,
    names: Vec<Cow<'static, str>>,
    sealed: Sealed,
    leaf: Digest,
}

impl Prepared {
    /// What begins an interaction of its own is found by its id, without an index.
    fn is_own_interaction(&self) -> bool {
        is_own_interaction(&self.correlation_id, self.stream)
    }
}

/// Whether the interaction is named by the stream that began it.
pub(crate) fn is_own_interaction(correlation_id: &CorrelationId, stream: StreamId) -> bool {
    correlation_id.as_str().parse() == Ok(uuid::Uuid::from(stream))
}

/// A request to the writer thread.
struct Request {
    entries: Vec<Prepared>,
    changes: Changes,
    claim: Option<ClaimRow>,
    reply: oneshot::Sender<Result<Receipt, AppendError>>,
}

/// How the writer works.
#[derive(Clone, Debug)]
pub(crate) struct WriterOptions {
    /// Save the allocator's state with each commit, so that opening after a kill need not walk the file.
    pub(crate) quick_repair: bool,
    /// For messages.
    pub(crate) folder: PathBuf,
    /// What small blobs take part of.
    pub(crate) quota: Arc<Quota>,
}

/// The handle to the writer. Cheap to clone; the writer ends when the last handle is gone.
#[derive(Clone)]
pub struct Journal {
    queue: SyncSender<Request>,
    head: watch::Receiver<u64>,
}

impl Journal {
    /// Starts the writer thread over `slot`. The second value ends when the writer has ended.
    pub(crate) fn start(
        slot: Arc<Slot>,
        options: WriterOptions,
    ) -> Result<(Self, std::thread::JoinHandle<()>), StoreError> {
        let (queue, requests) = std::sync::mpsc::sync_channel(QUEUE_LIMIT);
        let writer = writer::Writer::new(slot, options)?;
        let head = writer.head();
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(&requests))
            .map_err(|source| StoreError::io("start a thread for", "journal", source))?;
        Ok((Self { queue, head }, thread))
    }

    /// Appends in one piece. Returns after the data is durable.
    pub async fn append(&self, append: Append) -> Result<Receipt, AppendError> {
        let (reply, answer) = oneshot::channel();
        let entries = append.entries.into_iter().map(prepare).collect::<Result<Vec<_>, _>>()?;
        let request = Request { entries, changes: append.changes, claim: append.claim, reply };
        self.queue.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => AppendError::Overloaded,
            TrySendError::Disconnected(_) => AppendError::Closed,
        })?;
        answer.await.unwrap_or(Err(AppendError::Closed))
    }

    /// The offset the next entry will get; wakes its followers after every commit.
    pub fn head(&self) -> watch::Receiver<u64> {
        self.head.clone()
    }
}

/// Encodes, salts and digests an entry in the caller's thread.
fn prepare(entry: Entry) -> Result<Prepared, AppendError> {
    let bytes = entry.records.len();
    if bytes > ENTRY_MAX_BYTES {
        return Err(AppendError::TooLarge { bytes });
    }
    let unencodable = |error| AppendError::Unencodable(Arc::new(error));
    let salt = Salt::fresh().map_err(|_| unencodable(DecodeError::Malformed(None)))?;
    let correlation_id = entry.attribution.correlation_id.clone();
    let envelope = Envelope {
        stream: entry.stream,
        seq: entry.expected + 1,
        at: entry.at,
        attribution: entry.attribution,
        records: entry.records,
    };
    let sealed = Sealed::new(&envelope, &salt).map_err(unencodable)?;
    Ok(Prepared {
        stream: envelope.stream,
        expected: entry.expected,
        at: envelope.at,
        correlation_id,
        names: entry.names,
        leaf: sealed.leaf(),
        sealed,
    })
}
