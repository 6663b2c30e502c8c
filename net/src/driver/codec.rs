//! Messages on a stream: a length of four bytes, big-endian, and so many bytes. Where a protocol packs its
//! messages, the first bit of the length says whether this one is: then its length before that comes first.
//!
//! Owns how much of a stranger's or peer's message is held, and for how long it is waited for. Reads no
//! message. Invariant: no more is allocated than the protocol allows one message, all that are being read at a
//! time share one budget, and no connection takes more of it than its share with any one protocol.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use libp2p::StreamProtocol;
use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::request_response;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::spare::Spare;

/// Bytes of messages that are being read at a time, from everybody.
pub(super) const READING_BYTES_MAX: usize = 32 << 20;
/// Those of one connection: some that are as long as may be. Whoever lets many wait takes no room of others.
pub(super) const SHARE_BYTES: usize = 4 << 20;
/// How long one message may take to arrive: the largest one at 70 kB a second.
pub(super) const MESSAGE_TIMEOUT: Duration = Duration::from_secs(15);

/// Messages from this length on are packed, where it makes them shorter.
const PACKED_FROM_BYTES: usize = 512;
/// In a length: what follows is packed.
const PACKED: u32 = 1 << 31;
const PACKING_LEVEL: i32 = 3;

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
    /// It does not unpack to what it says.
    #[error("a message is not packed as it says")]
    Packed,
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
    /// Whether requests are packed. What is content-addressed is so already.
    pub(super) packs: bool,
    pub(super) room: Room,
}

/// Room for messages that are being read. A behaviour clones its codec for each connection, and that one for each
/// stream: the first clone is a connection's, and its own clones share what it may take.
pub(super) struct Room {
    all: Arc<Semaphore>,
    share: Arc<Semaphore>,
    share_bytes: usize,
    is_connections: bool,
    spare: Spare,
}

impl Room {
    /// So many bytes in all, of which a connection takes up to its share.
    pub(super) fn new(bytes: usize, share_bytes: usize) -> Self {
        Self::within(&Arc::new(Semaphore::new(bytes)), share_bytes)
    }

    /// The same room, with memory that messages were in before.
    pub(super) fn with(self, spare: Spare) -> Self {
        Self { spare, ..self }
    }

    /// The same room, for another protocol.
    pub(super) fn too(&self) -> Self {
        Self::within(&self.all, self.share_bytes)
    }

    fn within(all: &Arc<Semaphore>, share_bytes: usize) -> Self {
        let share = Arc::new(Semaphore::new(share_bytes));
        Self { all: Arc::clone(all), share, share_bytes, is_connections: false, spare: Spare::default() }
    }

    /// All of `bytes` at once: who holds a part and waits for the rest waits for those who do the same.
    async fn take(&self, bytes: usize) -> [SemaphorePermit<'_>; 2] {
        let bytes = u32::try_from(bytes).expect("no message is nearly this long");
        let share = self.share.acquire_many(bytes).await.expect("it is never closed");
        [share, self.all.acquire_many(bytes).await.expect("it is never closed")]
    }
}

impl Clone for Room {
    fn clone(&self) -> Self {
        let room = self.too();
        let share = if self.is_connections { Arc::clone(&self.share) } else { room.share };
        Self { share, is_connections: true, spare: self.spare.clone(), ..room }
    }
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
        let bytes = request.map_err(io::Error::other)?;
        match self.packs.then(|| pack(&bytes)).flatten() {
            Some(packed) => write(io, &packed, PACKED).await,
            None => write(io, &bytes, 0).await,
        }
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let written = write(io, &bytes, 0).await;
        self.room.spare.give(bytes);
        written
    }
}

impl Codec {
    async fn read<T: AsyncRead + Unpin + Send>(&self, io: &mut T, max: usize) -> io::Result<Arrived> {
        let length = match self.in_time(self.length(io, max)).await? {
            Ok(length) => length,
            Err(fault) => return Ok(Err(fault)),
        };
        // That others' messages take the room is no delay of who sends this one.
        let _held = self.room.take(length.held_bytes()).await;
        self.in_time(self.rest(io, length)).await
    }

