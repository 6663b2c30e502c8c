//! Tar archives (POSIX.1-2001): written in one form, and read strictly.
//!
//! Owns headers, long names and lengths. Unlike the search for secrets, which comes past what it does not
//! understand, this refuses it: what two readers could take for two things is no archive. Invariant: no more
//! of a header than [`EXTENDED_MAX_BYTES`] is in memory, and of content nothing.

mod write;

use std::io::{self, Read};

pub(super) use write::{end, pad, write};

/// Bytes of a block.
const BLOCK: usize = 512;
/// Bytes that names outside of a header may have: more than the longest path of a tree.
const EXTENDED_MAX_BYTES: u64 = 64 << 10;
/// Zeros that may stand behind the end: programs write whole records.
const END_MAX_BYTES: u64 = 1 << 20;
/// The largest length that a header holds.
const OCTAL_MAX: u64 = 0o77_777_777_777;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    /// What no tree holds: what it is, for people.
    Other(&'static str),
}

/// An entry, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) size_bytes: u64,
    /// Where a link leads.
    pub(super) target: Vec<u8>,
}

/// Why bytes are no archive.
#[derive(Debug, thiserror::Error)]
pub(super) enum TarError {
    #[error("from byte {at} on, {why}")]
    Unsound { at: u64, why: &'static str },
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// An archive that is read from its beginning to its end.
pub(super) struct Reader<R> {
    source: R,
    at: u64,
    /// Of the entry that is open: bytes that were not read, and those behind it to the next block.
    left: (u64, u64),
}

/// What stands before an entry about it.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size_bytes: Option<u64>,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, at: 0, left: (0, 0) }
    }

