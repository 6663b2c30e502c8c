//! `xyn sim capsule`: what a world of simulated nodes says for a capsule, signed.
//!
//! The world runs the cores of this program; what is in the capsule does not run in it. The statement names
//! the scenario, the seed and the trace, so that anybody can run the same world again and compare.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use xyn_capsules::proof::Trusted;
use xyn_capsules::sign::{Check, Simulation};
use xyn_scenarios::report::Report;
use xyn_store::Digest;

use super::{broken, parse, world};
use crate::cli::capsule::{Trust, attest, not_trusted, open};
use crate::cli::output::Unit;
use crate::cli::{Context, input};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
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
    let trusted = Trusted::read(open(path)?, judge.trust()).map_err(|error| not_trusted(path, &error))?;
    let text = input::text(&arguments.scenario)?;
    let scenario = parse(&text, &arguments.scenario)?;
    let bar = context.out.progress("simulating", None, Unit::Time);
    let report = world(scenario)?.run();
    bar.finish_and_clear();
    let target = arguments.report.clone().unwrap_or_else(|| attest::beside(path, "simulation"));
    let said = evidence(&report, Digest::of(text.as_bytes()));
    let document = json!({ "passed": said.passed(), "trace": said.trace, "report": target });
    // What failed is evidence, too.
    attest::write(trusted.manifest(), said, &arguments.key, &target)?;
    if !report.holds() {
        return Err(broken(report, &arguments.failure, context));
    }
    context.out.answer(&document, |paint| {
        format!("{}{} signed evidence in {}", report.to_text(), paint.good("ok"), target.display())
    })?;
    Ok(Exit::Done)
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
    }
}
