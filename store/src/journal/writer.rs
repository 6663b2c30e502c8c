//! The writer thread: gathers what is waiting, commits it, answers.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::commit::{Head, Ledger};
use super::{AppendError, Receipt, Request, WriterOptions};
use crate::database::{Slot, contained};
use crate::error::StoreError;

/// Appends in one transaction.
const BATCH_LIMIT: usize = 4096;
/// Bytes of envelopes in one transaction.
const BATCH_MAX_BYTES: usize = 16 << 20;

/// How long a batch waits for as many requests as the last one had: they come from callers that were just answered.
const LINGER: Duration = Duration::from_micros(100);

/// Owns the engine's only write transaction.
pub(super) struct Writer {
    slot: Arc<Slot>,
    options: WriterOptions,
    /// What the last commit left; `None` after a failed commit, until the log was read again.
    ledger: Option<Ledger>,
    announce: watch::Sender<u64>,
}

impl Writer {
    pub(super) fn new(slot: Arc<Slot>, options: WriterOptions) -> Result<Self, StoreError> {
        let head = Head::read(&slot.read()?)?;
        let announce = watch::Sender::new(head.len);
        Ok(Self { slot, options, ledger: Some(Ledger::new(head)), announce })
    }

    /// Follows the head of the log.
    pub(super) fn head(&self) -> watch::Receiver<u64> {
        self.announce.subscribe()
    }

    /// Serves requests until all handles are gone.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        let mut batch = Vec::with_capacity(BATCH_LIMIT);
        let mut expected = 1;
        while let Ok(first) = requests.recv() {
            gather(first, expected, requests, &mut batch);
            expected = batch.len();
            self.serve(&mut batch);
        }
    }

    /// Commits `batch` and answers each caller.
    fn serve(&mut self, batch: &mut Vec<Request>) {
        match contained(|| self.commit(batch)) {
            Ok(answers) => {
                for (request, answer) in batch.drain(..).zip(answers) {
                    // A caller that went away does not mind; the fact stands.
                    let _ = request.reply.send(answer);
                }
            }
            Err(error) => {
                tracing::error!(%error, folder = %self.options.folder.display(), "commit failed; reopening");
                self.ledger = None;
                let error = Arc::new(error);
                for request in batch.drain(..) {
                    let _ = request.reply.send(Err(AppendError::Unavailable(error.clone())));
                }
            }
        }
    }

    fn commit(&mut self, batch: &mut [Request]) -> Result<Vec<Result<Receipt, AppendError>>, StoreError> {
        let (mut ledger, engine) = match self.ledger.take() {
            Some(ledger) => (ledger, self.slot.engine()?),
            None => {
                let engine = self.slot.reopen()?;
                (Ledger::new(Head::read(&self.slot.read()?)?), engine)
            }
        };
        let answers = ledger.commit(&engine, batch, self.options.quick_repair)?;
        let len = ledger.len();
        self.ledger = Some(ledger);
        self.announce.send_if_modified(|head| std::mem::replace(head, len) != len);
        Ok(answers)
    }
}

/// Fills `batch` with `first` and all that is waiting; lingers while fewer than `expected` have come.
fn gather(first: Request, expected: usize, requests: &Receiver<Request>, batch: &mut Vec<Request>) {
    let begun = Instant::now();
    let mut bytes = weight(&first);
    batch.push(first);
    while batch.len() < BATCH_LIMIT && bytes < BATCH_MAX_BYTES {
        match requests.try_recv() {
            Ok(next) => {
                bytes += weight(&next);
                batch.push(next);
            }
            Err(_) if batch.len() < expected && begun.elapsed() < LINGER => std::thread::yield_now(),
            Err(_) => break,
        }
    }
}

fn weight(request: &Request) -> usize {
    request.entries.iter().map(|entry| entry.sealed.as_bytes().len()).sum()
}
