//! `xyn capsule rebuild` and `replay`: whether what a capsule holds comes to what its packer built of it, and
//! answers what it answered there.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use xyn_capsules::container::{Base, CapsuleFile};
use xyn_capsules::manifest::Manifest;
use xyn_capsules::proof::Trusted;
use xyn_capsules::rebuild::{Built, NotBuilt, Recipe};
use xyn_capsules::sign::{Provenance, Rebuild, Replayed, Resource};
use xyn_capsules::tree::{Limits, RelPath, TreeError};
use xyn_capsules::workcell::Workcell;
use xyn_store::{Clock, Digest};

use super::keys::Judge;
use super::place::{Place, not_built};
use super::private::Opening;
use super::source::Source;
use super::{Context, Trust, attest, not_trusted, open};
use crate::cli::output::Unit;
use crate::failure::{Exit, Failure};

/// Files that are named in a message.
const TOLD: usize = 20;
/// Files that a report lists.
const REPORTED: usize = 1_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The capsule: a file, or one that the node has
    #[arg(value_name = "FILE|CAPSULE")]
    file: PathBuf,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    opening: Opening,
    /// The capsule that a delta was written against: a file, or one that the node has
    #[arg(long, value_name = "FILE|CAPSULE")]
    base: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Sign a report of it with this key
    #[arg(long, value_name = "KEYFILE")]
    attest: Option<PathBuf>,
    /// Where the report goes; `CAPSULE.rebuild.json` when left out, in the current folder for one that the node has
    #[arg(long, value_name = "FILE", requires = "attest")]
    report: Option<PathBuf>,
}

pub(super) async fn rebuild(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let job = Job::new(arguments, context).await?;
    let (again, report) = job.run(context, |_, _| Ok(Vec::new()))?;
    let said = json!({ "did": "rebuilt", "matches": report.expected == report.found, "build": report.found });
    job.source.report(said, context).await;
    job.answer(&report, &again, context)
}

pub(super) async fn replay(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let job = Job::new(arguments, context).await?;
    let (again, report) = job.run(context, Job::answers)?;
    let same = report.replayed.iter().all(|run| run.expected == run.found);
    let said = json!({ "did": "replayed", "matches": report.expected == report.found && same });
    job.source.report(said, context).await;
    job.answer(&report, &again, context)
}

/// What is asked for, and what it takes.
struct Job<'a> {
    arguments: &'a Arguments,
    source: Source,
    judge: Judge,
    base: Option<CapsuleFile>,
    cell: Workcell,
}

/// A capsule that was built.
struct Again {
    manifest: Manifest,
    /// Its name.
    capsule: Digest,
    recipe: Recipe,
    /// What came of it for its packer: the tree, and files.
    expected: Digest,
    listed: Vec<Resource>,
    built: Built,
}

impl<'a> Job<'a> {
    async fn new(arguments: &'a Arguments, context: &Context) -> Result<Self, Failure> {
        let source = Source::find(&arguments.file, context).await?;
        let base = Source::find_any(arguments.base.as_ref(), context).await?;
        let (judge, base) = (source.judge(&arguments.trust)?, base.as_ref().map(Source::whole).transpose()?);
        Ok(Self { arguments, source, judge, base, cell: arguments.place.workcell()? })
    }

    /// Builds it, and does `then` with what came of it; what that is is told in a report.
    fn run(
        &self,
        context: &Context,
        then: impl FnOnce(&Self, &Again) -> Result<Vec<Replayed>, Failure>,
    ) -> Result<(Again, Rebuild), Failure> {
        let clock = Clock::system();
        let bar = context.out.progress("building", None, Unit::Time);
        let started_at = clock.now();
        let again = self.build()?;
        let different = again.built.differs_from(&again.listed).map_err(|error| self.unreadable(&error))?;
        let report = Rebuild {
            capsule: Some(again.capsule),
            expected: again.expected,
            found: again.built.root(),
            different: different.into_iter().take(REPORTED).collect(),
            replayed: then(self, &again)?,
            sandbox: self.cell.sandbox(),
            started_at,
            finished_at: clock.now(),
        };
        if let Some(key) = &self.arguments.attest {
            attest::write(&again.manifest, report.clone(), key, &self.target())?;
        }
        bar.finish_and_clear();
        Ok((again, report))
    }

    /// Builds the capsule, once it is verified.
    fn build(&self) -> Result<Again, Failure> {
        let identities = self.arguments.opening.identities()?;
        let trusted = Trusted::open_as(open(&self.source.path())?, &identities, self.judge.trust());
        let trusted = trusted.map_err(|error| not_trusted(self.source.given(), &error))?;
        let (manifest, capsule) = (trusted.manifest().clone(), trusted.digest());
        let expected =
            manifest.expected.build_digest.ok_or_else(|| self.nothing("a build should come to"))?;
        let provenance = trusted.packed::<Provenance>();
        let listed = provenance.map(|provenance| provenance.run_details.byproducts).unwrap_or_default();
        let recipe = Recipe::new(&manifest.build, &manifest.app);
        let base = self.base.as_ref().map(|base| base as &dyn Base);
        let built =
            recipe.build(&self.cell, |tree| trusted.open(base, Limits::default())?.unpack(tree).map(drop));
        let built = built.map_err(|error| self.not_built(&error))?;
        Ok(Again { manifest, capsule, recipe, expected, listed, built })
    }

