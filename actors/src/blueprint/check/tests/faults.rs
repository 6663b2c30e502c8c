//! Each kind of fault, with its place and its words.

use super::*;

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
    assert_eq!(said("- { id: a, set: { x: 1 } }"), (Code::MissingKey, 5, 3, "a step needs `kind`".into()));
    assert_eq!(
        said("- { id: a, kind: shell, set: { x: 1 } }"),
        (Code::UnknownWord, 5, 18, "`shell` is no kind of step".into())
    );
    assert_eq!(
        said("- { id: a, kind: agent_task, provider: openai }"),
        (Code::Unavailable, 5, 18, "agents are not available in this version".into())
    );
    let unknown = issue("- { id: a, kind: transform, set: { x: 1 }, retries: 3 }");
    assert_eq!((unknown.code, unknown.column), (Code::UnknownKey, 44));
    assert!(unknown.hint.contains("`set`"), "{unknown}");
    assert_eq!(
        said("- just text"),
        (Code::WrongType, 5, 3, "a step must be a mapping of keys to values, not text".into())
    );
    assert_eq!(said("- { id: a b, kind: transform, set: { x: 1 } }").0, Code::InvalidValue);
    assert_eq!(said("- { id: loop, kind: transform, set: { x: 1 } }").0, Code::ReservedName);
    assert_eq!(said("- { id: a, kind: transform, set: {} }").0, Code::MissingKey);
    assert_eq!(said("- { id: 5, kind: transform, set: { x: 1 } }").0, Code::WrongType);
}

#[test]
fn the_top_has_what_a_blueprint_needs() {
    let codes = |source: &str| {
        issues(source).iter().map(|issue| (issue.code, issue.path.clone())).collect::<Vec<_>>()
    };
    assert_eq!(codes(""), [(Code::MissingKey, String::new())]);
    assert_eq!(codes("# nothing\n"), [(Code::MissingKey, String::new())]);
    assert_eq!(codes("a list"), [(Code::WrongType, String::new())]);
    assert_eq!(codes("{}").len(), 3, "id, trigger and plan");
    assert_eq!(codes("id: a\ntrigger: { event_type: a.b }\nplan: []"), [(Code::MissingKey, "plan".into())]);
    assert_eq!(codes("id: a\ntrigger: { event_type: a.b }\nplan: {}"), [(Code::WrongType, "plan".into())]);
    let long: String =
        (0..201).map(|n| format!("- {{ id: s{n}, kind: transform, set: {{ x: 1 }} }}\n")).collect();
    assert_eq!(issue(&long).code, Code::OverLimit);
}

