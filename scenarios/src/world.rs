//! A world: nodes, the network between them, virtual time.
//!
//! Owns the loop. First people work while faults come and go, and what is never allowed is looked for all along
//! (safety); then faults stop, and everybody must come to the same within a bound (liveness); then nodes are left
//! alone, and must fall silent. Invariant: all that happens follows from the scenario.

mod connect;
mod content;
mod deliver;
mod handover;
mod machine;
mod meet;
pub(crate) mod mischief;
pub(crate) mod queue;
mod rollout;
mod settle;
mod trouble;
mod visit;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use xyn_net::proto::join::guest;
use xyn_net::proto::sync::TICK;
use xyn_store::simulation::{Base, Dice, Memory, Platter};
use xyn_store::trust::Ticket;
use xyn_store::{StoreError, Timestamp};

use crate::check::Check;
use crate::network::Link;
use crate::node::chest::Piece;
use crate::people::{People, dawn};
use crate::report::{Report, Sample};
use crate::scenario::{Keeping, Scenario};
use crate::span::Span;
use crate::trace::Trace;
use crate::workload;
pub(crate) use content::Lack;
use machine::Machine;
pub(crate) use machine::Running;
use queue::{Event, Queue};
pub(crate) use rollout::Behind;
use rollout::Rollout;

/// Purposes of dice.
const NETWORK: u64 = 3;
const MACHINES: u64 = 1 << 32;
/// How many times the world is looked at during each phase.
const SAMPLES: u32 = 60;
/// How often nodes are compared when faults have stopped.
const LOOK: Duration = Duration::from_secs(1);
/// How long nodes that agree are left alone.
const QUIET: Span = Span::secs(180);

/// Makes what a node keeps its records in.
pub type Makes<'a> = &'a dyn Fn(usize) -> Result<Box<dyn Base>, StoreError>;

/// A world.
pub struct World {
    pub(crate) scenario: Scenario,
    pub(crate) machines: Vec<Machine>,
    pub(crate) people: People,
    links: Vec<Link>,
    /// The links of each node.
    adjacent: Vec<Vec<usize>>,
    /// Who knows from the start where whom is, where not everybody knows it of all its neighbours.
    known: Option<BTreeSet<[usize; 2]>>,
    /// Links whose ends met because others told them of each other.
    introduced: BTreeSet<usize>,
    queue: Queue,
    pub(crate) now: Timestamp,
    dawn: Timestamp,
    dice: Dice,
    pub(crate) check: Check,
    trace: Trace,
    open_faults: BTreeSet<usize>,
    /// Nodes that are to take another key, and who confirms it.
    rotations: BTreeMap<usize, usize>,
    /// What moments name, whoever wrote them.
    pub(crate) named: Vec<Piece>,
    /// The capsule on trial, where there is one.
    pub(crate) rollout: Option<Rollout>,
    /// Tickets that were given out, by the node each is for.
    tickets: BTreeMap<usize, Ticket>,
    /// Whether faults have stopped.
    is_calm: bool,
    samples: Vec<Sample>,
}

impl World {
    /// The world of `scenario`.
    pub fn new(scenario: Scenario) -> Result<Self, StoreError> {
        let keeping = scenario.keeping;
        Self::over(scenario, &|_| {
            Ok(match keeping {
                Keeping::Database => Box::new(Platter::new()?),
                Keeping::Rows => Box::new(Memory::new()),
            })
        })
    }

    /// The world of `scenario` in which nodes keep their records in what `base` makes for them.
    pub fn over(scenario: Scenario, base: Makes<'_>) -> Result<Self, StoreError> {
        let (seed, count) = (scenario.seed, scenario.nodes);
        let strangers: Vec<usize> = scenario.joins.iter().map(|join| join.node).collect();
        let people = People::new(seed, count, &strangers);
        let machine = |number: usize| {
            let dice = Dice::of(seed, MACHINES + number as u64);
            Ok(Machine::new(people.key(number).clone(), base(number)?, dice))
        };
        let machines = (0..count).map(machine).collect::<Result<Vec<_>, StoreError>>()?;
        let links: Vec<Link> =
            scenario.links().into_iter().map(|ends| Link::new(ends, scenario.weather)).collect();
        let mut adjacent = vec![Vec::new(); count];
        for (index, link) in links.iter().enumerate() {
            link.ends.iter().for_each(|node| adjacent[*node].push(index));
        }
        let numbers: BTreeMap<_, _> =
            (0..count).map(|number| (people.key(number).public(), number)).collect();
        let cloned = (0..count).filter(|node| scenario.is_cloned(*node)).collect();
        let check = Check::new(people.env(), numbers, (scenario.bad(), cloned), dawn());
        Ok(Self {
            machines,
            links,
            adjacent,
            known: scenario.acquaintances(),
            introduced: BTreeSet::new(),
            queue: Queue::default(),
            now: dawn(),
            dawn: dawn(),
            dice: Dice::of(seed, NETWORK),
            check,
            trace: Trace::new(seed),
            open_faults: BTreeSet::new(),
            rotations: BTreeMap::new(),
            named: Vec::new(),
            rollout: None,
            tickets: BTreeMap::new(),
            is_calm: false,
            samples: Vec::new(),
            people,
            scenario,
        })
    }

    /// Runs it to its end, or to the first violation.
    pub fn run(mut self) -> Report {
        self.wake();
        self.go_on()
    }

