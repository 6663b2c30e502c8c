//! The stream of the files of a tree, on its way into chunks.
//!
//! Owns where the stream is cut. Files up to half a MiB are grouped, and a group ends behind a path that says
//! so, or when it is full: what is put in or changed disturbs one group. Larger files are cut where their
//! content says so. A file counts once it is said to be taken; until then it can be given again. Invariant:
//! the cuts follow from the paths and contents that were taken, whatever was tried meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::mpsc::SyncSender;

use xyn_store::Digest;
use xyn_store::blobs::{Cuts, Cutter};

use super::base::Base;
use super::press::{Job, Press};
use crate::tree::scan::{KeepError, Keeper};
use crate::tree::{Directory, RelPath, Target};

/// The largest file that is grouped with others.
const SMALL_BYTES: u64 = 512 << 10;
/// A group may end when it has so much.
const GROUP_BYTES: usize = 1 << 20;
/// A group never has more, unless it is one file.
const GROUP_MAX_BYTES: usize = 4 << 20;
/// One path in so many ends a group.
const GROUP_END: u8 = 64;
/// How large files are cut.
const CUTS: Cuts = Cuts { min_bytes: 512 << 10, average_bytes: 2 << 20, max_bytes: 4 << 20 };
/// How far what is in a large file may have moved to be found again.
const MOVED_BYTES: u64 = 256 << 10;
/// How much of a large file is read at once.
const PIECE_BYTES: usize = 256 << 10;

/// Files that come one behind the other.
pub(super) struct Stream<'a> {
    press: &'a Press<'a>,
    jobs: SyncSender<Job>,
    next_id: u64,
    /// The chunks of what was taken.
    order: Vec<u64>,
    group: Vec<u8>,
    /// The files of the group, and where they are in it.
    members: Vec<(RelPath, Range<usize>)>,
    pending: Option<Pending>,
    known: HashSet<Digest>,
    blobs: BTreeMap<Digest, Vec<u8>>,
}

/// A file that may be given again.
enum Pending {
    /// At the end of the group.
    Small { path: RelPath, digest: Digest },
    /// In chunks of its own.
    Large { digest: Digest, chunks: Vec<u64> },
}

/// What a stream leaves: the ids of its chunks in their order, and the directories and targets that came.
pub(super) type Ended = (Vec<u64>, BTreeMap<Digest, Vec<u8>>);

impl<'a> Stream<'a> {
    pub(super) fn new(press: &'a Press<'a>, jobs: SyncSender<Job>) -> Self {
        Self {
            press,
            jobs,
            next_id: 0,
            order: Vec::new(),
            group: Vec::new(),
            members: Vec::new(),
            pending: None,
            known: HashSet::new(),
            blobs: BTreeMap::new(),
        }
    }

    /// Reads a file of about `size_bytes`; more than `limit_bytes` is read a little beyond, so that it shows.
    pub(super) fn read(
        &mut self,
        path: &RelPath,
        source: &mut dyn Read,
        size_bytes: u64,
        limit_bytes: u64,
    ) -> io::Result<(Digest, u64)> {
        self.forget();
        match size_bytes <= SMALL_BYTES {
            true => self.small(path, source, size_bytes as usize),
            false => self.large(path, source, limit_bytes),
        }
    }

