//! What a template may name.

use super::*;

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
        ("event.severity", Code::UnknownVariable, "did you mean `event.data.severity`?"),
        ("item", Code::UnknownVariable, "`foreach`"),
        ("steps.a.x", Code::UnknownVariable, "write `steps.a.output`"),
        ("steps.a.output.y", Code::UnknownVariable, "fields that `a` sets: `x`"),
        (
            "steps.maybe -1",
            Code::UnknownVariable,
            "a name with `-` goes in brackets: `steps['maybe-b'].output`",
        ),
        ("steps", Code::UnknownVariable, "name the step"),
        ("steps.c.output", Code::NotEarlier, "a step that ends before"),
        ("steps.d.output", Code::NotEarlier, "add `d` to the `needs` of `c`"),
        ("steps['maybe-b'].output.x", Code::UnguardedUse, "| default(…)"),
        ("now()", Code::TemplateSyntax, "`range`"),
        ("secret('a/b')", Code::Unavailable, "no step can take a secret yet"),
        ("inputs.host | uper", Code::TemplateSyntax, "did you mean `upper`?"),
        ("inputs.host.strip()", Code::TemplateSyntax, "use a filter"),
    ] {
        let (found, message, hint) = uses(expression);
        assert!(found == code && hint.contains(words), "{expression}: {found:?} {message}; {hint}");
    }
}
