//! The header of an encrypted file: the key of the file, wrapped for each recipient, and what seals all that.
//!
//! Owns the lines as they are written and as they are read, each in its one form. Invariant: a key that was
//! found in a header is that of the file only when the header is the one that was sealed with it.

use std::collections::BTreeSet;
use std::io::{BufRead, Read};

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::error::NotOpened;
use super::key::{FileKey, Identity, KEY_BYTES, Recipient, WRAPPED_BYTES, derived};

/// How every file begins.
pub(crate) const FIRST_LINE: &[u8] = b"age-encryption.org/v1\n";
/// Recipients that one file may have.
pub const RECIPIENTS_MAX: usize = 64;

/// What begins the lines for one recipient.
const STANZA: &[u8] = b"-> ";
/// What begins the last line.
const END: &[u8] = b"---";
const X25519: &[u8] = b"X25519";
/// Characters of base64 in a line that is not the last one of its body.
const LINE_CHARS: usize = 64;
/// Bytes that a header may have: room for many times as many stanzas, of whatever kind.
const HEADER_MAX_BYTES: u64 = 64 << 10;

/// The header that lets `recipients` have `file_key`; `fill` gives random bytes.
pub(super) fn write(
    recipients: &BTreeSet<Recipient>,
    file_key: &FileKey,
    fill: &mut dyn FnMut(&mut [u8]) -> Result<(), NotOpened>,
) -> Result<Vec<u8>, NotOpened> {
    let mut header = FIRST_LINE.to_vec();
    for recipient in recipients {
        let mut secret = [0; KEY_BYTES];
        fill(&mut secret)?;
        let (share, wrapped) = recipient.wrap(file_key, secret);
        let [share, wrapped] = [share, wrapped].map(|bytes| BASE64_STANDARD_NO_PAD.encode(bytes));
        header.extend_from_slice(format!("-> X25519 {share}\n{wrapped}\n").as_bytes());
    }
    header.extend_from_slice(END);
    let seal = BASE64_STANDARD_NO_PAD.encode(seal(file_key, &header).finalize().into_bytes());
    header.extend_from_slice(format!(" {seal}\n").as_bytes());
    Ok(header)
}

/// The key of the file whose header `source` stands before, and whose it was of `identities`.
pub(super) fn read(
    source: &mut dyn BufRead,
    identities: &[Identity],
) -> Result<(FileKey, Recipient), NotOpened> {
    let mut lines = Lines { source: source.take(HEADER_MAX_BYTES), read: Vec::new(), number: 0 };
    if lines.next()? != FIRST_LINE.trim_ascii_end() {
        return Err(lines.fault());
    }
    let mut found = None;
    let mut stanzas = 0;
    loop {
        let before = lines.read.len();
        let line = lines.next()?;
        if line.starts_with(END) {
            let text = line.strip_prefix(b"--- ").ok_or_else(|| lines.fault())?.to_vec();
            let said: [u8; 32] = lines.fixed(&text)?;
            if stanzas == 0 {
                return Err(lines.fault());
            }
            let (file_key, by) = found.ok_or(NotOpened::OtherKeys)?;
            let sealed = &lines.read[..before + END.len()];
            let proved = seal(&file_key, sealed).verify_slice(&said);
            return proved.map(|()| (file_key, by)).map_err(|_| NotOpened::Changed);
        }
        stanzas += 1;
        let Some((share, wrapped, at)) = lines.stanza(&line)? else { continue };
        for identity in identities {
            let opened = identity.unwrap(&share, &wrapped, at)?;
            found = found.or(opened.map(|file_key| (file_key, identity.recipient())));
        }
    }
}

fn seal(file_key: &FileKey, header: &[u8]) -> Hmac<Sha256> {
    let key = derived(b"", file_key, b"header");
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).expect("a key may have any length");
    mac.chain_update(header)
}

/// What is shared with a recipient, what is wrapped for it, and the line that says so.
type Wrapped = ([u8; KEY_BYTES], [u8; WRAPPED_BYTES], usize);

/// Lines of a header, and all of it that was read.
struct Lines<R> {
    source: R,
    read: Vec<u8>,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    /// The next line, without its end.
    fn next(&mut self) -> Result<Vec<u8>, NotOpened> {
        self.number += 1;
        let start = self.read.len();
        self.source.read_until(b'\n', &mut self.read)?;
        let line = self.read[start..].strip_suffix(b"\n");
        line.map(<[u8]>::to_vec).ok_or_else(|| self.fault())
    }

    fn fault(&self) -> NotOpened {
        NotOpened::Header { line: self.number }
    }

    /// Reads the stanza that begins with `line`; answers one of X25519.
    fn stanza(&mut self, line: &[u8]) -> Result<Option<Wrapped>, NotOpened> {
        let words = line.strip_prefix(STANZA).ok_or_else(|| self.fault())?;
        let words: Vec<Vec<u8>> = words.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
        if words.iter().any(|word| word.is_empty() || !word.iter().all(u8::is_ascii_graphic)) {
            return Err(self.fault());
        }
        let (at, share) = match words.as_slice() {
            [kind, share] if kind == X25519 => (self.number, Some(self.fixed(share)?)),
            [kind, ..] if kind == X25519 => return Err(self.fault()),
            _ => (self.number, None),
        };
        let mut body = Vec::new();
        loop {
            let line = self.next()?;
            if line.len() > LINE_CHARS {
                return Err(self.fault());
            }
            body.extend(BASE64_STANDARD_NO_PAD.decode(&line).map_err(|_| self.fault())?);
            if line.len() < LINE_CHARS {
                break;
            }
        }
        let Some(share) = share else { return Ok(None) };
        let wrapped = body.try_into().map_err(|_| self.fault())?;
        Ok(Some((share, wrapped, at)))
    }

    /// The bytes that are written as `text`, in its one form.
    fn fixed<const N: usize>(&self, text: &[u8]) -> Result<[u8; N], NotOpened> {
        let bytes = BASE64_STANDARD_NO_PAD.decode(text).map_err(|_| self.fault())?;
        bytes.try_into().map_err(|_| self.fault())
    }
}
