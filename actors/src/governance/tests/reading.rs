//! Reading policies: every fault with its place, and bombs defused.

use super::super::*;

fn report(text: &str) -> String {
    let issues = parse(text.as_bytes()).expect_err("the text is faulty");
    issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn codes(text: &str) -> Vec<String> {
    parse(text.as_bytes()).expect_err("the text is faulty").into_iter().map(|issue| issue.code).collect()
}

#[test]
fn all_faults_are_reported_at_once_with_line_and_column() {
    let text = "
policy_id: not an id
policy_type: governance
name: 7
version: 0
evaluation_mode: best_match
colour: red
rules:
  - rule_id: a
    match: { action: 'git.[', stage: production, actor: 'role:Boss', env: x }
    requirements:
      approvals: { min: 0, from_any_of: [OwnerAdmin, 'role:Owner'], expires_in: soon }
      time_window: { days: [monday], from: '9:00', time_zone: Mars }
      mfa: 'yes'
    egress: [internet]
    effect: permit
  - rule_id: a
    effect: deny
    requirements: { mfa: true }
    egress: [loopback]
  - effect: allow
  - nonsense
";
    insta::assert_snapshot!(report(text), @r"
    2:12: policy_id: `not an id` is not an id (up to 128 letters, digits, `.`, `_` and `-`)
    4:7: name: expected a text, found a number (put it in quotes)
    5:10: version: `0` is not between 1 and 4294967295
    6:18: evaluation_mode: `best_match` is not known here (expected one of `first_match`, `deny_overrides`, `collect_requirements`)
    7:1: `colour` is not known here (allowed here: $schema, policy_id, policy_type, name, owner_pou_id, status, version, evaluation_mode, rules, created_at, updated_at, description, metadata)
    10:22: rules[0].match.action: `git.[` is not a glob: unclosed character class; missing ']'
    10:38: rules[0].match.stage: `production` is not known here (expected one of `dev`, `staging`, `test`, `prod`, `any`)
    10:57: rules[0].match.actor: `Boss` is not a role; roles are Operator, OwnerAdmin and User
    10:70: rules[0].match: `env` is not known here (allowed here: action, stage, resource_type, risk, env_id, actor)
    12:25: rules[0].requirements.approvals.min: `0` is not between 1 and 100
    12:42: rules[0].requirements.approvals.from_any_of[0]: `OwnerAdmin` is not `role:X`, `team:ID` or `principal:ID`
    12:54: rules[0].requirements.approvals.from_any_of[1]: `Owner` is not a role; roles are Operator, OwnerAdmin and User
    12:81: rules[0].requirements.approvals.expires_in: `soon` is not a duration such as `24h` or `90m`
    13:20: rules[0].requirements.time_window: `9:00` is not a time of day such as `09:30`, from `00:00` to `24:00`
    13:29: rules[0].requirements.time_window.days[0]: `monday` is not known here (expected one of `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`)
    14:12: rules[0].requirements.mfa: expected `true` or `false`, found a text
    15:14: rules[0].egress[0]: `internet` is not known here (expected one of `loopback`, `private`, `link_local`)
    16:13: rules[0].effect: `permit` is not known here (expected one of `allow`, `require_approval`, `deny`)
    17:14: rules[1].rule_id: `a` is already the id of a rule above
    19:19: rules[1].requirements: a rule that denies lets nothing through (leave it out)
    20:13: rules[1].egress: a rule that denies lets nothing through (leave it out)
    21:5: rules[2]: `rule_id` is missing
    22:5: rules[3]: expected a map, found a text
    ");
}

#[test]
fn a_treasury_policy_is_refused_by_name() {
    let text = "{policy_id: p, policy_type: treasury, name: n, evaluation_mode: first_match, \
                rules: [{rule_id: r, effect: allow}]}";
    insta::assert_snapshot!(report(text), @r"
    1:29: policy_type: policies of type `treasury` are not supported by this version (only `governance` is)
    ");
    assert_eq!(codes(&text.replace("treasury", "weather")), ["unknown_word"]);
}

#[test]
fn a_policy_without_rules_and_texts_that_are_no_policy_are_refused() {
    let empty = "{policy_id: p, policy_type: governance, name: n, evaluation_mode: first_match, rules: []}";
    assert_eq!(codes(empty), ["empty"]);
    for text in ["", "[]", "12", "null", "~", "just text"] {
        assert!(!codes(text).is_empty(), "{text}");
    }
    for text in
        ["a: [", "a: b: c", "\tx", "a: 1\na: 2", "a: 1\n---\nb: 2", "{\"a\": }", "*nowhere", "a: !!binary x"]
    {
        assert!(!codes(text).is_empty(), "{text}");
    }
    let issues = parse(&[0xff, 0xfe, 0xfa]).expect_err("not text");
    assert_eq!(issues[0].code, "not_utf8");
    let duplicate = parse(b"a: 1\nb: 2\na: 3\n").expect_err("a key twice");
    assert_eq!((duplicate[0].code.as_str(), duplicate[0].line), ("invalid_syntax", 3));
}

#[test]
fn bombs_are_defused() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let aliases = format!("a: &a x\nb: [{}]\n", vec!["*a"; 1000].join(", "));
    let block: String = (0..500).map(|depth| format!("{}k:\n", " ".repeat(depth))).collect();
    for (name, text) in [
        ("billion laughs", laughs),
        ("aliases", aliases),
        ("deep flow", format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000))),
        ("deep block", block),
        ("many nodes", format!("a: [{}]", "1,".repeat(100_000))),
    ] {
        let issues = parse(text.as_bytes()).expect_err(name);
        assert_eq!(issues[0].code, "invalid_syntax", "{name}: {}", issues[0]);
        assert!(issues[0].line > 0 || name == "deep flow", "{name}: {}", issues[0]);
    }
    let large = vec![b' '; MAX_DOCUMENT_BYTES + 1];
    assert_eq!(parse(&large).expect_err("too large")[0].code, "too_large");
}

