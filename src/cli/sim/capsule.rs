//! `xyn sim capsule`: what a world of simulated nodes does with a capsule, signed.
//!
//! The capsule's file is proved here, spread over the nodes, proved at each, rolled out and rolled back; what is in it
//! does not run. The statement names the scenario, the seed and the trace, so that anybody can do the same again and
//! compare.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgGroup, Args};
use serde_json::json;
use xyn_capsules::proof::{NotTrusted, Trusted};
use xyn_capsules::sign::{Check, Distribution, Passed, Simulation};
use xyn_capsules::tree::Limits;
use xyn_scenarios::report::{Report, Spread};
use xyn_scenarios::trial::{NotTried, Proved, TRIAL_BYTES_MAX, Trial};
use xyn_scenarios::world::World;
use xyn_store::Digest;

use super::{broken, can_be_written, parse, world};
use crate::cli::capsule::{Judge, Trust, attest, not_trusted, open, secret};
use crate::cli::output::Unit;
use crate::cli::{Context, input};
use crate::failure::{Exit, Failure, with_causes};
use crate::shell;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("trusted").required(true).multiple(true).args(["keys", "ring"])))]
pub(in crate::cli) struct Arguments {
    /// The capsule
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// The scenario file of the world
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// The key that signs the evidence
    #[arg(long, value_name = "FILE", default_value = "capsule.key")]
    key: PathBuf,
    /// Where the evidence goes; `CAPSULE.simulation.json` when left out
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Where to write the smallest world that fails
    #[arg(long, value_name = "FILE", default_value = super::FAILURE)]
    failure: PathBuf,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let path = &arguments.file;
    let judge = arguments.trust.required()?;
    let bytes = read(path)?;
    let trusted = Trusted::read(&*bytes, judge.trust()).map_err(|error| not_trusted(path, &error))?;
    let manifest = trusted.manifest().clone();
    let text = input::text(&arguments.scenario)?;
    let target = arguments.report.clone().unwrap_or_else(|| attest::beside(path, "simulation"));
    // A world takes its time: what it is signed with, and where that goes, is looked at before.
    secret(&arguments.key)?;
    can_be_written(&target)?;
    let scenario = parse(&text, &arguments.scenario)?;
    let trial = Trial::new(&bytes, Box::new(move |bytes| prove(bytes, &judge)));
    drop(bytes);
    let trial = Arc::new(trial.map_err(|error| not_tried(path, &error))?);
    let bar = context.out.progress("simulating", None, Unit::Time);
    let world = world(scenario)?.with(Arc::clone(&trial)).map_err(|error| not_tried(path, &error))?;
    let report = world.run();
    bar.finish_and_clear();
    let said = evidence(&report, Digest::of(text.as_bytes()));
    let document = json!({
        "passed": said.passed(), "trace": said.trace, "distribution": said.distribution, "report": target,
    });
    // What failed is evidence, too.
    attest::write(&manifest, said, &arguments.key, &target)?;
    if !report.holds() {
        let again = |scenario| Some(World::new(scenario).ok()?.with(Arc::clone(&trial)).ok()?.run());
        let see = format!("xyn sim capsule {} --scenario", shell::word(path));
        return Err(broken(report, &arguments.failure, &see, &again, context));
    }
    context.out.answer(&document, |paint| {
        format!("{}{} signed evidence in {}", report.to_text(), paint.good("ok"), target.display())
    })?;
    Ok(Exit::Done)
}

/// The file of a capsule that a world can hold; of a longer one, enough to see that it is.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = open(path)?.take(TRIAL_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::file("read", path, &error))?;
    match bytes.len() as u64 > TRIAL_BYTES_MAX {
        true => Err(not_tried(path, &NotTried::TooLarge)),
        false => Ok(bytes),
    }
}

/// Proves all of a capsule, as every node of the world does.
fn prove(bytes: &[u8], judge: &Judge) -> Result<Proved, String> {
    let prove = || -> Result<Proved, NotTrusted> {
        let trusted = Trusted::read(bytes, judge.trust())?;
        let (capsule, manifest) = (trusted.digest(), trusted.manifest());
        let (id, generation) = (manifest.id.to_string(), manifest.generation);
        let files = trusted.open(None, Limits::default())?.verify()?.files;
        Ok(Proved { capsule, id, generation, files })
    };
    prove().map_err(|error| with_causes(&error))
}

fn not_tried(path: &Path, error: &NotTried) -> Failure {
    let (code, hint) = match error {
        NotTried::Unproved(_) => ("not_trusted", "fetch it again, or ask who packed it"),
        NotTried::TooLarge => ("too_large", "a smaller capsule of the app travels as this one does"),
        NotTried::TooMuch { .. } => ("too_large", "try fewer nodes, or a smaller capsule"),
        NotTried::NoSource => ("invalid_scenario", "add a node that no fault turns, revokes or copies"),
    };
    Failure::failed(code, error.to_string()).at(path.display().to_string()).hint(hint)
}

/// What a world says.
fn evidence(report: &Report, scenario_digest: Digest) -> Simulation {
    let violation = report.violation.as_ref().map(|violation| violation.broken.to_string());
    let within = report.converged_within.map(|within| format!("{within} after faults stopped"));
    let check = |name: &str, held, seen| Check { name: name.to_owned(), held, seen };
    Simulation {
        scenario: report.scenario.name.clone(),
        scenario_digest,
        seed: report.scenario.seed,
        trace: report.trace,
        nodes: u32::try_from(report.scenario.nodes).unwrap_or(u32::MAX),
        virtual_ms: u64::try_from(report.lasted.0.as_millis()).unwrap_or(u64::MAX),
        checks: vec![
            check("laws", violation.is_none(), violation),
            check("convergence", within.is_some(), within),
        ],
        distribution: report.spread.as_ref().map(distribution),
    }
}

fn distribution(spread: &Spread) -> Distribution {
    let millis = |span: xyn_scenarios::span::Span| u64::try_from(span.0.as_millis()).unwrap_or(u64::MAX);
    let steps = spread.steps.iter().map(|step| Passed {
        name: step.name.to_owned(),
        nodes: step.nodes,
        p50_ms: millis(step.half_within),
        max_ms: millis(step.all_within),
    });
    Distribution {
        file: spread.file,
        size_bytes: spread.size_bytes,
        chunks: spread.chunks,
        files: spread.files,
        generation: spread.generation,
        sent_bytes: spread.sent_bytes,
        steps: steps.collect(),
    }
}
