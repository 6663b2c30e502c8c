//! Compressing chunks beside each other.
//!
//! Owns how a chunk is stored: as it is, compressed, as a patch to bytes of the base, or not at all where the
//! base has it. Which worker takes it and when changes nothing of that. Invariant: the bytes that are
//! stored follow from the chunk and the base alone.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::thread;

use xyn_store::Digest;

use super::base::Base;
use super::codec::{self, Encoder};
use super::error::ContainerError;
use super::format::{Form, NEAR_MAX_BYTES, Row};
use super::pack::Inspect;
use super::spool::Spool;
use crate::tree::RelPath;

/// More would each need memory and gain little.
const WORKERS_MAX: usize = 8;

/// How many work beside each other on this machine.
pub(crate) fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX)
}

/// A chunk to compress.
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) raw: Vec<u8>,
    /// Where the base's stream is likely to have the same.
    pub(super) near: Range<u64>,
    /// The files in it, when somebody looks into them: path, where in the file this begins, where it is in
    /// `raw`.
    pub(super) files: Vec<(RelPath, u64, Range<usize>)>,
}

/// A chunk in the spool.
#[derive(Clone, Copy)]
pub(super) struct Pressed {
    pub(super) row: Row,
    /// Where it begins in the spool.
    pub(super) at: u64,
}

/// What the workers share.
pub(super) struct Press<'a> {
    pub(super) spool: &'a Spool,
    pub(super) base: Option<&'a dyn Base>,
    pub(super) inspect: Option<&'a Inspect<'a>>,
    pub(super) pressed: Mutex<HashMap<u64, Pressed>>,
    pub(super) fault: Mutex<Option<ContainerError>>,
}

impl Press<'_> {
    /// Works until there are no more jobs. After a fault, jobs are taken and dropped.
    pub(super) fn run(&self, jobs: &Mutex<Receiver<Job>>) {
        let mut encoder = None;
        loop {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            if self.has_fault() {
                continue;
            }
            let id = job.id;
            match self.press(job, &mut encoder) {
                Ok(pressed) => {
                    self.pressed.lock().unwrap_or_else(PoisonError::into_inner).insert(id, pressed);
                }
                Err(error) => {
                    self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        }
    }

    /// Whether something went wrong in a worker.
    pub(super) fn has_fault(&self) -> bool {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn press(&self, job: Job, encoder: &mut Option<Encoder>) -> Result<Pressed, ContainerError> {
        if let Some(inspect) = self.inspect {
            job.files.iter().for_each(|(path, at, place)| inspect(path, *at, &job.raw[place.clone()]));
        }
        let digest = Digest::of(&job.raw);
        let raw_bytes = u32::try_from(job.raw.len()).expect("a chunk is within its small limit");
        let row = |form| Row { raw_bytes, digest, form };
        if let Some(at) = self.base.and_then(|base| base.find(&digest)) {
            return Ok(Pressed { row: row(Form::Held { at }), at: 0 });
        }
        let near = job.near.start..job.near.end.min(job.near.start + NEAR_MAX_BYTES);
        if let Some(base) = self.base.filter(|_| !near.is_empty()) {
            let bytes = base.read(near.clone())?;
            if let Some(stored) = codec::patch(&job.raw, &bytes)? {
                let (sum, near_bytes) = (Digest::of(&stored), bytes.len() as u32);
                let form = Form::Patch { bytes: stored.len() as u32, sum, at: near.start, near: near_bytes };
                return Ok(Pressed { row: row(form), at: self.spool.append(&stored)? });
            }
        }
        let encoder = match encoder {
            Some(encoder) => encoder,
            none => none.insert(Encoder::new()?),
        };
        let (form, stored) = match encoder.compress(&job.raw)? {
            Some(stored) => (Form::Zstd { bytes: stored.len() as u32, sum: Digest::of(stored) }, stored),
            None => (Form::Plain, job.raw.as_slice()),
        };
        Ok(Pressed { row: row(form), at: self.spool.append(stored)? })
    }
}