    /// Runs what is left of it.
    pub(crate) fn go_on(mut self) -> Report {
        let safety = self.dawn.after(self.scenario.lasts.0);
        self.until(safety);
        self.calm();
        let converged = self.converge(safety.after(self.scenario.settles_within.0));
        if converged.is_some() {
            self.agree();
            self.must_have_spread();
            self.rest();
            self.take_stock();
        }
        self.sample();
        Report {
            spread: self.rollout.as_ref().map(|rollout| rollout.spread(self.check.traffic.content_bytes)),
            scenario: self.scenario,
            steps: self.trace.steps,
            lasted: Span::millis(self.now.since(self.dawn).as_millis() as u64),
            converged_within: converged.map(|at| Span::millis(at.since(safety).as_millis() as u64)),
            entries: self.check.entries,
            tally: self.check.tally,
            traffic: self.check.traffic,
            samples: self.samples,
            violation: self.check.violation,
            trace: self.trace.finish(),
        }
    }

    pub(crate) fn wake(&mut self) {
        self.plan_joins();
        (0..self.machines.len()).for_each(|node| self.start(node));
        self.plan();
        for (index, work) in self.scenario.work.clone().iter().enumerate() {
            let everybody: Vec<usize> = (0..self.machines.len()).collect();
            let nodes = if work.nodes.is_empty() { &everybody } else { &work.nodes };
            for &node in nodes {
                let wait = workload::pause(work, &mut self.machines[node].dice);
                self.queue.push(self.now.after(wait), Event::Work { index, node });
            }
        }
        self.queue.push(self.now, Event::Sample);
        self.plan_rollout();
    }

    /// Lets everything happen up to `end`.
    pub(crate) fn until(&mut self, end: Timestamp) {
        while self.check.violation.is_none()
            && let Some((at, event)) = self.queue.pop(end)
        {
            self.now = at;
            self.check.step = self.trace.steps;
            self.happen(event);
        }
        if self.check.violation.is_none() {
            self.now = end;
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { link, session, end, parcel } => self.arrive(link, session, end, parcel),
            Event::GiveUp { link, session, end } => self.give_up(link, session, end),
            Event::Tick { node, life } => self.tick(node, life),
            Event::Job { node, life, job } => self.job(node, life, job),
            Event::Work { index, node } => self.work(index, node),
            Event::Invite(index) => self.invite(index),
            Event::Come(index) => self.come(index),
            Event::Knock(node) => self.start(node),
            Event::Begin(index) => self.begin(index),
            Event::End(index) => self.end(index),
            Event::Power { node, life } => self.power(node, life),
            Event::Mischief(node) => self.mischief(node),
            Event::Tell(step) => self.tell(step),
            Event::Sample => {
                self.sample();
                let wait = self.scenario.lasts.0 / SAMPLES;
                self.queue.push(self.now.after(wait.max(LOOK)), Event::Sample);
            }
        }
    }

    fn tick(&mut self, node: usize, life: u32) {
        let machine = &self.machines[node];
        if machine.life != life || machine.running.is_none() && machine.guest.is_none() {
            return;
        }
        self.dial(node);
        if self.machines[node].guest.is_some() {
            self.visit(node, guest::Input::Tick);
        }
        self.act(node, |running, now| {
            // What fails is done in the next second.
            let _ = running.shelf.settle(now);
            running.process.tick(&running.shelf, now);
        });
        self.follow_rollout(node);
        self.look_for_content(node);
        self.sign_log(node);
        self.tend_keys(node);
        self.queue.push(self.now.after(TICK), Event::Tick { node, life });
    }

    /// A node signs its log, where that is done and it is time.
    fn sign_log(&mut self, node: usize) {
        let Some(every) = self.scenario.checkpoints else { return };
        let mut signed = None;
        self.act(node, |running, now| {
            running.process.watch_logs(now);
            signed = if running.process.is_due(every.0, now) { running.shelf.checkpoint(now) } else { None };
            if let Some((checkpoint, _)) = signed {
                running.process.signed(checkpoint, now);
            }
        });
        if let Some((checkpoint, leaves)) = signed {
            self.check.signed(&checkpoint, leaves);
        }
    }

    fn work(&mut self, index: usize, node: usize) {
        if self.is_calm {
            return;
        }
        let work = self.scenario.work[index].clone();
        self.toil(node, &work);
        let wait = workload::pause(&work, &mut self.machines[node].dice);
        self.queue.push(self.now.after(wait), Event::Work { index, node });
    }

    /// Looks at everybody.
    fn sample(&mut self) {
        let mut held = 0;
        let (mut running, mut most) = (0, 0);
        for node in 0..self.machines.len() {
            let Some(it) = &self.machines[node].running else { continue };
            self.check.bounds(self.now, node, it);
            for peer in it.process.neighbours.keys() {
                let other = self.people.number(*peer).unwrap_or(usize::MAX);
                self.check.talks(self.now, node, &it.shelf, other);
            }
            let records: u64 = it.process.sync.feeds().values().map(|known| known.seq()).sum();
            (running, held, most) = (running + 1, held + records, most.max(records));
        }
        self.samples.push(Sample {
            at: Span::millis(self.now.since(self.dawn).as_millis() as u64),
            running,
            held_thousandths: (held * 1000).checked_div(most * running).unwrap_or(1000),
            records: most,
            messages: self.check.traffic.messages,
            under_way: self.queue.len() as u64,
        });
    }
}
