//! What a session means: given what happened, when it is told something, then this follows.

use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::ids;
use xyn_store::scope::{Attribution, Principal};

use super::*;
use crate::node::actor::by_node;

const HOUR: Duration = Duration::from_secs(3_600);

fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().expect("an instant")
}

fn ann() -> Attribution {
    Attribution { actor: Principal::new("ann@test"), ..by_node(noon()) }
}

/// A session that was told these things, each at its hour after noon.
fn given(commands: &[(u32, Command)]) -> State {
    let mut state = State::new(ids::derived(noon(), &[b"session"]));
    for (hour, command) in commands {
        let at = noon().after(HOUR * *hour);
        for event in decide(&state, command.clone(), at).expect("it is accepted") {
            state.apply(&event, at, &ann()).expect("what is decided can be applied");
        }
    }
    state
}

fn opened(lifetime: Option<Duration>) -> (u32, Command) {
    (0, Command::Open { via: "token".into(), lifetime })
}

fn when(state: &State, hour: u32, command: Command) -> Result<Vec<Event>, Rejection> {
    decide(state, command, noon().after(HOUR * hour))
}

#[test]
fn a_session_lets_its_principal_act_until_its_time_is_over() {
    let state = given(&[opened(Some(HOUR * 2))]);
    let session = state.open().expect("it is open");
    let at = |hour| noon().after(HOUR * hour);
    assert_eq!(session.admits(&Principal::new("ann@test"), at(1)), Ok(()));
    assert_eq!(session.admits(&Principal::new("bob@test"), at(1)), Err(Rejection::Foreign));
    assert_eq!(session.admits(&Principal::new("ann@test"), at(2)), Err(Rejection::Closed));
    assert_eq!(session.admits(&Principal::new("bob@test"), at(2)), Err(Rejection::Closed));
}

#[test]
fn a_session_ends_by_itself_only_when_its_time_is_over() {
    let state = given(&[opened(Some(HOUR * 2))]);
    assert_eq!(when(&state, 1, Command::Expire), Ok(vec![]));
    assert_eq!(when(&state, 2, Command::Expire), Ok(vec![Event::Closed { reason: Reason::Expired }]));
    let forever = given(&[opened(None)]);
    assert_eq!(when(&forever, 100_000, Command::Expire), Ok(vec![]));
}

#[test]
fn a_closed_session_stays_closed() {
    let state = given(&[opened(None), (1, Command::Close(Reason::Asked))]);
    assert_eq!(state.open(), None);
    assert_eq!(when(&state, 2, Command::Close(Reason::NodeStopped)), Err(Rejection::Closed));
    assert_eq!(when(&state, 2, opened(None).1), Err(Rejection::Exists));
    assert_eq!(when(&state, 2, Command::Expire), Ok(vec![]));
}

#[test]
fn a_session_that_never_was_is_closed() {
    assert_eq!(when(&given(&[]), 0, Command::Close(Reason::Asked)), Err(Rejection::Closed));
    assert_eq!(when(&given(&[]), 0, Command::Expire), Ok(vec![]));
}

#[test]
fn a_lifetime_is_bounded() {
    assert!(when(&given(&[]), 0, opened(Some(LIFETIME_MAX)).1).is_ok());
    let longer = LIFETIME_MAX + Duration::from_micros(1);
    let rejected = when(&given(&[]), 0, opened(Some(longer)).1).expect_err("too long");
    assert_eq!(rejected.to_string(), "a session lasts for 720 hours at most");
}

#[test]
fn an_event_that_cannot_follow_is_refused_and_changes_nothing() {
    let open = Event::Opened { via: "token".into(), expires_at: None };
    let close = Event::Closed { reason: Reason::Asked };
    for (state, event) in [
        (given(&[]), &close),
        (given(&[opened(None)]), &open),
        (given(&[opened(None), (0, Command::Close(Reason::Asked))]), &close),
        (given(&[opened(None), (0, Command::Close(Reason::Asked))]), &open),
    ] {
        let mut after = state.clone();
        after.apply(event, noon(), &ann()).expect_err("it cannot follow");
        assert_eq!(after, state);
    }
}
