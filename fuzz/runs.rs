//! What other nodes ask and tell of runs.

use std::fmt::Debug;

use xyn_net::wire::runs::{Account, Part, Piece, Question, Run, Runs, Step, Withheld};
use xyn_net::wire::{self, Bounded, Message, Payload};
use xyn_store::ids::{self, EventId};
use xyn_store::projection::{RunRow, RunStatus, StepKey, StepRow, StepStatus, WaitKind, Waiting};
use xyn_store::scope::Principal;
use xyn_store::{Digest, Json};

use super::now;

fn again<M: Message + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(message) = wire::decode::<M>(bytes) {
        assert_eq!(wire::decode::<M>(&wire::encode(&message)).expect("own bytes"), message);
    }
}

/// Questions about runs and the pieces of their answers.
pub(super) mod inquiries {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        again::<Runs>(bytes);
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let (run, moment) = (ids::derived(now(), &[b"run"]), ids::derived(now(), &[b"moment"]));
        let name = Payload::new(b"first.7").expect("short");
        let parts =
            [Part::Whole, Part::Steps { after: Some(StepKey::item(1, 7)), limit: 50 }, Part::Step(name)];
        let asks =
            parts.map(|part| Runs::Ask { number: 7, question: Question { run, moment, part }, from: 9 });
        let piece = Piece::of(b"account", 0).expect("short");
        let answers = [Runs::Piece { number: 7, piece }, Runs::Withheld { number: 7, why: Withheld::Denied }];
        asks.iter().chain(&answers).map(wire::encode).collect()
    }
}

/// What a node tells of a run: whatever it is, it can be shown as rows.
pub(super) mod accounts {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        again::<Account>(bytes);
        let run_id = ids::derived(now(), &[b"run"]);
        match wire::decode::<Account>(bytes) {
            Ok(Account::Run(told)) => drop(serde_json::to_string(&told.row(run_id).inputs).expect("renders")),
            Ok(Account::Steps { steps, .. }) => steps.into_inner().into_iter().for_each(shown),
            Ok(Account::Step(step)) => step.into_iter().for_each(|step| shown(*step)),
            Err(_) => {}
        }
    }

    fn shown(step: Step) {
        let row = step.row(ids::derived(now(), &[b"run"]));
        serde_json::to_string(&(row.inputs, row.outputs)).expect("renders");
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let (run_id, waiting) =
            (ids::derived(now(), &[b"run"]), Waiting { kind: WaitKind::Gate, since: now(), until: None });
        let json = Json::of("text").expect("renders");
        let run = RunRow {
            run_id,
            seq: 3,
            name: "Count".into(),
            blueprint_ref: "bp.count".into(),
            blueprint_digest: Digest::of(b"source"),
            status: RunStatus::Running,
            waiting_on: Some(waiting.clone()),
            created_at: now(),
            started_at: Some(now()),
            completed_at: None,
            actor: Principal::new("ana@laptop"),
            correlation_id: ids::derived::<EventId>(now(), &[b"cause"]).into(),
            causation_id: None,
            lineage: None,
            inputs: json.clone(),
            outputs: None,
            error: None,
            priority: 0,
            labels: [("team".to_owned(), "ops".to_owned())].into(),
        };
        let step = |item| StepRow {
            run_id,
            position: StepKey { step: 1, item },
            name: "first".into(),
            kind: "gate".into(),
            attempt: 1,
            status: StepStatus::Running,
            waiting_on: Some(waiting.clone()),
            started_at: Some(now()),
            completed_at: None,
            logs_artifact_id: None,
            inputs: Some(json.clone()),
            outputs: None,
            error: None,
        };
        let steps = Bounded::new(vec![step(None).into(), step(Some(7)).into()]).expect("two");
        let actor = run.actor.clone();
        let accounts = [
            Account::Run(Box::new(Run::of(run, actor))),
            Account::Steps { steps, has_more: true },
            Account::Step(Some(Box::new(step(None).into()))),
        ];
        accounts.iter().map(wire::encode).collect()
    }
}
