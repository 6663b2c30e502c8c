//! A blob of the chunk store as bytes that come one behind the other.
//!
//! Invariant: what is handed out was verified, chunk by chunk.

use std::io::{self, Read};

use xyn_store::blobs::{Content, Pieces};

/// Reads a blob from its first byte to its last.
pub struct BlobSource {
    pieces: Pieces,
    piece: Vec<u8>,
    at: usize,
}

impl From<Content> for BlobSource {
    fn from(content: Content) -> Self {
        Self { pieces: content.pieces(0..u64::MAX), piece: Vec::new(), at: 0 }
    }
}

impl Read for BlobSource {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.pieces.next() {
                Some(piece) => (self.piece, self.at) = (piece.map_err(io::Error::other)?, 0),
                None => return Ok(0),
            }
        }
        let count = out.len().min(self.piece.len() - self.at);
        out[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
