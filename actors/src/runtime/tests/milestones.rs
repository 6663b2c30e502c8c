//! Milestones: what the node's own work leaves on the timeline, once, wherever the node died.

use std::collections::BTreeSet;

use xyn_store::Order;
use xyn_store::ids::EntryId;
use xyn_store::timeline::entry::{Kind, milestone_id};

use super::fuse::Fuse;
use super::*;
use crate::record;
use crate::services::timeline::actor::Command;
use crate::services::timeline::milestone;

impl Node {
    /// Ends without a word, as a killed process does.
    pub(super) async fn kill(self) {
        let store = self.runtime.store().clone();
        for task in self.background.tasks {
            task.abort();
            // An aborted task answers with its abortion.
            let _ = task.await;
        }
        self.runtime.0.supervisor.get().expect("it runs").stop();
        drop(self.runtime);
        let folder = store.folder().to_owned();
        store.close();
        drop(store);
        // Its threads let go of the folder when they come to it.
        let gone = async {
            loop {
                match Store::open(&folder, Options::default()) {
                    Ok(free) => return free.close(),
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("it ends in time");
    }

    /// The milestones that the journal tells of, in its order.
    fn expected_milestones(&self) -> Vec<EntryId> {
        let (own, reader) = (self.timeline().own(), self.runtime.store().read().expect("reads"));
        let people = self.timeline().people();
        let mut milestones = Vec::new();
        reader
            .log(0, Order::Ascending, |offset, envelope| {
                let records = record::decode(offset, &envelope)?;
                let note = milestone::note(&records, &envelope, self.runtime.env().stage, &reader, &people)?;
                milestones.extend(note.map(|_| milestone_id(&own, offset, envelope.at)));
                Ok(true)
            })
            .expect("reads");
        milestones
    }

    /// Ids of moments, as the events say that tell of them.
    fn announced(&self) -> Vec<String> {
        let events = self.events("xyn.timeline.entry.added");
        events.iter().map(|event| event["data"]["entry_id"].as_str().expect("an id").to_owned()).collect()
    }

    /// That each milestone is a moment once, and each moment an event once.
    fn assert_said_once(&self, round: &str) {
        let moments = self.moments();
        let said = moments.iter().filter(|entry| entry.note.kind != Kind::Note).map(|entry| entry.entry_id);
        let (said, expected): (BTreeSet<_>, BTreeSet<_>) =
            (said.collect(), self.expected_milestones().into_iter().collect());
        assert_eq!(said, expected, "{round}: {:?}", self.titles());
        let (mut announced, mut all) = (self.announced(), Vec::new());
        all.extend(moments.iter().map(|entry| entry.entry_id.to_string()));
        announced.sort();
        all.sort();
        assert_eq!(announced, all, "{round}");
        all.dedup();
        assert_eq!(all.len(), moments.len(), "{round}: no id twice");
    }
}

/// A run that fails: what it would keep is not here.
const FAILING: &str = r#"
id: bp.failing
name: Failing
trigger: { event_type: test.failing }
plan:
  - kind: action_task
    id: put
    action: artifacts.put
    with: { name: a.bin, sha256: "00000000000000000000000000000000000000000000000000000000000000ff", byte_length: 20000 }
"#;
/// What is told of the runs of a story.
const TOLD: [&str; 3] =
    ["Chain: started, completed", "Failing: started, failed: unknown_blob", "Gated: started, waits at `ok`"];

/// What the node does before it dies: runs, one that fails, a gate, a word of a person.
async fn story(node: &Node) -> Option<()> {
    for source in [CHAIN, FAILING, GATED] {
        let input = json!({ "draft_type": "blueprint", "name": "test", "definition": source });
        let draft = node.submit("drafts.save", input).await.ok()?.output["draft_id"].clone();
        node.submit("blueprints.validate", json!({ "draft_id": draft })).await.ok()?;
        match node.submit("blueprints.promote", json!({ "draft_id": draft })).await {
            // In an earlier life.
            Ok(_) | Err(Refusal::Conflict { code: "unchanged", .. }) => {}
            Err(_) => return None,
        }
    }
    node.submit("runs.start", json!({ "blueprint": "bp.gated", "inputs": {} })).await.ok()?;
    node.submit("runs.start", json!({ "blueprint": "bp.failing", "inputs": {} })).await.ok()?;
    node.submit("timeline.note", json!({ "title": "on the way" })).await.ok()?;
    node.submit("runs.start", json!({ "blueprint": "bp.chain", "inputs": { "n": 1 } })).await.ok()?;
    // All of it is on the timeline, or the node is dead.
    let mut news = node.timeline().news();
    let level = async {
        while !node.runtime.0.env.fuse.has_burnt() {
            let is_milestone = |entry: &&xyn_store::timeline::entry::Entry| entry.note.kind != Kind::Note;
            let said = node.moments().iter().filter(is_milestone).count();
            if said == node.expected_milestones().len() {
                return;
            }
            let _ = tokio::time::timeout(Duration::from_millis(100), news.changed()).await;
        }
    };
    tokio::time::timeout(PATIENCE, level).await.expect("in time");
    Some(())
}

/// Begins the story on a folder and dies at the commit of `fuse`. Answers whether it died.
async fn die(folder: &Path, fuse: Fuse) -> bool {
    let store = store_in(folder);
    let env = Environment { fuse: fuse.clone(), ..Environment::default() };
    match Runtime::start(store.clone(), actions::builtin(), Clock::system(), env).await {
        Ok((runtime, background)) => {
            drop(store);
            let node = Node { runtime, background };
            story(&node).await;
            node.kill().await;
        }
        Err(_) => store.close(),
    }
    fuse.has_burnt()
}

#[tokio::test]
async fn each_milestone_is_said_once_at_whatever_commit_the_node_died() {
    // A commit whose answer is lost is like the next one that is not made, but for who thinks what: fewer will do.
    for (is_late, stride) in [(false, 1), (true, 4)] {
        for number in (0..).step_by(stride) {
            let folder = tempfile::tempdir().expect("a folder");
            let died = die(folder.path(), Fuse::at(number, is_late)).await;
            // Dies again early in its next life, then is left alone.
            die(folder.path(), Fuse::at(number % 4 + 1, !is_late)).await;
            let node = start(folder.path()).await;
            story(&node).await.expect("it is left alone");
            node.run_to_the_end_of_the_timeline().await;
            node.assert_said_once(&format!("commit {number}, late: {is_late}"));
            let titles = node.titles();
            assert!(TOLD.iter().all(|told| titles.iter().any(|title| title == told)), "{titles:?}");
            node.stop().await;
            if !died {
                break;
            }
        }
    }
}

#[tokio::test]
async fn milestones_of_a_position_that_was_passed_are_not_said_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(CHAIN).await;
    node.run_to_the_end_of_the_timeline().await;
    let before = node.titles();
    let again = Command::Milestones { milestones: Vec::new(), from: 0, to: 1 };
    let refused = node.timeline().tell(again).await;
    assert!(matches!(refused, Err(TimelineError::Said)), "{refused:?}");
    node.run_to_the_end_of_the_timeline().await;
    assert_eq!(node.titles().len(), before.len() + 1);
    node.stop().await;
}

#[tokio::test]
async fn a_rebuild_of_the_rows_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(CHAIN).await;
    node.run_to_the_end_of_the_timeline().await;
    let (own, before) = (node.timeline().own(), node.titles());
    node.stop().await;
    let store = store_in(folder.path());
    let feeds = |store: &Store| store.read().expect("reads").feeds().expect("reads");
    let (records, offset) =
        (feeds(&store), store.read().expect("reads").position("milestones").expect("reads"));
    let mut fold = crate::projector::Fold::new(store.clone(), actions::builtin());
    store.rebuild(&mut fold, |_| {}).expect("rebuilds");
    assert_eq!(
        (feeds(&store), store.read().expect("reads").position("milestones").expect("reads")),
        (records, offset)
    );
    store.close();
    drop((fold, store));
    let node = start(folder.path()).await;
    node.run_to_the_end_of_the_timeline().await;
    assert_eq!(node.titles()[..before.len()], before);
    assert_eq!(node.timeline().own(), own);
    node.assert_said_once("after a rebuild");
    node.stop().await;
}

const ECHO: &str = r#"
id: bp.echo
name: Echo
trigger:
  event_type: xyn.timeline.entry.added
  when: "{{ event.data.title == 'go' or event.data.title == 'Echo: started, completed' }}"
plan:
  - { kind: transform, id: nothing, set: { n: 1 } }
"#;

#[tokio::test]
async fn a_blueprint_that_listens_to_the_moments_of_its_own_runs_comes_to_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    node.promote(ECHO).await;
    node.submit("timeline.note", json!({ "title": "go" })).await.expect("notes");
    let echoes = |moments: &[xyn_store::timeline::entry::Entry]| {
        moments.iter().filter(|entry| entry.note.title.starts_with("Echo: ")).count()
    };
    // As many runs may start each other.
    let limit = 16;
    node.until_moments(|moments| echoes(moments) == limit).await;
    // What comes behind the last echo was dispatched behind it: a run of this would be there by then.
    node.promote(CHAIN).await;
    node.run_to_the_end_of_the_timeline().await;
    let event = json!({ "event_name": "test.chain", "data": { "n": 1 } });
    node.submit("events.emit", event).await.expect("emits");
    node.until(|node| node.with_status(RunStatus::Completed).len() == limit + 2).await;
    assert_eq!(echoes(&node.moments()), limit);
    node.stop().await;
}

#[tokio::test]
async fn a_moment_whose_commit_had_no_answer_is_told_like_any_other() {
    // Another commit of the node may come before that of the note.
    for _ in 0..20 {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store_in(folder.path());
        let env = Environment { fuse: Fuse::at(i64::MAX, true), ..Environment::default() };
        let started = Runtime::start(store.clone(), actions::builtin(), Clock::system(), env.clone()).await;
        let (runtime, background) = started.expect("it starts");
        drop(store);
        let node = Node { runtime, background };
        node.submit("timeline.note", json!({ "title": "before" })).await.expect("it is said");
        env.fuse.light();
        let said = node.submit("timeline.note", json!({ "title": "was it said?" })).await;
        let was_left_open = said.is_err() && node.titles().contains(&"was it said?".to_owned());
        if was_left_open {
            // Nothing is committed any more that would wake anybody.
            let mut news = node.timeline().news();
            let told = tokio::time::timeout(PATIENCE, news.changed()).await;
            told.expect("whoever follows the timeline is woken").expect("it runs");
        }
        node.kill().await;
        if was_left_open {
            return;
        }
    }
    panic!("no note was made by a commit without an answer");
}
