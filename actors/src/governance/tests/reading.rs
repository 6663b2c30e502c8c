//! Reading policies: every fault with its place, and bombs defused.

use super::super::*;
use crate::document::{Code, MAX_DOCUMENT_BYTES, MAX_ISSUES};

fn report(text: &str) -> String {
    let issues = parse(text.as_bytes()).expect_err("the text is faulty");
    issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn codes(text: &str) -> Vec<Code> {
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
    2:12: `not an id` is no id of a policy; use 1 to 120 letters, digits, `.`, `_` and `-`
    4:7: `name` must be text, not a number; put it in quotes
    5:10: `version` must be at least 1; write 1 or more
    6:18: `best_match` is no `evaluation_mode`; did you mean `first_match`? words here: `first_match`, `deny_overrides`, `collect_requirements`
    7:1: a policy has no key `colour`; keys here: `policy_id`, `policy_type`, `name`, `owner_pou_id`, `status`, `version`, `evaluation_mode`, `rules`, `created_at`, `updated_at`, `description`, `metadata`
    10:22: `git.[` is not a glob: unclosed character class; missing ']'; write such as `git.*` or `{git,ssh}.*`; `*` stands for any text
    10:38: `production` is no `stage`; words here: `dev`, `staging`, `prod`, `any`, `test`
    10:57: `Boss` is not a role; roles are Operator, OwnerAdmin and User; write `role:NAME`, `team:ID`, `principal:ID`, or a glob over principals such as `webhook:*`
    10:70: `match` has no key `env`; keys here: `action`, `stage`, `resource_type`, `risk`, `env_id`, `actor`
    12:25: `min` must be at least 1; write 1 or more
    12:42: `OwnerAdmin` is not `role:X`, `team:ID` or `principal:ID`; write `role:NAME`, `team:ID` or `principal:ID`
    12:54: `Owner` is not a role; roles are Operator, OwnerAdmin and User; write `role:NAME`, `team:ID` or `principal:ID`
    12:81: `soon` is not a length of time of a second or more; write such as `24h` or `90m`
    13:20: `9:00` is not a time of day such as `09:30`, from `00:00` to `24:00`; write such as `from: '09:00'` and `to: '17:30'`
    13:29: `monday` is no `day`; words here: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`
    14:12: `mfa` must be true or false, not text; write true or false here
    15:14: `internet` is no `range of addresses`; words here: `loopback`, `private`, `link_local`
    16:13: `permit` is no `effect`; words here: `allow`, `require_approval`, `deny`
    17:14: there are two rules called `a`; rename one; the first is on line 9
    19:19: a rule that denies lets nothing through, whatever holds; leave it out, or allow
    20:13: a rule that denies lets nothing through, whatever holds; leave it out, or allow
    21:5: a rule needs `rule_id`; give it a stable id, such as `rule_id: tests-first`
    22:5: a rule must be a mapping of keys to values, not text; write a mapping of keys to values here
    ");
}

#[test]
fn a_treasury_policy_is_refused_by_name() {
    let text = "{policy_id: p, policy_type: treasury, name: n, evaluation_mode: first_match, \
                rules: [{rule_id: r, effect: allow}]}";
    insta::assert_snapshot!(report(text), @"1:29: policies of type `treasury` are not available in this version; write `governance`, the only type there is");
    assert_eq!(codes(&text.replace("treasury", "weather")), [Code::UnknownWord]);
}

#[test]
fn a_policy_without_rules_and_texts_that_are_no_policy_are_refused() {
    let empty = "{policy_id: p, policy_type: governance, name: n, evaluation_mode: first_match, rules: []}";
    assert_eq!(codes(empty), [Code::MissingKey]);
    for text in ["", "[]", "12", "null", "~", "just text"] {
        assert!(!codes(text).is_empty(), "{text}");
    }
    for text in
        ["a: [", "a: b: c", "\tx", "a: 1\na: 2", "a: 1\n---\nb: 2", "{\"a\": }", "*nowhere", "a: !!binary x"]
    {
        assert!(!codes(text).is_empty(), "{text}");
    }
    let issues = parse(&[0xff, 0xfe, 0xfa]).expect_err("not text");
    assert_eq!(issues[0].code, Code::InvalidUtf8);
    let duplicate = parse(b"a: 1\nb: 2\na: 3\n").expect_err("a key twice");
    assert_eq!((duplicate[0].code, duplicate[0].line), (Code::UnknownKey, 1));
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
        assert_eq!(issues[0].code, Code::TooLarge, "{name}: {}", issues[0]);
    }
    let large = vec![b' '; MAX_DOCUMENT_BYTES + 1];
    assert_eq!(parse(&large).expect_err("too large")[0].code, Code::TooLarge);
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
    assert_eq!(codes(&keys).len(), MAX_ISSUES);
    let endless = "#@".repeat(100_000);
    for text in [
        format!("policy_id: {endless}\n"),
        format!("rules: [{{ rule_id: a, match: {{ actor: 'role:{endless}' }} }}]"),
        format!("rules: [{{ rule_id: a, requirements: {{ time_window: {{ from: '{endless}' }} }} }}]"),
        format!("rules: [{{ rule_id: a, effect: '{endless}' }}]"),
        format!("'{endless}': 1"),
    ] {
        let issues = parse(text.as_bytes()).expect_err("faulty");
        assert!(issues.iter().all(|issue| issue.to_string().len() < 1000));
    }
}

#[test]
fn test_is_another_word_for_staging_to_reader_and_editors_alike() {
    let text = "{policy_id: p, policy_type: governance, name: n, evaluation_mode: first_match, rules: \
                [{rule_id: r, match: {stage: test}, effect: deny}]}";
    let policy = parse(text.as_bytes()).expect("the policy parses");
    let schema = serde_json::to_value(policy_json_schema()).expect("renders");
    let validator = jsonschema::validator_for(&schema).expect("the schema compiles");
    assert!(validator.is_valid(&serde_json::to_value(&policy).expect("renders")));
    for stage in ["staging", "test"] {
        let decision = evaluate(std::slice::from_ref(&policy), &super::evaluation::asks("x.y", stage));
        assert_eq!(decision.effect, Effect::Deny, "{stage}");
    }
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
