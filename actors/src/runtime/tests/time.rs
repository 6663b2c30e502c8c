//! Time that passes while nobody is there: timers, deadlines, retries and schedules across restarts.

use xyn_store::Timestamp;
use xyn_store::audit::log;
use xyn_store::ids::StreamId;

use super::*;
use crate::intake::cron::{Definition, Entry, Missed};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn noon() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("an instant")
}

pub(super) async fn start_at(folder: &Path, now: Timestamp) -> Node {
    start_in(folder, actions::builtin(), Clock::manual(now), Environment::default()).await
}

/// A blueprint that waits for an hour, in the way that `step` says.
fn waiting(name: &str, step: &str) -> String {
    format!("id: bp.{name}\nname: Wait\ntrigger: {{ event_type: test.{name} }}\nplan:\n  - {step}\n")
}

/// A port at which nobody answers.
fn deaf_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Ways to wait for an hour, and how the run ends when nobody comes.
fn waits() -> Vec<(&'static str, String, WaitKind, RunStatus)> {
    let retried = format!(
        "{{ kind: action_task, id: w, action: http.call, with: {{ url: \"http://127.0.0.1:{}/\" }}, \
         retry: {{ max_attempts: 2, initial: 1h, max: 1h, jitter: false, on: [connect] }} }}",
        deaf_port()
    );
    let gate = |more: &str| format!("{{ kind: gate, id: w, {more} }}");
    vec![
        ("delay", gate("mode: timer, delay: 1h"), WaitKind::Timer, RunStatus::Completed),
        (
            "lenient",
            gate("mode: manual, timeout: 1h, on_timeout: approve"),
            WaitKind::Gate,
            RunStatus::Completed,
        ),
        ("strict", gate("mode: manual, timeout: 1h, on_timeout: reject"), WaitKind::Gate, RunStatus::Failed),
        (
            "event",
            gate("mode: event, event_type: test.never, timeout: 1h"),
            WaitKind::Event,
            RunStatus::Failed,
        ),
        ("retry", retried, WaitKind::RateLimit, RunStatus::Failed),
    ]
}

impl Node {
    async fn waits_for(&self, run: RunId, kind: WaitKind) {
        let mut head = self.runtime.0.journal.head();
        let waits = async {
            while self.row(run).waiting_on.map(|wait| wait.kind) != Some(kind) {
                head.changed().await.expect("the journal goes on");
            }
        };
        tokio::time::timeout(PATIENCE, waits).await.unwrap_or_else(|_| panic!("{:?}", self.row(run)));
    }

    /// How often something was recorded of the run.
    fn entries_of(&self, run: RunId) -> u64 {
        self.runtime
            .store()
            .read()
            .expect("reads")
            .last_seq(StreamId::from(uuid::Uuid::from(run)))
            .expect("reads")
    }
}

#[tokio::test]
async fn what_falls_due_while_the_node_is_down_fires_once_at_its_start_and_nothing_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start_at(folder.path(), noon()).await;
    let mut runs = Vec::new();
    for (name, step, kind, end) in waits() {
        node.promote(&waiting(name, &step)).await;
        let run = node.run(&format!("bp.{name}"), json!({})).await;
        node.waits_for(run, kind).await;
        runs.push((name, run, kind, end));
    }
    node.stop().await;

    // A clock that went back a day, and one a minute before the hour: neither is late.
    for now in [noon().before(24 * HOUR), noon().after(HOUR).before(MINUTE)] {
        let node = start_at(folder.path(), now).await;
        let before: Vec<_> = runs.iter().map(|(_, run, ..)| node.entries_of(*run)).collect();
        let other = node.run("bp.delay", json!({})).await;
        node.waits_for(other, WaitKind::Timer).await;
        for ((name, run, kind, _), before) in runs.iter().zip(before) {
            assert_eq!(node.row(*run).waiting_on.map(|wait| wait.kind), Some(*kind), "{name} at {now}");
            assert_eq!(node.entries_of(*run), before, "{name} at {now}");
        }
        node.stop().await;
    }

    let node = start_at(folder.path(), noon().after(3 * HOUR)).await;
    for (name, run, _, end) in &runs {
        assert_eq!(node.end_of(*run).await.status, *end, "{name}");
        let replay = node.submit("runs.replay", json!({ "run_id": run })).await.expect("replays");
        assert_eq!(replay.output["deterministic"], true, "{name}: {}", replay.output);
    }
    let ended: Vec<_> = runs.iter().map(|(_, run, ..)| node.entries_of(*run)).collect();
    node.stop().await;

    let node = start_at(folder.path(), noon().after(30 * HOUR)).await;
    let again: Vec<_> = runs.iter().map(|(_, run, ..)| node.entries_of(*run)).collect();
    assert_eq!(again, ended, "nothing fires twice");
    let report = log::verify(node.runtime.store(), |_| {}).expect("verifies");
    assert!(report.is_sound(), "{report:?}");
    node.stop().await;
}

fn hourly(missed: Missed) -> Entry {
    let name = format!("{missed:?}").to_lowercase();
    let definition = Definition {
        schedule: "0 * * * *".into(),
        time_zone: "UTC".into(),
        event_name: None,
        data: Value::Null,
        missed,
        name,
    };
    Entry::new(definition).expect("a schedule")
}

/// Starts a node with the schedules, waits until each has said how far it has come, and counts the events of each.
async fn ticks(folder: &Path, now: Timestamp) -> [usize; 3] {
    let names = ["skip", "once", "all"];
    let env = Environment {
        cron: [Missed::Skip, Missed::Once, Missed::All].map(hourly).to_vec(),
        ..Environment::default()
    };
    let node = start_in(folder, actions::builtin(), Clock::manual(now), env).await;
    // The schedules are looked at in their order, and the last of them never misses a tick. A position alone is no
    // entry of the journal, so nobody tells when it comes.
    let hour = Timestamp::from_micros(now.as_micros() / 3_600_000_000 * 3_600_000_000);
    let come = async {
        loop {
            let position = node.runtime.store().read().and_then(|reader| reader.position("cron/all"));
            if position.expect("reads") >= hour.as_micros() as u64 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, come).await.expect("the schedules are looked at");
    let mut counts = [0; 3];
    let reader = node.runtime.store().read().expect("reads");
    reader
        .log(0, xyn_store::Order::Ascending, |offset, envelope| {
            let records = crate::record::decode(offset, &envelope)?;
            for name in crate::record::names(&records) {
                let at = names.iter().position(|known| format!("cron.{known}") == name);
                at.into_iter().for_each(|at| counts[at] += 1);
            }
            Ok(true)
        })
        .expect("reads");
    drop(reader);
    node.stop().await;
    counts
}

#[tokio::test]
async fn schedules_catch_up_after_a_restart_as_they_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = noon().after(30 * MINUTE);
    assert_eq!(ticks(folder.path(), begun).await, [0, 0, 0], "what is new begins now");
    assert_eq!(ticks(folder.path(), begun.after(5 * HOUR)).await, [0, 1, 5], "skip, once, all");
    assert_eq!(ticks(folder.path(), begun.after(5 * HOUR)).await, [0, 1, 5], "and no tick twice");
    assert_eq!(ticks(folder.path(), begun.after(HOUR)).await, [0, 1, 5], "nor when the clock was set back");
    assert_eq!(ticks(folder.path(), begun.after(6 * HOUR)).await, [0, 2, 6]);
}
