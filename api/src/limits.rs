//! Every limit of the HTTP face, in one place. Reaching one is an error that says so.

use std::time::Duration;

/// Bytes of a JSON body.
pub const BODY_MAX_BYTES: usize = 1 << 20;
/// Bytes of a body over its limit that are read and thrown away, so that the sender gets to read the refusal.
pub const BODY_DISCARD_MAX_BYTES: u64 = 32 << 20;
/// Bytes of a webhook's body.
pub const HOOK_BODY_MAX_BYTES: usize = 1 << 20;
/// Bytes of a blob that is uploaded by itself: the largest are capsules, which are worked on in pieces however large
/// they are. What is made of it may have a lower limit, and the quota of the store comes before this as a rule.
pub const BLOB_MAX_BYTES: u64 = 16 << 30;
/// Bytes of the list of a blob's chunks: those of the largest, cut as finely as content is ever cut.
pub const BLOB_LIST_MAX_BYTES: usize = 40 << 20;
/// Bytes of a text field in a multipart upload.
pub const FIELD_MAX_BYTES: usize = 64 << 10;
/// Pieces of an upload that wait for the disk.
pub const UPLOAD_QUEUE: usize = 8;

/// Rows of a page when nothing is asked for.
pub const PAGE_DEFAULT: usize = 50;
/// Rows of a page at most.
pub const PAGE_MAX: usize = 200;

/// Paths that a comparison of trees shows.
pub const DIFF_MAX: usize = 1_000;

/// Bytes of the log of a deployed app that one answer shows.
pub const LOG_SHOWN_MAX_BYTES: usize = 256 << 10;

/// How long a request may take until its answer begins; streams go on after that.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// How long the sender of a body may pause.
pub const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long an act on capsules or the upload of a blob may take: many GiB are read to their end, or something is built.
pub const LENGTHY_TIMEOUT: Duration = Duration::from_secs(6 * 3_600);
/// How long an upload may take.
pub const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// How long `?wait=` may wait for the end of a run.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a connection may take to send the head of a request.
pub const HEAD_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests under way may go on after the node was told to stop.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a request's head: line and headers.
pub const HEAD_MAX_BYTES: usize = 64 << 10;
/// Headers of a request.
pub const HEADERS_MAX: usize = 100;
/// Connections at once.
pub const CONNECTIONS_MAX: usize = 4096;
/// Connections at once to the catalogue for the local network.
pub const LAN_CONNECTIONS_MAX: usize = 64;
/// Requests under way at once on an HTTP/2 connection.
pub const H2_STREAMS_MAX: u32 = 200;

/// Addresses, and principals, whose rate is limited at once.
pub const CALLERS_MAX: usize = 65_536;

/// Event streams at once.
pub const STREAMS_MAX: usize = 256;
/// Events an event stream reads at once.
pub const STREAM_BATCH: usize = 200;
/// How long an event stream gathers commits before it reads them.
pub const STREAM_PAUSE: Duration = Duration::from_millis(20);
/// How long a page of Studio gathers what happened before it shows it.
pub const LIVE_PAUSE: Duration = Duration::from_millis(120);
/// How often a silent event stream says that it is alive.
pub const STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY_MAX: usize = 255;
/// Seconds after which a refused caller may come again.
pub const RETRY_AFTER_S: u32 = 1;
