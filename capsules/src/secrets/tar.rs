//! Tar archives, read one entry after the other: as much of the format as it takes to come past each.
//!
//! Invariant: a header whose checksum is wrong ends the reading with an error, never with a guess.

use std::io::{self, Read};

/// Bytes of a block.
const BLOCK: usize = 512;
/// Bytes that a name written in an entry of its own may have.
const NAME_MAX_BYTES: u64 = 64 << 10;

/// Whether `bytes` begin a tar archive.
pub(super) fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// Hands every file in `archive` to `each`, with its name.
pub(super) fn entries(
    archive: &mut dyn Read,
    mut each: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut long_name = None;
    while let Some(header) = header(archive)? {
        let size = size(&header)?;
        match header[156] {
            b'L' => long_name = Some(text(&content(archive, size)?)),
            b'x' => long_name = pax_path(&content(archive, size)?).or(long_name),
            b'0' | b'\0' | b'7' => {
                let name = long_name.take().unwrap_or_else(|| name(&header));
                let mut entry = (&mut *archive).take(size);
                each(&name, &mut entry)?;
                io::copy(&mut entry, &mut io::sink())?;
            }
            // Links, folders and devices have no content.
            b'1'..=b'6' => {
                long_name = None;
                continue;
            }
            _ => drop(io::copy(&mut (&mut *archive).take(size), &mut io::sink())?),
        }
        let padding = size.wrapping_neg() % BLOCK as u64;
        io::copy(&mut (&mut *archive).take(padding), &mut io::sink())?;
    }
    Ok(())
}

/// The next header; none at the end, which is a block of zeros or nothing.
fn header(archive: &mut dyn Read) -> io::Result<Option<[u8; BLOCK]>> {
    let mut block = [0; BLOCK];
    let mut filled = 0;
    while filled < BLOCK {
        match archive.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if filled == 0 || block == [0; BLOCK] {
        return Ok(None);
    }
    let sum = |block: &[u8]| block.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let expected = sum(&block[..148]) + 8 * u64::from(b' ') + sum(&block[156..]);
    let is_sound = filled == BLOCK && octal(&block[148..156]) == Some(expected);
    if is_sound { Ok(Some(block)) } else { Err(damaged()) }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no sound tar archive")
}

fn content(archive: &mut dyn Read, size: u64) -> io::Result<Vec<u8>> {
    if size > NAME_MAX_BYTES {
        return Err(damaged());
    }
    let mut bytes = Vec::new();
    (&mut *archive).take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn size(header: &[u8; BLOCK]) -> io::Result<u64> {
    let field = &header[124..136];
    if field[0] & 0x80 == 0 {
        return octal(field).ok_or_else(damaged);
    }
    let mut large = [0; 8];
    large.copy_from_slice(&field[4..]);
    Ok(u64::from_be_bytes(large))
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

fn name(header: &[u8; BLOCK]) -> String {
    let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
    let is_posix = header[257..263] == *b"ustar\0";
    if is_posix && !prefix.is_empty() { format!("{prefix}/{name}") } else { name }
}

/// Text up to its first NUL.
fn text(bytes: &[u8]) -> String {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The `path` among the records `length key=value` of an extended header.
fn pax_path(records: &[u8]) -> Option<String> {
    let mut left = records;
    while let Some(space) = memchr::memchr(b' ', left) {
        let length: usize = std::str::from_utf8(&left[..space]).ok()?.parse().ok()?;
        let record = left.get(space + 1..length)?;
        if let Some(path) = record.strip_prefix(b"path=") {
            return Some(text(path.strip_suffix(b"\n").unwrap_or(path)));
        }
        left = &left[length..];
    }
    None
}
