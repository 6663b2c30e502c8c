//! Why a connection came to nothing before anybody knew who was at its other end.
//!
//! Owns the reading of what the transports say of it, each error in its wrappings. Invariant: what an honest node
//! may cause, on a bad line or when it is killed, is not called false.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::iter;

use libp2p::core::transport::timeout::TransportTimeoutError;
use libp2p::core::upgrade::NegotiationError;
use libp2p::swarm::derive_prelude::Either;
use libp2p::{noise, quic};

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHandshake {
    /// Nothing came, or not all of it, in time.
    #[error("it did not say who it is in time")]
    Slow,
    /// The connection ended first.
    #[error("it was gone before it said who it is: {0}")]
    Gone(String),
    /// What came proves no key.
    #[error("it did not prove who it is: {0}")]
    False(String),
}

impl BadHandshake {
    pub(super) fn of(error: &io::Error) -> Self {
        let mut said = error.to_string();
        for cause in causes(error) {
            said = cause.to_string();
            if is_late(cause) {
                return Self::Slow;
            }
            if is_gone(cause) {
                return Self::Gone(said);
            }
        }
        Self::False(said)
    }
}

/// What a transport says went wrong, to be found again: both transports have one type of error then, and I/O errors
/// pass over what they were made of.
pub(super) fn kept<E: Error + Send + Sync + 'static>(error: E) -> io::Error {
    io::Error::other(Kept(error))
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Kept<E: Error + 'static>(#[source] E);

/// The error, and what it wraps.
fn causes(error: &io::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    iter::successors(Some(first), |&cause| {
        let made_of = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        made_of.map(|it| it as &(dyn Error + 'static)).or_else(|| cause.source())
    })
}

fn is_late(cause: &(dyn Error + 'static)) -> bool {
    let timeout = cause.downcast_ref::<TransportTimeoutError<Either<io::Error, io::Error>>>();
    matches!(timeout, Some(TransportTimeoutError::Timeout))
        || matches!(cause.downcast_ref(), Some(quic::Error::HandshakeTimedOut))
}

/// Over QUIC, what the other end did and what it sent look alike.
fn is_gone(cause: &(dyn Error + 'static)) -> bool {
    let io = match cause.downcast_ref() {
        Some(noise::Error::Io(error)) => Some(error),
        _ => cause.downcast_ref::<io::Error>(),
    };
    let is_over = |error: &io::Error| {
        use ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, TimedOut, UnexpectedEof,
        };
        let over = [UnexpectedEof, ConnectionReset, ConnectionAborted, BrokenPipe, NotConnected, TimedOut];
        over.contains(&error.kind())
    };
    io.is_some_and(is_over)
        || matches!(cause.downcast_ref(), Some(NegotiationError::Failed))
        || matches!(cause.downcast_ref(), Some(quic::Error::Connection(_) | quic::Error::Io(_)))
}
