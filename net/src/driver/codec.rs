//! Messages on a stream: a length of four bytes, big-endian, and so many bytes.
//!
//! Owns how much of a stranger's or peer's message is held, and for how long it is waited for. Reads no
//! message. Invariant: no more is allocated than the protocol allows one message, and all that are being read
//! at a time share one budget.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use libp2p::StreamProtocol;
use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::request_response;
use tokio::sync::Semaphore;

/// Bytes of messages that are being read at a time, from everybody.
pub(super) const READING_BYTES_MAX: usize = 32 << 20;
/// How long one message may take to arrive: the largest one at 70 kB a second.
pub(super) const MESSAGE_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a message was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// It says it is longer than its protocol allows; nothing of it was read.
    #[error("a message of {size} bytes is longer than {max}")]
    TooLarge {
        /// What it said.
        size: usize,
        /// What its protocol allows.
        max: usize,
    },
    /// It did not arrive in time.
    #[error("a message did not arrive within {} seconds", .0.as_secs_f32())]
    Slow(Duration),
    /// The stream ended in the middle of it.
    #[error("a message broke off")]
    Cut,
}

/// What arrived. A fault is a value: the behaviour above keeps errors of reading to itself.
pub(super) type Arrived = Result<Vec<u8>, BadFrame>;

/// How one protocol is read and written.
#[derive(Clone)]
pub(super) struct Codec {
    pub(super) request_bytes_max: usize,
    pub(super) response_bytes_max: usize,
    pub(super) timeout: Duration,
    /// In bytes.
    pub(super) budget: Arc<Semaphore>,
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Arrived;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Arrived>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(self.read(io, self.request_bytes_max).await.unwrap_or(Err(BadFrame::Cut)))
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read(io, self.response_bytes_max).await?.map_err(io::Error::other)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Arrived) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &request.map_err(io::Error::other)?).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &bytes).await
    }
}

impl Codec {
    async fn read<T: AsyncRead + Unpin + Send>(&self, io: &mut T, max: usize) -> io::Result<Arrived> {
        let in_time = tokio::time::timeout(self.timeout, self.read_patiently(io, max));
        in_time.await.unwrap_or(Ok(Err(BadFrame::Slow(self.timeout))))
    }

    async fn read_patiently<T: AsyncRead + Unpin + Send>(
        &self,
        io: &mut T,
        max: usize,
    ) -> io::Result<Arrived> {
        let mut length = [0; 4];
        io.read_exact(&mut length).await?;
        let length = u32::from_be_bytes(length);
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if size > max {
            return Ok(Err(BadFrame::TooLarge { size, max }));
        }
        let _held = self.budget.acquire_many(length).await.expect("the budget is never closed");
        let mut bytes = vec![0; size];
        io.read_exact(&mut bytes).await?;
        Ok(Ok(bytes))
    }
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    io.write_all(&length.to_be_bytes()).await?;
    io.write_all(bytes).await?;
    io.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::futures::io::Cursor;

    fn codec() -> Codec {
        let budget = Arc::new(Semaphore::new(READING_BYTES_MAX));
        Codec { request_bytes_max: 8, response_bytes_max: 8, timeout: Duration::from_millis(50), budget }
    }

    async fn read(bytes: &[u8]) -> Arrived {
        let protocol = StreamProtocol::new("/test");
        request_response::Codec::read_request(&mut codec(), &protocol, &mut Cursor::new(bytes))
            .await
            .expect("a fault is a value")
    }

    #[tokio::test]
    async fn a_message_survives_the_stream() {
        let mut stream = Vec::new();
        write(&mut stream, b"12345678").await.expect("memory");
        write(&mut stream, b"").await.expect("memory");
        let mut stream = Cursor::new(stream);
        assert_eq!(codec().read(&mut stream, 8).await.expect("memory"), Ok(b"12345678".to_vec()));
        assert_eq!(codec().read(&mut stream, 8).await.expect("memory"), Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_or_cut_short_is_refused_by_name() {
        assert_eq!(read(&[0, 0, 0, 9]).await, Err(BadFrame::TooLarge { size: 9, max: 8 }));
        assert!(matches!(read(&[0xff; 4]).await, Err(BadFrame::TooLarge { .. })));
        assert_eq!(read(&[0, 0]).await, Err(BadFrame::Cut));
        assert_eq!(read(&[0, 0, 0, 2, 7]).await, Err(BadFrame::Cut));
    }

    #[tokio::test]
    async fn a_message_that_never_ends_is_given_up_and_frees_what_it_held() {
        let codec = codec();
        let mut stalled = Cursor::new([0, 0, 0, 8, 1]).chain(Silence);
        assert_eq!(codec.read(&mut stalled, 8).await.expect("memory"), Err(BadFrame::Slow(codec.timeout)));
        assert_eq!(codec.budget.available_permits(), READING_BYTES_MAX);
    }

    /// A stream on which nothing arrives.
    struct Silence;

    impl AsyncRead for Silence {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            std::task::Poll::Pending
        }
    }
}
