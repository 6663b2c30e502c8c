//! Inside actions whose effects could not be appended: the step fails, and nothing is recorded of it.

use super::stand_ins::TAKEN;
use super::story::given;

#[test]
fn an_event_whose_id_is_taken_fails_its_step() {
    let own_stream = "{{ run.run_id }}";
    for id in [TAKEN, own_stream] {
        let plan =
            format!("plan: [{{ kind: action_task, id: a, action: in.note, with: {{ event_id: '{id}' }} }}]");
        let story = given(&plan).starts();
        story.then(["created", "started", "a started", "a failed: id_taken", "run failed: id_taken"]).and(
            |story| {
                assert!(story.emitted.is_empty());
            },
        );
    }
}

#[test]
fn two_events_of_one_turn_with_the_same_id_are_not_both_emitted() {
    let plan = r#"
plan:
  - { kind: action_task, id: a, action: in.note, with: { event_id: 01930000-0000-7000-8000-000000000002 } }
  - { kind: action_task, id: b, action: in.note, with: { event_id: 01930000-0000-7000-8000-000000000002 } }
"#;
    given(plan).starts().and(|story| assert_eq!(story.emitted.len(), 1)).then([
        "created",
        "started",
        "a started",
        "a completed",
        "b started",
        "b failed: id_taken",
        "run failed: id_taken",
    ]);
}

#[test]
fn artifacts_of_one_turn_share_the_room_that_is_left() {
    let plan = r#"
plan:
  - { kind: action_task, id: a, action: in.keep, with: { bytes: 20000 } }
  - { kind: action_task, id: small, action: in.keep, with: { bytes: 16000 } }
  - { kind: action_task, id: b, action: in.keep, with: { bytes: 20000 } }
"#;
    given(plan).starts().and(|story| assert_eq!(story.emitted.len(), 2)).then([
        "created",
        "started",
        "a started",
        "a completed",
        "small started",
        "small completed",
        "b started",
        "b failed: quota_reached",
        "run failed: quota_reached",
    ]);
}
