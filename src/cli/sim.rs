//! `xyn sim`: worlds of simulated nodes, and what must hold in them.

mod capsule;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::{Args, Subcommand};
use serde_json::json;
use xyn_scenarios::report::Report;
use xyn_scenarios::scenario::{InvalidScenario, Scenario};
use xyn_scenarios::shrink::shrink;
use xyn_scenarios::world::World;
use xyn_scenarios::{batch, mix};
use xyn_store::StoreError;

use super::output::Unit;
use super::{Context, input};
use crate::failure::{Exit, Failure};

/// Where the smallest world that fails goes when nobody says otherwise.
const FAILURE: &str = "sim-failure.json";

/// What can be done with simulated nodes.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run worlds and check that every law holds; one that fails is made as small as can be
    Run(Run),
    /// Spread a capsule over the nodes of a world, prove it at each, roll it out and back, and sign what came of it as
    /// evidence that a policy can ask for
    Capsule(capsule::Arguments),
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["file", "seed", "seeds"])))]
pub(super) struct Run {
    /// A scenario file; - is stdin
    file: Option<PathBuf>,
    /// The world of the standard mix that has this seed
    #[arg(long, value_name = "N", value_parser = number)]
    seed: Option<u64>,
    /// The worlds of the standard mix from A up to B, on all cores
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// Write a picture of convergence over time
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    svg: Option<PathBuf>,
    /// Where to write the smallest world that fails
    #[arg(long, value_name = "FILE", default_value = FAILURE)]
    failure: PathBuf,
}

/// Seeds from the first up to the one before the last.
#[derive(Clone, Debug)]
struct Seeds(Range<u64>);

/// A seed.
fn number(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "a seed is a whole number")
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = text.split_once("..").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match ends {
            Some((first, last)) if first < last => Ok(Self(first..last)),
            Some(_) => Err("the second number is the greater one, such as in 0..500".to_owned()),
            None => Err("write two numbers, such as 0..500".to_owned()),
        }
    }
}

pub(super) fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Run(arguments) => run_worlds(&arguments, context),
        Command::Capsule(arguments) => capsule::run(&arguments, context),
    }
}

fn run_worlds(arguments: &Run, context: &Context) -> Result<Exit, Failure> {
    if let Some(Seeds(seeds)) = arguments.seeds.clone() {
        return run_seeds(seeds, &arguments.failure, context);
    }
    let scenario = match (&arguments.file, arguments.seed) {
        (Some(file), _) => parse(&input::text(file)?, file)?,
        (None, seed) => mix::scenario(seed.unwrap_or_default()),
    };
    // A world takes its time: what it is to be written to is looked at before.
    arguments.svg.as_deref().map_or(Ok(()), can_be_written)?;
    let report = world(scenario)?.run();
    if let Some(path) = &arguments.svg {
        write(path, &report.to_svg())?;
    }
    context.out.answer(&json!(report), |_| report.to_text().trim_end().to_owned())?;
    if report.holds() {
        return Ok(Exit::Done);
    }
    Err(broken(report, &arguments.failure, "xyn sim run", &run_again, context))
}

/// Runs a world that was made smaller.
fn run_again(scenario: Scenario) -> Option<Report> {
    World::new(scenario).ok().map(World::run)
}

/// The scenario that `text`, which is from `path`, says.
fn parse(text: &str, path: &Path) -> Result<Scenario, Failure> {
    Scenario::parse(text).map_err(|error| {
        let place = match &error {
            InvalidScenario::Text { line, column, .. } => format!("{}:{line}:{column}", path.display()),
            InvalidScenario::Unfit(_) => path.display().to_string(),
        };
        let message = match error {
            InvalidScenario::Text { message, .. } if message == "invalid u64" => {
                "a whole number is wanted here".to_owned()
            }
            InvalidScenario::Text { message, .. } | InvalidScenario::Unfit(message) => message,
        };
        Failure::failed("invalid_scenario", message)
            .at(place)
            .hint("files that can be run are in the sources of Xyn, under scenarios/scenarios")
    })
}

fn world(scenario: Scenario) -> Result<World, Failure> {
    World::new(scenario).map_err(|error: StoreError| {
        Failure::failed("sim", format!("a world cannot be made: {error}"))
            .hint("each node takes some megabytes of memory; try fewer, or `keeping: rows`")
    })
}

/// Makes the world that failed as small as can be, and says how to `see` it again.
fn broken(
    report: Report,
    path: &Path,
    see: &str,
    again: &dyn Fn(Scenario) -> Option<Report>,
    context: &Context,
) -> Failure {
    let seed = report.scenario.seed;
    let bar = context.out.progress("making it smaller", None, Unit::Time);
    let smallest = shrink(report, again);
    bar.finish_and_clear();
    let Some(violation) = &smallest.violation else {
        return Failure::failed("sim", "a law was broken")
            .at(format!("seed {seed}"))
            .hint(format!("see it again with: xyn sim run --seed {seed}"));
    };
    let faults = smallest.scenario.faults.len();
    let failure = Failure::failed("law_broken", violation.broken.to_string())
        .at(format!("seed {seed}, step {} of the smallest world, which has {faults} faults", violation.step));
    match write(path, &smallest.scenario.to_text()) {
        Ok(()) => failure.hint(format!("see it again with: {see} {}", path.display())),
        Err(unwritten) => failure.hint(unwritten.message),
    }
}

fn run_seeds(seeds: Range<u64>, path: &Path, context: &Context) -> Result<Exit, Failure> {
    let (begun, count) = (Instant::now(), seeds.end - seeds.start);
    let bar = context.out.progress("worlds", Some(count), Unit::Entries);
    let next = AtomicU64::new(seeds.start);
    let reports = Mutex::new(batch::Summary::default());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let report = World::new(mix::scenario(seed)).map(World::run);
                    reports.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(seed, report);
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let summary = reports.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let per_second = count as f64 / begun.elapsed().as_secs_f64();
    let mut document = json!(summary);
    document["seeds_per_second"] = json!(per_second);
    context.out.answer(&document, |_| format!("{}speed      {per_second:.1} worlds/s", summary.to_text()))?;
    let first = summary.broken.keys().next().copied().unwrap_or_default();
    match summary.first_failure() {
        None => Ok(Exit::Done),
        Some(Ok(report)) => Err(broken(report, path, "xyn sim run", &run_again, context)),
        Some(Err(error)) => Err(Failure::failed("sim", error)
            .at(format!("seed {first}"))
            .hint(format!("see it again with: xyn sim run --seed {first}"))),
    }
}

/// Makes sure that `path` can be written, and leaves what is there, or nothing.
fn can_be_written(path: &Path) -> Result<(), Failure> {
    let is_there = path.exists();
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let removed = opened.and_then(|_| if is_there { Ok(()) } else { std::fs::remove_file(path) });
    removed.map_err(|error| Failure::file("write", path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::file("write", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_that_is_not_empty() {
        assert_eq!("3..9".parse::<Seeds>().expect("a range").0, 3..9);
        for text in ["", "3", "9..3", "3..3", "a..b", "1...2"] {
            assert!(text.parse::<Seeds>().is_err(), "{text}");
        }
    }
}
