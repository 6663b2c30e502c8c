//! What the rounds append, and what must be found afterwards.
//!
//! Append number `n` is always the same but for the sequence it expects, so whoever reads the log knows which rows
//! there must be. Invariant: the order of the log alone decides about every other table.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio::task::JoinSet;

use crate::audit::merkle::Frontier;
use crate::envelope::{self, Envelope};
use crate::ids::{self, StreamId};
use crate::journal::{Append, AppendError, Entry, Receipt};
use crate::projection::{Changes, ClaimRow, Purpose, RunRow, RunStatus, TimerRow};
use crate::reader::Reader;
use crate::scope::{Attribution, CorrelationId, Principal};
use crate::simulation::{Dice, Disk};
use crate::tables::{Key, NAME_BLOCK, Table, unseal};
use crate::{Digest, Json, Options, Order, Store, StoreError, Timestamp};

const STREAMS: u64 = 5;

/// Every row of a database.
pub(super) type Listing = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// Options of a small store on `disk`.
pub(super) fn on(disk: &Disk, quick_repair: bool) -> Options {
    Options { quick_repair, opener: Some(disk.opener()), ..Options::default() }
}

pub(super) fn at(n: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + n as i64)
}

pub(super) fn stream(n: u64) -> StreamId {
    ids::derived(at(0), &[&[(n % STREAMS) as u8]])
}

/// The claim of append `n`, for those that have one.
pub(super) fn claim(n: u64) -> Option<ClaimRow> {
    let intent_id = ids::derived(at(n), &[b"intent"]);
    let (key, expires_at) = (format!("key-{n}"), at(1 << 40));
    n.is_multiple_of(2).then(|| ClaimRow { key, fingerprint: Digest::of(b"body"), intent_id, expires_at })
}

/// The run that append `n` changes: few runs, so that their rows and marks move.
pub(super) fn run(n: u64) -> RunRow {
    RunRow {
        run_id: ids::derived(at(0), &[b"run", &[(n % 4) as u8]]),
        seq: n,
        name: "Probe".into(),
        blueprint_ref: "probe".into(),
        blueprint_digest: Digest::of(b"blueprint"),
        status: RunStatus::ALL[(n / 4 % 5) as usize],
        waiting_on: None,
        created_at: at(n),
        started_at: Some(at(n)),
        completed_at: None,
        actor: Principal::local_operator(),
        correlation_id: correlation(n),
        causation_id: None,
        lineage: None,
        inputs: Json::null(),
        outputs: Some(Json::of(&n).expect("a number")),
        error: None,
        priority: 0,
        labels: BTreeMap::from([("n".into(), n.to_string())]),
    }
}

fn correlation(n: u64) -> CorrelationId {
    CorrelationId::parse(&format!("c{}", n % 3)).expect("fits")
}

fn changes(n: u64) -> Changes {
    let mut changes = Changes::new();
    let timer = |n| TimerRow { due: at(n), stream: stream(n), purpose: Purpose::WallClock };
    changes.put(&timer(n));
    if n % 3 == 1 {
        changes.remove_row(&timer(n - 1));
    }
    let was = n.checked_sub(4).map(|n| run(n).status);
    run(n).write(was, &mut changes);
    changes.keep_blob(&filler(n / 2));
    changes.put_position("follower", n);
    changes
}

/// Bytes that only `n` has: mostly few, at times more than a page.
fn filler(n: u64) -> Vec<u8> {
    let mut dice = Dice::new(n);
    let len = if n % 11 == 3 { dice.below(12_000) } else { dice.below(300) };
    (0..len).map(|_| dice.roll() as u8).collect()
}

/// The streams of the entries of append `n`.
fn streams(n: u64) -> Vec<StreamId> {
    let mut streams = vec![stream(n)];
    streams.extend(n.is_multiple_of(3).then(|| stream(n + 1)));
    streams.extend(n.is_multiple_of(4).then(|| stream(n)));
    streams
}