    /// The same, waiting as long as it takes, in nobody's room.
    pub(super) async fn read_patiently<T: AsyncRead + Unpin + Send>(
        &self,
        io: &mut T,
        max: usize,
    ) -> io::Result<Arrived> {
        match self.length(io, max).await? {
            Ok(length) => self.rest(io, length).await,
            Err(fault) => Ok(Err(fault)),
        }
    }

    async fn in_time<T>(
        &self,
        reading: impl Future<Output = io::Result<Result<T, BadFrame>>>,
    ) -> io::Result<Result<T, BadFrame>> {
        let in_time = tokio::time::timeout(self.timeout, reading);
        in_time.await.unwrap_or(Ok(Err(BadFrame::Slow(self.timeout))))
    }

    async fn length<T: AsyncRead + Unpin + Send>(
        &self,
        io: &mut T,
        max: usize,
    ) -> io::Result<Result<Length, BadFrame>> {
        let mut length = [0; 4];
        io.read_exact(&mut length).await?;
        let length = u32::from_be_bytes(length);
        let is_packed = self.packs && length & PACKED != 0;
        let size = usize::try_from(if is_packed { length ^ PACKED } else { length }).unwrap_or(usize::MAX);
        let fits = size <= max;
        Ok(if fits { Ok(Length { size, is_packed, max }) } else { Err(BadFrame::TooLarge { size, max }) })
    }

    async fn rest<T: AsyncRead + Unpin + Send>(&self, io: &mut T, length: Length) -> io::Result<Arrived> {
        let mut bytes = self.room.spare.take(length.size);
        io.read_exact(&mut bytes).await?;
        Ok(if length.is_packed { unpack(&bytes, length.max) } else { Ok(bytes) })
    }
}

/// What a message said of itself.
struct Length {
    size: usize,
    is_packed: bool,
    /// What it may come to.
    max: usize,
}

impl Length {
    /// Bytes that are held while it is read.
    fn held_bytes(&self) -> usize {
        if self.is_packed { self.size + self.max } else { self.size }
    }
}

/// The message behind its length, if that is shorter.
fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() >= PACKED_FROM_BYTES)?;
    let packed = zstd::bulk::compress(bytes, PACKING_LEVEL).ok()?;
    (packed.len() + 4 < bytes.len()).then(|| [&length.to_be_bytes(), packed.as_slice()].concat())
}

