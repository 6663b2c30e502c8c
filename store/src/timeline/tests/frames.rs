//! Frames, documents and proofs, from honest and from lying authors.

use proptest::prelude::*;

use super::world::{Author, entries, env, moment, review};
use crate::timeline::Bytes;
use crate::timeline::ChangeError;
use crate::timeline::document::{DOCUMENT_ENTRIES_MAX, materialise};
use crate::timeline::entry::tests::note;
use crate::timeline::fork::{Proof, ProofError};
use crate::timeline::frame::{FRAME_MAX_BYTES, Frame, FrameError};
use crate::timeline::head::{Effect, FeedHead};
use crate::timeline::record::{Body, Record};

#[test]
fn a_frame_survives_its_bytes_and_costs_at_most_400_bytes_an_entry() {
    let mut author = Author::new(1, 1);
    let records = entries(&mut author, 100);
    let bytes = author.frame(&records);
    assert!(bytes.len() / 100 <= 300, "{} bytes an entry", bytes.len() / 100);
    let frame = Frame::open(&env(), &bytes).expect("own bytes");
    assert_eq!(frame.records, records);
    assert_eq!(frame.encode(), bytes);
    let mut head = FeedHead::default();
    for record in &frame.records {
        assert!(matches!(head.advance(record), Ok(Effect::Entry(..))));
    }
    assert_eq!(head, author.head);
}

#[test]
fn every_lie_about_a_frame_has_its_name() {
    let mut author = Author::new(1, 1);
    let records = entries(&mut author, 3);
    let bytes = author.frame(&records);
    let open = |bytes: &[u8]| Frame::open(&env(), bytes).expect_err("a lie");
    assert_eq!(open(&[&[9], &bytes[1..]].concat()), FrameError::Newer(9));
    assert_eq!(open(&[&[0], &bytes[1..]].concat()), FrameError::Malformed);
    let mut other_env = bytes.clone();
    other_env[1] ^= 1;
    assert!(matches!(open(&other_env), FrameError::WrongEnv(_)));
    let mut other_author = bytes.clone();
    other_author[33..65].copy_from_slice(Author::new(2, 1).feed.node.as_bytes());
    assert_eq!(open(&other_author), FrameError::BadSignature);
    let mut other_life = bytes.clone();
    other_life[72] ^= 1;
    assert_eq!(open(&other_life), FrameError::BadSignature);
    let mut signature = bytes.clone();
    *signature.last_mut().expect("bytes") ^= 1;
    assert_eq!(open(&signature), FrameError::BadSignature);
    assert_eq!(open(&vec![1; FRAME_MAX_BYTES + 1]), FrameError::Oversized(FRAME_MAX_BYTES + 1));
    assert_eq!(open(&[]), FrameError::Malformed);
    let middle = Author::new(2, 1).frame(&records[1..]);
    assert_eq!(open(&middle), FrameError::BadSignature, "somebody else signed");
}

#[test]
fn a_full_entry_document_is_followed_by_the_next_and_says_what_the_rows_say() {
    let mut author = Author::new(1, 1);
    let count = DOCUMENT_ENTRIES_MAX as usize + 2;
    let records = entries(&mut author, count);
    let mut head = FeedHead::default();
    let mut rows = Vec::new();
    let mut changes: Vec<Vec<Vec<u8>>> = vec![Vec::new(), Vec::new()];
    for record in &records {
        let Ok(Effect::Entry(entry_id, note)) = head.advance(record) else { panic!("an entry") };
        let Body::Entry { document, change } = &record.content.body else { panic!("an entry") };
        changes[*document as usize].push(change.0.clone());
        rows.push((entry_id, *note));
    }
    let lengths: Vec<usize> = changes.iter().map(Vec::len).collect();
    assert_eq!(lengths, [DOCUMENT_ENTRIES_MAX as usize, 2]);
    let mut found = Vec::new();
    for changes in changes {
        found.extend(materialise(changes).expect("a document").1);
    }
    rows.sort_by_key(|(id, _)| *id);
    found.sort_by_key(|(id, _)| *id);
    assert_eq!(found, rows);
}

#[test]
fn a_change_under_another_authors_actor_id_is_refused() {
    let (mut honest, mut forger) = (Author::new(1, 1), Author::new(2, 1));
    let stolen = honest.entry(moment(1), "mine");
    let record = forger.write(moment(2), stolen.content.body.clone());
    assert_eq!(FeedHead::default().advance(&record), Err(ChangeError::ForgedActor));
    // Nor does an earlier life of the same node lend its name.
    let mut restored = Author::new(1, 2);
    let record = restored.write(moment(2), stolen.content.body);
    assert_eq!(FeedHead::default().advance(&record), Err(ChangeError::ForgedActor));
}

