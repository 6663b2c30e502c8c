//! Given policies, when an act is evaluated, then the decision.

use xyn_store::scope::Principal;

use super::super::*;
use crate::actions::Egress;

/// A policy with rules written in YAML flow style.
pub(super) fn policy(id: &str, mode: &str, rules: &[&str]) -> Policy {
    let rules: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    let text = format!(
        "policy_id: {id}\npolicy_type: governance\nname: {id}\nstatus: active\n\
         evaluation_mode: {mode}\nrules:\n{rules}"
    );
    parse(text.as_bytes()).unwrap_or_else(|issues| panic!("{issues:?} in\n{text}"))
}

/// The local operator asks for `action` at `stage` on a Monday at noon.
pub(super) fn asks(action: &str, stage: &str) -> Context {
    Context {
        actor: Identity::local_operator(),
        pou_id: None,
        env_id: "local".to_owned(),
        action: action.to_owned(),
        stage: stage.to_owned().into(),
        resource: None,
        risk: Risk::Low,
        artifacts: Vec::new(),
        session: None,
        now: "2026-01-05T12:00:00Z".parse().expect("an instant"),
    }
}

pub(super) fn rule_of(decision: &Decision) -> Option<&str> {
    decision.matched.as_ref().map(|rule| &*rule.rule_id)
}

#[test]
fn nothing_matches_means_the_default_of_the_stage_and_an_unknown_stage_is_denied() {
    let elsewhere = policy("p", "first_match", &["{rule_id: r, match: {action: x.y}, effect: allow}"]);
    for (stage, effect) in [
        ("dev", Effect::Allow),
        ("staging", Effect::Allow),
        ("test", Effect::Allow),
        ("prod", Effect::Deny),
        ("production", Effect::Deny),
        ("", Effect::Deny),
    ] {
        for policies in [vec![], vec![elsewhere.clone()]] {
            let decision = evaluate(&policies, &asks("http.call", stage));
            assert_eq!((decision.effect, rule_of(&decision)), (effect, None), "{stage}");
        }
    }
    let all = policy("p", "first_match", &["{rule_id: r, effect: allow}"]);
    assert_eq!(evaluate(&[all], &asks("http.call", "qa")).effect, Effect::Deny);
}

#[test]
fn an_unmet_requirement_denies_and_is_named() {
    let office = "time_window: {days: [mon], from: '09:00', to: '17:00'}";
    let rule = |requirement: &str| {
        policy(
            "p",
            "first_match",
            &[&format!("{{rule_id: r, effect: allow, requirements: {{{requirement}}}}}")],
        )
    };
    let with = |mfa, tests: &[bool], now: &str| {
        let mut context = asks("x.y", "dev");
        context.session = Some(SessionFacts { id: None, mfa });
        let report = |passed: &bool| Evidence { artifact_id: None, tests_passed: Some(*passed) };
        context.artifacts = tests.iter().map(report).collect();
        context.artifacts.push(Evidence { artifact_id: None, tests_passed: None });
        context.now = now.parse().expect("an instant");
        context
    };
    let (monday, sunday) = ("2026-01-05T12:00:00Z", "2026-01-04T12:00:00Z");
    let table = [
        (rule("mfa: true"), with(Some(true), &[], monday), None),
        (rule("mfa: true"), with(Some(false), &[], monday), Some("requires a second factor")),
        (rule("mfa: true"), with(None, &[], monday), Some("the session does not say")),
        (rule("tests_required: true"), with(None, &[true, true], monday), None),
        (rule("tests_required: true"), with(None, &[true, false], monday), Some("tests_required")),
        (rule("tests_required: true"), with(None, &[], monday), Some("tests_required")),
        (rule(office), with(None, &[], monday), None),
        (rule(office), with(None, &[], sunday), Some("time_window")),
    ];
    for (policy, context, named) in table {
        let decision = evaluate(&[policy], &context);
        assert_eq!(decision.effect, if named.is_some() { Effect::Deny } else { Effect::Allow }, "{decision}");
        assert!(decision.to_string().contains(named.unwrap_or("says allow")), "{decision}");
        assert_eq!(rule_of(&decision), Some("r"));
    }
}

