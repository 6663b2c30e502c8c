//! Tar archives, written in the one form of which equal content makes equal bytes.

use std::io::{self, Write};

use super::{BLOCK, Entry, Kind, OCTAL_MAX};

/// Writes what stands before the content of `entry`, which nobody owns and which was never changed.
pub(in crate::exchange) fn write(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    let mut records = Vec::new();
    if entry.name.len() > 100 {
        record(&mut records, "path", &entry.name);
    }
    if entry.target.len() > 100 {
        record(&mut records, "linkpath", &entry.target);
    }
    if entry.size_bytes > OCTAL_MAX {
        record(&mut records, "size", entry.size_bytes.to_string().as_bytes());
    }
    if !records.is_empty() {
        out.write_all(&block(b"pax", b'x', 0o644, records.len() as u64, b""))?;
        out.write_all(&records)?;
        pad(out, records.len() as u64)?;
    }
    let kind = match entry.kind {
        Kind::File | Kind::Other(_) => b'0',
        Kind::Directory => b'5',
        Kind::Symlink => b'2',
    };
    out.write_all(&block(&entry.name, kind, entry.mode, entry.size_bytes, &entry.target))
}

/// Fills up the last block of a content of `size_bytes`.
pub(in crate::exchange) fn pad(out: &mut impl Write, size_bytes: u64) -> io::Result<()> {
    let padding = size_bytes.wrapping_neg() % BLOCK as u64;
    out.write_all(&[0; BLOCK][..padding as usize])
}

/// Ends an archive.
pub(in crate::exchange) fn end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// A record that tells its own length.
fn record(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let length = (1..).find_map(|digits| {
        let length: usize = rest + digits;
        (length.to_string().len() == digits).then_some(length)
    });
    out.extend_from_slice(format!("{} {key}=", length.unwrap_or(rest)).as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn block(name: &[u8], kind: u8, mode: u32, size_bytes: u64, target: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name[..name.len().min(100)]);
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    let size_bytes = if size_bytes > OCTAL_MAX { 0 } else { size_bytes };
    put(124, format!("{size_bytes:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, &target[..target.len().min(100)]);
    put(257, b"ustar\x0000");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
