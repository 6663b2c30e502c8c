//! Every scenario file and the standard mix: no law is broken, and a seed leaves one trace.

use std::path::{Path, PathBuf};

use xyn_scenarios::mix;
use xyn_scenarios::report::Report;
use xyn_scenarios::scenario::Scenario;
use xyn_scenarios::world::World;

/// Worlds of the standard mix; all that the bar asks for when there is time.
fn seeds() -> u64 {
    if std::env::var_os("XYN_FULL").is_some() { 10_000 } else { 500 }
}

fn run(scenario: Scenario) -> Report {
    World::new(scenario).expect("a world can be made").run()
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let listed = std::fs::read_dir(folder).expect("it is there");
    let mut files: Vec<PathBuf> = listed.map(|file| file.expect("it can be listed").path()).collect();
    files.sort();
    files
}

fn read(path: &Path) -> Scenario {
    let text = std::fs::read_to_string(path).expect("it can be read");
    Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn no_scenario_file_breaks_a_law() {
    let files = files();
    assert!(files.len() >= 12, "{} scenario files", files.len());
    for path in files {
        let report = run(read(&path));
        assert!(report.holds(), "{}\n{}", path.display(), report.to_text());
        assert!(report.entries > 0 && report.converged_within.is_some(), "{}", path.display());
        let happened = match report.scenario.name.as_str() {
            "content" => report.fetched,
            "newcomers" => report.joined,
            "rewriter" => report.alarms,
            _ => 1,
        };
        assert!(happened > 0, "what it is about: {}", report.to_text());
    }
}

/// Two threads, so that nothing hangs on what one of them did before.
#[test]
fn the_standard_mix_breaks_no_law() {
    let worlds = |odd: u64| {
        for seed in (odd..seeds()).step_by(2) {
            let report = run(mix::scenario(seed));
            assert!(report.holds(), "{}", report.to_text());
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| worlds(1));
        worlds(0);
        other.join().expect("no law is broken");
    });
}

#[test]
fn a_seed_leaves_one_trace() {
    for seed in [1, 6, 8] {
        let [one, two] = [(); 2].map(|()| run(mix::scenario(seed)).trace);
        assert_eq!(one, two, "seed {seed}");
    }
}

#[test]
fn a_mistake_in_a_file_is_refused_with_its_place() {
    let text = "name: x\nseed: 1\nnodes: 2\ntopology: full\nlasts: 5 minutes\n";
    let error = Scenario::parse(text).expect_err("that is no length of time").to_string();
    assert!(error.starts_with("line 5, column 8") && error.contains("`5 minutes`"), "{error}");
    let text = text.replace("5 minutes", "5m") + "faults: [{at: 1m, fault: {stop: {node: 2}}}]\n";
    let error = Scenario::parse(&text).expect_err("there are two nodes").to_string();
    assert_eq!(error, "there is no node 2: they are numbered 0 to 1");
}
