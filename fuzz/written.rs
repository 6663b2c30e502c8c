//! What people write: blueprints and what is in them, policies, the configuration.

use std::cell::OnceCell;

use serde_json::{Value, json};
use xyn::config;
use xyn_actors::actions::{self, Registry};
use xyn_actors::blueprint::{self, EventPattern, Expression, NodeLimits, Scope, Template};
use xyn_actors::governance;
use xyn_scenarios::mix;
use xyn_scenarios::scenario::Scenario;

use super::{halves, seeds as texts, text};

/// Templates and expressions: what they say of the same is the same.
pub(super) mod templates {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        let inputs = json!({ "host": "a", "list": [3, 1, 2], "n": 7, "deep": { "x": null } });
        let mut scope = Scope::new(&inputs, &json!({ "v": 1.5 }), &json!({ "id": "r" }));
        scope.set_event(&json!({ "data": { "severity": "critical" } }));
        scope.set_step("a", &json!({ "text": "x" }));
        if let Ok(template) = Template::compile(&Value::from(text(bytes))) {
            let said = |rendered: Result<Value, _>| {
                rendered.map_err(|error: blueprint::TemplateError| error.to_string())
            };
            assert_eq!(said(template.render(&scope)), said(template.render(&scope)));
        }
        if let Ok(expression) = Expression::compile(text(bytes)) {
            let _ = (expression.truthy(&scope), expression.list(&scope));
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        texts(&[
            "{{ inputs.host | upper }} and {{ inputs.list | sort | join(', ') }}",
            "{{ event.data.severity == 'critical' and inputs.n > 3 }}",
            "{{ steps.a.output.text ~ vars.v * 2 ** 3 }}",
            "{{ inputs.list[0:2] if inputs.deep.x is none else range(5) }}",
        ])
    }
}

/// Patterns of event names, and a name behind the NUL.
pub(super) mod patterns {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        let (pattern, name) = halves(bytes);
        let Ok(pattern) = text(pattern).parse::<EventPattern>() else { return };
        let matches = pattern.matches(text(name));
        assert!(!pattern.is_literal() || matches == (pattern.as_str() == text(name)), "a literal is itself");
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        texts(&["xyn.**.failed\0xyn.run.step.failed", "**.**.**.a.**.b\0a.a.a.a.a.a.a.b.c", "a.*\0a.b"])
    }
}

/// Blueprints: a checker that says the same twice, with places that are in the text.
pub(super) mod blueprints {
    use super::*;

    thread_local!(static REGISTRY: OnceCell<Registry> = const { OnceCell::new() });

    pub(crate) fn run(bytes: &[u8]) {
        REGISTRY.with(|registry| {
            let registry = registry.get_or_init(actions::builtin);
            let check = || blueprint::compile(bytes, registry, &NodeLimits::default());
            match (check(), check()) {
                (Ok(plan), Ok(_)) => assert!(!plan.id.is_empty()),
                (Err(issues), Err(again)) => {
                    assert!(!issues.is_empty(), "refused without a reason");
                    assert_eq!(format!("{issues:?}"), format!("{again:?}"));
                }
                _ => panic!("two answers to one question"),
            }
        });
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let shipped = blueprint::sample::SHIPPED.iter().map(|(_, source)| source.as_bytes().to_vec());
        let more = texts(&[
            "id: b\nname: B\ntrigger: { event_type: a.b }\nplan:\n  - { kind: transform, id: a, \
             foreach: \"{{ inputs.l }}\", set: { x: \"{{ item }}\" } }\n  - { kind: gate, id: g, needs: [a], mode: manual, timeout: 1h }\n",
            "a: &a [x]\nb: *a\nc: !!binary aGk=\n<<: *a\n? [1]\n: |\n  text\n",
        ]);
        shipped.chain(more).collect()
    }
}

/// Policies and their test cases.
pub(super) mod policies {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        let policy = governance::parse(bytes);
        assert!(!matches!(&policy, Err(issues) if issues.is_empty()), "refused without a reason");
        let known: Vec<_> = policy.into_iter().collect();
        if let Ok(table) = governance::Table::parse(bytes, &known) {
            let _ = table.run();
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        texts(&[governance::DEV_POLICY, governance::PROD_EXAMPLE_POLICY])
    }
}

/// Worlds of simulated nodes: what reads can be written, and reads back as the same.
pub(super) mod scenarios {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        match Scenario::parse(text(bytes)) {
            Ok(scenario) => assert_eq!(Scenario::parse(&scenario.to_text()), Ok(scenario)),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let made = (0..8).map(|seed| mix::scenario(seed).to_text().into_bytes());
        let written = texts(&["
name: newcomers
seed: 17
nodes: 8
topology: {random: 3}
keeping: rows
weather: {latency: 30ms, jitter: 1s, loss: 60, twice: 40, rate: 4000}
lasts: 30m
work:
  - {nodes: [0, 1], every: 40s, batch: 2, boards: 10, content: 10, content_kib: 64}
checkpoints: 1m
faults:
  - {at: 110s, for: 30s, every: 1h, fault: {part: {one: [0], other: [4], one_way: true}}}
  - {at: 2m, fault: {turn: {node: 5, into: liar, unnoticed: true}}}
expect: {lies: 1}
"]);
        made.chain(written).collect()
    }
}

/// The configuration file.
pub(super) mod settings {
    use super::*;

    thread_local!(static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() });

    pub(crate) fn run(bytes: &[u8]) {
        FOLDER.with(|folder| {
            let folder = folder.get_or_init(|| tempfile::tempdir().expect("a folder")).path();
            std::fs::write(folder.join(config::CONFIG_FILE), bytes).expect("writes");
            let flags = config::Flags { data: Some(folder.to_owned()), ..config::Flags::default() };
            match config::load(&flags, &|_| None) {
                Ok(loaded) => drop(loaded.settings.environment(&|_| None)),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        });
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let mut seeds = texts(&[
            "listen = [\"127.0.0.1:4310\"]\n[limits]\nmax_steps = 7\nwall_clock = \"1h 5m\"\n",
            "[[cron]]\nname = \"n\"\nschedule = \"0 3 * * *\"\n[[hooks]]\nname = \"h\"\n\
             event_name = \"a.b\"\nsecrets_env = [\"S\"]\n",
        ]);
        // The template, as if all of it were meant.
        seeds.push(config::TEMPLATE.replace("\n# ", "\n").into_bytes());
        seeds
    }
}