    /// Where the content of the open entry begins, or goes on.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next entry, whose content is then read from here; none at the end, behind which nothing is.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, TarError> {
        let mut extended = Extended::default();
        loop {
            self.skip(self.left.0.saturating_add(self.left.1))?;
            self.left = (0, 0);
            let at = self.at;
            let unsound = |why| TarError::Unsound { at, why };
            let Some(header) = self.header()? else { return Ok(None) };
            let size_bytes = octal(&header[124..136]).ok_or_else(|| unsound("a length is none"))?;
            self.left = (size_bytes, size_bytes.wrapping_neg() % BLOCK as u64);
            match header[156] {
                b'x' | b'L' | b'K' => self.extend(header[156], &mut extended)?,
                b'g' => return Err(unsound("a header is for all entries, which is not read here")),
                kind => {
                    let entry = entry(&header, kind, size_bytes, extended).ok_or_else(|| {
                        unsound("a mode is none, or a length is said in two ways that differ")
                    })?;
                    self.left = (entry.size_bytes, entry.size_bytes.wrapping_neg() % BLOCK as u64);
                    return Ok(Some(entry));
                }
            }
        }
    }

    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let at = self.at;
        let unsound = |why| TarError::Unsound { at, why };
        let mut block = [0; BLOCK];
        match self.fill(&mut block)? {
            0 => return Err(unsound("there is no end of the archive")),
            BLOCK => {}
            _ => return Err(unsound("a header is cut short")),
        }
        if block == [0; BLOCK] {
            return self.end().map(|()| None);
        }
        let sum = |block: &[u8]| block.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        let sum = sum(&block[..148]) + 8 * u64::from(b' ') + sum(&block[156..]);
        match octal(&block[148..156]) == Some(sum) && &block[257..262] == b"ustar" {
            true => Ok(Some(block)),
            false => Err(unsound("a header is damaged")),
        }
    }

    /// Sees to it that one more block of zeros is there, and only zeros behind.
    fn end(&mut self) -> Result<(), TarError> {
        let (begun, mut block) = (self.at, [0; BLOCK]);
        loop {
            let at = self.at;
            let unsound = |why| Err(TarError::Unsound { at, why });
            match self.fill(&mut block)? {
                read if block[..read].iter().any(|byte| *byte != 0) || at - begun > END_MAX_BYTES => {
                    return unsound("something stands behind the end");
                }
                read if at == begun && read < BLOCK => return unsound("the end is cut short"),
                0 => return Ok(()),
                _ => {}
            }
        }
    }

    /// Takes what the open entry says about the next one.
    fn extend(&mut self, kind: u8, extended: &mut Extended) -> Result<(), TarError> {
        let (at, size_bytes) = (self.at, self.left.0);
        let unsound = |why| TarError::Unsound { at, why };
        if size_bytes > EXTENDED_MAX_BYTES {
            return Err(unsound("a name is too long"));
        }
        let mut bytes = vec![0; size_bytes as usize];
        if self.read_whole(&mut bytes)? < bytes.len() {
            return Err(unsound("a name is cut short"));
        }
        let taken = match kind {
            b'L' => set(&mut extended.name, text(&bytes).to_vec()),
            b'K' => set(&mut extended.target, text(&bytes).to_vec()),
            _ => records(&bytes, extended),
        };
        taken.ok_or_else(|| unsound("what is said about an entry is damaged, or said twice"))
    }

    fn read_whole(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read(&mut bytes[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }

    fn fill(&mut self, block: &mut [u8; BLOCK]) -> io::Result<usize> {
        self.left.0 = BLOCK as u64;
        let filled = self.read_whole(block)?;
        self.left.0 = 0;
        Ok(filled)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), TarError> {
        let at = self.at;
        let skipped = io::copy(&mut (&mut self.source).take(bytes), &mut io::sink())?;
        self.at += skipped;
        match skipped == bytes {
            true => Ok(()),
            false => Err(TarError::Unsound { at, why: "an entry is cut short" }),
        }
    }
}

/// Reads the content of the open entry.
impl<R: Read> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(usize::try_from(self.left.0).unwrap_or(usize::MAX));
        let read = loop {
            match self.source.read(&mut out[..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.left.0 -= read as u64;
        self.at += read as u64;
        Ok(read)
    }
}

fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

fn entry(header: &[u8; BLOCK], kind: u8, size_bytes: u64, extended: Extended) -> Option<Entry> {
    let kind = match kind {
        b'0' | b'\0' => Kind::File,
        b'5' => Kind::Directory,
        b'2' => Kind::Symlink,
        b'1' => Kind::Other("a hard link"),
        b'3' | b'4' => Kind::Other("a device"),
        b'6' => Kind::Other("a pipe"),
        b'S' => Kind::Other("a sparse file"),
        _ => Kind::Other("of a kind that is not known here"),
    };
    let said = extended.size_bytes;
    if said.is_some_and(|said| size_bytes != 0 && said != size_bytes) {
        return None;
    }
    let prefix = text(&header[345..500]);
    let short = match prefix {
        // Other programs keep other things there.
        b"" => text(&header[..100]).to_vec(),
        _ if &header[257..263] == b"ustar\0" => [prefix, b"/", text(&header[..100])].concat(),
        _ => text(&header[..100]).to_vec(),
    };
    Some(Entry {
        name: extended.name.unwrap_or(short),
        kind,
        mode: u32::try_from(octal(&header[100..108])?).ok()?,
        size_bytes: said.unwrap_or(size_bytes),
        target: extended.target.unwrap_or_else(|| text(&header[157..257]).to_vec()),
    })
}

fn octal(field: &[u8]) -> Option<u64> {
    if field[0] == 0x80 {
        // The form for what is too large: a number of twelve bytes behind a mark.
        return field[1..].iter().try_fold(0_u64, |number, byte| {
            number.checked_mul(256).map(|number| number + u64::from(*byte)).filter(|n| *n <= i64::MAX as u64)
        });
    }
    let digits = str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

/// Up to the first NUL.
fn text(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

/// Takes the records `length key=value` of an extended header.
fn records(mut left: &[u8], extended: &mut Extended) -> Option<()> {
    while !left.is_empty() {
        let space = memchr::memchr(b' ', left)?;
        let length: usize = str::from_utf8(&left[..space]).ok()?.parse().ok()?;
        let record = left.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = memchr::memchr(b'=', record)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => set(&mut extended.name, value.to_vec())?,
            b"linkpath" => set(&mut extended.target, value.to_vec())?,
            b"size" => set(&mut extended.size_bytes, str::from_utf8(value).ok()?.parse().ok()?)?,
            // Its content would not be what it seems.
            _ if key.starts_with(b"GNU.sparse.") => return None,
            // Times, owners and their like: nothing that a tree has.
            _ => {}
        }
        left = &left[length..];
    }
    Some(())
}
