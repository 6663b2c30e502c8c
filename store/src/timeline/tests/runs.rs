//! Runs that moments name: found by their first milestone, and vouched for by their own node alone.

use super::node::Node;
use super::world::{Author, moment};
use crate::clock::Timestamp;
use crate::ids::{self, RunId};
use crate::timeline::approval::{Approvals, Matter, Word};
use crate::timeline::entry::tests::note;
use crate::timeline::entry::{Kind, Note};
use crate::trust::Cut;

fn run(name: &[u8]) -> RunId {
    ids::derived(Timestamp::EPOCH, &[name])
}

fn about(run: RunId, kind: Kind) -> Note {
    let mut note = note("about a run");
    (note.kind, note.refs.run) = (kind, Some(run));
    note
}

/// A word on a gate of `run`.
fn word(run: RunId) -> Note {
    let word = Word { matter: Matter::Gate(run, "ask".into()), note: None };
    let mut note = about(run, Kind::Approve);
    note.refs.approvals = Some(Box::new(Approvals { word: Some(word), ..Approvals::default() }));
    note
}

#[test]
fn a_run_is_found_by_its_first_milestone_and_not_by_what_others_say_of_it() {
    let (mut node, mut one, mut other) = (Node::new(), Author::new(1, 1), Author::new(2, 1));
    let noted = other.note(moment(1), other.entry_id("noted"), &about(run(b"a"), Kind::Note));
    let said = other.note(moment(2), other.entry_id("said"), &word(run(b"a")));
    let elsewhere = one.note(moment(3), one.entry_id("elsewhere"), &about(run(b"b"), Kind::Run));
    let begun = one.note(moment(4), one.entry_id("begun"), &about(run(b"a"), Kind::Run));
    let ended = one.note(moment(5), one.entry_id("ended"), &about(run(b"a"), Kind::Run));
    node.admit(&[one.frame(&[elsewhere, begun, ended]), other.frame(&[noted, said])]);
    let found = |node: &Node, name: &[u8]| {
        let entry = node.store.read().expect("reads").first_milestone(run(name)).expect("reads");
        entry.map(|entry| (entry.node, entry.entry_id))
    };
    assert_eq!(found(&node, b"a"), Some((one.feed.node, one.entry_id("begun"))));
    assert_eq!(found(&node, b"b"), Some((one.feed.node, one.entry_id("elsewhere"))));
    assert_eq!(found(&node, b"c"), None);
    node.recut(&[(one.feed, Cut::Everything)].into());
    assert_eq!(found(&node, b"a"), None, "what is cut names nothing");
}

#[test]
fn a_run_that_was_accepted_later_is_not_looked_for_in_what_came_before() {
    let (mut node, mut one) = (Node::new(), Author::new(1, 1));
    let later: RunId = ids::derived(moment(10).at, &[b"later"]);
    let forged = one.note(moment(1), one.entry_id("forged"), &about(later, Kind::Run));
    let begun = one.note(moment(11), one.entry_id("begun"), &about(later, Kind::Run));
    node.admit(&[one.frame(&[forged, begun])]);
    let found = node.store.read().expect("reads").first_milestone(later).expect("reads");
    assert_eq!(found.map(|entry| entry.entry_id), Some(one.entry_id("begun")));
}

#[test]
fn a_moment_names_a_run_for_its_author_whoever_else_claims_its_id() {
    let (mut node, mut one, mut other) = (Node::new(), Author::new(1, 1), Author::new(2, 1));
    let id = one.entry_id("begun");
    let claimed = other.note(moment(1), id, &about(run(b"secret"), Kind::Run));
    let begun = one.note(moment(2), id, &about(run(b"a"), Kind::Run));
    node.admit(&[one.frame(&[begun]), other.frame(&[claimed])]);
    let reader = node.store.read().expect("reads");
    let names = |run, author| reader.names_run(id, run, |node| node == author).expect("reads");
    assert!(names(run(b"a"), one.feed.node));
    assert!(!names(run(b"secret"), one.feed.node), "another one's word opens nothing");
    assert!(names(run(b"secret"), other.feed.node));
    assert!(!reader.names_run(one.entry_id("none"), run(b"a"), |_| true).expect("reads"));
}
