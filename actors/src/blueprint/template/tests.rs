//! Behaviour of templates.

use serde_json::json;

use super::*;

fn scope() -> Scope {
    let object = json!({ "b": 1, "a": 2 });
    let inputs = json!({ "host": "web-1", "n": 3, "big": 1.0, "list": [1, 2], "object": object, "no": null });
    let mut scope = Scope::new(&inputs, &json!({ "region": "eu" }), &json!({ "id": "run-1" }));
    scope.set_event(&json!({ "data": { "severity": "critical" } }));
    scope.set_step("fetch", &json!({ "text": " hi " }));
    scope.set_step("run-fix", &json!(1));
    scope.set_step("skipped", &Value::Null);
    scope
}

fn render(template: Value) -> Result<Value, TemplateError> {
    Template::compile(&template)?.render(&scope())
}

fn rendered(template: &str) -> Value {
    render(json!(template)).unwrap_or_else(|error| panic!("{template}: {error}"))
}

#[test]
fn an_expression_alone_keeps_its_type() {
    assert_eq!(rendered("{{ inputs.n }}"), json!(3));
    assert_eq!(rendered(" {{ inputs.n + 1 }}"), json!(" 4"), "text before makes it text");
    assert_eq!(rendered("{{ inputs.n }}\n"), json!("3\n"), "and so does a line break");
    assert_eq!(rendered("{{ inputs.big }}"), json!(1.0));
    assert_eq!(rendered("{{ inputs.no }}"), Value::Null);
    assert_eq!(rendered("{{ inputs.list }}"), json!([1, 2]));
    assert_eq!(rendered("{{ event.data.severity == 'critical' }}"), json!(true));
    assert_eq!(rendered("{{ {'a': {'b': inputs.n}} }}"), json!({ "a": { "b": 3 } }));
    assert_eq!(rendered("{{ 18446744073709551615 }}"), json!(u64::MAX));
}

