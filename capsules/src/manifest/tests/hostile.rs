//! Manifests of people who mean harm, each with what is said of it.

use super::*;

#[test]
fn every_refusal_says_where_and_what_to_do() {
    type Case = (fn(&mut Value), &'static str);
    let cases: [Case; 14] = [
        (
            |m| m["formatVersion"] = 2.into(),
            "`/formatVersion`: this program reads 1, and this is 2; use a newer program",
        ),
        (
            |m| m["critical"] = json!(["tree", "sandbox"]),
            "`/critical`: the capsule may only be used by who understands `sandbox`; use a newer program",
        ),
        (|m| m["version"] = "1.4.3".into(), "`/version`: is 1.4.3, and `/id` says 1.4.2; write the same"),
        (
            |m| m["services"][1]["name"] = "db".into(),
            "`/services/1/name`: there is another called `db`; give each a name of its own",
        ),
        (
            |m| m["seeds"][1]["name"] = "tables".into(),
            "`/seeds/1/name`: there is another called `tables`; give each a name of its own",
        ),
        (
            |m| m["seeds"][0]["service"] = "warehouse".into(),
            "`/seeds/0/service`: there is no service `warehouse`; declare it in `/services`",
        ),
        (
            |m| m["checks"] = json!([{ "name": "a", "run": "true" }, { "name": "a", "run": "false" }]),
            "`/checks/1/name`: there is another called `a`; give each a name of its own",
        ),
        (
            |m| m["checks"] = vec![json!({ "name": "a", "run": "true" }); 33].into(),
            "`/checks`: there are 33, and there may be 32; let one run several",
        ),
        (
            |m| m["rights"]["license"] = "GPLish".into(),
            "`/rights/license`: `GPLish` is no SPDX expression: unknown term; write one such as",
        ),
        (
            |m| m["seeds"][0]["path"] = "../../etc/passwd".into(),
            "`/seeds/0/path`: the name `..` leads to no entry",
        ),
        (|m| m["build"]["outDir"] = "/etc".into(), "`/build/outDir`: the name `` leads to no entry"),
        (|m| m["name"] = "\u{1b}]0;owned\u{7}".into(), "`/name`: `\\u{1b}]0;owned\\u{7}` is no line of"),
        (|m| m["app"]["env"] = json!({ "A;rm -rf": "" }), "`/app/env"),
        (
            |m| m["services"][0]["type"] = "\u{1b}[2J".into(),
            "`/services/0/type`: unknown variant `\\u{1b}[2J`",
        ),
    ];
    for (change, said) in cases {
        let found = refusal(change);
        assert!(found.starts_with(said), "{found}\n{said}");
        assert!(!found.contains('\u{1b}'), "{found}");
    }
}

#[test]
fn an_unknown_field_named_in_critical_refuses_the_capsule_even_if_it_is_there() {
    let refused = changed(|manifest| {
        manifest["sandbox"] = json!({ "level": 9 });
        manifest["critical"] = json!(["sandbox"]);
    });
    assert_eq!(refused, Err(InvalidManifest::Critical("sandbox".into())));
    assert!(changed(|manifest| manifest["sandbox"] = json!({ "level": 9 })).is_ok());
    assert!(changed(|manifest| manifest["critical"] = json!(["rights", "tree"])).is_ok());
}

#[test]
fn a_manifest_of_another_format_is_named_before_its_fields_are_looked_at() {
    let read = |text: &str| Manifest::read(text.as_bytes());
    assert_eq!(read(r#"{"formatVersion":9,"id":{"urn":"shop"}}"#), Err(InvalidManifest::Format(9)));
    assert_eq!(read(r#"{"formatVersion":0}"#), Err(InvalidManifest::Format(0)));
}

#[test]
fn what_can_be_understood_in_two_ways_is_refused_wherever_it_stands() {
    let text = String::from_utf8(sample().to_bytes().expect("sound")).expect("text");
    let twice = text.replacen("\"tree\"", "\"tree\": \"0\", \"tree\"", 1);
    let error = Manifest::read(twice.as_bytes()).expect_err("two trees").to_string();
    assert_eq!(error, "`/tree`: stands there twice; keep one of them");
    let deep = text.replacen("\"legs\": 8", "\"legs\": 8, \"l\\u0065gs\": 6", 1);
    let error = Manifest::read(deep.as_bytes()).expect_err("two numbers").to_string();
    assert_eq!(error, "`/xMascot/legs`: stands there twice; keep one of them");
    for tail in ["{}", "x", "\0"] {
        assert!(Manifest::read(format!("{text}{tail}").as_bytes()).is_err());
    }
    assert!(Manifest::read(format!("\u{feff}{text}").as_bytes()).is_err());
}

#[test]
fn nesting_and_size_are_bounded_by_name() {
    let nested = format!("{{\"formatVersion\":1,\"x\":{}", "[".repeat(100_000));
    let error = Manifest::read(nested.as_bytes()).expect_err("deep").to_string();
    assert!(error.ends_with("is more than 64 levels deep"), "{error}");
    let large = format!("{{\"x\":\"{}\"}}", "a".repeat(MANIFEST_MAX_BYTES));
    let error = Manifest::read(large.as_bytes()).expect_err("large").to_string();
    assert_eq!(error, "the document: has 262152 bytes, and may have 262144");
}

#[test]
fn no_truncation_and_no_changed_byte_makes_a_reader_panic() {
    let bytes = sample().to_bytes().expect("sound");
    for end in 0..bytes.len() - 1 {
        assert!(Manifest::read(&bytes[..end]).is_err(), "cut at {end}");
    }
    for at in 0..bytes.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            let _ = Manifest::read(&bytes);
        }
    }
}
