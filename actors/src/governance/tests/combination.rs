//! How rules combine within a policy, and policies with each other.

use super::super::*;
use super::evaluation::{asks, policy, rule_of};
use crate::actions::Egress;

#[test]
fn each_mode_combines_rules_in_its_own_way() {
    let allow = "{rule_id: allow, match: {action: 'git.*'}, effect: allow}";
    let deny = "{rule_id: deny, match: {action: git.commit}, effect: deny}";
    let ask = "{rule_id: ask, match: {stage: prod}, effect: require_approval}";
    let early = "{rule_id: early, priority: -1, match: {action: 'git.*'}, effect: allow}";
    let late = "{rule_id: late, priority: 1, match: {action: 'git.*'}, effect: deny}";
    type Row<'t> = (&'t str, &'t [&'t str], &'t str, &'t str, Effect, Option<&'t str>);
    let table: &[Row<'_>] = &[
        ("first_match", &[allow, deny], "git.commit", "prod", Effect::Allow, Some("allow")),
        ("first_match", &[deny, allow], "git.commit", "prod", Effect::Deny, Some("deny")),
        ("first_match", &[deny, early], "git.commit", "prod", Effect::Allow, Some("early")),
        ("first_match", &[late, allow], "git.commit", "prod", Effect::Allow, Some("allow")),
        ("first_match", &[late], "git.commit", "prod", Effect::Deny, Some("late")),
        ("deny_overrides", &[allow, ask, deny], "git.commit", "prod", Effect::Deny, Some("deny")),
        ("deny_overrides", &[early, ask], "git.log", "prod", Effect::RequireApproval, Some("ask")),
        ("deny_overrides", &[allow, ask], "git.log", "dev", Effect::Allow, Some("allow")),
        ("deny_overrides", &[allow, early], "git.log", "dev", Effect::Allow, Some("early")),
        ("collect_requirements", &[allow, ask], "git.log", "prod", Effect::RequireApproval, Some("ask")),
        ("collect_requirements", &[allow, deny], "git.commit", "prod", Effect::Deny, Some("deny")),
        ("collect_requirements", &[allow], "git.log", "prod", Effect::Allow, Some("allow")),
    ];
    for (mode, rules, action, stage, effect, rule) in table {
        let decision = evaluate(&[policy("p", mode, rules)], &asks(action, stage));
        assert_eq!((decision.effect, rule_of(&decision)), (*effect, *rule), "{mode} {rules:?}: {decision}");
        assert_eq!(decision.approvals.is_some(), decision.effect == Effect::RequireApproval);
    }
}

#[test]
fn collected_requirements_take_the_larger_min_all_approvers_and_the_stricter_rest() {
    let rules = [
        "{rule_id: a, effect: allow, requirements: {approvals: \
         {min: 1, from_any_of: ['role:Operator', 'team:qa'], allow_requester: true, expires_in: 24h}}}",
        "{rule_id: b, effect: require_approval, requirements: {approvals: \
         {min: 2, from_any_of: ['team:qa', 'principal:eve@x'], allow_requester: false, expires_in: 1h}}}",
        "{rule_id: c, effect: require_approval}",
    ];
    let decision = evaluate(&[policy("p", "collect_requirements", &rules)], &asks("x.y", "prod"));
    let approvals = decision.approvals.expect("approvals are required");
    assert_eq!(approvals.to_string(), "2 approvals from role:Operator or team:qa or principal:eve@x");
    assert_eq!((approvals.allow_requester, approvals.expires_in_s), (Some(false), Some(3600)));

    let decision = evaluate(&[policy("p", "deny_overrides", &rules)], &asks("x.y", "prod"));
    let approvals = decision.approvals.expect("approvals are required");
    assert_eq!(approvals.to_string(), "1 approval from role:Operator or team:qa", "of the first rule alone");

    let tests = "{rule_id: t, effect: allow, requirements: {tests_required: true}}";
    let merged = policy("p", "collect_requirements", &[rules[0], tests]);
    assert_eq!(evaluate(&[merged], &asks("x.y", "prod")).effect, Effect::Deny);
}

#[test]
fn across_policies_deny_wins_and_egress_comes_from_the_winners_alone() {
    let allow = |id, reach| {
        policy(id, "first_match", &[&format!("{{rule_id: r, egress: [{reach}], effect: allow}}")])
    };
    let ask = |id, who| {
        let rule = format!("{{rule_id: r, effect: require_approval, requirements: {{approvals: {who}}}}}");
        policy(id, "first_match", &[&rule])
    };
    let deny = policy("z", "first_match", &["{rule_id: no, match: {stage: prod}, effect: deny}"]);
    let context = asks("http.call", "dev");

    let both = evaluate(&[allow("a", "loopback"), allow("b", "private"), deny.clone()], &context);
    assert_eq!(both.effect, Effect::Allow);
    assert_eq!(both.egress, Egress { loopback: true, private: true, link_local: false });

    let policies = [ask("c", "{min: 2}"), allow("a", "loopback"), ask("b", "{from_any_of: ['team:qa']}")];
    let asked = evaluate(&policies, &context);
    assert_eq!((asked.effect, asked.egress), (Effect::RequireApproval, Egress::default()));
    assert_eq!(asked.matched.as_ref().map(|rule| &*rule.policy_id), Some("b"), "the first by policy id");
    assert_eq!(asked.approvals.expect("required").to_string(), "2 approvals from team:qa");

    let denied = evaluate(&[allow("a", "loopback"), deny, ask("b", "{}")], &asks("http.call", "prod"));
    assert_eq!((denied.effect, rule_of(&denied)), (Effect::Deny, Some("no")));
    assert_eq!(denied.egress, Egress::default());
}
