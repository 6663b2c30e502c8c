//! Memory: what a node takes in a world of fifty that run the real cores over the real database, and what three of
//! them that flood add to that. Prints one JSON line a figure; a node's share is that of the whole process, in which
//! its disk is memory too.
//!
//! `cargo bench -p xyn-scenarios --bench memory`

use std::fs;

use xyn_scenarios::fault::{Fault, Manner, Planned};
use xyn_scenarios::scenario::Scenario;
use xyn_scenarios::span::Span;
use xyn_scenarios::world::World;

const FIFTY: &str = include_str!("../large/fifty-nodes.yaml");
/// Who floods in the second world.
const FLOODERS: [usize; 3] = [12, 25, 47];

fn main() {
    let calm = Scenario::parse(FIFTY).expect("it reads");
    let mut flooded = calm.clone();
    let flood = |node| Fault::Turn { node, into: Manner::Flooder, unnoticed: false };
    let planned = |node| Planned { at: Span::secs(60), lasts: None, every: None, fault: flood(node) };
    flooded.faults.extend(FLOODERS.map(planned));
    for (name, scenario) in [("calm", calm), ("flooded", flooded)] {
        let nodes = scenario.nodes as f64;
        let outcome = World::new(scenario).expect("opens").run();
        assert!(outcome.holds(), "{}", outcome.to_text());
        report(&format!("memory.fifty.{name}.node.mb"), peak_mb() / nodes);
    }
}

/// The most memory that this process took so far.
fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says");
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    kib * 1024.0 / 1e6
}

#[expect(clippy::print_stdout, reason = "a bench reports on stdout")]
fn report(name: &str, value: f64) {
    println!("{{\"name\":\"{name}\",\"value\":{value:.3}}}");
}