#[test]
fn a_rule_that_cannot_be_evaluated_denies_what_it_may_be_about_and_nothing_else() {
    let breakers: [fn(&mut Rule); 5] = [
        |rule| rule.matches.action = Some("git.[".to_owned()),
        |rule| rule.matches.actor = Some("role:Nobody".to_owned()),
        |rule| rule.requirements = Some(window_in("Mars/Olympus")),
        |rule| rule.requirements = Some(approvals_within("soon", 1)),
        |rule| rule.requirements = Some(approvals_within("1h", 0)),
    ];
    for breaks in breakers {
        let mut broken =
            policy("p", "first_match", &["{rule_id: r, match: {stage: dev, risk: low}, effect: allow}"]);
        breaks(&mut broken.rules[0]);
        let decision = evaluate(std::slice::from_ref(&broken), &asks("git.log", "dev"));
        assert_eq!(decision.effect, Effect::Deny);
        assert!(decision.to_string().contains("cannot be evaluated"), "{decision}");
        let elsewhere = evaluate(&[broken], &asks("git.log", "staging"));
        assert_eq!(elsewhere.effect, Effect::Allow);
    }
}

fn window_in(zone: &str) -> Requirements {
    let time_window = Some(TimeWindow { time_zone: Some(zone.to_owned()), ..TimeWindow::default() });
    Requirements { time_window, ..Requirements::default() }
}

pub(super) fn approvals_within(expires_in: &str, min: u32) -> Requirements {
    let expires_in = Some(expires_in.to_owned());
    let approvals = Some(ApprovalRule { min, from_any_of: Vec::new(), allow_requester: None, expires_in });
    Requirements { approvals, ..Requirements::default() }
}

#[test]
fn every_part_of_a_match_narrows_it() {
    let mut webhook = asks("git.commit", "staging");
    webhook.actor = Identity::bare(Principal::new("webhook:monitoring"));
    webhook.actor.teams.push("ops".to_owned());
    webhook.resource = Some(Resource { kind: "repo".to_owned(), id: "1".to_owned() });
    webhook.risk = Risk::High;
    let table = [
        ("{}", true),
        ("{action: 'git.*', stage: test, resource_type: repo, risk: high, env_id: local}", true),
        ("{action: 'ssh.*'}", false),
        ("{stage: prod}", false),
        ("{resource_type: capsule}", false),
        ("{risk: low}", false),
        ("{env_id: other}", false),
        ("{actor: 'webhook:*'}", true),
        ("{actor: 'principal:webhook:monitoring'}", true),
        ("{actor: 'team:ops'}", true),
        ("{actor: 'role:Operator'}", false),
        ("{actor: operator@local}", false),
    ];
    for (matches, expected) in table {
        let deny = policy("p", "first_match", &[&format!("{{rule_id: r, match: {matches}, effect: deny}}")]);
        assert_eq!(evaluate(&[deny], &webhook).effect == Effect::Deny, expected, "{matches}");
    }
}

#[test]
fn the_shipped_policies_parse_and_do_what_they_say() {
    let dev = parse(DEV_POLICY.as_bytes()).expect("the shipped policy parses");
    let prod = parse(PROD_EXAMPLE_POLICY.as_bytes()).expect("the example parses");
    let set = PolicySet::new([&dev, &prod]);
    let effect = |action, stage| set.evaluate(&asks(action, stage)).effect;
    assert!(set.evaluate(&asks("http.call", "dev")).egress.loopback);
    assert_eq!(set.evaluate(&asks("git.log", "dev")).egress, Egress::default());
    assert_eq!(effect("anything.new", "dev"), Effect::Allow);
    assert_eq!(effect("git.log", "prod"), Effect::Allow);
    assert_eq!(effect("process.run", "prod"), Effect::Deny);
    assert_eq!(effect("anything.new", "prod"), Effect::Deny);
    assert_eq!(effect("ssh.run", "prod"), Effect::RequireApproval);
    let deploy = set.evaluate(&asks("deploy.capsule", "prod"));
    assert_eq!((deploy.effect, deploy.reasons.len()), (Effect::Deny, 2), "tests and mfa are missing");
}

#[test]
fn a_decision_survives_json_and_postcard() {
    let dev = parse(DEV_POLICY.as_bytes()).expect("the shipped policy parses");
    let ask = policy(
        "p",
        "collect_requirements",
        &[
            "{rule_id: a, effect: require_approval, requirements: {approvals: {from_any_of: ['team:qa']}}}",
            "{rule_id: b, match: {action: y.z}, effect: allow, requirements: {mfa: true}}",
        ],
    );
    for (action, stage) in [("x.y", "dev"), ("y.z", "dev"), ("x.y", "qa")] {
        let decision = evaluate(&[dev.clone(), ask.clone()], &asks(action, stage));
        let bytes = postcard::to_stdvec(&decision).expect("encodes");
        assert_eq!(postcard::from_bytes::<Decision>(&bytes).expect("decodes"), decision);
        let json = serde_json::to_string(&decision).expect("renders");
        assert_eq!(serde_json::from_str::<Decision>(&json).expect("parses"), decision);
    }
}