    /// What was read last belongs to the stream.
    pub(super) fn take(&mut self) -> io::Result<()> {
        match self.pending.take() {
            Some(Pending::Small { path, digest }) => self.take_small(path, digest),
            Some(Pending::Large { digest, chunks }) => {
                if self.known.insert(digest) {
                    self.flush(self.group.len())?;
                    self.order.extend(chunks);
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Notes a directory or a target.
    pub(super) fn keep(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest, bytes);
        digest
    }

    /// Ends the stream.
    pub(super) fn end(mut self) -> io::Result<Ended> {
        self.forget();
        self.flush(self.group.len())?;
        Ok((self.order, self.blobs))
    }

    /// Drops what was read and not taken.
    fn forget(&mut self) {
        self.pending = None;
        let end = self.members.last().map_or(0, |(_, place)| place.end);
        self.group.truncate(end);
    }

    fn small(&mut self, path: &RelPath, source: &mut dyn Read, size: usize) -> io::Result<(Digest, u64)> {
        let start = self.group.len();
        self.group.resize(start + size, 0);
        let mut end = start;
        while end < self.group.len() {
            match source.read(&mut self.group[end..]) {
                Ok(0) => break,
                Ok(count) => end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.group.truncate(end);
        let digest = Digest::of(&self.group[start..]);
        self.pending = Some(Pending::Small { path: path.clone(), digest });
        Ok((digest, (end - start) as u64))
    }

    fn take_small(&mut self, path: RelPath, digest: Digest) -> io::Result<()> {
        let start = self.members.last().map_or(0, |(_, place)| place.end);
        if !self.known.insert(digest) {
            self.group.truncate(start);
            return Ok(());
        }
        if self.group.len() > GROUP_MAX_BYTES {
            self.flush(start)?;
        }
        let start = self.members.last().map_or(0, |(_, place)| place.end);
        let is_end = Digest::of(path.as_str().as_bytes()).as_bytes()[0].is_multiple_of(GROUP_END);
        self.members.push((path, start..self.group.len()));
        match is_end && self.group.len() >= GROUP_BYTES {
            true => self.flush(self.group.len()),
            false => Ok(()),
        }
    }

    fn large(&mut self, path: &RelPath, source: &mut dyn Read, limit: u64) -> io::Result<(Digest, u64)> {
        let (mut cutter, mut chunks, mut at) = (Cutter::new(CUTS), Vec::new(), 0);
        let mut piece = vec![0; PIECE_BYTES];
        let mut take = |this: &mut Self, chunk: &[u8]| {
            let near = this.near_within(path, at..at + chunk.len() as u64);
            let files = match this.press.inspect {
                Some(_) => vec![(path.clone(), at, 0..chunk.len())],
                None => Vec::new(),
            };
            at += chunk.len() as u64;
            chunks.push(this.send(chunk.to_vec(), near, files)?);
            io::Result::Ok(())
        };
        let mut left = limit.saturating_add(1);
        while left > 0 {
            match source.read(&mut piece[..left.min(PIECE_BYTES as u64) as usize]) {
                Ok(0) => break,
                Ok(count) => {
                    left -= count as u64;
                    cutter.write(&piece[..count], |chunk| take(self, chunk))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let (digest, size_bytes) = cutter.finish(|chunk| take(self, chunk))?;
        self.pending = Some(Pending::Large { digest, chunks });
        Ok((digest, size_bytes))
    }

    /// Makes a chunk of the group up to `end`, which is the end of a file.
    fn flush(&mut self, end: usize) -> io::Result<()> {
        if end == 0 {
            self.members.clear();
            return Ok(());
        }
        let rest = self.group.split_off(end);
        let raw = std::mem::replace(&mut self.group, rest);
        let members = std::mem::take(&mut self.members);
        let near = match (self.press.base, members.first(), members.last()) {
            (Some(base), Some((first, _)), Some((last, _))) => near(base, first, last),
            _ => 0..0,
        };
        let files = match self.press.inspect {
            Some(_) => members.into_iter().map(|(path, place)| (path, 0, place)).collect(),
            None => Vec::new(),
        };
        let id = self.send(raw, near, files)?;
        self.order.push(id);
        Ok(())
    }

    fn near_within(&self, path: &RelPath, range: Range<u64>) -> Range<u64> {
        let of = self.press.base.map_or(0..0, |base| near(base, path, path));
        let start = of.start + range.start.saturating_sub(MOVED_BYTES);
        start.min(of.end)..(of.start + range.end + MOVED_BYTES).min(of.end)
    }

    fn send(
        &mut self,
        raw: Vec<u8>,
        near: Range<u64>,
        files: Vec<(RelPath, u64, Range<usize>)>,
    ) -> io::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        let sent = self.jobs.send(Job { id, raw, near, files });
        match sent.is_err() || self.press.has_fault() {
            // What the worker said is told instead.
            true => Err(io::Error::other("the chunks cannot be kept")),
            false => Ok(id),
        }
    }
}

fn near(base: &dyn Base, first: &RelPath, last: &RelPath) -> Range<u64> {
    let outline = base.outline();
    outline.layout.between(&outline.listing, first, last)
}

impl Keeper for Stream<'_> {
    fn file(
        &mut self,
        path: &RelPath,
        mut file: &File,
        size_bytes: u64,
        limit_bytes: u64,
    ) -> Result<(Digest, u64), KeepError> {
        self.read(path, &mut file, size_bytes, limit_bytes).map_err(KeepError::Read)
    }

    fn taken(&mut self) -> Result<(), KeepError> {
        self.take().map_err(KeepError::Read)
    }

    fn target(&mut self, target: &Target) -> Result<Digest, KeepError> {
        Ok(self.keep(target.as_str().as_bytes().to_vec()))
    }

    fn directory(&mut self, _: &Directory, bytes: Vec<u8>, _: bool) -> Result<Digest, KeepError> {
        Ok(self.keep(bytes))
    }
}
