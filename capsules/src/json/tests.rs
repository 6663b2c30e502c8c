//! Documents of people who mean harm, each with what is said of it.

use serde_json::Value;

use super::*;

fn fault(text: &str) -> String {
    read::<Value>(text.as_bytes(), 1 << 20).expect_err(text).to_string()
}

#[test]
fn what_two_readers_could_understand_in_two_ways_is_refused_where_it_stands() {
    for (text, said) in [
        (r#"{"a":1,"a":1}"#, "`/a`: stands there twice; keep one of them"),
        (r#"{"a":[0,{"b":1,"\u0062":2}]}"#, "`/a/1/b`: stands there twice; keep one of them"),
        (r#"{"a/b~":{"c":1,"c":2}}"#, "`/a~1b~0/c`: stands there twice; keep one of them"),
        ("{}{}", "the document: is no JSON: trailing characters at line 1 column 3"),
        ("\u{feff}{}", "the document: is no JSON: expected value at line 1 column 1"),
        (r#"{"a":01}"#, "`/a`: is no JSON: invalid number at line 1 column 7"),
        (
            "{\"\u{7}\":1",
            "the document: is no JSON: control character (\\u0000-\\u001F) found while \
                         parsing a string at line 1 column 3",
        ),
        (r#"{"\u001b[2J":nul}"#, "`/\\u{1b}[2J`: is no JSON: expected ident at line 1 column 17"),
    ] {
        assert_eq!(fault(text), said, "{text}");
    }
}

#[test]
fn depth_size_and_number_have_a_limit_that_is_named() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read::<Value>(nested(DEPTH_MAX).as_bytes(), 1 << 20).is_ok());
    for levels in [DEPTH_MAX + 1, 100_000] {
        assert!(fault(&nested(levels)).ends_with("is more than 64 levels deep"));
        let objects = format!("{}1", r#"{"a":"#.repeat(levels));
        assert!(fault(&objects).ends_with("is more than 64 levels deep"));
    }
    let many = format!("[{}0]", "0,".repeat(VALUES_MAX));
    assert_eq!(fault(&many), "`/249999`: is one of more than 250000 values");
    let error = read::<Value>(b"[1,2]", 4).expect_err("too large");
    assert_eq!(error.fault, JsonFault::TooLarge { size_bytes: 5, max_bytes: 4 });
}

#[test]
fn what_is_shown_of_a_key_moves_no_cursor_and_is_short() {
    let key = "\\u202e".repeat(100_000);
    let said = fault(&format!(r#"{{"{key}":{{"{key}":0,"{key}":1}}}}"#));
    assert!(said.len() < 4_000 && !said.contains('\u{202e}'), "{said}");
}