fn name(n: u64) -> String {
    format!("event.{}", n % 7)
}

fn records(n: u64, index: usize) -> Vec<u8> {
    [n.to_le_bytes().as_slice(), &[index as u8], &filler(n)].concat()
}

/// The rows that an entry of the ledger implies: those of its append, with the first of its entries.
pub(super) fn changes_of(entry: &Envelope) -> Changes {
    let (n, is_first) = number_of(entry);
    let mut changes = if is_first { changes(n) } else { Changes::new() };
    claim(n).filter(|_| is_first).iter().for_each(|claim| changes.put(claim));
    changes
}

/// The names of the events of an entry of the ledger.
pub(super) fn events_of(entry: &Envelope) -> Vec<Cow<'static, str>> {
    vec![name(number_of(entry).0).into()]
}

/// The append of an entry, and whether it is the first of it.
fn number_of(entry: &Envelope) -> (u64, bool) {
    let (number, rest) = entry.records.split_first_chunk::<8>().expect("an entry of the ledger");
    (u64::from_le_bytes(*number), rest[0] == 0)
}

/// The append `n` of a writer who knows the streams' `heads`.
pub(super) fn append(n: u64, heads: &mut BTreeMap<StreamId, u64>) -> Append {
    let entry = |(index, stream): (usize, StreamId)| {
        let head = heads.entry(stream).or_default();
        let attribution = Attribution {
            actor: Principal::local_operator(),
            session: None,
            correlation_id: correlation(n),
            causation_id: None,
        };
        let (expected, names) = (*head, vec![name(n).into()]);
        *head += 1;
        Entry { stream, expected, at: at(n), attribution, names, records: records(n, index) }
    };
    let entries = streams(n).into_iter().enumerate().map(entry).collect();
    Append { entries, changes: changes(n), claim: claim(n) }
}

/// Answers to appends, by number.
pub(super) type Answers = BTreeMap<u64, Result<Receipt, AppendError>>;

/// Appends `numbers` all at once and waits for the answers.
pub(super) async fn wave(store: &Store, numbers: impl IntoIterator<Item = u64>) -> Answers {
    let mut heads = heads(&store.read().ok());
    let mut flight = JoinSet::new();
    for n in numbers {
        let journal = store.journal().expect("open");
        let append = append(n, &mut heads);
        flight.spawn(async move { (n, journal.append(append).await) });
    }
    flight.join_all().await.into_iter().collect()
}

/// Where the streams stand; all at 0 where that cannot be read.
fn heads(reader: &Option<Reader>) -> BTreeMap<StreamId, u64> {
    let head = |n| reader.as_ref().and_then(|it| it.last_seq(stream(n)).ok()).unwrap_or_default();
    (0..STREAMS).map(|n| (stream(n), head(n))).collect()
}

/// Every verified row of every table.
pub(super) fn listing(reader: &Reader) -> Result<Listing, StoreError> {
    let mut listing = Listing::new();
    for table in Table::ALL {
        reader.scan(table, &[], None, Order::Ascending, |key, value| {
            listing.insert((table, key.to_vec()), value.to_vec());
            Ok(true)
        })?;
    }
    Ok(listing)
}

