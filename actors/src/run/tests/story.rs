//! The story of a run: given a blueprint, when commands come, then facts follow.
//!
//! Owns the telling, and what must hold behind every turn whatever the story.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use xyn_store::ids::{EventId, RunId};
use xyn_store::projection::Changes;
use xyn_store::scope::{Attribution, Principal, Stage};
use xyn_store::{Json, Timestamp};

use super::super::decide::is_active;
use super::super::turn::{TURN_LIMIT, TurnError, take_turn_within};
use super::super::*;
use super::stand_ins::{Narrow, registry};
use super::words::{Rows, keep};
use crate::actions::Registry;
use crate::blueprint::{NodeLimits, Plan, compile};
use crate::governance::{self, PolicySet};

/// Who asked for the run.
pub(super) const REQUESTER: &str = "ann@test";

/// A run that is told things, and everything that came of it.
pub(super) struct Story {
    pub(super) state: State,
    pub(super) now: Timestamp,
    /// All attempts that were begun outside, in order.
    pub(super) work: Vec<Work>,
    /// All that inside actions wanted recorded, in order.
    pub(super) emitted: Vec<Emitted>,
    pub(super) created: Created,
    /// What the journal holds.
    pub(super) entries: Vec<Entry>,
    /// What the tables hold.
    pub(super) rows: Rows,
    pub(super) goes_on: bool,
    keeps_rows: bool,
    has_place: bool,
    is_performed: bool,
    turn_limit: usize,
    registry: Registry,
    policies: PolicySet,
    shown: Shown,
    pub(super) last: Result<Vec<Event>, Rejection>,
}

/// One append.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) by: Attribution,
    pub(super) events: Vec<Event>,
}

/// A run of a blueprint with this plan, not yet created.
pub(super) fn given(plan: &str) -> Story {
    let registry = registry();
    let source = format!(
        "id: bp.test\nname: Test\ntrigger: {{ event_type: test.go }}\ninputs:\n  \
         - {{ name: list, required: false }}\n  - {{ name: flag, required: false }}\n{plan}"
    );
    let plan = compile(source.as_bytes(), &registry, &NodeLimits::default())
        .unwrap_or_else(|issues| panic!("{source}\n{issues:#?}"));
    let created = created(&plan);
    let state = State::new(run_id(), Arc::new(plan));
    Story {
        shown: state.shown(),
        state,
        now: "2026-01-31T12:00:00Z".parse().expect("an instant"),
        work: Vec::new(),
        emitted: Vec::new(),
        created,
        entries: Vec::new(),
        rows: Rows::new(),
        goes_on: false,
        keeps_rows: true,
        has_place: true,
        is_performed: false,
        turn_limit: TURN_LIMIT,
        registry,
        policies: PolicySet::default(),
        last: Ok(Vec::new()),
    }
}

fn run_id() -> RunId {
    "0198c0de-0000-7000-8000-000000000001".parse().expect("a UUID")
}

fn created(plan: &Plan) -> Created {
    Created {
        blueprint_id: plan.id.clone(),
        blueprint_digest: plan.digest,
        name: plan.name.clone(),
        inputs: Json::from(&json!({ "list": [], "flag": false })),
        event: None,
        stage: Stage::Dev,
        labels: BTreeMap::new(),
        priority: 0,
        lineage: None,
        reused: Vec::new(),
        depth: 0,
        fault: None,
    }
}

pub(super) fn by(name: &str) -> Attribution {
    Attribution {
        actor: Principal::new(name),
        session: None,
        correlation_id: EventId::from(uuid::Uuid::from(run_id())).into(),
        causation_id: None,
    }
}

impl Story {
    pub(super) fn inputs(mut self, inputs: Value) -> Self {
        self.created.inputs = Json::from(&inputs);
        self
    }

    pub(super) fn stage(mut self, stage: Stage) -> Self {
        self.created.stage = stage;
        self
    }

    /// The policies in force from now on: one with these rules.
    pub(super) fn policy(mut self, rules: &str) -> Self {
        let source = format!(
            "policy_id: p\npolicy_type: governance\nname: p\nevaluation_mode: first_match\nrules: [{rules}]"
        );
        let policy = governance::parse(source.as_bytes()).expect("a policy");
        self.policies = PolicySet::new([&policy]);
        self
    }

    /// Turns are cut behind this many events.
    pub(super) fn turns_of(mut self, events: usize) -> Self {
        self.turn_limit = events;
        self
    }

    /// Whether a run that has not begun may begin from now on.
    pub(super) fn has_place(mut self, has_place: bool) -> Self {
        self.has_place = has_place;
        self
    }

    /// Attempts that were begun are being performed.
    pub(super) fn performed(mut self) -> Self {
        self.is_performed = true;
        self
    }

    /// Rows of a very long story are not kept.
    pub(super) fn unchecked(mut self) -> Self {
        self.keeps_rows = false;
        self
    }

