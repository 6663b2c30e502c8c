//! Storage in memory that can lose power, tear writes and fail.
//!
//! Owns what a disk may do between two syncs: of the unsynced writes any survive, each whole, by sectors or not at
//! all. Invariant: at most one engine has it open.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::dice::Dice;
use crate::database::Opener;
use crate::error::StoreError;

const SECTOR_BYTES: usize = 512;
const BLOCK_BYTES: usize = 4096;
/// So few that pages are written and read in the middle of transactions.
const CACHE_BYTES: usize = 64 << 10;

/// What the system answers to a failing operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `ENOSPC` when the file is to grow.
    NoRoom,
    /// `ENOSPC` on writes into parts of the file that hold nothing yet; growing it works, as for a sparse file.
    NoBlocks,
    /// `ENOSPC` on syncs: the system promised room that it does not have.
    NoSync,
    /// `EIO` on every write, sync and change of length.
    Broken,
    /// `EIO` on every read.
    Unreadable,
    /// No disk does that, but engines do: a panic on every write.
    Panics,
}

/// Which unsynced writes survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// None of them.
    None,
    /// All of them.
    All,
    /// The first of them, and a part of the next.
    Prefix,
    /// Any of them, whole.
    Some,
    /// Any of them, by sectors.
    Torn,
}

impl Survival {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::None, Self::All, Self::Prefix, Self::Some, Self::Torn];
}

#[derive(Clone, Debug)]
enum Write {
    Bytes(u64, Vec<u8>),
    Length(u64),
}

#[derive(Debug, Default)]
struct State {
    /// What a power cut cannot take.
    synced: Vec<u8>,
    unsynced: Vec<Write>,
    /// What readers see.
    live: Vec<u8>,
    /// Blocks that hold something.
    blocks: BTreeSet<usize>,
    /// Writes, syncs and changes of length so far.
    operations: u64,
    /// The operation at which the power goes.
    cut_at: Option<u64>,
    is_dark: bool,
    /// From which operation on what fails.
    failure: Option<(u64, Failure)>,
    is_open: bool,
}

/// A disk. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// A disk that holds `image`.
    pub(crate) fn holding(image: Vec<u8>) -> Self {
        let blocks = (0..image.len().div_ceil(BLOCK_BYTES)).collect();
        let state = State { synced: image.clone(), live: image, blocks, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The power goes at operation `operation`, counted from 1 over the whole life of the disk.
    pub(crate) fn cut_at(&self, operation: u64) {
        self.state().cut_at = Some(operation);
    }

    /// From operation `operation` on, what `failure` names fails until [`Disk::heal`].
    pub(crate) fn fail_from(&self, operation: u64, failure: Failure) {
        self.state().failure = Some((operation, failure));
    }

    pub(crate) fn heal(&self) {
        self.state().failure = None;
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    pub(crate) fn is_dark(&self) -> bool {
        self.state().is_dark
    }

    /// What is on the disk when the power is back.
    pub(crate) fn after_power_cut(&self, survival: Survival, dice: &mut Dice) -> Vec<u8> {
        let state = self.state();
        let mut image = state.synced.clone();
        let kept = match survival {
            Survival::None => 0,
            Survival::Prefix => dice.below(state.unsynced.len() as u64 + 1) as usize,
            _ => state.unsynced.len(),
        };
        for (index, write) in state.unsynced.iter().enumerate() {
            match survival {
                Survival::None => break,
                Survival::Prefix if index > kept => break,
                Survival::Prefix if index == kept => apply_torn(&mut image, write, dice),
                Survival::Prefix | Survival::All => apply(&mut image, write),
                Survival::Some if dice.coin() => apply(&mut image, write),
                Survival::Some => {}
                Survival::Torn => apply_torn(&mut image, write, dice),
            }
        }
        image
    }

    /// Opens engines on this disk, one at a time.
    pub(crate) fn opener(&self) -> Opener {
        let disk = self.clone();
        Arc::new(move || {
            if std::mem::replace(&mut disk.state().is_open, true) {
                return Err(StoreError::Unavailable("the disk has an engine already".into()));
            }
            let mut builder = redb::Builder::new();
            builder.set_cache_size(CACHE_BYTES);
            Ok(builder.create_with_backend(Backend(disk.clone()))?)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation and says whether it works; one that meets the end of the power is still begun.
    fn operate(&mut self, write: Option<Write>) -> io::Result<()> {
        if self.is_dark {
            return Err(io::Error::other("no power"));
        }
        self.operations += 1;
        if let Some((from, failure)) = self.failure
            && self.operations >= from
        {
            self.refuse(failure, write.as_ref())?;
        }
        if let Some(write) = write {
            apply(&mut self.live, &write);
            if let Write::Bytes(offset, data) = &write {
                self.blocks.extend(blocks_of(*offset, data));
            }
            self.unsynced.push(write);
        }
        if self.cut_at.is_some_and(|at| self.operations >= at) {
            self.is_dark = true;
            return Err(io::Error::other("the power went"));
        }
        Ok(())
    }

    fn refuse(&self, failure: Failure, write: Option<&Write>) -> io::Result<()> {
        let is_full = match (failure, write) {
            (Failure::NoRoom, Some(Write::Length(len))) => *len as usize > self.live.len(),
            (Failure::NoBlocks, Some(Write::Bytes(offset, data))) => {
                blocks_of(*offset, data).any(|block| !self.blocks.contains(&block))
            }
            (Failure::NoSync, None) => true,
            (Failure::Panics, Some(_)) => panic!("the engine panics"),
            (Failure::Broken, _) => return Err(io::Error::other("the disk is broken")),
            _ => false,
        };
        if is_full { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

fn blocks_of(offset: u64, data: &[u8]) -> impl Iterator<Item = usize> + use<> {
    (offset as usize / BLOCK_BYTES)..(offset as usize + data.len()).div_ceil(BLOCK_BYTES)
}

/// Bytes behind the end are not seen: they wait for a length that did not survive.
fn apply(image: &mut Vec<u8>, write: &Write) {
    match write {
        Write::Bytes(offset, data) => overwrite(image, *offset as usize, data),
        Write::Length(len) => image.resize(*len as usize, 0),
    }
}

fn apply_torn(image: &mut Vec<u8>, write: &Write, dice: &mut Dice) {
    match write {
        Write::Bytes(offset, data) => {
            for (index, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                if dice.coin() {
                    overwrite(image, *offset as usize + index * SECTOR_BYTES, sector);
                }
            }
        }
        Write::Length(_) if dice.coin() => {}
        Write::Length(_) => apply(image, write),
    }
}

fn overwrite(image: &mut [u8], offset: usize, data: &[u8]) {
    let end = image.len().min(offset + data.len());
    if let Some(place) = image.get_mut(offset..end) {
        place.copy_from_slice(&data[..place.len()]);
    }
}

/// One engine's hold on the disk.
#[derive(Debug)]
struct Backend(Disk);

impl redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.state().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.state();
        let fails = matches!(state.failure, Some((from, Failure::Unreadable)) if state.operations >= from);
        if state.is_dark || fails {
            return Err(io::Error::other("unreadable"));
        }
        let offset = offset as usize;
        let bytes = state.live.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.state().operate(Some(Write::Length(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.state();
        state.operate(None)?;
        let State { synced, unsynced, .. } = &mut *state;
        unsynced.drain(..).for_each(|write| apply(synced, &write));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.state().operate(Some(Write::Bytes(offset, data.to_vec())))
    }

    fn close(&self) -> io::Result<()> {
        self.0.state().is_open = false;
        Ok(())
    }
}
