//! Every scenario file and the standard mix: no law is broken, and a seed leaves one trace.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use xyn_scenarios::batch::Summary;
use xyn_scenarios::fault::{Fault, Manner};
use xyn_scenarios::mix;
use xyn_scenarios::report::Report;
use xyn_scenarios::scenario::Scenario;
use xyn_scenarios::span::Span;
use xyn_scenarios::tally::Happening;
use xyn_scenarios::world::World;

/// Worlds of the standard mix that are always run.
const FEW: u64 = 500;

/// All that the bar asks for when there is time.
fn seeds() -> u64 {
    if std::env::var_os("XYN_FULL").is_some() { 10_000 } else { FEW }
}

fn run(scenario: Scenario) -> Report {
    World::new(scenario).expect("a world can be made").run()
}

/// The scenario files of a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
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
    let files = files("scenarios");
    assert!(files.len() >= 12, "{} scenario files", files.len());
    for path in files {
        let report = run(read(&path));
        assert!(report.holds(), "{}\n{}", path.display(), report.to_text());
        assert!(report.entries > 0 && report.converged_within.is_some(), "{}", path.display());
    }
}

/// Worlds of the standard mix in which a law was broken once.
const SCARS: [u64; 13] = [986, 1588, 2069, 2189, 2271, 4305, 4427, 5304, 5318, 5624, 9401, 9622, 9993];

#[test]
fn worlds_that_broke_a_law_once_break_none() {
    for seed in SCARS {
        let report = run(mix::scenario(seed));
        assert!(report.holds(), "seed {seed}\n{}", report.to_text());
    }
}

/// Those that are too large to be run here as well.
#[test]
fn every_scenario_file_reads_and_says_what_each_of_its_faults_comes_to() {
    for path in files("scenarios").into_iter().chain(files("large")) {
        let scenario = read(&path);
        let mut signs: Vec<Signs> =
            scenario.faults.iter().flat_map(|planned| of_fault(&planned.fault)).collect();
        let weather = scenario.weather;
        if weather != Default::default() {
            signs.extend(of_weather(weather.loss, weather.twice, weather.jitter));
        }
        let is_expected = |signs: &Signs| signs.iter().any(|sign| scenario.expect.contains_key(sign));
        let missing: Vec<Signs> = signs.into_iter().filter(|signs| !is_expected(signs)).collect();
        assert!(missing.is_empty(), "{} does not expect {missing:?}", path.display());
        assert!(scenario.expect.values().all(|times| *times > 0), "{}", path.display());
    }
}

/// One of these shows that something happened.
type Signs = Vec<Happening>;

fn of_fault(fault: &Fault) -> Vec<Signs> {
    let sign = match fault {
        Fault::Turn { into, .. } => bite(*into),
        Fault::Stop { .. } => Happening::Stopped,
        Fault::Crash { .. } => Happening::PowerCuts,
        Fault::Disk { .. } => Happening::FailedWrites,
        Fault::Swap { .. } => Happening::Copies,
        Fault::SetClock { back: false, .. } => Happening::FromFuture,
        Fault::Rotate { .. } => Happening::Rotated,
        Fault::Revoke { .. } => Happening::Excluded,
        Fault::Slow { .. } => Happening::MessagesHeldUp,
        // Whoever was not connected before only finds that it cannot be.
        Fault::Part { .. } => return vec![vec![Happening::MessagesBlocked, Happening::CallsBlocked]],
        Fault::Storm { weather, .. } => return of_weather(weather.loss, weather.twice, weather.jitter),
        // It writes on by the clock that it had: the laws look at that.
        Fault::SetClock { back: true, .. } => return Vec::new(),
    };
    vec![vec![sign]]
}

fn of_weather(loss: u64, twice: u64, jitter: Span) -> Vec<Signs> {
    let signs = [
        (loss > 0, Happening::MessagesLost),
        (twice > 0, Happening::MessagesDoubled),
        (jitter > Span::default(), Happening::MessagesOvertaken),
    ];
    signs.into_iter().filter(|(is_set, _)| *is_set).map(|(_, sign)| vec![sign]).collect()
}

/// How honest nodes notice a bad one.
fn bite(manner: Manner) -> Happening {
    match manner {
        Manner::Liar => Happening::Lies,
        Manner::Forger => Happening::Forgeries,
        Manner::Impostor => Happening::Impostures,
        Manner::Equivocator => Happening::Forks,
        Manner::Replayer => Happening::Replays,
        Manner::Flooder => Happening::Floods,
        Manner::Babbler => Happening::Babble,
        Manner::Braggart => Happening::Boasts,
        Manner::Mute => Happening::Stalls,
        Manner::Defiant => Happening::Excluded,
        Manner::Rewriter => Happening::Alarms,
        Manner::Thief => Happening::Thefts,
    }
}