/// The message that travelled packed as `bytes`, which may be `max` bytes long.
pub fn unpack(bytes: &[u8], max: usize) -> Result<Vec<u8>, BadFrame> {
    let (length, packed) = bytes.split_first_chunk().ok_or(BadFrame::Packed)?;
    let size = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if size > max {
        return Err(BadFrame::TooLarge { size, max });
    }
    let unpacked = zstd::bulk::decompress(packed, size).map_err(|_| BadFrame::Packed)?;
    if unpacked.len() == size { Ok(unpacked) } else { Err(BadFrame::Packed) }
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8], flag: u32) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    io.write_all(&(length | flag).to_be_bytes()).await?;
    io.write_all(bytes).await?;
    io.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::futures::io::Cursor;

    fn codec() -> Codec {
        let timeout = Duration::from_millis(50);
        let room = Room::new(READING_BYTES_MAX, SHARE_BYTES);
        Codec { request_bytes_max: 8, response_bytes_max: 8, timeout, packs: false, room }
    }

    /// Reads what `bytes` are to a protocol that packs, with messages of up to `max` bytes.
    async fn read_packed(bytes: &[u8], max: usize) -> Arrived {
        let packing = Codec { packs: true, ..codec() };
        packing.read(&mut Cursor::new(bytes), max).await.expect("a fault is a value")
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
        write(&mut stream, b"12345678", 0).await.expect("memory");
        write(&mut stream, b"", 0).await.expect("memory");
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
    async fn a_long_message_is_packed_where_its_protocol_does_and_that_helps() {
        let mut packing = Codec { packs: true, ..codec() };
        let noise: Vec<u8> =
            (0..64u64).flat_map(|n| *xyn_store::Digest::of(&n.to_be_bytes()).as_bytes()).collect();
        for (message, is_packed) in [(vec![7; 2048], true), (noise, false), (vec![7; 100], false)] {
            let (protocol, mut stream) = (StreamProtocol::new("/test"), Vec::new());
            let written = request_response::Codec::write_request(
                &mut packing,
                &protocol,
                &mut stream,
                Ok(message.clone()),
            );
            written.await.expect("memory");
            assert_eq!(stream.len() < message.len(), is_packed);
            assert_eq!(read_packed(&stream, 4096).await, Ok(message));
        }
    }

    #[tokio::test]
    async fn what_unpacks_to_more_than_allowed_or_said_is_refused_by_name() {
        let packed = |said: u32, content: &[u8]| {
            let content = zstd::bulk::compress(content, PACKING_LEVEL).expect("memory");
            let length = (content.len() as u32 + 4) | PACKED;
            [&length.to_be_bytes(), said.to_be_bytes().as_slice(), &content].concat()
        };
        assert_eq!(read_packed(&packed(600, &[7; 600]), 1000).await, Ok(vec![7; 600]));
        let bomb = packed(1 << 30, &[7; 1 << 20]);
        assert_eq!(read_packed(&bomb, 1000).await, Err(BadFrame::TooLarge { size: 1 << 30, max: 1000 }));
        assert_eq!(read_packed(&packed(1000, &[7; 1 << 20]), 1000).await, Err(BadFrame::Packed));
        assert_eq!(read_packed(&packed(700, &[7; 600]), 1000).await, Err(BadFrame::Packed));
        assert_eq!(read_packed(&[0x80, 0, 0, 3, 1, 2, 3], 1000).await, Err(BadFrame::Packed));
        assert_eq!(read_packed(&[0x80, 0, 0, 6, 0, 0, 0, 9, 1, 2], 1000).await, Err(BadFrame::Packed));
        assert!(matches!(read(&[0x80, 0, 0, 3, 1, 2, 3]).await, Err(BadFrame::TooLarge { .. })));
    }

    #[tokio::test]
    async fn a_message_that_never_ends_is_given_up_and_frees_what_it_held() {
        let codec = codec();
        let mut stalled = Cursor::new([0, 0, 0, 8, 1]).chain(Silence);
        assert_eq!(codec.read(&mut stalled, 8).await.expect("memory"), Err(BadFrame::Slow(codec.timeout)));
        assert_eq!(codec.room.all.available_permits(), READING_BYTES_MAX);
        assert_eq!(codec.room.share.available_permits(), SHARE_BYTES);
    }

    #[tokio::test]
    async fn all_that_is_being_read_at_a_time_shares_one_budget() {
        let codec = Codec { room: Room::new(8, 8), ..codec() };
        let read = async || codec.read(&mut Cursor::new([0, 0, 0, 1, 7]), 8).await.expect("memory");
        let waiting = tokio::time::timeout(2 * codec.timeout, read());
        assert!(
            beside_a_stalled(&codec, waiting).await.is_err(),
            "it waits, and nobody is called slow for it"
        );
        assert_eq!(read().await, Ok(vec![7]));
    }

    #[tokio::test]
    async fn a_connection_that_lets_its_messages_wait_takes_no_room_of_others() {
        let all = Codec { room: Room::new(16, 8), ..codec() };
        let [slow, quick] = [all.clone(), all.clone()];
        let read =
            async |codec: &Codec| codec.read(&mut Cursor::new([0, 0, 0, 1, 7]), 8).await.expect("memory");
        let behind = tokio::time::timeout(all.timeout, read(&slow));
        let both = async { tokio::join!(behind, read(&quick)) };
        let (behind, beside) = beside_a_stalled(&slow, both).await;
        assert!(behind.is_err(), "it waits for the one before it");
        assert_eq!(beside, Ok(vec![7]));
    }

    /// What comes of `others` while a message that never ends holds all that `codec` may take.
    async fn beside_a_stalled<T>(codec: &Codec, others: impl Future<Output = T>) -> T {
        let patient = Codec { timeout: Duration::from_secs(3600), ..codec.clone() };
        let mut stalled = Cursor::new([0, 0, 0, 8, 1]).chain(Silence);
        tokio::select! {
            biased;
            ended = patient.read(&mut stalled, 8) => panic!("it never ends: {ended:?}"),
            came = others => came,
        }
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
