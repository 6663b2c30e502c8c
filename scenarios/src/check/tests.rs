//! Each law is shown to break when a node is broken on purpose. The cores stay what they are: what is broken is
//! what a node keeps its records in, or what it is told.

mod capsule;
mod contacts;
mod content;
mod every;
mod keys;
mod network;
mod records;
mod tickets;
mod words;

use xyn_store::projection::Changes;
use xyn_store::simulation::{Base, Dice, Failure, Memory, Survival};
use xyn_store::{Reader, StoreError};

use super::Broken;
use crate::fault::Fault;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::shrink::shrink;
use crate::tally::Happening;
use crate::world::World;

const CALM: &str = "
name: calm
seed: 1
nodes: 4
topology: full
keeping: rows
lasts: 5m
settles_within: 3m
work: [{every: 10s, batch: 2, boards: 20}]
";

fn scenario(text: &str) -> Scenario {
    Scenario::parse(text).expect("it reads")
}

fn broken(report: &Report) -> &Broken {
    &report
        .violation
        .as_ref()
        .unwrap_or_else(|| panic!("a law was to be broken:\n{}", report.to_text()))
        .broken
}

/// How a base betrays its node.
#[derive(Clone, Copy)]
enum Betrayal {
    /// It answers for one commit that it did not make.
    Forgets(u32),
    /// After a power cut it is as it was long ago.
    GoesBack,
    /// After a power cut nothing can be read.
    Breaks,
}

/// Rows that are betrayed.
struct Traitor {
    rows: Box<dyn Base>,
    betrayal: Betrayal,
    commits: u32,
    long_ago: Option<Box<dyn Base>>,
}

impl Traitor {
    fn boxed(betrayal: Betrayal) -> Box<dyn Base> {
        Box::new(Self { rows: Box::new(Memory::new()), betrayal, commits: 0, long_ago: None })
    }
}

impl Base for Traitor {
    fn read(&self) -> Result<Reader, StoreError> {
        self.rows.read()
    }

    fn commit(&mut self, changes: Changes) -> Result<(), StoreError> {
        self.commits += 1;
        match self.betrayal {
            Betrayal::Forgets(which) if self.commits == which => return Ok(()),
            Betrayal::GoesBack if self.commits == 5 => self.long_ago = Some(self.rows.copied()?),
            _ => {}
        }
        self.rows.commit(changes)
    }

    fn unplug(&mut self, dice: &mut Dice) {
        self.rows.unplug(dice);
    }

    fn has_power(&self) -> bool {
        self.rows.has_power()
    }

    fn replug(&mut self, survival: Survival, dice: &mut Dice) -> Result<(), StoreError> {
        if let Some(before) = self.long_ago.take() {
            self.rows = before;
        }
        match self.betrayal {
            Betrayal::Breaks => Err(StoreError::Damaged("it is gone".into())),
            _ => self.rows.replug(survival, dice),
        }
    }

    fn fail(&mut self, failure: Option<Failure>) {
        self.rows.fail(failure);
    }

    fn copied(&self) -> Result<Box<dyn Base>, StoreError> {
        self.rows.copied()
    }
}

/// The calm world with these faults, in which node `node` keeps its records in a base that betrays it.
fn betrayed(faults: &str, node: usize, betrayal: Betrayal) -> Report {
    betrayed_in(&format!("{CALM}\nfaults: {faults}"), node, betrayal)
}

fn betrayed_in(text: &str, node: usize, betrayal: Betrayal) -> Report {
    let base = |number| match number == node {
        true => Ok(Traitor::boxed(betrayal)),
        false => Ok(Box::new(Memory::new()) as Box<dyn Base>),
    };
    World::over(scenario(text), &base).expect("opens").run()
}

/// The calm world in which nobody notices that node `node` is broken.
fn with(node: usize, into: &str) -> Report {
    let turn =
        format!("faults: [{{at: 30s, fault: {{turn: {{node: {node}, into: {into}, unnoticed: true}}}}}}]");
    World::new(scenario(&format!("{CALM}\n{turn}"))).expect("opens").run()
}

const CRASH: &str = "[{at: 2m, for: 10s, fault: {crash: {node: 1}}}]";

#[test]
fn the_calm_world_breaks_no_law_and_leaves_one_trace() {
    let [one, two] = [(); 2].map(|()| World::new(scenario(CALM)).expect("opens").run());
    assert!(one.holds(), "{}", one.to_text());
    assert_eq!(one.trace, two.trace);
    let other = scenario(&CALM.replace("seed: 1", "seed: 2"));
    assert_ne!(one.trace, World::new(other).expect("opens").run().trace);
}

#[test]
fn a_disk_that_loses_what_it_answered_for_is_noticed() {
    let report = betrayed(CRASH, 1, Betrayal::GoesBack);
    assert!(matches!(broken(&report), Broken::Lost { node: 1, .. }), "{}", report.to_text());
}

#[test]
fn a_base_that_cannot_be_opened_after_a_power_cut_is_noticed() {
    let report = betrayed(CRASH, 1, Betrayal::Breaks);
    assert!(matches!(broken(&report), Broken::Unopened { node: 1, .. }), "{}", report.to_text());
}