/// Checks that `store` is what its log says, and that every append of `acknowledged` is in it where it was said to
/// be. Returns the numbers of the appends that are there.
pub(super) fn check(store: &Store, acknowledged: &BTreeMap<u64, u64>) -> BTreeSet<u64> {
    let mut found = listing(&store.read().expect("reads")).expect("nothing is damaged");
    let mut expected = Listing::new();
    let mut frontier = Frontier::default();
    let mut there = BTreeMap::new();
    let mut offset = 0u64;
    while let Some(bytes) = found.get(&(Table::Log, offset.to_be_bytes().to_vec())) {
        let first = envelope::decode(bytes).expect("decodes");
        let n = u64::from_le_bytes(*first.records.first_chunk().expect("a number"));
        assert_eq!(there.insert(n, offset), None, "append {n} is there twice");
        for (index, stream) in streams(n).into_iter().enumerate() {
            let key = (Table::Log, offset.to_be_bytes().to_vec());
            let bytes = found.remove(&key).unwrap_or_else(|| panic!("append {n} lacks entry {index}"));
            let envelope = envelope::decode(&bytes).expect("decodes");
            assert_eq!((envelope.stream, &envelope.records), (stream, &records(n, index)), "append {n}");
            frontier.push(envelope::leaf(&bytes));
            index_entry(&mut expected, n, offset, envelope.stream, envelope.seq);
            offset += 1;
        }
        apply(&mut expected, changes(n), claim(n));
    }
    if offset > 0 {
        let head = postcard::to_stdvec(&(offset, &frontier)).expect("plain data");
        assert!(
            found.get(&(Table::Meta, b"head".to_vec())) == Some(&head),
            "the head is that of {offset} entries"
        );
    }
    found.retain(|(table, _), _| *table != Table::Meta);
    assert_eq!(differences(&found, &expected), [], "the tables follow from the log");
    for (n, offset) in acknowledged {
        assert_eq!(there.get(n), Some(offset), "append {n} was acknowledged");
    }
    check_sequences(store, offset);
    there.into_keys().collect()
}

/// Keys whose rows are not the same in both, a few of them.
pub(super) fn differences(one: &Listing, other: &Listing) -> Vec<(Table, Vec<u8>)> {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    keys.into_iter().filter(|key| one.get(*key) != other.get(*key)).take(5).cloned().collect()
}

fn index_entry(expected: &mut Listing, n: u64, offset: u64, stream: StreamId, seq: u64) {
    let mut put = |table, key: Key, value| expected.insert((table, key.into_bytes()), value);
    let position = Key::new().bytes(stream.as_bytes()).u64(seq);
    let earlier = put(Table::Streams, position, offset.to_be_bytes().to_vec());
    assert_eq!(earlier, None, "sequence {seq} of stream {stream} is given twice");
    put(Table::Names, Key::new().text(&name(n)).u64(offset / NAME_BLOCK), Vec::new());
    if seq == 1 {
        put(
            Table::Correlations,
            Key::new().text(correlation(n).as_str()).bytes(stream.as_bytes()),
            Vec::new(),
        );
    }
}

fn apply(expected: &mut Listing, mut changes: Changes, claim: Option<ClaimRow>) {
    if let Some(claim) = claim {
        changes.put(&claim);
    }
    for change in changes.0 {
        match change.value {
            Some(row) => {
                let value = unseal(change.table, &change.key, &row).expect("sealed").to_vec();
                expected.insert((change.table, change.key), value);
            }
            None => drop(expected.remove(&(change.table, change.key))),
        }
    }
}

/// Sequences of each stream are 1, 2, 3 and so on, in the order of the log.
fn check_sequences(store: &Store, len: u64) {
    let reader = store.read().expect("reads");
    let mut total = 0;
    for n in 0..STREAMS {
        let history = reader.stream(stream(n), 0, usize::MAX).expect("reads");
        assert!(history.is_sorted_by_key(|(offset, _)| *offset));
        assert!(history.iter().map(|(_, envelope)| envelope.seq).eq(1..=history.len() as u64));
        total += history.len() as u64;
    }
    assert_eq!(total, len);
    assert_eq!(*store.journal().expect("open").head().borrow(), len);
}

/// What of `answers` was acknowledged, by number with its offset.
pub(super) fn acknowledged(answers: &Answers) -> impl Iterator<Item = (u64, u64)> {
    answers.iter().filter_map(|(n, answer)| Some((*n, answer.as_ref().ok()?.offset)))
}

/// Opens the store at `folder` on `disk`, without quick repair.
pub(super) fn open(folder: &Path, disk: &Disk) -> Store {
    Store::open(folder, on(disk, false)).expect("opens")
}
