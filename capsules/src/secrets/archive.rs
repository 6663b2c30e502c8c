//! Archives: what is told apart by its first bytes, and how much of it may be unpacked.
//!
//! Invariant: whatever an archive says of itself, no more comes out of it than the budget of the file holds,
//! nor more than the ratio allows for the bytes that went in.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use super::search::Limits;
use super::tar;

/// Bytes that any archive may have inside, whatever the ratio: short ones of equal bytes are no bomb.
const RATIO_FREE_BYTES: u64 = 1 << 20;
/// Window of zstd that is allotted: what `zstd -19` uses, as a power of two.
pub(super) const ZSTD_WINDOW_LOG_MAX: u32 = 24;

/// An archive or a compressed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Gzip,
    Zstd,
    Tar,
    Zip,
}

impl Format {
    /// What `bytes`, from the beginning of a file, are.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Self::Zip),
            _ if tar::is_tar(bytes) => Some(Self::Tar),
            // A program that unpacks itself: the directory of a zip is at its end.
            _ => (bytes.len() > 22 && bytes[bytes.len() - 22..].starts_with(b"PK\x05\x06"))
                .then_some(Self::Zip),
        }
    }
}

/// What may still be unpacked of one file.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    bytes: Cell<u64>,
    entries: Cell<u64>,
    /// Which limit was reached.
    reached: Cell<Option<&'static str>>,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Rc<Self> {
        let (bytes, entries) = (Cell::new(limits.unpacked_bytes), Cell::new(limits.entries));
        Rc::new(Self { limits, bytes, entries, reached: Cell::new(None) })
    }

    /// The limit that ended the last reading.
    pub(super) fn take_reached(&self) -> Option<&'static str> {
        self.reached.take()
    }

    fn stop(&self, why: &'static str) -> io::Error {
        self.reached.set(Some(why));
        io::Error::other(why)
    }

    /// Counts an entry.
    pub(super) fn entry(&self) -> io::Result<()> {
        let left = self.entries.get().checked_sub(1);
        left.map(|left| self.entries.set(left))
            .ok_or_else(|| self.stop("it has too many entries to search them"))
    }
}

/// Counts what is read.
pub(super) struct Counted<R> {
    pub(super) inner: R,
    pub(super) bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

/// What comes out of an archive, as long as the budget lasts.
pub(super) struct Unpacked<R> {
    inner: R,
    /// Bytes that went in.
    packed: Rc<Cell<u64>>,
    out: u64,
    budget: Rc<Budget>,
}

impl<R> Unpacked<R> {
    pub(super) fn new(inner: R, packed: Rc<Cell<u64>>, budget: &Rc<Budget>) -> Self {
        Self { inner, packed, out: 0, budget: Rc::clone(budget) }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)? as u64;
        self.out += read;
        let Some(left) = self.budget.bytes.get().checked_sub(read) else {
            return Err(self.budget.stop("it is too large unpacked to search all of it"));
        };
        self.budget.bytes.set(left);
        let most =
            self.packed.get().saturating_mul(self.budget.limits.ratio).saturating_add(RATIO_FREE_BYTES);
        if self.out > most {
            return Err(self.budget.stop("it unpacks to so many times its size that it is not searched"));
        }
        Ok(read as usize)
    }
}
