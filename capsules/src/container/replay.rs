//! Going through the chunks of a capsule: each verified, each file proved, then handed on.
//!
//! Owns the order of things: workers unpack chunks beside each other, and what lies within one chunk is
//! handed on there; a file of several chunks is put together in their order. A fault in an early chunk is told
//! before one in a later chunk. Invariant: a file is said to be whole only when its digest is the one of the
//! tree, and only twice as many chunks are in memory as there are workers.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use sha2::{Digest as _, Sha256};
use xyn_store::Digest;

use super::base::Base;
use super::chunk::unpacked;
use super::codec::Decoder;
use super::error::ContainerError;
use super::index::Index;
use super::open::{Capsule, Source};
use super::outline::Outline;
use super::press::workers;

/// Takes the files of a capsule.
pub(super) trait Sink: Sync {
    /// Whether a file is wanted. Of chunks with no wanted file nothing is unpacked.
    fn wants(&self, _file: usize) -> bool {
        true
    }

    /// Files that are whole, by number, each with its bytes. Comes from several threads.
    fn whole(&self, files: &[(usize, &[u8])]) -> Result<(), ContainerError>;

    /// The next bytes of a file of several chunks, in their order and from one thread.
    fn piece(&self, file: usize, bytes: &[u8]) -> Result<(), ContainerError>;

    /// The file whose pieces came is whole.
    fn proved(&self, file: usize) -> Result<(), ContainerError>;
}

/// What was read from a capsule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The tree.
    pub root: Digest,
    /// How many files it has.
    pub files: u64,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// Bytes of the capsule.
    pub stored_bytes: u64,
}

impl<R: Read> Capsule<'_, R> {
    /// Reads the capsule to its end and proves every file, without keeping any.
    pub fn verify(self) -> Result<Verified, ContainerError> {
        struct Nothing;
        impl Sink for Nothing {
            fn whole(&self, _: &[(usize, &[u8])]) -> Result<(), ContainerError> {
                Ok(())
            }
            fn piece(&self, _: usize, _: &[u8]) -> Result<(), ContainerError> {
                Ok(())
            }
            fn proved(&self, _: usize) -> Result<(), ContainerError> {
                Ok(())
            }
        }
        let Self { source, outline, index, base, .. } = self;
        Replay { outline: &outline, index: &index, base, sink: &Nothing }.run(source)
    }
}

/// A capsule that is gone through.
pub(super) struct Replay<'a> {
    pub(super) outline: &'a Outline,
    pub(super) index: &'a Index,
    pub(super) base: Option<&'a dyn Base>,
    pub(super) sink: &'a dyn Sink,
}

impl Replay<'_> {
    /// Hands every file to the sink; `source` stands at the first chunk.
    pub(super) fn run<R: Read>(&self, mut source: Source<R>) -> Result<Verified, ContainerError> {
        let Self { outline, index, sink, .. } = self;
        for (number, file) in outline.layout.files.iter().enumerate() {
            // Of which no chunk has bytes.
            if file.size_bytes == 0 {
                prove(outline, number, Digest::of(b""))?;
                sink.whole(&[(number, b"")])?;
            }
        }
        let count = workers();
        let (send_jobs, jobs) = sync_channel::<Job>(2 * count);
        let (send_done, done) = sync_channel(2 * count);
        let jobs = Mutex::new(jobs);
        thread::scope(|scope| {
            for _ in 0..count {
                let (jobs, send_done) = (&jobs, send_done.clone());
                scope.spawn(move || self.work(jobs, &send_done));
            }
            // From here on only workers hold an end, so that their end shows.
            drop(send_done);
            let mut read = |number: usize| {
                let at = source.at;
                let stored =
                    source.take(index.rows[number].stored_bytes().into(), || index.part(number, outline));
                stored.map(|stored| Job { number, at, stored })
            };
            self.conduct(&mut read, send_jobs, &done, 2 * count)
        })?;
        source.end()?;
        let listing = &outline.listing;
        Ok(Verified {
            root: outline.root,
            files: listing.files,
            size_bytes: listing.size_bytes,
            stored_bytes: source.at,
        })
    }
}