/// Two threads, so that nothing hangs on what one of them did before. The sum of the first worlds is the same on every
/// machine, as what a single seed leaves is: what drifts in few worlds shows here.
#[test]
fn the_standard_mix_breaks_no_law_and_leaves_the_traces_that_it_always_left() {
    let summary = Mutex::new(Summary::default());
    let worlds = |odd: u64| {
        for seed in (odd..seeds()).step_by(2) {
            let report = run(mix::scenario(seed));
            assert!(report.holds(), "{}", report.to_text());
            if seed < FEW {
                summary.lock().expect("adding does not fail").add(seed, Ok(report));
            }
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| worlds(1));
        worlds(0);
        other.join().expect("no law is broken");
    });
    let summary = summary.into_inner().expect("adding does not fail");
    let pinned = "0e399b513f4d9907b356aa4210a6f59de37144aeb2886218627180cc7d8e51bd";
    assert_eq!(summary.trace().to_string(), pinned);
}

#[test]
fn a_seed_leaves_one_trace() {
    for seed in [1, 6, 8] {
        let [one, two] = [(); 2].map(|()| run(mix::scenario(seed)).trace);
        assert_eq!(one, two, "seed {seed}");
    }
}

/// The same on every machine and after every change that changes nothing for peers. Whoever changes what nodes
/// say to each other, when they say it, or what a seed means, puts here what the failure shows.
#[test]
fn a_seed_leaves_the_trace_that_it_always_left() {
    let traces = [1, 6].map(|seed| run(mix::scenario(seed)).trace.to_string());
    let pinned = [
        "f2ab2876b5d6e464e7e03b373d44782810ce4a675df02fc15b5bcf40b75bae6e",
        "d283e9af91391d8c2915a54fa95926975794d6ffb4356f423226f002395eb58c",
    ];
    assert_eq!(traces, pinned);
}

#[test]
fn a_mistake_in_a_file_is_refused_with_its_place() {
    let text = "name: x\nseed: 1\nnodes: 2\ntopology: full\nlasts: 5 minutes\n";
    let error = Scenario::parse(text).expect_err("that is no length of time").to_string();
    assert!(error.starts_with("line 5, column 8") && error.contains("`5 minutes`"), "{error}");
    let text = text.replace("5 minutes", "5m") + "faults: [{at: 1m, fault: {stop: {node: 2}}}]\n";
    let error = Scenario::parse(&text).expect_err("there are two nodes").to_string();
    assert_eq!(error, "there is no node 2: they are numbered 0 to 1");
    let text = text.replace("node: 2", "node: 1") + "expect: {lis: 1}\n";
    let error = Scenario::parse(&text).expect_err("nothing is called so").to_string();
    assert!(error.starts_with("line 7, column 10") && error.contains("`lis`"), "{error}");
}

#[test]
fn a_world_that_cannot_be_is_refused_with_what_to_do_about_it() {
    let world = "name: x\nseed: 1\nnodes: 4\ntopology: ring\nlasts: 5m\n";
    let refused = |more: &str| Scenario::parse(&format!("{world}{more}")).expect_err(more).to_string();
    let shape = refused("weather: {shape: gaussian}\n");
    assert!(shape.starts_with("line 6, column 18") && shape.contains("`gaussian`"), "{shape}");
    assert!(shape.contains("uniform, normal, lognormal, pareto"), "{shape}");
    let cases = [
        (
            "weather: {jitter: 0s, shape: pareto}",
            "the weather of the world has a shape and no jitter that has it; give",
        ),
        (
            "weather: {latency: 2h}",
            "the weather of the world has a latency of 2h; a message takes at most 1h",
        ),
        (
            "faults: [{at: 1m, fault: {storm: {weather: {loss: 1200}}}}]",
            "the storm that is fault 1 has a `loss` of 1200, which is of a thousand messages; say at most 1000",
        ),
        (
            "knows: star",
            "node 2 cannot know where node 0 is: no link of the topology is between them; leave the pair",
        ),
        (
            "faults: [{at: 1m, fault: {rotate: {node: 1, by: 2}}}, {at: 1m, fault: {rotate: {node: 2, by: 1}}}]",
            "node 1 would wait for node 2 to confirm its key, and that one for it; let a node confirm that keeps its own",
        ),
        (
            "faults: [{at: 1m, fault: {rotate: {node: 1, by: 2}}}, {at: 1m, fault: {swap: {node: 1}}}]",
            "node 1 takes another key and its folder is copied",
        ),
        (
            "joins: [{node: 2, by: 1, at: 1s}]\nfaults: [{at: 1m, fault: {revoke: {node: 3, by: 1, own: true}}}]",
            "node 1 cannot turn out node 3 by its own word",
        ),
    ];
    for (more, expected) in cases {
        let error = refused(more);
        assert!(error.starts_with(expected), "{error}");
    }
}

/// Worlds that take minutes unless the program is optimised: `tests/run --full` does that.
#[cfg(not(debug_assertions))]
#[test]
fn the_large_worlds_break_no_law_and_leave_the_traces_that_they_always_left() {
    let pinned = [
        ("fifty-nodes", "0285a9413bd65cb4fbbc5a6ba4db0a9f80c658889c751feeb43f9d9c271cd805"),
        ("thousand-nodes", "fdc2ccc0c147aef396f2b1ede66010a1538bda0952165efa584f638d9c05639a"),
    ];
    let files = files("large");
    assert_eq!(files.len(), pinned.len());
    for (path, (name, trace)) in files.iter().zip(pinned) {
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(name));
        let report = run(read(path));
        assert!(report.holds(), "{}", report.to_text());
        assert_eq!(report.trace.to_string(), trace, "{name}");
    }
}
