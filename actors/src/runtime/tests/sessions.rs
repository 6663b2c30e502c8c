//! Sessions on a real folder: whom they let act, and that each of them is closed in the end.

use std::collections::BTreeSet;

use xyn_store::Order;
use xyn_store::ids::SessionId;
use xyn_store::projection::SessionRow;
use xyn_store::tables::Key;

use super::*;
use crate::record;
use crate::runtime::sessions::OPEN_LIMIT;

const HOUR: Duration = Duration::from_secs(3_600);

fn ann() -> Principal {
    Principal::new("ann@test")
}

impl Node {
    /// Ends without a word, as a killed process does.
    async fn dies(self) {
        for task in self.background.tasks {
            task.abort();
            // An aborted task answers with its abortion.
            let _ = task.await;
        }
        self.runtime.0.supervisor().stop();
        let store = self.runtime.store().clone();
        drop(self.runtime);
        store.close();
    }

    async fn submit_in(&self, session: SessionId) -> Result<Outcome, Refusal> {
        let intent = self.intent("events.emit", json!({ "event_name": "test.said" }));
        self.runtime.submit(Intent { session: Some(session), ..intent }).await
    }

    async fn ends(&self, session: SessionId) {
        tokio::time::timeout(PATIENCE, async {
            let mut head = self.runtime.0.journal.head();
            while open(self.runtime.store()).contains(&session) {
                head.changed().await.expect("the journal goes on");
            }
        })
        .await
        .expect("the session ends by itself");
    }
}

/// Sessions that have a row.
fn open(store: &Store) -> BTreeSet<SessionId> {
    let reader = store.read().expect("reads");
    let rows =
        reader.page::<SessionRow>(&Key::new(), Order::Ascending, None, 10_000, |_| true).expect("reads");
    rows.items.into_iter().map(|row| row.session_id).collect()
}

/// The events of a session: who, which, and what they say.
fn history(store: &Store, session: SessionId) -> Vec<(String, String)> {
    let entries = store.read().expect("reads").stream(stream(session), 0, 10).expect("reads");
    let events = entries.iter().flat_map(|(offset, entry)| record::views(*offset, entry).expect("decodes"));
    events.map(|event| (event.actor, format!("{} {}", event.event_name, event.data.as_str()))).collect()
}

fn says(who: &str, what: &str) -> (String, String) {
    (who.to_owned(), what.to_owned())
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Refusal>, code: &str) {
    assert_eq!(answer.expect_err("it is refused").code(), code);
}

#[tokio::test]
async fn the_session_over_loopback_lasts_as_long_as_the_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let session = node.runtime.session().expect("it is open");
    node.submit_in(session).await.expect("it lets the operator act");
    assert_eq!(open(node.runtime.store()), BTreeSet::from([session]));
    node.stop().await;

    let node = start(folder.path()).await;
    assert_ne!(node.runtime.session(), Some(session));
    assert_refused(node.submit_in(session).await, "session_closed");
    let told = history(node.runtime.store(), session);
    let opened = r#"xyn.session.opened {"via":"loopback"}"#;
    let closed = r#"xyn.session.closed {"reason":"node_stopped"}"#;
    assert_eq!(told, [says("operator@local", opened), says("node", closed)]);
    node.stop().await;
}

#[tokio::test]
async fn a_start_closes_what_a_killed_node_left_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let anns = node.runtime.open_session(ann(), "token", HOUR).await.expect("opens");
    let closed = node.runtime.open_session(ann(), "token", HOUR).await.expect("opens");
    node.runtime.close_session(closed, ann()).await.expect("closes");
    let left = BTreeSet::from([anns, node.runtime.session().expect("it is open")]);
    node.dies().await;

    let store = store_in(folder.path());
    assert_eq!(open(&store), left);
    let before = store.read().expect("reads").derived_digest().expect("reads");
    let mut fold = crate::projector::Fold::new(store.clone(), actions::builtin());
    store.rebuild(&mut fold, |_| {}).expect("rebuilds");
    assert_eq!(store.read().expect("reads").derived_digest().expect("reads"), before);
    store.close();
    drop((fold, store));

    let node = start(folder.path()).await;
    let store = node.runtime.store();
    assert_eq!(open(store), BTreeSet::from([node.runtime.session().expect("it is open")]));
    let last = |session| history(store, session).pop().expect("it has a history");
    for session in left {
        assert_eq!(last(session), says("node", r#"xyn.session.closed {"reason":"node_killed"}"#));
    }
    assert_eq!(last(closed), says("ann@test", r#"xyn.session.closed {"reason":"asked"}"#));
    node.stop().await;
}

#[tokio::test]
async fn nobody_acts_in_somebody_elses_session_nor_closes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let session = node.runtime.open_session(ann(), "token", HOUR).await.expect("opens");
    assert_refused(node.submit_in(session).await, "forbidden");
    let operator = Principal::local_operator();
    assert_refused(node.runtime.close_session(session, operator).await, "forbidden");
    node.runtime.close_session(session, ann()).await.expect("it is hers");
    assert_refused(node.runtime.close_session(session, ann()).await, "session_closed");
    assert_refused(node.submit_in(session).await, "session_closed");
    assert_refused(node.submit_in(ids::fresh(node.runtime.clock().now())).await, "session_closed");
    node.stop().await;
}

#[tokio::test]
async fn a_session_ends_by_itself_and_that_is_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let lifetime = Duration::from_millis(30);
    let session = node.runtime.open_session(ann(), "browser", lifetime).await.expect("opens");
    node.ends(session).await;
    let closed = history(node.runtime.store(), session).pop().expect("it has a history");
    assert_eq!(closed, says("node", r#"xyn.session.closed {"reason":"expired"}"#));
    assert_refused(node.runtime.close_session(session, ann()).await, "session_closed");
    let month = HOUR * 24 * 31;
    assert_refused(node.runtime.open_session(ann(), "browser", month).await, "invalid_input");
    node.stop().await;
}

#[tokio::test]
async fn only_so_many_sessions_are_open_at_once_and_a_stop_closes_them_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    // The one over loopback counts as well.
    let opened = (0..OPEN_LIMIT).map(|_| node.runtime.open_session(ann(), "token", HOUR));
    let (opened, refused): (Vec<_>, Vec<_>) =
        futures::future::join_all(opened).await.into_iter().partition(Result::is_ok);
    assert_eq!((opened.len(), refused.len()), (OPEN_LIMIT - 1, 1));
    refused.into_iter().for_each(|refused| assert_refused(refused, "overloaded"));
    let session = *opened[0].as_ref().expect("it was opened");
    node.runtime.close_session(session, ann()).await.expect("closes");
    node.runtime.open_session(ann(), "token", HOUR).await.expect("there is room again");
    node.stop().await;

    let store = store_in(folder.path());
    assert!(open(&store).is_empty());
}
