//! What a process says: the last of it, in two files of bounded size.
//!
//! Owns the files. Invariant: a process that says much neither fills the disk nor waits for who reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::services::secrets::Scrub;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of a file until the next begins.
const FILE_MAX_BYTES: u64 = 1 << 20;
/// Bytes of a line that is written before its end came.
const LINE_MAX_BYTES: usize = 256 << 10;
/// Bytes that are read of a process in one go.
const PIECE_BYTES: usize = 8 << 10;

/// The log of a deployment: what its processes say, one after the other.
#[derive(Clone)]
pub(crate) struct Log(Arc<Mutex<Writing>>);

struct Writing {
    path: PathBuf,
    file: Option<(File, u64)>,
    scrub: Scrub,
}

impl Log {
    /// The log at `path`, without what `scrub` takes out; the file before it has `.1` behind the name.
    pub(super) fn at(path: PathBuf, scrub: Scrub) -> Self {
        Self(Arc::new(Mutex::new(Writing { path, file: None, scrub })))
    }

    /// Notes a line of the node's own.
    pub(super) fn note(&self, line: &str) {
        self.write(format!("[xyn] {line}\n").as_bytes());
    }

    fn write(&self, bytes: &[u8]) {
        let mut writing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writing.write(bytes) {
            // What an app says is worth less than the app: it goes on.
            tracing::warn!(%error, path = %writing.path.display(), "a log cannot be written");
        }
    }

    /// Keeps what comes from `source` until its end, line by line: what is taken out of a line must be seen whole.
    pub(super) async fn follow(self, mut source: impl AsyncRead + Unpin) {
        let (mut piece, mut held) = (vec![0; PIECE_BYTES], Vec::new());
        loop {
            // A pipe that breaks ends as well.
            let count = source.read(&mut piece).await.unwrap_or_default();
            held.extend_from_slice(&piece[..count]);
            let end = match count {
                0 => held.len(),
                _ => self.whole(&held),
            };
            self.write(&held[..end]);
            held.drain(..end);
            if count == 0 {
                return;
            }
        }
    }

    /// How much of `held` can be written: whole lines, and of one that does not end what no value can reach into.
    fn whole(&self, held: &[u8]) -> usize {
        match held.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => newline + 1,
            None if held.len() < LINE_MAX_BYTES => 0,
            None => {
                let writing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                // A value may stand across the cut, so it is made where none does.
                writing.scrub.cut(held, held.len().saturating_sub(writing.scrub.longest()))
            }
        }
    }
}

impl Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (mut file, mut length) = match self.file.take() {
            Some(open) => open,
            None => {
                let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
                let length = file.metadata()?.len();
                (file, length)
            }
        };
        if length >= FILE_MAX_BYTES {
            fs::rename(&self.path, before(&self.path))?;
            (file, length) = (OpenOptions::new().create(true).append(true).open(&self.path)?, 0);
        }
        let bytes = self.scrub.bytes(bytes);
        file.write_all(&bytes)?;
        self.file = Some((file, length + bytes.len() as u64));
        Ok(())
    }
}

fn before(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

/// The last `limit_bytes` of the log at `path`, from the beginning of a line on.
pub(crate) fn tail(path: &Path, limit_bytes: usize) -> io::Result<String> {
    let mut bytes = Vec::new();
    for path in [before(path), path.to_owned()] {
        match fs::read(path) {
            Ok(more) => bytes.extend(more),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let from = bytes.len().saturating_sub(limit_bytes);
    let mut last = &bytes[from..];
    if from > 0 {
        last = last.iter().position(|byte| *byte == b'\n').map_or(last, |end| &last[end + 1..]);
    }
    Ok(String::from_utf8_lossy(last).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_that_was_said_is_kept_and_never_more_than_two_files_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app.log");
        let log = Log::at(path.clone(), Scrub::default());
        let line = format!("{}\n", "x".repeat(99));
        for _ in 0..4 {
            log.clone().follow(line.repeat(8_000).as_bytes()).await;
        }
        log.note("the end");
        let bytes: u64 =
            [path.clone(), before(&path)].iter().map(|path| fs::metadata(path).expect("there").len()).sum();
        assert!((FILE_MAX_BYTES..3 * FILE_MAX_BYTES).contains(&bytes), "{bytes}");
        assert_eq!(tail(&path, 150).expect("reads"), format!("{line}[xyn] the end\n"));
        assert_eq!(tail(&folder.path().join("none.log"), 10).expect("reads"), "");
    }
}
