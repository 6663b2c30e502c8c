//! One row of each type with every optional field filled, and the rows that use the other variants.

use super::ledger::{at, claim, run, stream};
use crate::ids;
use crate::projection::{
    ApprovalRow, ArtifactRow, Asked, BlueprintRow, BlueprintStatus, Changes, ClaimRow, DraftKind, DraftRow,
    DraftStatus, Fault, GateMode, GateRow, GateStatus, IntentRow, IntentStatus, Lineage, Payload, PolicyRow,
    PolicyStatus, Purpose, RunRow, StepKey, StepRow, StepStatus, Subject, TimerRow, WaitKind, Waiting,
};
use crate::scope::{CorrelationId, Principal, Stage};
use crate::{Digest, Json};

/// All of them, as an append carries them.
pub(super) fn changes() -> Changes {
    let mut changes = Changes::new();
    (0..12).map(run_row).for_each(|row| row.write(None, &mut changes));
    RunRow::mark_active(run_row(0).run_id, false, true, &mut changes);
    steps().iter().for_each(|row| changes.put(row));
    gates().iter().for_each(|row| row.write(&mut changes));
    intents().iter().for_each(|row| row.write(&mut changes));
    artifact().write(&mut changes);
    changes.put(&blueprint(1, BlueprintStatus::Deprecated));
    changes.put(&blueprint(2, BlueprintStatus::Active));
    drafts().iter().for_each(|row| changes.put(row));
    changes.put(&policy(1, PolicyStatus::Deprecated));
    changes.put(&policy(2, PolicyStatus::Active));
    timers().iter().for_each(|row| changes.put(row));
    claims().iter().for_each(|row| changes.put(row));
    for bytes in [b"a small blob".as_slice(), b"source", b"output"] {
        changes.keep_blob(bytes);
    }
    changes.put_position("dispatch", 7);
    changes
}

pub(super) fn run_row(n: u64) -> RunRow {
    RunRow {
        run_id: ids::derived(at(n), &[b"run"]),
        waiting_on: Some(waiting(WAITS[n as usize % WAITS.len()])),
        completed_at: Some(at(n + 9)),
        causation_id: Some(ids::derived(at(n), &[b"event"])),
        lineage: Some(Lineage { run_id: run(n).run_id, from_step: "fetch".into() }),
        inputs: json(r#"{"url":"https://example.org/"}"#),
        error: Some(fault()),
        priority: -3,
        ..run(n * 4)
    }
}

const WAITS: [WaitKind; 6] = [
    WaitKind::Gate,
    WaitKind::Timer,
    WaitKind::Event,
    WaitKind::Approval,
    WaitKind::RateLimit,
    WaitKind::Worker,
];

fn waiting(kind: WaitKind) -> Waiting {
    Waiting { kind, since: at(2), until: Some(at(3)) }
}

fn fault() -> Fault {
    Fault { code: "upstream".into(), message: "the other side said `no`".into() }
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).expect("is JSON")
}

pub(super) fn steps() -> Vec<StepRow> {
    use StepStatus::{Completed, Created, Failed, Running, Skipped};
    let row = |(step, status): (u16, StepStatus)| StepRow {
        run_id: run_row(0).run_id,
        position: if step == 2 { StepKey::item(step, 3) } else { StepKey::step(step) },
        name: "fetch".into(),
        kind: "action_task".into(),
        attempt: 2,
        status,
        waiting_on: Some(waiting(WaitKind::RateLimit)),
        started_at: Some(at(1)),
        completed_at: Some(at(2)),
        logs_artifact_id: Some(artifact().artifact_id),
        inputs: Some(json("[1,null]")),
        outputs: Some(json("\"ü\"")),
        error: Some(fault()),
    };
    (0..).zip([Created, Running, Completed, Failed, Skipped]).map(row).collect()
}

fn approval() -> ApprovalRow {
    ApprovalRow {
        principal: Principal::new("ada@example.org"),
        approve: true,
        at: at(4),
        note: Some("fine".into()),
    }
}