    /// Runs what the manifest says behind the build.
    fn answers(&self, again: &Again) -> Result<Vec<Replayed>, Failure> {
        let outputs = &again.manifest.expected.outputs;
        if outputs.is_empty() {
            return Err(self.nothing("it should answer"));
        }
        let answers = outputs.iter().map(|output| {
            let expected =
                output.digest.ok_or_else(|| self.nothing(&format!("`{}` should answer", output.run)))?;
            let found = again.recipe.replay(&self.cell, &again.built, &output.run);
            let found = found.map_err(|error| self.not_built(&error))?;
            Ok(Replayed { run: output.run.to_string(), expected, found })
        });
        answers.collect()
    }

    fn answer(&self, report: &Rebuild, again: &Again, context: &Context) -> Result<Exit, Failure> {
        if report.expected != report.found {
            return Err(self.differs(report, again)?);
        }
        let others = report.replayed.iter().filter(|run| run.expected != run.found);
        let others: Vec<_> = others.map(|run| format!("\n  `{}` answers something else", run.run)).collect();
        if !others.is_empty() {
            let message = format!("the build is as expected, and what it answers is not:{}", others.concat());
            return Err(Failure::failed("output_differs", message)
                .at(self.source.given().display().to_string())
                .hint("compare the versions of what runs it with those of the packer"));
        }
        let written = self.arguments.attest.as_ref().map(|_| self.target());
        let document = json!({
            "matches": true,
            "build": report.found,
            "replayed": report.replayed,
            "sandbox": report.sandbox,
            "report": written,
        });
        context.out.answer(&document, |paint| {
            let mut lines = vec![format!("built again, bit for bit: {}", report.found)];
            lines.extend(report.replayed.iter().map(|run| format!("the same answer of `{}`", run.run)));
            lines.push(format!("in {}", report.sandbox));
            lines.extend(written.map(|written| format!("signed report in {}", written.display())));
            let lines: Vec<_> = lines.iter().map(|line| format!("{} {line}", paint.good("ok"))).collect();
            lines.join("\n")
        })?;
        Ok(Exit::Done)
    }

    /// What is said when a build is another. It is built once more: whether it comes out the same here, at
    /// least, tells where to look.
    fn differs(&self, report: &Rebuild, again: &Again) -> Result<Failure, Failure> {
        let twice = self.build()?;
        let unstable =
            again.built.differs_from_build(&twice.built).map_err(|error| self.unreadable(&error))?;
        let message = format!("the build came to {}, and {} is expected", report.found, report.expected);
        let message = listed(message, "is not as it was packed", &report.different);
        let mut message = listed(message, "is another with each build", &unstable);
        if !unstable.is_empty()
            && let Ok(Some(compared)) = again.recipe.explain(&self.cell, [&again.built, &twice.built])
        {
            message.push_str(&compared);
        }
        let hint = match unstable.is_empty() {
            false => {
                "the build is not reproducible: it writes times, random numbers or the order of a folder"
            }
            true => {
                "it comes out the same here each time; compare the versions of tools with those of the packer"
            }
        };
        Ok(self.at(Failure::failed("build_differs", message).hint(hint)))
    }

    /// The capsule does not say `what`.
    fn nothing(&self, what: &str) -> Failure {
        let message = format!("the capsule does not say what {what}");
        let hint = "whoever packs it says so with: xyn capsule pack DIR --build";
        self.at(Failure::failed("nothing_expected", message).hint(hint))
    }

    fn not_built(&self, error: &NotBuilt) -> Failure {
        let path = self.source.given();
        match error {
            NotBuilt::Files(error) => super::file(path, error),
            error => not_built(path.display().to_string(), error),
        }
    }

    fn unreadable(&self, error: &TreeError) -> Failure {
        self.at(Failure::failed("capsule", error.to_string()))
    }

    fn at(&self, failure: Failure) -> Failure {
        failure.at(self.source.given().display().to_string())
    }

    /// Where the report goes.
    fn target(&self) -> PathBuf {
        let Arguments { file, report, .. } = self.arguments;
        report.clone().unwrap_or_else(|| attest::beside(file, "rebuild"))
    }
}

fn listed(mut message: String, what: &str, paths: &[RelPath]) -> String {
    message.extend(paths.iter().take(TOLD).map(|path| format!("\n  `{path}` {what}")));
    if paths.len() > TOLD {
        message.push_str(&format!("\n  and {} more", paths.len() - TOLD));
    }
    message
}
