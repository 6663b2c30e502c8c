//! The sealed pieces of an encrypted file: one behind the other, each bound to its place, the last one to its
//! end.
//!
//! Invariant: in memory is one piece; what is handed out was proved.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read, Write};

use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit, Nonce, Tag};

use super::error::NotOpened;
use super::header;
use super::key::{FILE_KEY_BYTES, FileKey, Identity, Recipient, derived};

const PIECE_BYTES: usize = 64 << 10;
const TAG_BYTES: usize = 16;
const SALT_BYTES: usize = 16;

/// The cipher of a file, and which piece comes next.
struct Pieces {
    cipher: ChaCha20Poly1305,
    number: u64,
}

impl Pieces {
    fn new(file_key: &FileKey, salt: &[u8; SALT_BYTES]) -> Self {
        let key = derived(salt, file_key, b"payload");
        Self { cipher: ChaCha20Poly1305::new(&key.into()), number: 0 }
    }

    /// What the next piece is bound to.
    fn nonce(&mut self, is_last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.number.to_be_bytes());
        nonce[11] = u8::from(is_last);
        self.number += 1;
        nonce.into()
    }

    fn seal(&mut self, piece: &mut Vec<u8>, is_last: bool) {
        let nonce = self.nonce(is_last);
        let tag = self.cipher.encrypt_in_place_detached(&nonce, b"", piece);
        piece.extend_from_slice(&tag.expect("a piece is not too long for the cipher"));
    }

    fn open(&mut self, piece: &mut Vec<u8>, is_last: bool) -> Result<(), NotOpened> {
        let number = self.number + 1;
        let at = SALT_BYTES as u64 + self.number * (PIECE_BYTES + TAG_BYTES) as u64;
        let nonce = self.nonce(is_last);
        let fault = NotOpened::Piece { number, at };
        let Some((body, tag)) = piece.split_last_chunk_mut::<TAG_BYTES>() else { return Err(fault) };
        let is_sound = self.cipher.decrypt_in_place_detached(&nonce, b"", body, &Tag::from(*tag)).is_ok();
        let is_one = is_sound && (number == 1 || !body.is_empty());
        piece.truncate(piece.len() - TAG_BYTES);
        if is_one { Ok(()) } else { Err(fault) }
    }
}

/// Encrypts what is written, on its way to somewhere else. Nothing is whole before it was
/// [finished](Self::finish).
pub struct Encrypting<W> {
    inner: W,
    pieces: Pieces,
    piece: Vec<u8>,
}

impl<W: Write> Encrypting<W> {
    /// Begins a file that `recipients` can read.
    pub fn new(mut inner: W, recipients: &BTreeSet<Recipient>) -> Result<Self, NotOpened> {
        let mut fill = |bytes: &mut [u8]| {
            getrandom::fill(bytes).map_err(|error| NotOpened::Randomness(error.to_string()))
        };
        let (mut file_key, mut salt) = ([0; FILE_KEY_BYTES], [0; SALT_BYTES]);
        fill(&mut file_key)?;
        fill(&mut salt)?;
        inner.write_all(&header::write(recipients, &file_key, &mut fill)?)?;
        inner.write_all(&salt)?;
        let piece = Vec::with_capacity(PIECE_BYTES + TAG_BYTES);
        Ok(Self { inner, pieces: Pieces::new(&file_key, &salt), piece })
    }

    /// Writes the last piece; answers what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.pieces.seal(&mut self.piece, true);
        self.inner.write_all(&self.piece)?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Encrypting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full piece waits for the next byte: it may be the last one.
        if self.piece.len() == PIECE_BYTES && !bytes.is_empty() {
            self.pieces.seal(&mut self.piece, false);
            self.inner.write_all(&self.piece)?;
            self.piece.clear();
        }
        let count = bytes.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Decrypts what is read.
pub struct Decrypted<R> {
    inner: R,
    pieces: Pieces,
    piece: Vec<u8>,
    /// How much of the piece was handed out.
    handed: usize,
    is_over: bool,
    by: Recipient,
}

impl<R: BufRead> Decrypted<R> {
    /// Opens an encrypted file with one of `identities`.
    pub fn new(mut inner: R, identities: &[Identity]) -> Result<Self, NotOpened> {
        if identities.is_empty() {
            return Err(NotOpened::NoKey);
        }
        let (file_key, by) = header::read(&mut inner, identities)?;
        let mut salt = [0; SALT_BYTES];
        inner.read_exact(&mut salt).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => NotOpened::Piece { number: 1, at: 0 },
            _ => error.into(),
        })?;
        let pieces = Pieces::new(&file_key, &salt);
        Ok(Self { inner, pieces, piece: Vec::new(), handed: 0, is_over: false, by })
    }

    /// Whom it was for, of those whose identities were given.
    pub fn by(&self) -> Recipient {
        self.by
    }

    fn next(&mut self) -> Result<(), NotOpened> {
        (self.handed, self.is_over) = (0, true);
        self.piece.clear();
        let opened = self.open();
        match &opened {
            Ok(is_last) => self.is_over = *is_last,
            // What is there was not proved.
            Err(_) => self.piece.clear(),
        }
        opened.map(drop)
    }

    /// Reads a piece and opens it; answers whether it is the last one.
    fn open(&mut self) -> Result<bool, NotOpened> {
        let most = (PIECE_BYTES + TAG_BYTES) as u64;
        (&mut self.inner).take(most).read_to_end(&mut self.piece)?;
        let is_last = loop {
            match self.inner.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                rest => break rest?.is_empty(),
            }
        };
        self.pieces.open(&mut self.piece, is_last)?;
        Ok(is_last)
    }
}

impl<R: BufRead> Read for Decrypted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.handed == self.piece.len() && !self.is_over && !out.is_empty() {
            self.next()?;
        }
        let count = out.len().min(self.piece.len() - self.handed);
        out[..count].copy_from_slice(&self.piece[self.handed..self.handed + count]);
        self.handed += count;
        Ok(count)
    }
}