pub(super) fn gates() -> Vec<GateRow> {
    use GateStatus::{Approved, Expired, Rejected, Requested};
    let event = || GateMode::Event("order.*".into());
    let row = |(step, (mode, status)): (u16, (GateMode, GateStatus))| GateRow {
        run_id: run_row(0).run_id,
        position: StepKey::step(step),
        step: "ask".into(),
        mode,
        status,
        requested_at: at(1),
        expires_at: Some(at(9)),
        approvers: vec!["ada@example.org".into()],
        min: 2,
        allow_requester: Some(false),
        requester: Principal::local_operator(),
        stage: Stage::Prod,
        prompt: Some(json(r#"{"why":"deploy"}"#)),
        approvals: vec![approval()],
    };
    let kinds = [
        (GateMode::Manual, Requested),
        (GateMode::Timer, Requested),
        (event(), Requested),
        (GateMode::Uncertain, Requested),
        (GateMode::Policy, Approved),
        (GateMode::Manual, Rejected),
        (event(), Expired),
    ];
    (0..).zip(kinds).map(row).collect()
}

pub(super) fn intents() -> Vec<IntentRow> {
    use IntentStatus::{Accepted, Approved, Completed, Denied, Failed, Parked, Uncertain};
    let asked = Asked { min: 1, approvers: Vec::new(), allow_requester: None, expires_at: at(50) };
    let row = |(n, status): (u64, IntentStatus)| IntentRow {
        intent_id: ids::derived(at(n), &[b"intent"]),
        action: "runs.start".into(),
        stage: Stage::Staging,
        actor: Principal::new("webhook:shop"),
        correlation_id: CorrelationId::parse("corr").expect("fits"),
        at: at(n),
        status,
        decision: json(r#"{"effect":"allow"}"#),
        subject: Some(subjects().swap_remove(n as usize)),
        input: Some(Payload::Json(Json::null())),
        withheld: n % 2 == 1,
        output: Some(Payload::Blob { sha256: Digest::of(b"output"), byte_length: 70_000 }),
        fault: Some(fault()),
        asked: Some(asked.clone()),
        approvals: vec![approval()],
    };
    let kinds = [Parked, Accepted, Denied, Completed, Failed, Approved, Uncertain, Completed];
    (0..).zip(kinds).map(row).collect()
}

fn subjects() -> Vec<Subject> {
    vec![
        Subject::Event(ids::derived(at(0), &[b"event"])),
        Subject::Run(run_row(0).run_id),
        Subject::Gate(run_row(0).run_id, StepKey::item(1, 2)),
        Subject::Artifact(artifact().artifact_id),
        Subject::Draft(ids::derived(at(0), &[b"draft"])),
        Subject::Blueprint("probe".into(), 2),
        Subject::Policy("guard".into(), 1),
        Subject::Intent(ids::derived(at(0), &[b"intent"])),
    ]
}

pub(super) fn claims() -> Vec<ClaimRow> {
    vec![ClaimRow { key: "sample".into(), ..claim(0).expect("append 0 has one") }]
}

pub(crate) fn artifact() -> ArtifactRow {
    ArtifactRow {
        artifact_id: ids::derived(at(0), &[b"artifact"]),
        name: "report.txt".into(),
        kind: "report".into(),
        content_type: "text/plain".into(),
        byte_length: 12,
        created_at: at(5),
        created_by: Principal::new("run:probe"),
        run_id: Some(ids::derived(at(0), &[b"run"])),
        step_id: Some("fetch".into()),
        sha256: Digest::of(b"a small blob"),
        metadata: json(r#"{"pages":1}"#),
    }
}

pub(super) fn blueprint(version: u32, status: BlueprintStatus) -> BlueprintRow {
    BlueprintRow {
        blueprint_id: "probe".into(),
        version,
        name: "Probe".into(),
        trigger: "order.*".into(),
        digest: Digest::of(b"source"),
        status,
        activated_at: at(6),
        source: "id: probe\n".into(),
    }
}

pub(super) fn drafts() -> Vec<DraftRow> {
    let kinds = [
        (DraftKind::Blueprint, DraftStatus::Draft),
        (DraftKind::Blueprint, DraftStatus::Validated),
        (DraftKind::Pack, DraftStatus::Promoted),
    ];
    let row = |(n, (kind, status)): (u64, (DraftKind, DraftStatus))| DraftRow {
        draft_id: ids::derived(at(n), &[b"draft"]),
        name: "Probe".into(),
        kind,
        status,
        revision: 3,
        created_at: at(1),
        updated_at: at(2),
        content: "id: probe\n".into(),
        is_json: false,
        notes: Some("from a run".into()),
        source_run_id: Some(run_row(0).run_id),
    };
    (0..).zip(kinds).map(row).collect()
}

pub(super) fn policy(version: u32, status: PolicyStatus) -> PolicyRow {
    PolicyRow {
        policy_id: "guard".into(),
        version,
        name: "Guard".into(),
        status,
        activated_at: at(7),
        source: "id: guard\n".into(),
    }
}

pub(super) fn timers() -> Vec<TimerRow> {
    let position = StepKey::item(1, u32::MAX);
    let purposes = [
        Purpose::Delay(StepKey::step(1)),
        Purpose::Expiry(StepKey::step(1)),
        Purpose::Retry(position),
        Purpose::WallClock,
        Purpose::Intent,
    ];
    let row = |purpose| TimerRow { due: at(60), stream: stream(1), purpose };
    purposes.into_iter().map(row).collect()
}
