//! Whole documents of Automerge that anyone may have saved, put together.
//!
//! Owns how much such a document may unfold to, which is found out before the library sees it. Invariant: the
//! result is the same whichever comes first.

use std::io::Read;

use automerge::Automerge;

use super::bounds::{MAGIC, Walk};
use super::{ChangeError, contained};

/// Bytes that a saved document may have.
pub const DOCUMENT_MAX_BYTES: usize = 16 << 20;
/// Bytes that its columns may unfold to together.
const COLUMNS_MAX_BYTES: u64 = 128 << 20;
/// Rows that any of its columns may have.
const ROWS_MAX: u64 = 1 << 20;
/// A document, where a lone change has another number.
const DOCUMENT: u8 = 0;
/// Of the number of a column: it is compressed.
const COMPRESSED: u64 = 8;

/// The saved document in which are all changes of two.
pub fn merge_documents(one: &[u8], other: &[u8]) -> Result<Vec<u8>, ChangeError> {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    let mut document = load(first)?;
    let mut from = load(second)?;
    contained(|| document.merge(&mut from).map(|_| document.save()))?.map_err(|_| ChangeError::Undecodable)
}

fn load(bytes: &[u8]) -> Result<Automerge, ChangeError> {
    check(bytes)?;
    contained(|| Automerge::load(bytes))?.map_err(|_| ChangeError::Undecodable)
}

/// Counts what the one document that is all of `bytes` unfolds to.
fn check(bytes: &[u8]) -> Result<(), ChangeError> {
    if bytes.len() > DOCUMENT_MAX_BYTES {
        return Err(ChangeError::Oversized);
    }
    let mut walk = Walk::new(bytes, ROWS_MAX);
    if walk.array()? != MAGIC {
        return Err(ChangeError::Undecodable);
    }
    walk.array::<4>()?; // checksum, which the library compares
    if walk.array()? != [DOCUMENT] || walk.unsigned()? != walk.left() as u64 {
        return Err(ChangeError::Undecodable);
    }
    let actors = walk.unsigned()?;
    for _ in 0..walk.bounded(actors)? {
        walk.skip_string()?;
    }
    let heads = walk.unsigned()?;
    for _ in 0..walk.bounded(heads)? {
        walk.array::<32>()?;
    }
    let changes = walk.columns()?;
    let operations = walk.columns()?;
    let mut left = COLUMNS_MAX_BYTES;
    for (specification, size) in changes.into_iter().chain(operations) {
        let stored = walk.take(size)?;
        let mut column = Vec::new();
        match specification & COMPRESSED {
            0 => column.extend_from_slice(stored),
            _ => {
                let unpacked = flate2::read::DeflateDecoder::new(stored);
                let read = unpacked.take(left + 1).read_to_end(&mut column);
                read.map_err(|_| ChangeError::Undecodable)?;
            }
        }
        left = left.checked_sub(column.len() as u64).ok_or(ChangeError::Oversized)?;
        Walk::new(&column, ROWS_MAX).count(specification)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use automerge::transaction::Transactable;
    use automerge::{ObjType, ROOT, ReadDoc};
    use proptest::prelude::*;

    use super::*;

    fn written(of: &[u8], actor: u8, words: &[&str]) -> Vec<u8> {
        let mut document = match of {
            [] => Automerge::new(),
            saved => Automerge::load(saved).expect("loads"),
        };
        document.set_actor([actor].as_slice().into());
        let mut transaction = document.transaction();
        for (index, word) in words.iter().enumerate() {
            transaction.put(ROOT, *word, index as i64).expect("puts");
            let text = transaction.put_object(ROOT, format!("{word} text"), ObjType::Text).expect("puts");
            transaction.splice_text(&text, 0, 0, &"some words ".repeat(200)).expect("splices");
        }
        transaction.commit();
        document.save()
    }

    #[test]
    fn changes_of_both_sides_are_there_whichever_comes_first() {
        let base = written(b"", 1, &["base"]);
        let (ours, theirs) = (written(&base, 2, &["ours", "more"]), written(&base, 3, &["theirs"]));
        let merged = merge_documents(&ours, &theirs).expect("merges");
        assert_eq!(merged, merge_documents(&theirs, &ours).expect("merges"));
        let document = Automerge::load(&merged).expect("loads");
        for word in ["base", "ours", "more", "theirs"] {
            assert!(document.get(ROOT, word).expect("read").is_some(), "{word}");
        }
        assert_eq!(merge_documents(&base, &base).expect("merges"), base);
    }

    #[test]
    fn documents_that_unfold_to_too_much_or_are_cut_are_refused_before_they_are_loaded() {
        let sound = written(b"", 1, &["one"]);
        for end in 0..sound.len() {
            assert!(merge_documents(&sound[..end], &sound).is_err(), "cut at {end}");
        }
        assert!(merge_documents(&[sound.clone(), sound.clone()].concat(), &sound).is_err());
        // No actors and heads, one column of changes: an action, 2^40 times.
        let repeated = [0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 1];
        let body = [&[0, 0, 1, 0x42, repeated.len() as u8, 0][..], &repeated].concat();
        let bomb = [&MAGIC[..], &[0; 4], &[DOCUMENT, body.len() as u8], &body].concat();
        assert_eq!(check(&bomb), Err(ChangeError::Oversized));
        let zeros = {
            let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
            std::io::copy(&mut std::io::repeat(1).take(COLUMNS_MAX_BYTES + 1), &mut packed).expect("packed");
            packed.finish().expect("packed")
        };
        let size = [zeros.len() as u8 | 0x80, (zeros.len() >> 7) as u8 | 0x80, (zeros.len() >> 14) as u8];
        let body = [&[0, 0, 1, 0x4f][..], &size, &[0], &zeros].concat();
        let length = [body.len() as u8 | 0x80, (body.len() >> 7) as u8 | 0x80, (body.len() >> 14) as u8];
        let bomb = [&MAGIC[..], &[0; 4], &[DOCUMENT], &length, &body].concat();
        assert_eq!(check(&bomb), Err(ChangeError::Oversized));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn changed_bytes_are_refused(at in 0..4_000_usize, flip in 1_u8..) {
            let mut saved = written(b"", 1, &["one", "two"]);
            let at = at % saved.len();
            saved[at] ^= flip;
            prop_assert!(merge_documents(&saved, &saved).is_err());
        }
    }
}
