//! The writer thread: gathers what is waiting, commits it, answers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::commit::{Head, Ledger};
use super::{AppendError, Receipt, Request, WriterOptions};
use crate::database::Slot;
use crate::error::StoreError;
use crate::panics::contained;

/// Appends in one transaction.
const BATCH_LIMIT: usize = 4096;
/// Bytes of envelopes in one transaction.
const BATCH_MAX_BYTES: usize = 16 << 20;
/// How often an idle writer looks whether a reader met a failed engine.
const TEND_INTERVAL: Duration = Duration::from_secs(1);

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
        loop {
            let first = match requests.recv_timeout(TEND_INTERVAL) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.tend();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
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
                // INVARIANT: the outcome is unknown, so nothing remembered counts until the log was read again.
                self.ledger = None;
                let error = Arc::new(error);
                for request in batch.drain(..) {
                    let _ = request.reply.send(Err(AppendError::Unavailable(error.clone())));
                }
                self.tend();
            }
        }
    }

    fn commit(&mut self, batch: &mut [Request]) -> Result<Vec<Result<Receipt, AppendError>>, StoreError> {
        if !self.is_sound() {
            self.recover()?;
        }
        let engine = self.slot.engine()?;
        // Put back only after success: what an error leaves in it is not to be trusted.
        let mut ledger =
            self.ledger.take().ok_or_else(|| StoreError::Unavailable("it is not open".into()))?;
        let answers = ledger.commit(&engine, batch, &self.options)?;
        self.resume(ledger);
        Ok(answers)
    }

    /// Reopens an engine that failed, so that readers need not wait for the next append.
    fn tend(&mut self) {
        if self.is_sound() {
            return;
        }
        if let Err(error) = contained(|| self.recover()) {
            tracing::warn!(%error, folder = %self.options.folder.display(), "the database cannot be reopened yet");
        }
    }

    fn is_sound(&self) -> bool {
        self.ledger.is_some() && self.slot.engine().is_ok_and(|engine| !engine.has_failed())
    }

    /// Opens the engine anew and reads where the log ends.
    fn recover(&mut self) -> Result<(), StoreError> {
        self.ledger = None;
        self.slot.reopen()?;
        let head = Head::read(&self.slot.read()?)?;
        self.resume(Ledger::new(head));
        Ok(())
    }

    fn resume(&mut self, ledger: Ledger) {
        let len = ledger.len();
        self.ledger = Some(ledger);
        self.announce.send_if_modified(|head| std::mem::replace(head, len) != len);
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
