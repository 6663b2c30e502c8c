//! What the node means: given what it was told, when it is told something, then these facts follow.

use serde_json::{Value, json};
use xyn_store::ids::{self, DraftId};
use xyn_store::projection::DraftKind;
use xyn_store::{Digest, Timestamp};

use super::*;

fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().expect("an instant")
}

fn draft() -> DraftId {
    ids::derived(noon(), &[b"draft"])
}

fn start() -> Command {
    Command::Start { version: "1.2.3".into(), incarnation: 7 }
}

fn save_as(kind: DraftKind) -> Command {
    Command::Save {
        draft_id: draft(),
        kind,
        name: "a draft".into(),
        content: "id: bp.a".into(),
        is_json: false,
        notes: None,
        source_run_id: None,
    }
}

fn save() -> Command {
    save_as(DraftKind::Blueprint)
}

fn validate(revision: u32, issues: &[Value]) -> Command {
    Command::Validate { draft_id: draft(), revision, issues: issues.to_vec(), report: None }
}

fn promote(source: &str) -> Command {
    let blueprint = Compiled {
        id: "bp.a".into(),
        name: "A".into(),
        trigger: "test.a".into(),
        digest: Digest::of(source.as_bytes()),
    };
    Command::Promote { draft_id: draft(), blueprint }
}

fn activate(source: &str) -> Command {
    Command::ActivatePolicy { policy_id: "p".into(), name: "P".into(), source: source.into() }
}

/// A node that was told these things.
fn given(commands: impl IntoIterator<Item = Command>) -> State {
    let mut state = State::default();
    for command in commands {
        for event in decide(&state, command, noon()).expect("it is accepted").events {
            state.apply(&event).expect("what is decided can be applied");
        }
    }
    state
}

/// The names of the facts that follow, or why none do.
fn when(state: &State, command: Command) -> Result<Vec<&'static str>, String> {
    let decided = decide(state, command, noon()).map_err(|rejection| rejection.to_string())?;
    let mut after = state.clone();
    decided.events.iter().for_each(|event| after.apply(event).expect("what is decided can be applied"));
    Ok(decided.events.iter().map(Event::name).collect())
}

#[test]
fn a_node_starts_also_behind_a_kill_and_stops_once() {
    assert_eq!(when(&given([]), start()), Ok(vec!["xyn.node.started"]));
    assert_eq!(when(&given([start()]), start()), Ok(vec!["xyn.node.started"]));
    assert_eq!(when(&given([start()]), Command::Stop), Ok(vec!["xyn.node.stopped"]));
    assert_eq!(when(&given([start(), Command::Stop]), Command::Stop), Err("the node is not up".into()));
}

#[test]
fn a_draft_is_saved_checked_and_promoted() {
    assert_eq!(when(&given([]), save()), Ok(vec!["xyn.draft.saved"]));
    let saved = given([save(), save()]);
    assert_eq!(saved.draft.as_ref().map(|draft| draft.revision), Some(2));
    assert_eq!(when(&saved, validate(2, &[])), Ok(vec!["xyn.draft.validated"]));
    assert_eq!(when(&saved, validate(2, &[json!("a fault")])), Ok(vec!["xyn.draft.validation_failed"]));
    let promoted = when(&given([save(), validate(1, &[])]), promote("one"));
    assert_eq!(promoted, Ok(vec!["xyn.draft.promoted", "xyn.blueprint.activated"]));
}

#[test]
fn only_the_very_revision_that_is_valid_is_promoted() {
    let refused =
        |commands: Vec<Command>, command| when(&given(commands), command).expect_err("it is refused");
    let (id, invalid) = (draft(), [json!("a fault")]);
    let unknown = format!("there is no draft `{id}`");
    assert_eq!(refused(vec![], promote("one")), unknown);
    assert_eq!(refused(vec![], validate(1, &[])), unknown);
    let moved = format!("draft `{id}` is at revision 2, not at 1; validate it again");
    assert_eq!(refused(vec![save(), save()], validate(1, &[])), moved);
    let unproved =
        |revision| format!("revision {revision} of draft `{id}` was not validated; validate it first");
    assert_eq!(refused(vec![save()], promote("one")), unproved(1));
    assert_eq!(refused(vec![save(), validate(1, &invalid)], promote("one")), unproved(1));
    assert_eq!(refused(vec![save(), validate(1, &[]), save()], promote("one")), unproved(2));
    let pack = format!("draft `{id}` is a pack; only blueprints can be promoted");
    assert_eq!(refused(vec![save_as(DraftKind::Pack), validate(1, &[])], promote("one")), pack);
    assert_eq!(refused(vec![save()], save_as(DraftKind::Pack)), format!("draft `{id}` is of another type"));
}

#[test]
fn a_promoted_draft_is_frozen() {
    let promoted = given([save(), validate(1, &[]), promote("one")]);
    let frozen = Err(format!("draft `{}` is promoted and frozen; save a new one", draft()));
    assert_eq!(when(&promoted, save()), frozen);
    assert_eq!(when(&promoted, promote("two")), frozen);
    assert_eq!(when(&promoted, validate(1, &[])), Ok(vec![]), "it is reported on and stays as it is");
}

#[test]
fn a_later_version_takes_the_place_of_the_one_before() {
    let mut state = given([save(), validate(1, &[]), promote("one")]);
    state.draft = given([save(), validate(1, &[])]).draft;
    let same = Err("version 1 of `bp.a` is the same and active already".into());
    assert_eq!(when(&state, promote("one")), same);
    let facts = vec!["xyn.draft.promoted", "xyn.blueprint.deprecated", "xyn.blueprint.activated"];
    assert_eq!(when(&state, promote("two")), Ok(facts));

    let state = given([activate("one")]);
    assert_eq!(when(&state, activate("one")), Err("version 1 of `p` is the same and active already".into()));
    assert_eq!(when(&state, activate("two")), Ok(vec!["xyn.policy.deprecated", "xyn.policy.activated"]));
    let state = given([activate("one"), activate("two")]);
    assert_eq!(state.policy.map(|policy| policy.version), Some(2));
}

#[test]
fn an_event_that_cannot_follow_is_refused_and_changes_nothing() {
    let facts = |commands: Vec<Command>, last: Command| {
        decide(&given(commands), last, noon()).expect("it is accepted").events
    };
    let promoted = facts(vec![save(), validate(1, &[])], promote("one"));
    let replaced = facts(vec![activate("one")], activate("two"));
    let whole = given([save(), validate(1, &[]), promote("one"), activate("one")]);
    for (state, event) in [
        (State::default(), &Event::Stopped),
        (State::default(), &promoted[0]),
        (whole.clone(), &promoted[0]),
        (whole.clone(), &promoted[1]),
        (State::default(), &replaced[0]),
        (whole.clone(), &replaced[1]),
    ] {
        let mut after = state.clone();
        after.apply(event).expect_err("it cannot follow");
        assert_eq!(after, state);
    }
}