#[test]
fn json_yaml_and_the_own_rendering_read_the_same() {
    let policy = parse(PROD_EXAMPLE_POLICY.as_bytes()).expect("the example parses");
    let json = serde_json::to_string_pretty(&policy).expect("renders");
    assert_eq!(parse(json.as_bytes()).expect("JSON parses"), policy);
    let tabs = json.replace("  ", "\t");
    assert_eq!(parse(tabs.as_bytes()).expect("JSON with tabs parses"), policy);
    assert_eq!(serde_json::from_str::<Policy>(&json).expect("serde reads it"), policy);
}

#[test]
fn unquoted_times_and_booleans_of_yaml_1_1_stay_texts() {
    let text = "{policy_id: p, policy_type: governance, name: no, evaluation_mode: first_match, rules: \
                [{rule_id: on, effect: allow, requirements: {time_window: {from: 09:30, to: 10:00}}}]}";
    let policy = parse(text.as_bytes()).expect("the policy parses");
    assert_eq!((policy.name.as_str(), policy.rules[0].rule_id.as_str()), ("no", "on"));
}

#[test]
fn the_generated_schema_agrees_with_the_reader() {
    let schema = serde_json::to_value(policy_json_schema()).expect("renders");
    let validator = jsonschema::validator_for(&schema).expect("the schema compiles");
    for text in [DEV_POLICY, PROD_EXAMPLE_POLICY] {
        let policy = parse(text.as_bytes()).expect("the shipped policy parses");
        let good = serde_json::to_value(&policy).expect("renders");
        assert!(validator.is_valid(&good), "{:?}", validator.iter_errors(&good).collect::<Vec<_>>());
        let breakers: [fn(&mut serde_json::Value); 5] = [
            |policy| policy["colour"] = "red".into(),
            |policy| policy["policy_type"] = "treasury".into(),
            |policy| policy["rules"] = serde_json::json!([]),
            |policy| policy["rules"][0]["effect"] = "permit".into(),
            |policy| policy["version"] = 0.into(),
        ];
        for breaks in breakers {
            let mut bad = good.clone();
            breaks(&mut bad);
            assert!(!validator.is_valid(&bad), "{bad}");
            assert!(parse(bad.to_string().as_bytes()).is_err(), "{bad}");
        }
    }
}

#[test]
fn floods_of_faults_and_endless_texts_give_a_report_of_bearable_size() {
    let keys: String = (0..10_000).map(|n| format!("k{n}: 1\n")).collect();
    assert_eq!(codes(&keys).len(), 1000);
    let issues = parse(format!("policy_id: {}\n", "#@".repeat(100_000)).as_bytes()).expect_err("no id");
    assert!(issues.iter().all(|issue| issue.message.len() < 1000));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        text in "\\PC{0,200}", noise in "[-{}\\[\\]:,&*!|>#'\" a-c0-2\n\t]{0,80}",
    ) {
        let _ = parse(text.as_bytes());
        let _ = parse(noise.as_bytes());
    }

    #[test]
    fn no_glob_makes_the_compiler_panic(glob in "[-{},\\[\\]!^*?\\\\/.a-cü]{0,90}") {
        let rule = Match { action: Some(glob), ..Match::default() };
        let mut policy = parse(DEV_POLICY.as_bytes()).expect("the shipped policy parses");
        policy.rules[0].matches = rule;
        let _ = PolicySet::new([&policy]);
    }
}
