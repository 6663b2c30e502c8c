//! Where the files of a tree lie in its stream.
//!
//! Owns the order of the stream: that of the paths, each content once, where it comes first. Invariant: the
//! layout follows from the listing alone, and its parts leave no gap and do not overlap.

use std::collections::HashMap;
use std::ops::Range;

use xyn_store::Digest;

use super::error::ContainerError;
use crate::tree::{Listing, RelPath, TreeError};

/// A content of the stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    pub(super) digest: Digest,
    pub(super) start: u64,
    pub(super) size_bytes: u64,
    /// The entry of the listing that brought it.
    pub(super) entry: usize,
}

impl File {
    pub(super) fn end(&self) -> u64 {
        self.start + self.size_bytes
    }
}

/// The files of a tree, one behind the other.
#[derive(Debug)]
pub(super) struct Layout {
    /// Each content once.
    pub(super) files: Vec<File>,
    /// File and entry of each further place of a content, sorted.
    copies: Vec<(usize, usize)>,
    pub(super) stream_bytes: u64,
}

impl Layout {
    pub(super) fn of(listing: &Listing) -> Result<Self, ContainerError> {
        let mut known: HashMap<Digest, usize> = HashMap::new();
        let (mut files, mut copies, mut stream_bytes) = (Vec::<File>::new(), Vec::new(), 0);
        for (index, (path, entry)) in listing.entries.iter().enumerate() {
            if !entry.mode.is_file() {
                continue;
            }
            if let Some(&first) = known.get(&entry.digest) {
                let (said, found) = (entry.size_bytes, files[first].size_bytes);
                if said != found {
                    return Err(TreeError::Length { path: path.clone(), said, found }.into());
                }
                copies.push((first, index));
                continue;
            }
            let file = File {
                digest: entry.digest,
                start: stream_bytes,
                size_bytes: entry.size_bytes,
                entry: index,
            };
            known.insert(entry.digest, files.len());
            files.push(file);
            // The listing was counted against the limit of all bytes, which is far from the end of u64.
            stream_bytes += entry.size_bytes;
        }
        copies.sort_unstable();
        Ok(Self { files, copies, stream_bytes })
    }

    /// The files that have bytes in `range`, by number, each with its part of `range`.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = (usize, Range<u64>)> {
        let first = self.files.partition_point(|file| file.end() <= range.start);
        let reached = self.files[first..].iter().take_while(move |file| file.start < range.end);
        let parts = reached.enumerate().filter(|(_, file)| file.size_bytes > 0);
        parts.map(move |(at, file)| (first + at, file.start.max(range.start)..file.end().min(range.end)))
    }

    /// The entries that have the content of a file.
    pub(super) fn places(&self, file: usize) -> impl Iterator<Item = usize> {
        let first = self.copies.partition_point(|(of, _)| *of < file);
        let copies = self.copies[first..].iter().take_while(move |(of, _)| *of == file);
        std::iter::once(self.files[file].entry).chain(copies.map(|(_, entry)| *entry))
    }

    /// Where the contents lie that the entries from `first` to `last` brought.
    pub(super) fn between(&self, listing: &Listing, first: &RelPath, last: &RelPath) -> Range<u64> {
        let path = |file: &File| &listing.entries[file.entry].0;
        let start = self.files.partition_point(|file| path(file) < first);
        let end = self.files.partition_point(|file| path(file) <= last);
        let start_of = |file: usize| self.files.get(file).map_or(self.stream_bytes, |file| file.start);
        start_of(start)..start_of(end)
    }
}
