//! What holds for any policies and any act.

use proptest::prelude::*;

use super::super::*;
use super::evaluation::{approvals_within, asks, policy};

fn any_rule() -> impl Strategy<Value = Rule> {
    let effect = prop_oneof![Just(Effect::Allow), Just(Effect::RequireApproval), Just(Effect::Deny)];
    let action = prop_oneof![Just(None), Just(Some("git.*".to_owned())), Just(Some("git.log".to_owned()))];
    let stage = prop_oneof![Just(StageMatch::Any), Just(StageMatch::Prod)];
    (effect, action, stage, -2..3_i32, any::<bool>(), 1..4_u32).prop_map(
        |(effect, action, stage, priority, tests_required, min)| {
            let requirements = (effect != Effect::Deny)
                .then(|| Requirements { tests_required, ..approvals_within("1h", min) });
            let matches = Match { action, stage, ..Match::default() };
            Rule { rule_id: format!("r{min}"), priority, matches, requirements, egress: vec![], effect }
        },
    )
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let mode = prop_oneof![
        Just(EvaluationMode::FirstMatch),
        Just(EvaluationMode::DenyOverrides),
        Just(EvaluationMode::CollectRequirements),
    ];
    (mode, prop::collection::vec(any_rule(), 1..6), 0..3_u8).prop_map(|(evaluation_mode, rules, id)| Policy {
        evaluation_mode,
        rules,
        ..policy(&format!("p{id}"), "first_match", &["{rule_id: r, effect: deny}"])
    })
}

fn any_context() -> impl Strategy<Value = Context> {
    let action = prop_oneof![Just("git.log"), Just("git.commit"), Just("ssh.run")];
    let stage = prop_oneof![Just("dev"), Just("prod"), Just("moon")];
    (action, stage, any::<bool>()).prop_map(|(action, stage, passed)| {
        let artifacts = vec![Evidence { artifact_id: None, tests_passed: Some(passed) }];
        Context { artifacts, ..asks(action, stage) }
    })
}

proptest! {
    #[test]
    fn the_same_question_gets_the_same_answer(
        policies in prop::collection::vec(any_policy(), 0..4), context in any_context(),
    ) {
        prop_assert_eq!(evaluate(&policies, &context), evaluate(&policies, &context));
    }

    #[test]
    fn the_order_of_rules_does_not_change_the_effect_where_deny_overrides(
        policy in any_policy(), context in any_context(), seed in any::<prop::sample::Index>(),
    ) {
        let policy = Policy { evaluation_mode: EvaluationMode::DenyOverrides, ..policy };
        let mut permuted = policy.clone();
        let middle = seed.index(permuted.rules.len());
        permuted.rules.rotate_left(middle);
        permuted.rules.reverse();
        permuted.rules.iter_mut().for_each(|rule| rule.priority = -rule.priority);
        prop_assert_eq!(evaluate(&[policy], &context).effect, evaluate(&[permuted], &context).effect);
    }

    #[test]
    fn the_order_of_policies_does_not_change_the_effect(
        mut policies in prop::collection::vec(any_policy(), 0..4), context in any_context(),
    ) {
        let before = evaluate(&policies, &context).effect;
        policies.reverse();
        prop_assert_eq!(before, evaluate(&policies, &context).effect);
    }

    #[test]
    fn a_further_deny_never_turns_a_deny_into_anything_else(
        mut policies in prop::collection::vec(any_policy(), 1..4), context in any_context(),
        rule in any_rule(), at in any::<prop::sample::Index>(),
    ) {
        let before = evaluate(&policies, &context).effect;
        let index = at.index(policies.len());
        policies[index].rules.push(Rule { effect: Effect::Deny, requirements: None, ..rule });
        prop_assert!(before != Effect::Deny || evaluate(&policies, &context).effect == Effect::Deny);
    }
}