#[test]
fn a_base_that_forgets_a_commit_is_noticed() {
    let forgets = |text: &str| (5..15).map(|which| betrayed_in(text, 2, Betrayal::Forgets(which))).collect();
    let mut reports: Vec<Report> = forgets(CALM);
    // What others write over shows nowhere: it is missed where it is asked for.
    reports.extend::<Vec<Report>>(forgets(&CALM.replace("boards: 20", "boards: 100")));
    let is_seen = |law: fn(&Broken) -> bool| {
        reports.iter().filter_map(|report| report.violation.as_ref()).any(|found| law(&found.broken))
    };
    // Some of what is forgotten the node fetches again from others, who have it.
    assert!(is_seen(|broken| matches!(broken, Broken::Differs { other: 2, .. })));
    assert!(is_seen(|broken| matches!(broken, Broken::Unreadable { node: 2, .. })));
    let alone = CALM.replace("nodes: 4", "nodes: 1");
    let forgetful = |_| Ok(Traitor::boxed(Betrayal::Forgets(5)));
    let report = World::over(scenario(&alone), &forgetful).expect("opens").run();
    assert!(matches!(broken(&report), Broken::Misfolded { node: 0 }), "{}", report.to_text());
}

#[test]
fn nodes_that_lie_fork_or_never_fall_silent_are_noticed() {
    let report = with(3, "liar");
    assert!(matches!(broken(&report), Broken::Framed { other: 3, .. }), "{}", report.to_text());
    let report = with(3, "equivocator");
    assert!(matches!(broken(&report), Broken::Accused { author: 3, .. }), "{}", report.to_text());
    let report = with(3, "flooder");
    assert!(matches!(broken(&report), Broken::Framed { other: 3, .. }), "{}", report.to_text());
    let report = with(3, "replayer");
    assert!(matches!(broken(&report), Broken::Restless { .. }), "{}", report.to_text());
}

#[test]
fn nodes_that_do_not_come_to_the_same_are_noticed_and_the_world_is_made_small() {
    let faults = "
topology: line
faults:
  - {at: 10s, for: 20s, fault: {stop: {node: 0}}}
  - {at: 1s, fault: {turn: {node: 2, into: mute, unnoticed: true}}}
  - {at: 1m, for: 1m, fault: {part: {one: [2]}}}
  - {at: 3m, for: 10s, fault: {crash: {node: 3, unsynced: torn}}}
";
    let text = CALM.replace("topology: full\n", "") + faults;
    let run = |scenario| World::new(scenario).ok().map(World::run);
    let report = run(scenario(&text)).expect("opens");
    assert!(matches!(broken(&report), Broken::Apart { .. }), "{}", report.to_text());
    let smallest = shrink(report, run);
    let left: Vec<_> = smallest.scenario.faults.iter().map(|planned| &planned.fault).collect();
    assert!(left.len() <= 2 && left.iter().any(|fault| matches!(fault, Fault::Turn { .. })), "{left:?}");
    let again = run(scenario(&smallest.scenario.to_text())).expect("opens");
    assert_eq!((again.trace, again.violation), (smallest.trace, smallest.violation));
}

#[test]
fn a_queue_without_its_limit_is_noticed() {
    let thin = CALM.replace("batch: 2", "batch: 400").replace("every: 10s", "every: 1s");
    let weather = "weather: {latency: 5ms, jitter: 1ms, rate: 200}";
    let mut world = World::new(scenario(&format!("{thin}\n{weather}"))).expect("opens");
    world.wake();
    for machine in &mut world.machines {
        machine.running.as_mut().expect("runs").process.unheard_bytes_max = usize::MAX;
    }
    let report = world.go_on();
    let is_it = matches!(broken(&report), Broken::Overflow { what: "bytes that one peer has not taken", .. });
    assert!(is_it, "{}", report.to_text());
}

#[test]
fn what_bad_nodes_say_counts_where_it_is_refused_and_not_when_it_is_said() {
    let faults = "faults:
  - {at: 1m, fault: {rotate: {node: 2, by: 1}}}
  - {at: 70s, fault: {turn: {node: 0, into: replayer}}}
  - {at: 70s, fault: {turn: {node: 3, into: thief}}}";
    let told = |more: &str| {
        let report = World::new(scenario(&format!("{CALM}\n{faults}{more}"))).expect("opens").run();
        [Happening::Replays, Happening::Thefts].map(|what| report.times(what))
    };
    assert!(told("").into_iter().all(|times| times > 10), "{:?}", told(""));
    let nothing_comes = "\n  - {at: 70s, fault: {storm: {weather: {loss: 1000}}}}";
    assert_eq!(told(nothing_comes), [0, 0]);
}

#[test]
fn a_world_in_which_nothing_happens_of_what_it_expects_is_noticed() {
    let text = |faults: &str| format!("{CALM}\nfaults: {faults}\nexpect: {{power_cuts: 1, lies: 2}}");
    let report = World::new(scenario(&text(CRASH))).expect("opens").run();
    let missed = Broken::Toothless { what: "lies".into(), times: 0, least: 2 };
    assert_eq!(broken(&report), &missed, "{}", report.to_text());
    assert_eq!(report.times(Happening::PowerCuts), 1);
    // There is nothing to leave out of it.
    let smallest = shrink(report, |_| panic!("no smaller world says more"));
    assert_eq!(smallest.scenario.faults.len(), 1);
}
