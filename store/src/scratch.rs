//! A scratch copy of a database file: it can be repaired and rebuilt, and the file never learns of it.
//!
//! Owns the blocks that were written to the copy, in a temporary file without a name. Invariant: the original is
//! opened for reading only; the copy is gone with its last user.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::database::{Opener, opened};
use crate::error::StoreError;

/// What is copied at once when a part of it is written; a page of the engine.
const BLOCK_BYTES: u64 = 4096;

/// Opens engines on one scratch copy of the file at `path`, one at a time.
pub(crate) fn opener(path: &Path, cache_bytes: usize) -> Result<Opener, StoreError> {
    let io = |source| StoreError::io("open", path, source);
    let original = File::open(path).map_err(io)?;
    let length = original.metadata().map_err(io)?.len();
    if length == 0 {
        return Err(StoreError::Damaged(format!("`{}` is empty", path.display())));
    }
    let own =
        tempfile::tempfile().map_err(|source| StoreError::io("create", std::env::temp_dir(), source))?;
    let state = State { length, original_length: length, written: Vec::new() };
    let scratch = Scratch(Arc::new(Shared { original, own, state: Mutex::new(state) }));
    let path = path.to_owned();
    Ok(Arc::new(move || {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(cache_bytes);
        opened(&path, || builder.create_with_backend(scratch.clone()))
    }))
}

/// Storage for an engine. Clones are the same copy.
#[derive(Clone, Debug)]
struct Scratch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    original: File,
    /// Written blocks, each at the place it has in the copy; the rest of the file is a hole.
    own: File,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    length: u64,
    /// How much of the original still shows: what was cut off once does not come back.
    original_length: u64,
    /// Whether a block is the copy's own, by number; those behind the end are not.
    written: Vec<bool>,
}

impl State {
    fn is_own(&self, block: u64) -> bool {
        self.written.get(block as usize).copied().unwrap_or(false)
    }

    fn own(&mut self, block: u64) {
        let block = block as usize;
        if self.written.len() <= block {
            self.written.resize(block + 1, false);
        }
        self.written[block] = true;
    }
}

impl Scratch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a part of one block.
    fn read_block(&self, state: &State, block: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if state.is_own(block) {
            return self.0.own.read_exact_at(out, offset);
        }
        let there = state.original_length.saturating_sub(offset).min(out.len() as u64) as usize;
        let (old, new) = out.split_at_mut(there);
        new.fill(0);
        self.0.original.read_exact_at(old, offset)
    }

    /// Writes a part of one block, whose rest is copied first if need be.
    fn write_block(&self, state: &mut State, block: u64, offset: u64, data: &[u8]) -> io::Result<()> {
        if !state.is_own(block) {
            let mut whole = [0; BLOCK_BYTES as usize];
            let start = block * BLOCK_BYTES;
            self.read_block(state, block, start, &mut whole)?;
            self.0.own.write_all_at(&whole, start)?;
            state.own(block);
        }
        self.0.own.write_all_at(data, offset)
    }
}

/// The parts of `length` bytes from `offset` on that lie in one block each: the block, and where in the bytes.
fn blocks(offset: u64, length: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let end = offset + length as u64;
    (offset / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES)).map(move |block| {
        let from = offset.max(block * BLOCK_BYTES);
        let to = end.min((block + 1) * BLOCK_BYTES);
        (block, (from - offset) as usize..(to - offset) as usize)
    })
}

impl redb::StorageBackend for Scratch {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > state.length) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        blocks(offset, out.len()).try_for_each(|(block, at)| {
            self.read_block(&state, block, offset + at.start as u64, &mut out[at])
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state.original_length = state.original_length.min(length);
        state.length = length;
        // What is own below the new end stays; a block that is cut in the middle ends in zeros, should it grow again.
        self.0.own.set_len(length)?;
        self.0.own.set_len(length.next_multiple_of(BLOCK_BYTES))?;
        state.written.truncate(length.div_ceil(BLOCK_BYTES) as usize);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        // Nobody will look for it after a crash.
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > state.length) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        blocks(offset, data.len()).try_for_each(|(block, at)| {
            self.write_block(&mut state, block, offset + at.start as u64, &data[at])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use redb::StorageBackend as _;

    /// What an engine does to its storage.
    #[derive(Clone, Debug)]
    enum Deed {
        Write(u64, Vec<u8>),
        Length(u64),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let bytes = proptest::collection::vec(any::<u8>(), 1..9_000);
        prop_oneof![
            3 => (0..30_000u64, bytes).prop_map(|(offset, bytes)| Deed::Write(offset, bytes)),
            1 => (1..40_000u64).prop_map(Deed::Length),
        ]
    }

    fn scratch(bytes: &[u8]) -> (tempfile::NamedTempFile, Scratch) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("writes");
        let original = File::open(file.path()).expect("opens");
        let length = bytes.len() as u64;
        let state = Mutex::new(State { length, original_length: length, written: Vec::new() });
        let own = tempfile::tempfile().expect("a file");
        (file, Scratch(Arc::new(Shared { original, own, state })))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_copy_is_what_was_written_and_the_original_stays(
            length in 1..20_000usize,
            deeds in proptest::collection::vec(deed(), 1..12),
        ) {
            let bytes: Vec<u8> = (0..length).map(|index| index as u8 | 1).collect();
            let (file, scratch) = scratch(&bytes);
            let mut model = bytes.clone();
            for deed in deeds {
                match deed {
                    Deed::Length(length) => {
                        scratch.set_len(length).expect("fits");
                        model.resize(length as usize, 0);
                    }
                    Deed::Write(offset, data) => {
                        let end = offset as usize + data.len();
                        let written = scratch.write(offset, &data);
                        prop_assert_eq!(written.is_ok(), end <= model.len());
                        if written.is_ok() {
                            model[offset as usize..end].copy_from_slice(&data);
                        }
                    }
                }
                let mut found = vec![0; model.len()];
                scratch.read(0, &mut found).expect("all of it is there");
                prop_assert!(found == model);
            }
            prop_assert!(scratch.read(model.len() as u64, &mut [0]).is_err());
            prop_assert!(std::fs::read(file.path()).expect("is there") == bytes);
        }
    }
}
