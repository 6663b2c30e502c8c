//! Every question, piece and account survives its bytes, and the largest fit.

use proptest::collection::vec;
use proptest::prelude::*;
use xyn_store::ids::EventId;
use xyn_store::projection::{Fault, RunRow, RunStatus, StepKey, StepRow, StepStatus, WaitKind, Waiting};
use xyn_store::scope::Principal;
use xyn_store::{Json, Timestamp, ids};

use super::*;
use crate::wire::{Bounded, InvalidMessage, decode, encode};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

fn run_id() -> RunId {
    ids::derived(at(0), &[b"run"])
}

fn run() -> RunRow {
    RunRow {
        run_id: run_id(),
        seq: 0,
        name: "Count".into(),
        blueprint_ref: "bp.count".into(),
        blueprint_digest: Digest::of(b"source"),
        status: RunStatus::Running,
        waiting_on: Some(Waiting { kind: WaitKind::Gate, since: at(1), until: Some(at(2)) }),
        created_at: at(0),
        started_at: Some(at(1)),
        completed_at: None,
        actor: Principal::new("ada@lab"),
        correlation_id: ids::derived::<EventId>(at(0), &[b"cause"]).into(),
        causation_id: Some(ids::derived(at(0), &[b"event"])),
        lineage: Some(xyn_store::projection::Lineage { run_id: run_id(), from_step: "first".into() }),
        inputs: json("x"),
        outputs: Some(Json::null()),
        error: Some(Fault { code: "timeout".into(), message: "took too long".into() }),
        priority: -3,
        labels: [("team".to_owned(), "ops".to_owned())].into(),
    }
}

fn step(item: Option<u32>) -> StepRow {
    StepRow {
        run_id: run_id(),
        position: StepKey { step: 2, item },
        name: "first.7".into(),
        kind: "transform".into(),
        attempt: 2,
        status: StepStatus::Failed,
        waiting_on: Some(Waiting { kind: WaitKind::Timer, since: at(1), until: None }),
        started_at: Some(at(1)),
        completed_at: Some(at(2)),
        logs_artifact_id: Some(ids::derived(at(0), &[b"log"])),
        inputs: Some(json("y")),
        outputs: None,
        error: Some(Fault { code: "refused".into(), message: "no".into() }),
    }
}

fn json(text: &str) -> Json {
    Json::of(text).expect("renders")
}

fn name(bytes: &[u8]) -> Name {
    Payload::new(bytes).expect("short")
}

fn messages() -> Vec<Runs> {
    let moment = ids::derived(at(0), &[b"moment"]);
    let ask = |part| Runs::Ask { number: 300, question: Question { run: run_id(), moment, part }, from: 7 };
    let mut all = vec![
        ask(Part::Whole),
        ask(Part::Steps { after: None, limit: 200 }),
        ask(Part::Steps { after: Some(StepKey::item(2, 7)), limit: 1 }),
        ask(Part::Step(name(b"first.7"))),
        Runs::Piece { number: 300, piece: Piece::of(b"account", 3).expect("short") },
    ];
    let why = [Withheld::Unknown, Withheld::Denied, Withheld::TooLarge, Withheld::Unavailable];
    all.extend(why.map(|why| Runs::Withheld { number: 1, why }));
    all
}

fn accounts() -> Vec<Account> {
    let steps = Bounded::new(vec![step(None).into(), step(Some(7)).into()]).expect("two");
    vec![
        Account::Run(Box::new(Run::of(run(), run().actor))),
        Account::Steps { steps, has_more: true },
        Account::Step(Some(Box::new(step(None).into()))),
        Account::Step(None),
    ]
}

#[test]
fn every_message_and_account_survives_its_bytes() {
    for message in messages() {
        assert_eq!(decode::<Runs>(&encode(&message)).expect("own bytes"), message);
    }
    for account in accounts() {
        assert_eq!(decode::<Account>(&encode(&account)).expect("own bytes"), account);
    }
}

#[test]
fn a_row_comes_back_as_it_went_but_for_whom_the_environment_calls_otherwise() {
    let told = Run::of(run(), Principal::new("operator@local"));
    assert_eq!(told.row(run_id()), RunRow { actor: Principal::new("operator@local"), ..run() });
    for row in [step(None), step(Some(7))] {
        assert_eq!(Step::from(row.clone()).row(run_id()), row);
    }
}

#[test]
fn version_1_bytes_stay_what_they_are() {
    let all: Vec<Vec<u8>> = messages().iter().map(encode).chain(accounts().iter().map(encode)).collect();
    let golden = "1fec3314b5168ef92dd64e2ff172081358079b59db73fb66491e78a6d8bd5d76";
    assert_eq!(Digest::of(&all.concat()).to_string(), golden, "the encoding is frozen");
}

#[test]
fn the_largest_fit_and_more_is_refused() {
    let piece = Piece::of(&vec![7; ACCOUNT_BYTES_MAX], 1).expect("at the bound");
    assert_eq!(piece.bytes.len(), PIECE_BYTES_MAX);
    assert!(encode(&Runs::Piece { number: u64::MAX, piece }).len() <= Runs::BYTES_MAX);
    assert_eq!(Piece::of(&vec![7; ACCOUNT_BYTES_MAX + 1], 0), None);
    assert_eq!(Piece::of(b"account", 700).expect("short").bytes.len(), 0);
    let long =
        Account::Step(Some(Box::new(Step { kind: "x".repeat(ACCOUNT_BYTES_MAX), ..step(None).into() })));
    assert!(matches!(decode::<Account>(&encode(&long)), Err(InvalidMessage::TooLarge { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_bytes_never_panic(
        sample in prop::sample::select(
            messages().iter().map(encode).chain(accounts().iter().map(encode)).collect::<Vec<_>>()
        ),
        changes in vec((any::<prop::sample::Index>(), prop_oneof![Just(0xff), any::<u8>()]), 1..4),
    ) {
        let mut bytes = sample;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = (decode::<Runs>(&bytes), decode::<Account>(&bytes));
    }
}
