//! The search itself: a file from its beginning to its end, and what is packed in it.
//!
//! Owns the window that moves over a large file, the order of findings and the ways inwards. Invariant: memory
//! is bounded by [`WINDOW_BYTES`] for each archive that another is in.

use std::cell::RefCell;
use std::io::{self, Read};
use std::ops::Range;
use std::rc::Rc;

use super::allow::ALLOW_MARK;
use super::archive::{Budget, Format};
use super::finding::{Finding, Rule};
use super::kind::{self, Kind};
use super::place::Place;
use super::text::{Hit, Text};
use super::{encoded, env, random, run, token, words};
use crate::tree::RelPath;

/// Bytes of a stream that are searched at once.
const WINDOW_BYTES: usize = 1 << 20;
/// Bytes around a place that rules look at: keys and tokens are shorter.
const MARGIN_BYTES: usize = 16 << 10;
/// Bytes at the beginning by which text and binaries are told apart.
const BINARY_LOOK_BYTES: usize = 8 << 10;

/// How far a search goes. What lies beyond is told as [`Rule::Unsearched`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Archives and encoded texts in one another.
    pub depth: usize,
    /// Bytes unpacked of one file.
    pub unpacked_bytes: u64,
    /// Bytes unpacked for each that is packed.
    pub ratio: u64,
    /// Entries of the archives in one file.
    pub entries: u64,
    /// Findings told of one file.
    pub findings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 6, unpacked_bytes: 512 << 20, ratio: 400, entries: 50_000, findings: 100 }
    }
}

/// Searches a file whose content is `bytes`.
pub fn scan(path: &RelPath, bytes: &[u8], limits: Limits) -> Vec<Finding> {
    let mut search = Search::new(limits);
    search.named(path);
    search.whole(&Place::new(path), bytes, 0);
    search.findings
}

/// Searches a file that is too large to be held, in bounded memory. Fails only when `reader` does.
pub fn scan_stream(path: &RelPath, reader: impl Read, limits: Limits) -> io::Result<Vec<Finding>> {
    let failed = Rc::new(RefCell::new(None));
    let mut source = Source { inner: reader, failed: Rc::clone(&failed) };
    let mut search = Search::new(limits);
    search.named(path);
    let read = search.stream(&Place::new(path), &mut source, 0);
    match failed.take() {
        Some(error) => Err(error),
        None => read.map(|()| search.findings),
    }
}

/// Keeps the error of a reader, which decoders would take for damage of what they decode.
struct Source<R> {
    inner: R,
    failed: Rc<RefCell<Option<io::Error>>>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                *self.failed.borrow_mut() = Some(io::Error::new(error.kind(), error.to_string()));
            }
        })
    }
}

/// A search of one file.
pub(super) struct Search {
    pub(super) limits: Limits,
    pub(super) budget: Rc<Budget>,
    findings: Vec<Finding>,
    /// Where the text stands that is being looked into, for texts within texts.
    pub(super) outer: Option<(u64, u64)>,
}

impl Search {
    fn new(limits: Limits) -> Self {
        Self { limits, budget: Budget::new(limits), findings: Vec::new(), outer: None }
    }

    fn named(&mut self, path: &RelPath) {
        if path.name().is_some_and(kind::is_secret_file) {
            let why = "files of this name hold keys or passwords";
            self.tell(Finding::of_place(Rule::SecretFile, &Place::new(path), why));
        }
    }

    fn tell(&mut self, finding: Finding) {
        match self.findings.len().cmp(&self.limits.findings) {
            std::cmp::Ordering::Less => self.findings.push(finding),
            std::cmp::Ordering::Equal => {
                let why = "there are more findings in this file than are told";
                self.findings.push(Finding::of_place(Rule::TooMany, &finding.place, why));
            }
            std::cmp::Ordering::Greater => {}
        }
    }

    pub(super) fn unsearched(&mut self, place: &Place, why: &str) {
        self.tell(Finding::of_place(Rule::Unsearched, place, why));
    }

    fn whole(&mut self, place: &Place, bytes: &[u8], depth: usize) {
        let kind = if self.outer.is_some() { Kind::Settings } else { Kind::of(place.name()) };
        if let [0xff, 0xfe, rest @ ..] | [0xfe, 0xff, rest @ ..] = bytes {
            let text = utf16(rest, bytes[0] == 0xff);
            return self.all(place, &Text { bytes: text.as_bytes(), kind, is_binary: false }, depth);
        }
        self.all(place, &Text { bytes, kind, is_binary: is_binary(bytes) }, depth);
        if let Some(format) = Format::of(bytes) {
            self.unpack(place, format, &mut &*bytes, depth);
        }
    }

    fn all(&mut self, place: &Place, text: &Text<'_>, depth: usize) {
        self.window(place, text, 0..text.bytes.len(), &mut Lines::default(), depth);
    }

