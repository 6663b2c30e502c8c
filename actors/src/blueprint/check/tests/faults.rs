//! Each kind of fault, with its place and its words.

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
    let places: Vec<_> = found
        .iter()
        .map(|i| (i.line, i.column, i.code, i.path.as_str(), i.text.as_str()))
        .collect();
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
            (
                17,
                10,
                Code::UnquotedTemplate,
                "plan[1].set.a",
                "{{ inputs.host }}"
            ),
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
    22:19: `name` does not fit: the value is not of type "string"; write what the schema asks for, or a template that gives it
    22:47: this template does not parse: unexpected end of input, expected expression; an expression stands between `{{` and `}}`, such as `{{ inputs.host | trim }}`
    "#);
}

/// The code, place and words of the only fault in `steps`.
fn said(steps: &str) -> (Code, u64, u64, String) {
    let issue = issue(steps);
    (issue.code, issue.line, issue.column, issue.message)
}

#[test]
fn steps_have_an_id_a_kind_and_known_keys() {
    assert_eq!(
        said("- { kind: transform, set: { x: 1 } }"),
        (Code::MissingKey, 5, 3, "a step needs `id`".into())
    );
    assert_eq!(
        said("- { id: a, set: { x: 1 } }"),
        (Code::MissingKey, 5, 3, "a step needs `kind`".into())
    );
    assert_eq!(
        said("- { id: a, kind: shell, set: { x: 1 } }"),
        (Code::UnknownWord, 5, 18, "`shell` is no kind of step".into())
    );
    assert_eq!(
        said("- { id: a, kind: agent_task, provider: openai }"),
        (
            Code::Unavailable,
            5,
            18,
            "agents are not available in this version".into()
        )
    );
    let unknown = issue("- { id: a, kind: transform, set: { x: 1 }, retries: 3 }");
    assert_eq!((unknown.code, unknown.column), (Code::UnknownKey, 44));
    assert!(unknown.hint.contains("`set`"), "{unknown}");
    assert_eq!(
        said("- just text"),
        (
            Code::WrongType,
            5,
            3,
            "a step must be a mapping of keys to values, not text".into()
        )
    );
    assert_eq!(
        said("- { id: a b, kind: transform, set: { x: 1 } }").0,
        Code::InvalidValue
    );
    assert_eq!(
        said("- { id: loop, kind: transform, set: { x: 1 } }").0,
        Code::ReservedName
    );
    assert_eq!(said("- { id: a, kind: transform, set: {} }").0, Code::MissingKey);
    assert_eq!(
        said("- { id: 5, kind: transform, set: { x: 1 } }").0,
        Code::WrongType
    );
}

