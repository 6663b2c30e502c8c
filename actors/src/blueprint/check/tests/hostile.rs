//! Text that means harm, or that nobody meant.

use proptest::prelude::*;

use super::*;

fn only(source: &[u8]) -> Issue {
    let mut found = compile(source, &registry(), &NodeLimits::default()).expect_err("refused");
    assert_eq!(found.len(), 1, "{}", show(&found));
    found.remove(0)
}

#[test]
fn alias_bombs_are_refused() {
    let mut source = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 9].join(", ");
        source += &format!("a{level}: &a{level} [{items}]\n");
    }
    let bomb = only(source.as_bytes());
    assert_eq!(bomb.code, Code::TooLarge, "{bomb}");
    let many = format!("a: &a x\nb: [{}]\n", vec!["*a"; 200].join(", "));
    assert_eq!(only(many.as_bytes()).code, Code::TooLarge);
}

#[test]
fn an_alias_or_two_are_welcome() {
    plan(&around("- { kind: transform, id: a, set: { x: &text [1], y: *text } }"));
}

#[test]
fn deep_nesting_is_refused() {
    for source in ["[".repeat(100_000), "{a: ".repeat(5000), "- ".repeat(5000), "a:\n".repeat(5000)] {
        let found = compile(source.as_bytes(), &registry(), &NodeLimits::default()).expect_err("refused");
        assert!(!found.is_empty());
    }
    let deep = format!("a: {}{}", "[".repeat(40), "]".repeat(40));
    let deep = only(deep.as_bytes());
    assert_eq!(deep.code, Code::TooLarge, "{deep}");
}

#[test]
fn long_texts_are_refused() {
    let source = format!("id: {}", "x".repeat(10 * 1024 * 1024));
    let issue = only(source.as_bytes());
    assert_eq!(issue.code, Code::TooLarge);
    assert_eq!(issue.message, "the source has 10485764 bytes; a blueprint has at most 1048576");
    let almost = format!("id: {}", "x".repeat(1024 * 1024 - 10));
    assert!(issues(&almost).iter().all(|issue| issue.text.len() < 400 && issue.message.len() < 400));
}

#[test]
fn numbers_are_finite() {
    for number in [".nan", ".inf", "-.inf", "1e999"] {
        let issue =
            only(around(&format!("- {{ kind: transform, id: a, set: {{ x: {number} }} }}")).as_bytes());
        assert_eq!(
            (issue.code, issue.line, issue.message.as_str()),
            (Code::InvalidValue, 5, "a number must be finite")
        );
    }
}

#[test]
fn text_is_utf8() {
    let issue = only(b"id: bp\nname: caf\xe9\n");
    assert_eq!((issue.code, issue.line, issue.column), (Code::InvalidUtf8, 2, 10));
}

#[test]
fn a_key_stands_once_and_is_text() {
    let found = issues(
        "id: a\nid: b\ntrigger: { event_type: a.b, event_type: a.c }\n\
         plan: [{ kind: transform, id: a, set: { x: 1 }, 5: 6 }]",
    );
    let places: Vec<_> = found.iter().map(|issue| (issue.code, issue.line, issue.column)).collect();
    assert_eq!(places, [(Code::DuplicateKey, 2, 1), (Code::DuplicateKey, 3, 29), (Code::WrongType, 4, 49)]);
}

#[test]
fn what_is_no_yaml_is_explained() {
    let issue = only(b"id: a\n  plan: [\n");
    assert_eq!(issue.code, Code::Syntax);
    let steps = "- { kind: transform, id: a, set: { x: 1 } }\n\
                 - id: b\n  kind: transform\n  set:\n    x: {{ inputs.host }}.example";
    let unquoted = only(around(steps).as_bytes());
    assert_eq!((unquoted.code, unquoted.line, unquoted.column), (Code::UnquotedTemplate, 9, 8));
    assert_eq!(only(b"a: 1\n---\nb: 2\n").line, 2);
    assert_eq!(only(b"a: &x { b: 1 }\nc: { <<: *x }\n").message, "merge keys (`<<`) are not available");
}

#[test]
fn many_faults_are_bounded() {
    let keys: String = (0..1000).map(|n| format!("key{n}: 1\n")).collect();
    assert_eq!(issues(&keys).len(), MAX_ISSUES);
}

#[test]
fn large_blueprints_are_refused_without_exhausting_anything() {
    let text = |text: &str| around(&format!("- {{ kind: transform, id: a, set: {{ x: \"{text}\" }} }}"));
    let steps = |keys: &str| around(&format!("- {{ kind: transform, id: a, set: {{ x: 1 }}, {keys} }}"));
    let hostile = [
        text(&"{{ nope }} ".repeat(90_000)),
        text(&"{{ nope }} ".repeat(900)),
        text(&"{".repeat(900_000)),
        text(&"{{ inputs.host }}".repeat(50_000)),
        text(&format!("{{{{ {} }}}}", "(".repeat(4000))),
        text(&format!("{{{{ {} }}}}", "not ".repeat(1000))),
        steps(&format!("needs: [{}]", "nope,".repeat(20_000))),
        steps(&(0..20_000).map(|n| format!("k{n}: 1,")).collect::<String>()),
        format!("vars: {{ {} }}\n", (0..20_000).map(|n| format!("k{n}: 1,")).collect::<String>()),
        format!("inputs: [{}]\n", (0..10_000).map(|n| format!("{{ name: k{n} }},")).collect::<String>()),
        format!("outputs: [{}]\n", (0..10_000).map(|n| format!("{{ name: k{n} }},")).collect::<String>()),
        "a".repeat(1_000_000),
        "- ".repeat(500_000),
        "\"".repeat(1_000_000),
        "#\n".repeat(500_000),
        "? ".repeat(500_000),
    ];
    for source in hostile {
        let found = check(&source).expect_err("a blueprint with faults");
        assert!(!found.is_empty() && found.len() <= MAX_ISSUES);
    }
}

#[test]
fn places_count_characters_not_bytes() {
    let issue = issue("- { kind: transform, id: a, set: { x: \"äöü {{ nope }}\" } }");
    assert_eq!((issue.line, issue.column, issue.text.as_str()), (5, 47, "nope"));
    let block = issue_in_block();
    assert_eq!((block.line, block.column, block.text.as_str()), (10, 12, "nope"));
}

fn issue_in_block() -> Issue {
    issue("- kind: transform\n  id: a\n  set:\n    x: |\n      one {{ inputs.host }}\n      a {{ nope }}")
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = compile(&bytes, &registry(), &NodeLimits::default());
    }

    #[test]
    fn any_yaml_like_text_is_read_without_panic(text in "[-a-z{}\\[\\]:,&*|>'\"#!%@ \n\t0-9.é?]{0,200}") {
        let _ = check(&text);
    }

    #[test]
    fn any_change_of_a_blueprint_is_read_without_panic(
        at in 0usize..900,
        with in "[-{}\\[\\]:,&*|>'\"#! \n\té]{0,3}",
        cut in 0usize..4,
    ) {
        let mut text: Vec<char> = sample::APPROVAL.chars().collect();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, with.chars());
        let text: String = text.into_iter().collect();
        if let Err(issues) = check(&text) {
            prop_assert!(!issues.is_empty());
            let placed = |issue: &Issue| issue.line >= 1 && issue.column >= 1 && !issue.hint.is_empty();
            prop_assert!(issues.iter().all(placed));
        }
    }
}