    pub(super) fn stream(&mut self, place: &Place, reader: &mut dyn Read, depth: usize) -> io::Result<()> {
        // What was read before an error is searched, too.
        let mut bytes = Vec::new();
        let mut read = fill(reader, &mut bytes);
        if bytes.len() < WINDOW_BYTES {
            self.whole(place, &bytes, depth);
            return read;
        }
        if let Some(format) = Format::of(&bytes) {
            self.unpack(place, format, &mut bytes.as_slice().chain(reader), depth);
            return Ok(());
        }
        let (kind, is_binary) = (Kind::of(place.name()), is_binary(&bytes));
        let (mut lines, mut from) = (Lines::default(), 0);
        loop {
            let is_last = bytes.len() < WINDOW_BYTES;
            let to = if is_last { bytes.len() } else { bytes.len() - MARGIN_BYTES };
            self.window(place, &Text { bytes: &bytes, kind, is_binary }, from..to, &mut lines, depth);
            if is_last {
                return read;
            }
            lines.leave(&bytes, to - MARGIN_BYTES);
            bytes.drain(..to - MARGIN_BYTES);
            from = MARGIN_BYTES;
            read = fill(reader, &mut bytes);
        }
    }

    /// Searches what begins in `range` of `text`.
    fn window(
        &mut self,
        place: &Place,
        text: &Text<'_>,
        range: Range<usize>,
        lines: &mut Lines,
        depth: usize,
    ) {
        let mut hits = Vec::new();
        let mut encoded = Vec::new();
        words::search(text, range.clone(), &mut hits);
        let mut decoded_to = 0;
        for run in run::runs(text.bytes, range.start).take_while(|run| run.start < range.end) {
            let token = token::judge(text, &run);
            let inner = if run.start >= decoded_to { encoded::decode(text.bytes, &run) } else { None };
            match (token, inner) {
                (token, Some((inner, end))) => {
                    hits.extend(token);
                    decoded_to = end;
                    encoded.push((run.start, inner));
                }
                (token, None) => hits.extend(token.or_else(|| random::judge(text, &run))),
            }
        }
        if text.kind == Kind::Env && !text.is_binary {
            hits.extend(env::values(text, range));
        }
        hits.sort_by_key(|hit| (hit.value.start, hit.rule));
        self.report(place, text, &hits, &mut lines.clone());
        for (at, inner) in encoded {
            self.encoded(place, text, at, &inner, lines, depth);
        }
    }

    /// Tells `hits`, which are in order; of those that overlap, the one whose rule says most.
    fn report(&mut self, place: &Place, text: &Text<'_>, hits: &[Hit], lines: &mut Lines) {
        let (mut rest, mut told_to) = (hits, 0);
        while let Some(first) = rest.first() {
            let mut end = first.value.end;
            let group = rest.iter().take_while(|hit| {
                let overlaps = hit.value.start < end;
                end = if overlaps { end.max(hit.value.end) } else { end };
                overlaps
            });
            let (group, next) = rest.split_at(group.count().max(1));
            let hit = group.iter().min_by_key(|hit| hit.rule).expect("no group is empty");
            let clear = told_to..first.value.start;
            (rest, told_to) = (next, end);
            if self.findings.len() > self.limits.findings || is_marked(text, hit.value.start) {
                continue;
            }
            let at = self.outer.unwrap_or_else(|| lines.find(text.bytes, hit.value.start));
            self.tell(Finding::new(hit.rule, place, at, text.bytes, hit.value.clone(), clear));
        }
    }

    fn encoded(
        &mut self,
        place: &Place,
        text: &Text<'_>,
        at: usize,
        inner: &[u8],
        lines: &mut Lines,
        depth: usize,
    ) {
        if depth >= self.limits.depth || is_marked(text, at) {
            return;
        }
        let outer = self.outer;
        self.outer = outer.or_else(|| Some(lines.find(text.bytes, at)));
        self.whole(&place.within("base64"), inner, depth + 1);
        self.outer = outer;
    }
}

/// Reads until `bytes` are a window, or `reader` ends.
fn fill(reader: &mut dyn Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    let most = WINDOW_BYTES - bytes.len();
    reader.take(most as u64).read_to_end(bytes).map(drop)
}

fn is_binary(bytes: &[u8]) -> bool {
    memchr::memchr(0, &bytes[..bytes.len().min(BINARY_LOOK_BYTES)]).is_some()
}

fn utf16(bytes: &[u8], is_little: bool) -> String {
    let pairs = bytes.chunks_exact(2).map(|pair| {
        let pair = [pair[0], pair[1]];
        if is_little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
    });
    char::decode_utf16(pairs).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Whether the line at `at` says that what is on it may be packed.
fn is_marked(text: &Text<'_>, at: usize) -> bool {
    let mark = ALLOW_MARK.as_bytes();
    [text.before(at), text.after(at)].into_iter().any(|part| memchr::memmem::find(part, mark).is_some())
}

/// Counts lines, as far as someone asked.
#[derive(Clone, Debug, Default)]
struct Lines {
    /// Lines that ended before `counted`.
    ended: u64,
    counted: usize,
    /// Bytes of the line before the window.
    outside: u64,
}

impl Lines {
    /// Line and column of the byte `at`, which is not before the one asked for last.
    fn find(&mut self, bytes: &[u8], at: usize) -> (u64, u64) {
        self.ended += memchr::memchr_iter(b'\n', &bytes[self.counted.min(at)..at]).count() as u64;
        self.counted = self.counted.max(at);
        let column = match memchr::memrchr(b'\n', &bytes[..at]) {
            Some(newline) => (at - newline) as u64,
            None => self.outside + at as u64 + 1,
        };
        (self.ended + 1, column)
    }

    /// Forgets the first `length` bytes.
    fn leave(&mut self, bytes: &[u8], length: usize) {
        let (_, column) = self.find(bytes, length);
        (self.counted, self.outside) = (0, column - 1);
    }
}
