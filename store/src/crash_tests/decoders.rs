//! Arbitrary and mutated bytes through every decoder: a value or an error, never a panic.

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{full, samples};
use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::merkle::Frontier;
use crate::audit::signature::PublicKey;
use crate::envelope::{self, Envelope, Sealed};
use crate::ids::{EventId, RunId};
use crate::projection::{
    ArtifactRow, BlueprintRow, BlueprintStatus, ClaimRow, Cursor, DraftRow, GateRow, IntentRow, PolicyRow,
    PolicyStatus, Row, RunRow, StepRow, TimerRow,
};
use crate::reader::decode;
use crate::scope::CorrelationId;
use crate::tables::{Key, Table, seal, unseal};
use crate::{Digest, Incarnation, Timestamp};

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: if full() { 100_000 } else { 300 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// What a disk or a stranger does to bytes.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Set(prop::sample::Index, u8),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<prop::sample::Index>(), 0..8u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        any::<prop::sample::Index>().prop_map(Mutation::Cut),
        (any::<prop::sample::Index>(), vec(any::<u8>(), 1..8))
            .prop_map(|(at, new)| Mutation::Insert(at, new)),
        // Lengths and counts are varints, so that 0xff is the interesting byte.
        (any::<prop::sample::Index>(), prop_oneof![Just(0xff), any::<u8>()])
            .prop_map(|(at, byte)| Mutation::Set(at, byte)),
    ]
}

fn mutated(mut bytes: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        if bytes.is_empty() {
            break;
        }
        let len = bytes.len();
        match mutation {
            Mutation::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Mutation::Cut(at) => bytes.truncate(at.index(len)),
            Mutation::Insert(at, new) => {
                drop(bytes.splice(at.index(len)..at.index(len), new.iter().copied()))
            }
            Mutation::Set(at, byte) => bytes[at.index(len)] = *byte,
        }
    }
    bytes
}

/// Decodes `bytes`, which passed the checksum, and uses whatever comes out.
fn try_row<R: Row + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(row) = decode::<R>(bytes) {
        let _ = (row.key(), format!("{row:?}"), serde_json::to_string(&row));
    }
}

fn try_rows(bytes: &[u8]) {
    try_row::<RunRow>(bytes);
    try_row::<StepRow>(bytes);
    try_row::<GateRow>(bytes);
    try_row::<IntentRow>(bytes);
    try_row::<ArtifactRow>(bytes);
    try_row::<BlueprintRow>(bytes);
    try_row::<DraftRow>(bytes);
    try_row::<PolicyRow>(bytes);
    try_row::<TimerRow>(bytes);
    try_row::<ClaimRow>(bytes);
}

fn try_value<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(value) = postcard::from_bytes::<T>(bytes) {
        let _ = serde_json::to_string(&value);
    }
}

fn bytes_of<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("encodes")
}

/// The bytes of one row of each type.
fn rows() -> Vec<Vec<u8>> {
    let mut rows = vec![
        bytes_of(&samples::run_row(1)),
        bytes_of(&samples::artifact()),
        bytes_of(&samples::blueprint(1, BlueprintStatus::Active)),
        bytes_of(&samples::policy(1, PolicyStatus::Active)),
    ];
    rows.extend(samples::steps().iter().map(bytes_of));
    rows.extend(samples::gates().iter().map(bytes_of));
    rows.extend(samples::intents().iter().map(bytes_of));
    rows.extend(samples::drafts().iter().map(bytes_of));
    rows.extend(samples::timers().iter().map(bytes_of));
    rows.extend(samples::claims().iter().map(bytes_of));
    rows
}

#[test]
fn the_largest_position_has_a_key() {
    samples::timers().iter().for_each(|row| assert!(!row.key().as_bytes().is_empty()));
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn arbitrary_rows_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        try_rows(&bytes);
        try_value::<Frontier>(&bytes);
        try_value::<SignedCheckpoint>(&bytes);
        try_value::<Incarnation>(&bytes);
        let _ = unseal(Table::Runs, b"key", &bytes);
    }

    #[test]
    fn mutated_rows_never_panic(
        row in prop::sample::select(rows()),
        mutations in vec(mutation(), 1..4),
    ) {
        try_rows(&mutated(row, &mutations));
    }

    #[test]
    fn a_mutated_row_does_not_pass_its_checksum(
        row in prop::sample::select(rows()),
        mutations in vec(mutation(), 1..4),
    ) {
        let sealed = seal(Table::Runs, b"key", row);
        let bad = mutated(sealed.clone(), &mutations);
        prop_assert_eq!(unseal(Table::Runs, b"key", &bad).is_ok(), bad == sealed);
    }

    #[test]
    fn mutated_envelopes_never_panic(
        records in vec(any::<u8>(), 0..300),
        salt: [u8; 16],
        mutations in vec(mutation(), 1..4),
    ) {
        let entry = super::ledger::append(4, &mut Default::default()).entries.remove(0);
        let (stream, at, attribution) = (entry.stream, entry.at, entry.attribution);
        let whole = Envelope { stream, seq: 1, at, attribution, records };
        let sealed = Sealed::new(&whole, &crate::audit::leaf::Salt::from_bytes(salt)).expect("encodes");
        if let Ok(envelope) = envelope::decode(&mutated(sealed.into_bytes(), &mutations)) {
            let _ = format!("{envelope:?}");
        }
    }

    #[test]
    fn texts_of_strangers_never_panic(text in "\\PC{0,80}", hex in "[0-9a-fA-F]{0,140}") {
        for text in [&text, &hex] {
            let _ = text.parse::<Cursor>();
            let _ = text.parse::<Digest>();
            let _ = text.parse::<PublicKey>();
            let _ = text.parse::<Timestamp>();
            let _ = text.parse::<RunId>();
            let _ = CorrelationId::parse(text);
            let _ = Key::new().text(text);
        }
    }

    #[test]
    fn a_cursor_of_strange_bytes_is_only_a_place(bytes in vec(any::<u8>(), 1..256)) {
        let cursor = Cursor::from_bytes(bytes);
        prop_assert_eq!(cursor.to_string().parse::<Cursor>().expect("own text"), cursor);
    }

    #[test]
    fn any_id_may_be_asked_for_its_place(bytes: [u8; 16]) {
        let _ = EventId::from(uuid::Uuid::from_bytes(bytes)).place();
    }
}
