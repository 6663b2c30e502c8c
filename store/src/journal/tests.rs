//! Behaviour of the journal on a real folder.

use super::*;
use crate::projection::ClaimRow;
use crate::scope::{CorrelationId, Principal};
use crate::{Options, Order, Store, ids};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + micros)
}

fn entry(stream: StreamId, expected: u64, records: &[u8]) -> Entry {
    Entry {
        stream,
        expected,
        at: at(expected as i64),
        attribution: Attribution {
            actor: Principal::local_operator(),
            session: None,
            correlation_id: CorrelationId::parse("test").expect("fits"),
            causation_id: None,
        },
        names: vec!["test.event".into()],
        records: records.to_vec(),
    }
}

fn one(entry: Entry) -> Append {
    Append { entries: vec![entry], ..Append::default() }
}

fn stream(n: u8) -> StreamId {
    ids::derived(at(0), &[&[n]])
}

fn open(folder: &std::path::Path) -> Store {
    Store::open(folder, Options::default()).expect("opens")
}

#[tokio::test]
async fn what_was_appended_is_there_after_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let journal = store.journal().expect("open");
    for seq in 0..3 {
        let receipt = journal.append(one(entry(stream(1), seq, &[seq as u8]))).await.expect("appends");
        assert_eq!(receipt.offset, seq);
    }
    drop(journal);
    store.close();
    drop(store);

    let store = open(folder.path());
    assert_eq!(*store.journal().expect("open").head().borrow(), 3);
    let history = store.read().expect("reads").stream(stream(1), 1, 10).expect("reads");
    let records: Vec<_> = history.iter().map(|(offset, e)| (*offset, e.seq, e.records.clone())).collect();
    assert_eq!(records, [(1, 2, vec![1]), (2, 3, vec![2])]);
}

#[tokio::test]
async fn a_stale_append_is_refused_and_does_not_disturb_its_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let journal = store.journal().expect("open");
    let appends = [(1, 0), (1, 0), (2, 0), (1, 1), (2, 5)];
    let answers =
        futures_join(appends.map(|(n, expected)| journal.append(one(entry(stream(n), expected, b"x")))))
            .await;
    let verdicts: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(_) => "ok",
            Err(AppendError::Conflict { .. }) => "conflict",
            Err(_) => "other",
        })
        .collect();
    assert_eq!(verdicts, ["ok", "conflict", "ok", "ok", "conflict"]);
    assert_eq!(*journal.head().borrow(), 3);
}

#[tokio::test]
async fn an_append_of_several_entries_is_all_or_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let journal = store.journal().expect("open");
    let entries = vec![entry(stream(1), 0, b"a"), entry(stream(2), 9, b"b")];
    let refused = journal.append(Append { entries, ..Append::default() }).await;
    assert!(matches!(refused, Err(AppendError::Conflict { expected: 9, actual: 0, .. })));
    assert!(store.read().expect("reads").stream(stream(1), 0, 1).expect("reads").is_empty());

    let entries = vec![entry(stream(1), 0, b"a"), entry(stream(1), 1, b"b"), entry(stream(2), 0, b"c")];
    journal.append(Append { entries, ..Append::default() }).await.expect("appends");
    assert_eq!(store.read().expect("reads").stream(stream(1), 0, 9).expect("reads").len(), 2);
}

#[tokio::test]
async fn a_claimed_key_answers_with_what_came_of_it_until_it_expires() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let journal = store.journal().expect("open");
    let claim = |n: u8| ClaimRow {
        key: "k".into(),
        fingerprint: Digest::of(b"body"),
        intent_id: ids::derived(at(0), &[&[n]]),
        expires_at: at(100),
    };
    let append = |n: u8, micros| {
        let mut entry = entry(stream(n), 0, b"x");
        entry.at = at(micros);
        Append { entries: vec![entry], claim: Some(claim(n)), ..Append::default() }
    };
    journal.append(append(1, 0)).await.expect("claims");
    match journal.append(append(2, 99)).await {
        Err(AppendError::Claimed(row)) => assert_eq!(row.intent_id, claim(1).intent_id),
        other => panic!("{other:?}"),
    }
    journal.append(append(3, 100)).await.expect("the claim has expired");
}

#[tokio::test]
async fn a_second_node_on_the_folder_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let _store = open(folder.path());
    let refused = Store::open(folder.path(), Options::default()).err().expect("refused").to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
}

#[tokio::test]
async fn the_log_is_read_in_both_directions() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    let journal = store.journal().expect("open");
    for seq in 0..5 {
        journal.append(one(entry(stream(1), seq, b"x"))).await.expect("appends");
    }
    let offsets = |from, order| {
        let mut seen = Vec::new();
        let reader = store.read().expect("reads");
        reader
            .log(from, order, |offset, _| {
                seen.push(offset);
                Ok(seen.len() < 2)
            })
            .expect("reads");
        seen
    };
    assert_eq!(offsets(0, Order::Ascending), [0, 1]);
    assert_eq!(offsets(3, Order::Ascending), [3, 4]);
    assert_eq!(offsets(3, Order::Descending), [3, 2]);
    assert_eq!(offsets(u64::MAX, Order::Descending), [4, 3]);
}

/// Polls all `futures` at once, so that they land in one batch or in neighbouring ones.
async fn futures_join<T>(futures: [impl Future<Output = T>; 5]) -> Vec<T> {
    let mut futures = futures.map(Box::pin);
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (slot, future) in done.iter_mut().zip(&mut futures) {
            if slot.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