#[test]
fn the_top_has_what_a_blueprint_needs() {
    let codes = |source: &str| {
        issues(source)
            .iter()
            .map(|issue| (issue.code, issue.path.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(""), [(Code::MissingKey, String::new())]);
    assert_eq!(codes("# nothing\n"), [(Code::MissingKey, String::new())]);
    assert_eq!(codes("a list"), [(Code::WrongType, String::new())]);
    assert_eq!(codes("{}").len(), 3, "id, trigger and plan");
    assert_eq!(
        codes("id: a\ntrigger: { event_type: a.b }\nplan: []"),
        [(Code::MissingKey, "plan".into())]
    );
    assert_eq!(
        codes("id: a\ntrigger: { event_type: a.b }\nplan: {}"),
        [(Code::WrongType, "plan".into())]
    );
    let long: String = (0..201)
        .map(|n| format!("- {{ id: s{n}, kind: transform, set: {{ x: 1 }} }}\n"))
        .collect();
    assert_eq!(issue(&long).code, Code::OverLimit);
}

#[test]
fn inputs_vars_and_outputs_are_checked() {
    let with = |more: &str| {
        let found = issues(&format!(
            "{}{more}",
            around("- { id: a, kind: transform, set: { x: 1 } }")
        ));
        found
            .iter()
            .map(|issue| (issue.code, issue.path.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        with("vars: { a: \"{{ inputs.host }}\" }"),
        [(Code::InvalidValue, "vars.a".into())]
    );
    assert_eq!(with("vars: [1]"), [(Code::WrongType, "vars".into())]);
    assert_eq!(
        with("outputs: [{ name: y }]"),
        [(Code::UnknownVariable, "outputs[0].name".into())]
    );
    assert_eq!(
        with("outputs: [{ name: x }, { name: x }]"),
        [(Code::DuplicateId, "outputs[1].name".into())]
    );
    assert_eq!(
        with("limits: { max_steps: 0 }"),
        [(Code::InvalidValue, "limits.max_steps".into())]
    );
    assert_eq!(with("limits: { max_steps: 201, concurrency: many }").len(), 2);
    let inputs = |inputs: &str| {
        let source = format!(
            "id: a\ntrigger: {{ event_type: a.b }}\ninputs: {inputs}\nplan: [{{ kind: transform, id: a, set: {{ x: 1 }} }}]"
        );
        issues(&source)
            .iter()
            .map(|issue| (issue.code, issue.path.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        inputs("[{ name: a }, { name: a }]"),
        [(Code::DuplicateId, "inputs[1].name".into())]
    );
    assert_eq!(
        inputs("[{ name: a-b }]"),
        [(Code::InvalidValue, "inputs[0].name".into())]
    );
    assert_eq!(
        inputs("[{ name: a, schema: { type: txt } }]"),
        [(Code::InvalidSchema, "inputs[0].schema.type".into())]
    );
    assert_eq!(
        inputs("[{ name: a, schema: { type: string }, default: 5 }]"),
        [(Code::SchemaMismatch, "inputs[0].default".into())]
    );
    assert_eq!(
        inputs("[{ name: a, required: true, default: 5 }]"),
        [(Code::Contradiction, "inputs[0].default".into())]
    );
    assert_eq!(
        inputs("[{ name: a, from: \"{{ inputs.b }}\" }]"),
        [(Code::UnknownVariable, "inputs[0].from".into())]
    );
}

#[test]
fn inputs_of_actions_fit_their_schema() {
    let put = |with: &str| {
        issue(&format!(
            "- {{ kind: action_task, id: a, action: artifacts.put, with: {with} }}"
        ))
    };
    let unknown = put("{ name: a, content: b, contenttype: c }");
    assert_eq!(
        (unknown.code, unknown.column, unknown.text.as_str()),
        (Code::SchemaMismatch, 83, "contenttype")
    );
    assert!(
        unknown.hint.starts_with("did you mean `content_type`?"),
        "{unknown}"
    );
    let missing = put("{ name: \"{{ inputs.host }}\" }");
    assert_eq!(
        (missing.message.as_str(), missing.hint.as_str()),
        ("`with` needs `content`", "add `content: …`")
    );
    assert_eq!(
        put("{ name: a, content: b, size: 11 }").code,
        Code::SchemaMismatch
    );
    assert_eq!(
        put("{ name: a, content: b, size: \"no {{ inputs.host }}\" }").code,
        Code::SchemaMismatch,
        "mixed text is text"
    );
    assert_eq!(put("[a]").code, Code::WrongType);
    assert_eq!(
        said("- { kind: action_task, id: a, action: artifacts.put }").0,
        Code::MissingKey
    );
    assert_eq!(
        said("- { kind: action_task, id: a, action: artifacts.putt, with: {} }").0,
        Code::UnknownAction
    );
}

#[test]
fn variables_resolve_from_what_is_surely_there() {
    let uses = |expression: &str| {
        let steps = format!(
            "- {{ kind: transform, id: a, set: {{ x: 1 }} }}\n\
             - {{ kind: transform, id: maybe-b, when: \"{{{{ inputs.host }}}}\", set: {{ x: 1 }} }}\n\
             - {{ kind: transform, id: c, set: {{ x: \"{{{{ {expression} }}}}\" }} }}\n\
             - {{ kind: transform, id: d, set: {{ x: 1 }} }}"
        );
        let issue = issue(&steps);
        assert_eq!(issue.line, 7, "{issue}");
        (issue.code, issue.message, issue.hint)
    };
    for (expression, code, words) in [
        ("inputs.hst", Code::UnknownVariable, "did you mean `host`?"),
        ("host", Code::UnknownVariable, "did you mean `inputs.host`?"),
        (
            "event.severity",
            Code::UnknownVariable,
            "did you mean `event.data.severity`?",
        ),
        ("item", Code::UnknownVariable, "`foreach`"),
        ("steps.a.x", Code::UnknownVariable, "write `steps.a.output`"),
        (
            "steps.a.output.y",
            Code::UnknownVariable,
            "fields that `a` sets: `x`",
        ),
        (
            "steps.maybe -1",
            Code::UnknownVariable,
            "a name with `-` goes in brackets: `steps['maybe-b'].output`",
        ),
        ("steps", Code::UnknownVariable, "name the step"),
        ("steps.c.output", Code::NotEarlier, "a step that ends before"),
        (
            "steps.d.output",
            Code::NotEarlier,
            "add `d` to the `needs` of `c`",
        ),
        ("steps['maybe-b'].output.x", Code::UnguardedUse, "| default(…)"),
        ("now()", Code::TemplateSyntax, "`range`"),
        (
            "secret('a/b')",
            Code::Unavailable,
            "no step can take a secret yet",
        ),
        (
            "inputs.host | uper",
            Code::TemplateSyntax,
            "did you mean `upper`?",
        ),
        ("inputs.host.strip()", Code::TemplateSyntax, "use a filter"),
    ] {
        let (found, message, hint) = uses(expression);
        assert!(
            found == code && hint.contains(words),
            "{expression}: {found:?} {message}; {hint}"
        );
    }
}

#[test]
fn cycles_are_named() {
    let cycle = issue(
        "- { kind: transform, id: a, needs: [c], set: { x: 1 } }\n- { kind: transform, id: b, set: { x: 1 } }\n- { kind: transform, id: c, set: { x: 1 } }",
    );
    assert_eq!(
        (cycle.code, cycle.line, cycle.path.as_str()),
        (Code::Cycle, 5, "plan[0].needs")
    );
    assert_eq!(cycle.message, "these steps wait for each other: a → c → b → a");
    assert_eq!(
        said("- { kind: transform, id: a, needs: [a], set: { x: 1 } }").3,
        "these steps wait for each other: a → a"
    );
}

#[test]
fn gates_have_the_keys_of_their_mode() {
    assert_eq!(
        said("- { kind: gate, id: g, mode: manual, delay: 1m }").0,
        Code::UnknownKey
    );
    assert_eq!(
        said("- { kind: gate, id: g, mode: timer }").3,
        "a gate of mode `timer` needs `delay`"
    );
    assert_eq!(
        said("- { kind: gate, id: g, mode: timer, delay: 0 }").0,
        Code::InvalidValue
    );
    assert_eq!(
        said("- { kind: gate, id: g, mode: timer, delay: 1000d }").0,
        Code::OverLimit
    );
    assert_eq!(said("- { kind: gate, id: g, mode: event }").0, Code::MissingKey);
    assert_eq!(
        said("- { kind: gate, id: g, mode: webhook }").0,
        Code::UnknownWord
    );
    assert_eq!(
        said("- { kind: gate, id: g, mode: manual, on_timeout: skip }").0,
        Code::Contradiction
    );
    assert_eq!(
        said("- { kind: gate, id: g, mode: manual, approvers: [bob] }").3,
        "`bob` is no approver"
    );
    assert_eq!(
        said("- { kind: gate, id: g, mode: manual, approvers: [\"principal:a\"], min: 2 }").0,
        Code::Contradiction
    );
    assert_eq!(
        said("- { kind: gate, id: g, mode: event, event_type: a.b, match: \"x {{ event.data }}\" }").0,
        Code::TemplateSyntax
    );
}

#[test]
fn an_effect_that_could_happen_twice_is_refused() {
    let call = |more: &str| {
        said(&format!(
            "- {{ kind: action_task, id: a, action: http.call, with: {{ url: x }}, {more} }}"
        ))
    };
    assert_eq!(
        call("retry: { max_attempts: 2, on: [timeout] }").0,
        Code::UnsafeRetry
    );
    assert_eq!(
        call("retry: { max_attempts: 2, on: [tiemout] }").0,
        Code::UnknownWord
    );
    assert_eq!(call("retry: { on: [connect] }").0, Code::MissingKey);
    assert_eq!(
        call("retry: { max_attempts: 2, initial: 10s, max: 1s }").0,
        Code::Contradiction
    );
    assert_eq!(call("retry: { max_attempts: 1000 }").0, Code::OverLimit);
    assert_eq!(call("max_parallel: 2").0, Code::Contradiction);
    assert_eq!(call("timeout: 2h").0, Code::OverLimit);
    assert_eq!(
        call("irreversible: true, compensate: { action: none }").0,
        Code::Contradiction
    );
    assert_eq!(call("compensate: { action: nobody }").0, Code::UnknownAction);
}

#[test]
fn a_saga_says_how_every_effect_is_undone() {
    let source = "saga: true\n".to_owned()
        + &around(
            "- { kind: action_task, id: a, action: none }\n- { kind: transform, id: b, set: { x: 1 } }",
        );
    let found = issues(&source);
    assert_eq!(found.len(), 1, "{}", show(&found));
    assert_eq!((found[0].code, found[0].line), (Code::NotUndoable, 6));
    plan(&source.replace("action: none", "action: none, irreversible: true"));
    plan(&source.replace("action: none", "action: none, compensate: { action: none }"));
}