#[test]
fn inputs_vars_and_outputs_are_checked() {
    let with = |more: &str| {
        let found = issues(&format!("{}{more}", around("- { id: a, kind: transform, set: { x: 1 } }")));
        found.iter().map(|issue| (issue.code, issue.path.clone())).collect::<Vec<_>>()
    };
    assert_eq!(with("vars: { a: \"{{ inputs.host }}\" }"), [(Code::InvalidValue, "vars.a".into())]);
    assert_eq!(with("vars: [1]"), [(Code::WrongType, "vars".into())]);
    assert_eq!(with("outputs: [{ name: y }]"), [(Code::UnknownVariable, "outputs[0].name".into())]);
    assert_eq!(with("outputs: [{ name: x }, { name: x }]"), [(Code::DuplicateId, "outputs[1].name".into())]);
    assert_eq!(with("limits: { max_steps: 0 }"), [(Code::InvalidValue, "limits.max_steps".into())]);
    assert_eq!(with("limits: { max_steps: 201, concurrency: many }").len(), 2);
    let inputs = |inputs: &str| {
        let source = format!(
            "id: a\ntrigger: {{ event_type: a.b }}\ninputs: {inputs}\n\
             plan: [{{ kind: transform, id: a, set: {{ x: 1 }} }}]"
        );
        issues(&source).iter().map(|issue| (issue.code, issue.path.clone())).collect::<Vec<_>>()
    };
    assert_eq!(inputs("[{ name: a }, { name: a }]"), [(Code::DuplicateId, "inputs[1].name".into())]);
    assert_eq!(inputs("[{ name: a-b }]"), [(Code::InvalidValue, "inputs[0].name".into())]);
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
fn no_blueprint_goes_over_what_its_node_allows() {
    let second = std::time::Duration::from_secs(1);
    let small = NodeLimits {
        max_steps: 2,
        wall_clock: 10 * second,
        concurrency: 3,
        max_parallel: 4,
        max_attempts: 5,
        max_wait: 20 * second,
        ..NodeLimits::default()
    };
    let step = "kind: action_task, id: a, action: none";
    for (limits, more, path) in [
        ("{ max_steps: 3 }", "", "limits.max_steps"),
        ("{ wall_clock: 11s }", "", "limits.wall_clock"),
        ("{ concurrency: 4 }", "", "limits.concurrency"),
        ("{}", "foreach: [1], max_parallel: 5", "plan[0].max_parallel"),
        ("{}", "retry: { max_attempts: 6 }", "plan[0].retry.max_attempts"),
        ("{}", "retry: { max_attempts: 2, max: 21s }", "plan[0].retry.max"),
        ("{ wall_clock: 5s }", "timeout: 6s", "plan[0].timeout"),
    ] {
        let source = format!("{}limits: {limits}", around(&format!("- {{ {step}, {more} }}")));
        let found = compile(source.as_bytes(), &registry(), &small).expect_err("over a limit");
        let found: Vec<_> = found.iter().map(|issue| (issue.code, issue.path.as_str())).collect();
        assert_eq!(found, [(Code::OverLimit, path)], "{source}");
    }
}

#[test]
fn inputs_of_actions_fit_their_schema() {
    let put =
        |with: &str| issue(&format!("- {{ kind: action_task, id: a, action: artifacts.put, with: {with} }}"));
    let unknown = put("{ name: a, content: b, contenttype: c }");
    assert_eq!(
        (unknown.code, unknown.column, unknown.text.as_str()),
        (Code::SchemaMismatch, 83, "contenttype")
    );
    assert!(unknown.hint.starts_with("did you mean `content_type`?"), "{unknown}");
    let missing = put("{ name: \"{{ inputs.host }}\" }");
    assert_eq!(
        (missing.message.as_str(), missing.hint.as_str()),
        ("`with` needs `content`", "add `content: …`")
    );
    assert_eq!(put("{ name: a, content: b, size: 11 }").code, Code::SchemaMismatch);
    assert_eq!(
        put("{ name: a, content: b, size: \"no {{ inputs.host }}\" }").code,
        Code::SchemaMismatch,
        "mixed text is text"
    );
    assert_eq!(put("[a]").code, Code::WrongType);
    assert_eq!(said("- { kind: action_task, id: a, action: artifacts.put }").0, Code::MissingKey);
    assert_eq!(
        said("- { kind: action_task, id: a, action: artifacts.putt, with: {} }").0,
        Code::UnknownAction
    );
}

#[test]
fn cycles_are_named() {
    let cycle = issue(
        "- { kind: transform, id: a, needs: [c], set: { x: 1 } }\n\
         - { kind: transform, id: b, set: { x: 1 } }\n\
         - { kind: transform, id: c, set: { x: 1 } }",
    );
    assert_eq!((cycle.code, cycle.line, cycle.path.as_str()), (Code::Cycle, 5, "plan[0].needs"));
    assert_eq!(cycle.message, "these steps wait for each other: a → c → b → a");
    assert_eq!(
        said("- { kind: transform, id: a, needs: [a], set: { x: 1 } }").3,
        "these steps wait for each other: a → a"
    );
}

#[test]
fn gates_have_the_keys_of_their_mode() {
    assert_eq!(said("- { kind: gate, id: g, mode: manual, delay: 1m }").0, Code::UnknownKey);
    assert_eq!(said("- { kind: gate, id: g, mode: timer }").3, "a gate of mode `timer` needs `delay`");
    assert_eq!(said("- { kind: gate, id: g, mode: timer, delay: 0 }").0, Code::InvalidValue);
    assert_eq!(said("- { kind: gate, id: g, mode: timer, delay: 1000d }").0, Code::OverLimit);
    assert_eq!(said("- { kind: gate, id: g, mode: event }").0, Code::MissingKey);
    assert_eq!(said("- { kind: gate, id: g, mode: webhook }").0, Code::UnknownWord);
    assert_eq!(said("- { kind: gate, id: g, mode: manual, on_timeout: skip }").0, Code::Contradiction);
    assert_eq!(said("- { kind: gate, id: g, mode: manual, approvers: [bob] }").0, Code::InvalidValue);
    assert_eq!(
        said("- { kind: gate, id: g, mode: manual, approvers: [\"role:Ops\"] }").3,
        "`Ops` is not a role; roles are Operator, OwnerAdmin and User",
        "a role that nobody has would leave the gate shut, or open to all"
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
        said(&format!("- {{ kind: action_task, id: a, action: http.call, with: {{ url: x }}, {more} }}"))
    };
    assert_eq!(call("retry: { max_attempts: 2, on: [timeout] }").0, Code::UnsafeRetry);
    assert_eq!(call("retry: { max_attempts: 2, on: [tiemout] }").0, Code::UnknownWord);
    assert_eq!(call("retry: { on: [connect] }").0, Code::MissingKey);
    assert_eq!(call("retry: { max_attempts: 2, initial: 10s, max: 1s }").0, Code::Contradiction);
    assert_eq!(call("retry: { max_attempts: 1000 }").0, Code::OverLimit);
    assert_eq!(call("max_parallel: 2").0, Code::Contradiction);
    assert_eq!(call("timeout: 2h").0, Code::OverLimit);
    assert_eq!(call("irreversible: true, compensate: { action: none }").0, Code::Contradiction);
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