#[test]
fn objects_keep_their_order() {
    assert_eq!(rendered("{{ inputs.object }}").to_string(), r#"{"b":1,"a":2}"#);
}

#[test]
fn mixed_text_is_text() {
    assert_eq!(rendered("on {{ inputs.host }}: {{ inputs.n }}"), json!("on web-1: 3"));
    assert_eq!(rendered("{{ inputs.n }}{{ inputs.n }}"), json!("33"));
    assert_eq!(rendered("a {{- inputs.n -}} b"), json!("a3b"));
    assert_eq!(
        rendered("x={{ inputs.object }} {{ true }} [{{ none }}]"),
        json!(r#"x={"b":1,"a":2} true []"#)
    );
    assert_eq!(rendered("a {brace} ${#array[@]} }} '{{ '}}' }}'"), json!("a {brace} ${#array[@]} }} '}}'"));
}

#[test]
fn an_expression_of_too_many_instructions_runs_out_of_fuel() {
    let longest = |unit: &str, rest: &str| {
        let count = (MAX_EXPRESSION_BYTES - rest.len()) / unit.len();
        format!("{{{{ {}{rest} }}}}", unit.repeat(count))
    };
    let sum = longest("inputs.n+", "inputs.n");
    assert_eq!(rendered(&sum), json!(3 * sum.matches("inputs.n").count()), "what authors write is not cut");
    for negations in [longest("-", "inputs.n"), longest(" --", "inputs.n")] {
        let error = render(json!(negations)).expect_err("it takes too many");
        assert!(matches!(error, TemplateError::OutOfFuel { .. }), "{error}");
    }
}

#[test]
fn trees_are_rendered_throughout() {
    let template = json!({ "a": ["{{ inputs.n }}", 1, { "b": "{{ vars.region }}" }], "c": null });
    assert_eq!(render(template).expect("renders"), json!({ "a": [3, 1, { "b": "eu" }], "c": null }));
    assert_eq!(
        Template::literal(json!("{{ inputs.n }}")).render(&scope()).expect("renders"),
        json!("{{ inputs.n }}")
    );
}

#[test]
fn steps_are_reached_by_name_and_by_key() {
    assert_eq!(rendered("{{ steps.fetch.output.text | trim }}"), json!("hi"));
    assert_eq!(rendered("{{ steps['run-fix'].output }}"), json!(1));
    assert_eq!(rendered("{{ steps.skipped.output.text | default('none') }}"), json!("none"));
    assert_eq!(rendered("{{ steps.skipped.output | default('none') }}"), json!("none"));
    assert_eq!(rendered("{{ steps.skipped.output is none }}"), json!(true));
    assert_eq!(rendered("{{ run.id }}"), json!("run-1"));
}

#[test]
fn an_item_is_in_scope_of_its_own_copy_only() {
    let (scope, template) = (scope(), Template::compile(&json!("{{ item }}/{{ index }}")).expect("compiles"));
    assert_eq!(template.render(&scope.with_item(&json!("a"), 2)).expect("renders"), json!("a/2"));
    assert!(matches!(template.render(&scope), Err(TemplateError::Undefined { .. })));
}

#[test]
fn what_is_undefined_is_named() {
    for (template, message) in [
        ("{{ inputs.nope }}", "`inputs.nope` has no value: `inputs.nope` is not defined"),
        ("a {{ steps.x.output }}", "`steps.x.output` has no value: `steps.x.output` is not defined"),
        ("{{ [inputs.nope] }}", "`[inputs.nope]` has no value: `inputs.nope` is not defined"),
    ] {
        assert_eq!(render(json!(template)).expect_err("undefined").to_string(), message);
    }
    let condition = Expression::compile("inputs.nope").expect("compiles");
    assert!(matches!(condition.truthy(&scope()), Err(TemplateError::Undefined { .. })));
}

#[test]
fn conditions_and_lists_are_expressions() {
    let holds =
        |text: &str| Expression::compile(text).expect("compiles").truthy(&scope()).expect("evaluates");
    assert!(holds("{{ inputs.n > 2 }}") && holds("inputs.n > 2") && !holds(" {{ inputs.n > 3 }} "));
    assert!(Expression::constant(json!(true)).truthy(&scope()).expect("constant"));
    let list = |text: &str| Expression::compile(text).expect("compiles").list(&scope());
    assert_eq!(list("{{ inputs.list }}").expect("a list"), [json!(1), json!(2)]);
    assert_eq!(list("range(3)").expect("a list"), [json!(0), json!(1), json!(2)]);
    assert_eq!(list("inputs.host").expect_err("text").to_string(), "`inputs.host` gives text, not a list");
    assert!(Expression::compile("a {{ inputs.n }}").is_err());
}

#[test]
fn what_does_not_parse_is_refused_with_its_place() {
    for (text, offset, message) in [
        ("a {{ inputs.", 2, "`{{` is never closed by `}}`"),
        ("{{ 'a }}", 0, "a quote in this template is never closed"),
        (
            "{% if x %}",
            0,
            "`{% … %}` blocks are not available: use `{{ a if condition else b }}` and filters",
        ),
        ("ab {{ }}", 6, "there is nothing between the braces"),
    ] {
        let fault = Node::of_text(text).expect_err("no template");
        assert_eq!((fault.offset, fault.message.as_str()), (offset, message), "{text}");
    }
    let fault = Node::of_text("ab {{ 1 + }}").expect_err("no template");
    assert!((6..=9).contains(&fault.offset), "{fault:?}");
    assert!(Node::of_text(&format!("{{{{ {} }}}}", "1+".repeat(5000))).is_err());
}

#[test]
fn time_and_size_are_bounded() {
    assert!(matches!(render(json!("{{ 'a' * 2000000 }} ")), Ok(_) | Err(TemplateError::TooLarge { .. })));
    assert!(matches!(render(json!("x{{ 'a' * 2000000 }}")), Err(TemplateError::TooLarge { .. })));
    assert!(matches!(render(json!("{{ 'a' * 20000000 }}")), Err(TemplateError::TooLarge { .. })));
    assert!(matches!(render(json!("{{ [0] * 10000000 }}")), Err(TemplateError::TooLarge { .. })));
    let bomb = "{{ 'a'".to_owned() + &" | replace('a', 'aaaaaaaaaa')".repeat(12) + " }}";
    assert!(matches!(render(json!(bomb)), Err(TemplateError::Failed { .. })));
    assert!(matches!(render(json!("{{ range(10000000) }}")), Err(TemplateError::Failed { .. })));
}

#[test]
fn nothing_changes_between_two_renderings() {
    for name in ["now()", "random()", "lipsum()", "debug()"] {
        assert!(render(json!(format!("{{{{ {name} }}}}"))).is_err(), "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_panic(
        text in ".{0,80}",
        inner in "[-+*/|.()\\[\\]{}'\"a-z0-9 =!<>é\\\\]{0,40}",
    ) {
        let _ = Uses::of(&text);
        let _ = Uses::of(&inner);
        for text in [text, format!("{{{{{inner}}}}}")] {
            if let Ok(node) = Node::of_text(&text) {
                let _ = Template::from_node(node).render(&scope());
            }
        }
    }
}