/// A chunk to unpack, and where it stands in the capsule.
struct Job {
    number: usize,
    at: u64,
    stored: Vec<u8>,
}

/// What is left of a chunk: the pieces of files that lie in others as well.
#[derive(Default)]
struct Rest {
    raw: Vec<u8>,
    pieces: Vec<(usize, Range<usize>)>,
}

type Done = (usize, Result<Rest, ContainerError>);

impl Replay<'_> {
    /// Gives out chunks and takes back what is left of each, in their order.
    fn conduct(
        &self,
        read: &mut dyn FnMut(usize) -> Result<Job, ContainerError>,
        jobs: SyncSender<Job>,
        done: &Receiver<Done>,
        ahead: usize,
    ) -> Result<(), ContainerError> {
        let (mut next, mut is_cut) = (0, false);
        let (mut waiting, mut open) = (BTreeMap::new(), None);
        for number in 0..self.index.rows.len() {
            while next < self.index.rows.len() && next - number < ahead && !is_cut {
                match read(next) {
                    Ok(job) => jobs.send(job).expect("workers outlive the sender of their jobs"),
                    Err(error) => {
                        is_cut = true;
                        waiting.insert(next, Err(error));
                    }
                }
                next += 1;
            }
            let rest = loop {
                match waiting.remove(&number) {
                    Some(rest) => break rest,
                    None => {
                        let (number, rest) = done.recv().expect("a worker answers every job");
                        waiting.insert(number, rest);
                    }
                }
            };
            self.put_together(&mut open, rest?)?;
        }
        Ok(())
    }

    fn put_together(&self, open: &mut Option<Open>, rest: Rest) -> Result<(), ContainerError> {
        for (number, range) in rest.pieces {
            let file = &self.outline.layout.files[number];
            let mut now = open.take().unwrap_or_default();
            let bytes = &rest.raw[range];
            now.hasher.update(bytes);
            now.bytes += bytes.len() as u64;
            self.sink.piece(number, bytes)?;
            if now.bytes < file.size_bytes {
                *open = Some(now);
                continue;
            }
            prove(self.outline, number, Digest::from_bytes(now.hasher.finalize().into()))?;
            self.sink.proved(number)?;
        }
        Ok(())
    }

    fn work(&self, jobs: &Mutex<Receiver<Job>>, done: &SyncSender<Done>) {
        let mut decoder = Decoder::new();
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            let number = job.number;
            if done.send((number, self.chunk(job, &mut decoder))).is_err() {
                return;
            }
        }
    }

    fn chunk(&self, job: Job, decoder: &mut Decoder) -> Result<Rest, ContainerError> {
        let (layout, range) = (&self.outline.layout, self.index.range(job.number));
        let wanted: Vec<_> =
            layout.within(range.clone()).filter(|(file, _)| self.sink.wants(*file)).collect();
        if wanted.is_empty() {
            return Ok(Rest::default());
        }
        let raw = unpacked(&self.index.rows[job.number], job.stored, self.base, decoder);
        let raw = raw.map_err(|error| error.at(self.index.part(job.number, self.outline), job.at))?;
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        for (number, part) in wanted {
            let place = (part.start - range.start) as usize..(part.end - range.start) as usize;
            let file = &layout.files[number];
            if part != (file.start..file.end()) {
                pieces.push((number, place));
                continue;
            }
            let bytes = &raw[place];
            prove(self.outline, number, Digest::of(bytes))?;
            whole.push((number, bytes));
        }
        self.sink.whole(&whole)?;
        let raw = if pieces.is_empty() { Vec::new() } else { raw };
        Ok(Rest { raw, pieces })
    }
}

/// A file of which more is to come.
#[derive(Default)]
struct Open {
    hasher: Sha256,
    bytes: u64,
}

fn prove(outline: &Outline, file: usize, found: Digest) -> Result<(), ContainerError> {
    let file = &outline.layout.files[file];
    match file.digest == found {
        true => Ok(()),
        false => {
            let path = outline.listing.entries[file.entry].0.clone();
            Err(ContainerError::Content { path, said: file.digest, found })
        }
    }
}
