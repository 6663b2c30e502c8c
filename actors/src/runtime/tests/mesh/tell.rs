//! What a member is told of a run over the mesh, and what is kept of its questions.

use xyn_net::wire::runs::{Part, Question, Withheld};
use xyn_store::timeline::entry::Kind;

use super::*;
use crate::services::runs::tell;

/// A policy that denies members to see what runs did.
const CLOSED: &str = "policy_id: pol.closed\npolicy_type: governance\nname: Closed\nstatus: active\nversion: 1\n\
                      evaluation_mode: first_match\nrules:\n  - { rule_id: closed, match: { action: runs.read }, \
                      effect: deny }\n  - { rule_id: rest, match: { action: \"*\" }, effect: allow }\n";

#[tokio::test]
async fn a_denied_member_that_asks_again_and_again_fills_no_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = start(folder.path()).await;
    let (ticket, bob) = (node.invite().await, key(1));
    node.show(&ticket, &bob).await.expect("he is in");
    node.promote(CHAIN).await;
    let run = node.run("bp.chain", json!({ "n": 1 })).await;
    node.end_of(run).await;
    let named = |node: &Node| {
        let mut moments = node.moments().into_iter();
        moments.rfind(|entry| entry.note.kind == Kind::Run && entry.note.refs.run == Some(run))
    };
    node.until(|node| named(node).is_some()).await;
    let moment = named(&node).expect("it is there").entry_id;
    let ask = async |is_news: bool| {
        let question = Question { run, moment, part: Part::Whole };
        tell::account(&node.runtime.0, bob.public(), question, || is_news).await.map(|told| told.len())
    };
    let denied = || node.events("xyn.intent.denied").len();
    assert!(ask(false).await.is_ok_and(|bytes| bytes > 0));
    node.submit("policies.activate", json!({ "source": CLOSED })).await.expect("activates");
    assert_eq!((ask(true).await, denied()), (Err(Withheld::Denied), 1));
    for _ in 0..20 {
        assert_eq!(ask(false).await, Err(Withheld::Denied));
    }
    assert_eq!(denied(), 1, "what is no news is not written down");
    assert_eq!((ask(true).await, denied()), (Err(Withheld::Denied), 2));
    assert_eq!(node.runtime.metrics().intents_denied.get(), 22, "and all are counted");
    node.stop().await;
}
