//! How much a change unfolds to, before it is unfolded.
//!
//! Owns a walk over the layout of a change chunk (automerge.org/automerge-binary-format-spec) that counts and
//! never expands. Invariant: a chunk that passes costs its reader time in proportion to its size and to
//! [`OPERATIONS_MAX`].

use super::ChangeError;

/// Operations that one change may hold, and rows that any column of it may have.
///
/// A comment of full length is replaced by another one in one change: each character goes and comes.
pub const OPERATIONS_MAX: u64 = 2 * 8192 + 1024;

pub(super) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// A change that is not compressed. A compressed one may inflate to anything, so none is taken.
const PLAIN_CHANGE: u8 = 1;
const HASH_BYTES: u64 = 32;

/// What a chunk says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) checksum: [u8; 4],
    /// Rows of its longest column: as many as it has operations, or more where those replace more than one each.
    pub(super) operations: u64,
}

/// Counts what `chunk` unfolds to.
pub(super) fn check(chunk: &[u8]) -> Result<Outline, ChangeError> {
    let mut walk = Walk::new(chunk, OPERATIONS_MAX);
    if walk.array()? != MAGIC {
        return Err(ChangeError::Undecodable);
    }
    let checksum = walk.array()?;
    if walk.array()? != [PLAIN_CHANGE] || walk.unsigned()? != walk.left() as u64 {
        return Err(ChangeError::Undecodable);
    }
    let dependencies = walk.unsigned()?;
    walk.skip(dependencies.checked_mul(HASH_BYTES).ok_or(ChangeError::Undecodable)?)?;
    walk.skip_string()?; // actor
    walk.unsigned()?; // seq
    walk.unsigned()?; // first operation
    walk.signed()?; // time
    walk.skip_string()?; // message
    let actors = walk.unsigned()?;
    for _ in 0..walk.bounded(actors)? {
        walk.skip_string()?;
    }
    let mut operations = 0;
    for (specification, size) in walk.columns()? {
        let column = walk.take(size)?;
        operations = operations.max(Walk::new(column, OPERATIONS_MAX).count(specification)?);
    }
    Ok(Outline { checksum, operations })
}

/// Bytes that are walked over, and how many rows a column of them may have.
pub(super) struct Walk<'a>(&'a [u8], u64);

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8], rows_max: u64) -> Self {
        Self(bytes, rows_max)
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    pub(super) fn bounded(&self, count: u64) -> Result<u64, ChangeError> {
        if count <= self.1 { Ok(count) } else { Err(ChangeError::Oversized) }
    }

    /// What is said of columns that come later: how each is written, and how long it is.
    pub(super) fn columns(&mut self) -> Result<Vec<(u64, u64)>, ChangeError> {
        let columns = self.unsigned()?;
        (0..self.bounded(columns)?).map(|_| Ok((self.unsigned()?, self.unsigned()?))).collect()
    }

    /// Adds up the rows of a column.
    pub(super) fn count(mut self, specification: u64) -> Result<u64, ChangeError> {
        let mut rows: u64 = 0;
        // The lowest three bits say how values are written.
        let kind = specification & 7;
        while !self.0.is_empty() && kind != RAW {
            let run = match kind {
                BOOLEAN => self.unsigned()?,
                _ => self.run(kind)?,
            };
            rows = self.bounded(rows.saturating_add(run))?;
        }
        Ok(rows)
    }

    /// The length of the next run of a run-length encoded column.
    fn run(&mut self, kind: u64) -> Result<u64, ChangeError> {
        match self.signed()? {
            0 => self.unsigned(),
            repeated @ 1.. => {
                self.skip_value(kind)?;
                Ok(repeated.unsigned_abs())
            }
            literal => {
                let literal = self.bounded(literal.unsigned_abs())?;
                for _ in 0..literal {
                    self.skip_value(kind)?;
                }
                Ok(literal)
            }
        }
    }

    fn skip_value(&mut self, kind: u64) -> Result<(), ChangeError> {
        match kind {
            STRING => self.skip_string(),
            // Signed and unsigned numbers end alike.
            _ => self.unsigned().map(drop),
        }
    }

    pub(super) fn skip_string(&mut self) -> Result<(), ChangeError> {
        let size = self.unsigned()?;
        self.skip(size)
    }

    fn skip(&mut self, size: u64) -> Result<(), ChangeError> {
        self.take(size).map(drop)
    }

    pub(super) fn take(&mut self, size: u64) -> Result<&'a [u8], ChangeError> {
        let size = usize::try_from(size).map_err(|_| ChangeError::Undecodable)?;
        let (taken, rest) = self.0.split_at_checked(size).ok_or(ChangeError::Undecodable)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ChangeError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(ChangeError::Undecodable)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// A LEB128 number.
    pub(super) fn unsigned(&mut self) -> Result<u64, ChangeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ChangeError::Undecodable)
    }

    fn signed(&mut self) -> Result<i64, ChangeError> {
        let before = self.0.len();
        let value = self.unsigned()? as i64;
        let bits = 7 * (before - self.0.len()) as u32;
        // The highest bit that was written is the sign.
        let unused = 64_u32.saturating_sub(bits);
        Ok(value << unused >> unused)
    }
}

