//! Streams on one connection over TCP (yamux), with a limit on all that may wait in them.
//!
//! Owns how many streams a connection has and how much of them is held that nobody has read. The wrapper of
//! libp2p does the same but for the second limit, which it does not let through: a peer that answers yamux's
//! pings late makes its windows grow, up to a gigabyte on each connection. Invariant: what waits in all
//! streams of a connection is within [`WINDOWS_BYTES_MAX`], of a stranger's within [`STRANGER_BYTES_MAX`].

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use libp2p::core::UpgradeInfo;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::futures::{AsyncRead, AsyncWrite};
use yamux::{Connection, ConnectionError, DEFAULT_CREDIT, Mode, Stream};

use super::transport::{BULK_BYTES, MUXED_STREAMS_MAX, STRANGER_STREAMS_MAX};

/// Bytes that wait unread in all streams of a connection: what each may send unasked, and what those that are
/// read fast may grow by, together.
pub(super) const WINDOWS_BYTES_MAX: usize = MUXED_STREAMS_MAX * DEFAULT_CREDIT as usize + BULK_BYTES;

/// The same of a connection to a stranger.
pub(super) const STRANGER_BYTES_MAX: usize = STRANGER_STREAMS_MAX * DEFAULT_CREDIT as usize;

/// Bytes that are sent in one frame. Each is encrypted and handed to the system for itself; more than this, with its
/// header, would not fit one message of noise.
const FRAME_BYTES_MAX: usize = 62 << 10;

/// Makes many streams of one.
#[derive(Clone, Debug)]
pub(super) struct Yamux(yamux::Config);

impl Yamux {
    /// For a member.
    pub(super) fn new() -> Self {
        Self::within(MUXED_STREAMS_MAX, WINDOWS_BYTES_MAX)
    }

    /// For somebody who has little to say.
    pub(super) fn stranger() -> Self {
        Self::within(STRANGER_STREAMS_MAX, STRANGER_BYTES_MAX)
    }

    fn within(streams: usize, bytes: usize) -> Self {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(streams);
        config.set_max_connection_receive_window(Some(bytes));
        config.set_split_send_size(FRAME_BYTES_MAX);
        Self(config)
    }

    fn on<C: AsyncRead + AsyncWrite + Unpin>(self, socket: C, mode: Mode) -> Muxer<C> {
        Muxer { connection: Connection::new(socket, self.0, mode), arrived: VecDeque::new(), waiting: None }
    }
}

impl UpgradeInfo for Yamux {
    type Info = &'static str;
    type InfoIter = iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = Infallible;
    type Future = Ready<Result<Muxer<C>, Infallible>>;

    fn upgrade_inbound(self, socket: C, _: &'static str) -> Self::Future {
        ready(Ok(self.on(socket, Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Yamux {
    type Output = Muxer<C>;
    type Error = Infallible;
    type Future = Ready<Result<Muxer<C>, Infallible>>;

    fn upgrade_outbound(self, socket: C, _: &'static str) -> Self::Future {
        ready(Ok(self.on(socket, Mode::Client)))
    }
}

/// A connection whose streams are told apart.
pub(super) struct Muxer<C> {
    connection: Connection<C>,
    /// Streams that came while nobody asked for any: yamux goes on only when it is asked for the next one.
    /// No more than a connection may have.
    arrived: VecDeque<Stream>,
    /// Who waits for the next one.
    waiting: Option<Waker>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        self.connection.poll_next_inbound(cx).map(|next| match next {
            Some(stream) => stream.map_err(failed),
            None => Err(failed(ConnectionError::Closed)),
        })
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        if let Some(stream) = self.arrived.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let next = self.poll_next(cx);
        if next.is_pending() {
            self.waiting = Some(cx.waker().clone());
        }
        next
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        self.connection.poll_new_outbound(cx).map_err(failed)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.poll_close(cx).map_err(failed)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        while let Poll::Ready(stream) = self.poll_next(cx) {
            let stream = stream?;
            // Those that were reset meanwhile count no more for yamux, but for us.
            if self.arrived.len() < MUXED_STREAMS_MAX {
                self.arrived.push_back(stream);
            }
            self.waiting.take().into_iter().for_each(Waker::wake);
        }
        Poll::Pending
    }
}

fn failed(error: ConnectionError) -> io::Error {
    match error {
        ConnectionError::Io(error) => error,
        error => io::Error::other(error),
    }
}
