//! One text with a dozen faults and more: all of them at once, in the order of the text.

use super::*;

const TWELVE: &str = r#"id: bp twelve
name: Twelve faults
trigger: { event_type: Demo.Alert }
inputs:
  - { name: host, required: yes }
limits: { wall_clock: 3h }
plan:
  - kind: action_task
    id: fix
    acton: ssh.run
    action: ssh.rn
    timeout: 10 minutes
  - kind: transform
    id: fix
    needs: [nobody]
    set:
      a: {{ inputs.host }}
      b: "text {{ inputs.hots }} {{ steps.report.output.x }}"
  - kind: action_task
    id: report
    action: artifacts.put
    with: { name: 5, content: "{{ inputs.host + }}" }
"#;

#[test]
fn twelve_faults_are_reported_at_once_each_at_its_place() {
    let found = issues(TWELVE);
    let places: Vec<_> =
        found.iter().map(|i| (i.line, i.column, i.code, i.path.as_str(), i.text.as_str())).collect();
    assert_eq!(
        places,
        [
            (1, 5, Code::InvalidValue, "id", "bp twelve"),
            (3, 24, Code::InvalidValue, "trigger.event_type", "Demo.Alert"),
            (5, 29, Code::WrongType, "inputs[0].required", "yes"),
            (6, 23, Code::OverLimit, "limits.wall_clock", "3h"),
            (10, 5, Code::UnknownKey, "plan[0].acton", "acton"),
            (11, 13, Code::UnknownAction, "plan[0].action", "ssh.rn"),
            (12, 14, Code::InvalidValue, "plan[0].timeout", "10 minutes"),
            (14, 9, Code::DuplicateId, "plan[1].id", "fix"),
            (15, 13, Code::UnknownStep, "plan[1].needs[0]", "nobody"),
            (17, 10, Code::UnquotedTemplate, "plan[1].set.a", "{{ inputs.host }}"),
            (18, 19, Code::UnknownVariable, "plan[1].set.b", "inputs.hots"),
            (18, 37, Code::NotEarlier, "plan[1].set.b", "steps.report.output.x"),
            (22, 19, Code::SchemaMismatch, "plan[2].with.name", "5"),
            (22, 47, Code::TemplateSyntax, "plan[2].with.content", "+"),
        ],
        "{}",
        show(&found)
    );
}

#[test]
fn messages_say_what_and_what_next() {
    let found: Vec<_> = issues(TWELVE).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    1:5: `bp twelve` is no id of a blueprint; use 1 to 120 letters, digits, `.`, `_` and `-`
    3:24: `Demo` is no part of an event name: use lowercase letters, digits, `_` and `-`; names look like `checkmk.alert`; `*` stands for one part, `**` for any number of parts
    5:29: `required` must be true or false, not text; write true or false here
    6:23: `wall_clock` is 3h, over the 1h that this node allows; write 1h or less
    10:5: an `action_task` has no key `acton`; did you mean `action`? keys here: `kind`, `id`, `needs`, `when`, `foreach`, `max_parallel`, `action`, `with`, `stage`, `timeout`, `retry`, `on_uncertain`, `idempotent`, `compensate`, `irreversible`
    11:13: there is no action `ssh.rn`; actions: `artifacts.put`, `http.call`, `none`
    12:14: `timeout`: `10 minutes` is not a length of time; write such as 500ms, 10m, 1h30m or 2d, long units first, or a whole number of seconds
    14:9: there are two steps called `fix`; rename one; the first is on line 9
    15:13: there is no step `nobody`; steps: `fix`, `report`
    17:10: YAML reads `{{ }}` without quotes as a mapping; put it in quotes: "{{ inputs.host }}"
    18:19: nothing gives `inputs.hots` a value; did you mean `host`? inputs: `host`
    18:37: step `report` may not have ended when `fix` starts; add `report` to the `needs` of `fix`
    22:19: `name` does not fit: the value is a number, and not a string; write what the schema asks for, or a template that gives it
    22:47: this template does not parse: unexpected end of input, expected expression; an expression stands between `{{` and `}}`, such as `{{ inputs.host | trim }}`
    "#);
}

#[test]
fn a_realistic_blueprint_of_a_later_version_says_what_is_missing_today() {
    let found = issues(
        r#"
id: bp.checkmk.auto_remediate
name: Checkmk alert auto-remediation
trigger: { event_type: checkmk.alert, when: "{{ event.data.severity == 'critical' }}" }
inputs:
  - { name: host, from: "{{ event.data.host }}", schema: { type: string }, required: true }
vars: { region: eu }
limits: { max_steps: 200, wall_clock: 60m, concurrency: 10 }
plan:
  - { kind: agent_task, id: analyze, provider: openai, model: gpt-5, prompt_template: "{{ inputs.host }}" }
  - { kind: gate, id: approve, mode: manual, approvers: ["role:OwnerAdmin"], timeout: 24h, on_timeout: reject }
  - kind: action_task
    id: run_fix
    needs: [approve]
    when: "{{ steps.analyze.output.confidence > 0.8 }}"
    action: ssh.run
    with: { host: "{{ inputs.host }}", cmd: "systemctl restart nginx", key_ref: "sys/env/integrations/ssh" }
    timeout: 2m
    retry: { max_attempts: 5, backoff: exponential, initial: 1s, max: 1m, jitter: true, on: [connect] }
    on_uncertain: ask
  - { kind: transform, id: summary, set: { text: "{{ steps.run_fix.output.stdout | trim }}" } }
  - { kind: gate, id: settle, mode: timer, delay: 10m }
outputs:
  - { name: summary, from: "{{ steps.summary.output.text }}" }
"#,
    );
    let codes: Vec<_> = found.iter().map(|issue| (issue.code, issue.line)).collect();
    let expected = [(Code::Unavailable, 10), (Code::UnknownAction, 16), (Code::UnguardedUse, 21)];
    assert_eq!(codes, expected, "{}", show(&found));
}