const BOOLEAN: u64 = 4;
const STRING: u64 = 5;
const RAW: u64 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::transaction::{CommitOptions, Transactable};
    use automerge::{Automerge, ObjType, ROOT};
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let mut document = Automerge::new().with_actor([7].as_slice().into());
        let mut transaction = document.transaction();
        transaction.put(ROOT, "key", "value").expect("puts");
        let text = transaction.put_object(ROOT, "text", ObjType::Text).expect("puts");
        transaction.splice_text(&text, 0, 0, "some words").expect("splices");
        transaction.delete(ROOT, "key").expect("deletes");
        transaction.commit_with(CommitOptions::default().with_time(0).with_message("why"));
        document.get_last_local_change().expect("committed").raw_bytes().to_vec()
    }

    /// `chunk` with its action column (integers, id 4) replaced.
    fn with_actions(actions: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 1, 7, 1, 1, 0, 0, 0, 1, 0x42, actions.len() as u8];
        body.extend_from_slice(actions);
        let mut chunk = [MAGIC.as_slice(), &[0; 4], &[PLAIN_CHANGE, body.len() as u8]].concat();
        chunk.extend(body);
        chunk
    }

    #[test]
    fn the_librarys_own_changes_pass() {
        let chunk = sample();
        let outline = check(&chunk).expect("passes");
        assert_eq!(outline.checksum, chunk[4..8]);
        assert_eq!(outline.operations, 3 + "some words".len() as u64);
    }

    #[test]
    fn a_run_of_a_million_million_operations_is_refused_before_it_is_unfolded() {
        // 2^40 repetitions of one action in eight bytes.
        let repeated = [0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 1];
        assert_eq!(check(&with_actions(&repeated)), Err(ChangeError::Oversized));
        let nulls = [0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
        assert_eq!(check(&with_actions(&nulls)), Err(ChangeError::Oversized));
        assert!(check(&with_actions(&[2, 1])).is_ok());
    }

    #[test]
    fn compressed_and_cut_chunks_are_refused() {
        let chunk = sample();
        let mut compressed = chunk.clone();
        compressed[8] = 2;
        assert_eq!(check(&compressed), Err(ChangeError::Undecodable));
        for end in 0..chunk.len() {
            assert!(check(&chunk[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn signed_numbers_are_read_as_they_are_written() {
        for (bytes, value) in [(&[0x7f][..], -1), (&[0x40], -64), (&[0x3f], 63), (&[0xc0, 0], 64)] {
            assert_eq!(Walk::new(bytes, OPERATIONS_MAX).signed(), Ok(value));
        }
    }

    proptest! {
        #[test]
        fn flipped_bytes_are_refused_or_bounded(at in 0..200_usize, byte: u8) {
            let mut chunk = sample();
            let at = at % chunk.len();
            chunk[at] = byte;
            prop_assert!(chunk == sample() || super::super::read(&chunk).is_err());
        }
    }
}