    /// Events of the longest append.
    pub(super) fn longest(&self) -> usize {
        self.entries.iter().map(|entry| entry.events.len()).max().unwrap_or(0)
    }

    /// The run is created and takes its first turn.
    pub(super) fn starts(self) -> Self {
        let created = Box::new(self.created.clone());
        self.when(Command::Create(created))
    }

    pub(super) fn when(mut self, command: Command) -> Self {
        self.last = self.tell(command);
        self
    }

    /// Takes one turn, records it, and checks what must hold behind every turn.
    pub(super) fn tell(&mut self, command: Command) -> Result<Vec<Event>, Rejection> {
        let by = by(REQUESTER);
        let world = World {
            registry: &self.registry,
            policies: &self.policies,
            env: "test",
            now: self.now,
            around: &Narrow,
            has_place: self.has_place,
            performs: &|_, _| self.is_performed,
        };
        let turn = match take_turn_within(self.turn_limit, &mut self.state, command, &by, &world) {
            Ok(turn) => turn,
            Err(TurnError::Rejected(rejection)) => return Err(rejection),
            Err(TurnError::Illegal(error)) => panic!("the core refuses its own decision: {error}"),
        };
        if !turn.events.is_empty() {
            let mut changes = Changes::new();
            let seq = self.entries.len() as u64 + 1;
            self.state.render(seq, &turn.events, &mut self.shown, &mut changes);
            self.state.forget_ended_items();
            if self.keeps_rows {
                keep(&changes, &mut self.rows);
            }
            self.entries.push(Entry { at: self.now, by, events: turn.events.clone() });
        }
        self.work.extend(turn.work);
        self.emitted.extend(turn.emitted);
        self.goes_on = turn.goes_on;
        self.assert_sound();
        Ok(turn.events)
    }

    /// The run and its rows as they come from what the journal holds, and nothing else.
    pub(super) fn folded(&self) -> (State, Rows) {
        let mut state = State::new(run_id(), Arc::clone(&self.state.plan));
        let (mut shown, mut rows) = (state.shown(), Rows::new());
        for (seq, entry) in (1..).zip(&self.entries) {
            let bytes = postcard::to_stdvec(&entry.events).expect("events encode");
            let events: Vec<Event> = postcard::from_bytes(&bytes).expect("events decode");
            for event in &events {
                state.apply(event, entry.at, &entry.by).expect("a recorded event folds");
            }
            let mut changes = Changes::new();
            state.render(seq, &events, &mut shown, &mut changes);
            state.forget_ended_items();
            keep(&changes, &mut rows);
        }
        (state, rows)
    }

    /// The node stops and starts again: the run is read from the journal.
    pub(super) fn restarts(mut self) -> Self {
        (self.state, _) = self.folded();
        self.shown = self.state.shown();
        self.when(Command::Recover)
    }

    /// What must hold behind every turn.
    fn assert_sound(&self) {
        let world = World {
            registry: &self.registry,
            policies: &self.policies,
            env: "test",
            now: self.now,
            around: &Narrow,
            has_place: self.has_place,
            performs: &|_, _| self.is_performed,
        };
        let next = decide(&self.state, Command::Advance, &world).unwrap_or_default();
        assert_eq!(self.goes_on, !next.is_empty(), "a turn goes as far as it can: {next:?}");
        assert_eq!(
            is_active(&self.state),
            self.goes_on || self.state.is_working() || self.state.is_held(),
            "whoever must act is marked, and nobody else"
        );
        let Some(row) = self.state.run_row(0) else { return };
        if row.status.is_final() {
            for table in ["Timers", "GatesOpen", "EventWaits", "RunsActive"] {
                let left: Vec<_> = self.rows.keys().filter(|(in_table, _)| in_table == table).collect();
                assert!(left.is_empty(), "{table} still holds rows of an ended run: {left:?}");
            }
        } else {
            let has_reason = self.state.is_working() || self.goes_on || row.waiting_on.is_some();
            assert!(has_reason, "a run that does nothing says what it waits for");
        }
    }

    /// What the last command led to, in short words.
    #[track_caller]
    pub(super) fn then<const N: usize>(self, facts: [&str; N]) -> Self {
        let events = self.last.as_ref().expect("the command is accepted");
        assert_eq!(self.told(events), facts);
        self
    }

    #[track_caller]
    pub(super) fn then_rejected(self, rejection: &str) -> Self {
        let rejected = self.last.as_ref().expect_err("the command is rejected");
        assert_eq!(rejected.to_string(), rejection);
        self
    }

    #[track_caller]
    pub(super) fn then_nothing(self) -> Self {
        self.then([])
    }

    /// Looks at the story without moving it.
    pub(super) fn and(self, look: impl FnOnce(&Self)) -> Self {
        look(&self);
        self
    }
}
