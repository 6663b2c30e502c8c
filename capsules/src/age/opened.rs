//! A capsule's bytes as they can be read, whether they are encrypted or not.

use std::io::{self, BufRead, Read};

use super::error::NotOpened;
use super::header::FIRST_LINE;
use super::key::{Identity, Recipient};
use super::stream::Decrypted;

/// A source of the bytes of a capsule.
pub enum Opened<R> {
    /// They stand there as they are.
    Plain(R),
    /// They are decrypted on their way.
    Private(Decrypted<R>),
}

impl<R: BufRead> Opened<R> {
    /// What `source` holds, decrypted with one of `identities` if it is encrypted.
    pub fn new(mut source: R, identities: &[Identity]) -> Result<Self, NotOpened> {
        match source.fill_buf()?.starts_with(FIRST_LINE) {
            true => Decrypted::new(source, identities).map(Self::Private),
            false => Ok(Self::Plain(source)),
        }
    }

    /// Whom it was encrypted to, of those whose identities were given.
    pub fn by(&self) -> Option<Recipient> {
        match self {
            Self::Plain(_) => None,
            Self::Private(source) => Some(source.by()),
        }
    }
}

impl<R: BufRead> Read for Opened<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(out),
            Self::Private(source) => source.read(out),
        }
    }
}
