//! Redaction of recorded inputs. Owns how a rule's pointer meets a value; which rules there are is each
//! action's word.

use serde_json::Value;

use super::REDACTED;

/// A copy of `input` in which every value that a pointer names is replaced. `*` stands for any key or index;
/// keys match whatever their ASCII case.
pub(super) fn redacted(input: &Value, pointers: &[&str]) -> Value {
    let mut copy = input.clone();
    for pointer in pointers {
        let parts: Vec<String> = pointer.split('/').skip(1).map(unescaped).collect();
        hide(&mut copy, &parts);
    }
    copy
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

fn hide(value: &mut Value, parts: &[String]) {
    let Some((part, rest)) = parts.split_first() else {
        if !value.is_null() {
            *value = Value::String(REDACTED.to_owned());
        }
        return;
    };
    match value {
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(key, _)| part == "*" || part.eq_ignore_ascii_case(key))
            .for_each(|(_, field)| hide(field, rest)),
        Value::Array(items) => items
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| part == "*" || *part == index.to_string())
            .for_each(|(_, item)| hide(item, rest)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn named_values_are_replaced_whatever_their_case_and_nothing_else_changes() {
        let input = json!({
            "headers": {"AUTHORIZATION": "Bearer x", "accept": "*/*"},
            "list": [{"key": "a"}, {"key": null}, 3],
            "a/b": {"deep": [1]},
        });
        let cases = [
            ("/headers/authorization", "/headers/AUTHORIZATION"),
            ("/list/*/key", "/list/0/key"),
            ("/list/2", "/list/2"),
            ("/a~1b/*", "/a~1b/deep"),
        ];
        for (pointer, hidden) in cases {
            let mut expected = input.clone();
            *expected.pointer_mut(hidden).expect("the case names a value") = json!(REDACTED);
            assert_eq!(redacted(&input, &[pointer]), expected, "{pointer}");
        }
        assert_eq!(redacted(&input, &["/none/of", "/list/9", "/headers/accept/deeper"]), input);
    }
}