#[test]
fn a_change_for_another_document_or_out_of_turn_is_refused() {
    let mut author = Author::new(1, 1);
    let first = author.entry(moment(1), "first");
    let second = author.entry(moment(2), "second");
    let Body::Entry { change, .. } = &second.content.body else { panic!("an entry") };
    let early = Author::new(1, 1).write(moment(1), second.content.body.clone());
    assert_eq!(FeedHead::default().advance(&early), Err(ChangeError::MissingDependency));
    let wrong = Body::Entry { document: 7, change: change.clone() };
    let wrong = Author::new(1, 1).write(moment(1), wrong);
    let error = ChangeError::WrongDocument { found: 7, expected: 0 };
    assert_eq!(FeedHead::default().advance(&wrong), Err(error));
    let mut head = FeedHead::default();
    head.advance(&first).expect("first");
    let before = head;
    let again = author.write(moment(3), first.content.body);
    assert_eq!(head.advance(&again), Err(ChangeError::MissingDependency));
    assert_eq!(head, before, "a refused record moves nothing");
}

#[test]
fn two_records_under_one_number_are_proof_and_one_chain_is_none() {
    let mut author = Author::new(1, 1);
    let common = author.entry(moment(1), "common");
    let mut twin = author.clone();
    let mine: Vec<Record> = vec![author.entry(moment(2), "a"), author.entry(moment(3), "aa")];
    let other: Vec<Record> = vec![twin.entry(moment(2), "b"), twin.entry(moment(3), "bb")];
    let prove = |one: &[Record], two: &[Record]| Proof::new(&env(), author.frame(one), author.frame(two));
    let proof = prove(&mine, &other).expect("a fork");
    assert_eq!((proof.feed, proof.seq), (author.feed, 2));
    assert_eq!(prove(&other, &mine).expect("a fork"), proof, "in one order");
    assert_eq!(Proof::open(&env(), &proof.encode()).expect("own bytes"), proof);
    let later = prove(&mine[1..], &other[1..]).expect("what is before the frames differs");
    assert_eq!(later.seq, 2);
    let beside = prove(&mine[..1], &other[1..]).expect("one names the other's number as its past");
    assert_eq!(beside.seq, 2);
    let chain = [&[common], mine.as_slice()].concat();
    assert_eq!(prove(&chain[..2], &chain), Err(ProofError::NoContradiction));
    assert_eq!(prove(&chain[..1], &chain[2..]), Err(ProofError::NoContradiction));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_frame_and_no_proof(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Frame::open(&env(), &bytes).is_err());
        prop_assert!(Proof::open(&env(), &bytes).is_err());
    }

    /// The signature is made anew, so that what is behind it is reached.
    #[test]
    fn changed_records_under_a_good_signature_never_panic(
        at in 0..400_usize, byte: u8, kind in 0..3_u8,
    ) {
        let mut author = Author::new(1, 1);
        let record = author.entry(moment(1), "entry");
        let Body::Entry { document, change } = record.content.body else { panic!("an entry") };
        let mut bytes = change.0;
        let index = at % bytes.len();
        bytes[index] = byte;
        // Also with the checksum repaired, so that it is the parser that is tried.
        let Ok(body) = automerge_checksum(&mut bytes).map(|()| match kind {
            0 => Body::Entry { document, change: Bytes(bytes) },
            1 => Body::Board { board: review(), change: Bytes(bytes) },
            _ => Body::Statement(Bytes(bytes)),
        }) else { return Ok(()) };
        let record = Author::new(1, 1).write(moment(1), body);
        let frame = Author::new(1, 1).frame(&[record]);
        if let Ok(frame) = Frame::open(&env(), &frame) {
            let _ = FeedHead::default().advance(&frame.records[0]);
        }
    }
}

/// Repairs the checksum of a change chunk: the first bytes of the hash of what follows it.
fn automerge_checksum(chunk: &mut [u8]) -> Result<(), ()> {
    if chunk.len() < 9 {
        return Err(());
    }
    let hash = crate::Digest::of(&chunk[8..]);
    chunk[4..8].copy_from_slice(&hash.as_bytes()[..4]);
    Ok(())
}

#[test]
fn titles_that_only_differ_in_case_are_two_entries() {
    let mut author = Author::new(1, 1);
    let records = [author.entry(moment(1), "a"), author.entry(moment(1), "A")];
    let mut head = FeedHead::default();
    let ids = records.map(|record| match head.advance(&record) {
        Ok(Effect::Entry(id, found)) => (id, *found),
        other => panic!("{other:?}"),
    });
    assert_ne!(ids[0].0, ids[1].0);
    assert_eq!(ids[1].1, note("A"));
}
