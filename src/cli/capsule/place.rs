//! Where what a capsule holds is built: the workcell of this machine.

use std::time::Duration;

use clap::Args;
use xyn_capsules::rebuild::NotBuilt;
use xyn_capsules::workcell::{Bounds, Exceeded, Workcell, WorkcellError, enter};

use crate::door::door;
use crate::failure::{Exit, Failure, file_hint, with_causes};

/// How the workcell is, when it is not as always.
#[derive(Debug, Args)]
pub(in crate::cli) struct Place {
    /// Build, and run checks, without a sandbox: they can do here whatever you can
    #[arg(long)]
    no_sandbox: bool,
    /// How long a build may take, and all checks together
    #[arg(long, value_name = "SECONDS", default_value_t = Bounds::default().wall.as_secs())]
    timeout: u64,
}

/// What a workcell starts, and nobody else.
#[derive(Debug, Args)]
pub(in crate::cli) struct Enter {
    entry: String,
}

/// Runs what a workcell is to run, and ends as that does.
pub(super) fn run(arguments: &Enter) -> Result<Exit, Failure> {
    let code = enter(&arguments.entry).map_err(|error| {
        Failure::failed("workcell", with_causes(&error))
            .hint("build with: xyn capsule rebuild FILE --pub KEY")
    })?;
    std::process::exit(code)
}

impl Place {
    /// Refuses what only holds on this machine: a node builds in its own sandbox, as long as it lets a build take.
    pub(super) fn refuse_to_leave_the_sandbox(&self) -> Result<(), Failure> {
        match self.no_sandbox || self.timeout != Bounds::default().wall.as_secs() {
            true => Err(Failure::usage("a node builds in its own sandbox, within its own limits".to_owned())
                .at("--no-sandbox or --timeout")
                .hint("leave them out; or pack the folder itself: xyn capsule pack DIR --build")),
            false => Ok(()),
        }
    }

    /// The workcell, whose walls were tried.
    pub(super) fn workcell(&self) -> Result<Workcell, Failure> {
        let door = door().map_err(|error| {
            Failure::failed("workcell", format!("the file of this program is not to be found: {error}"))
                .hint("if it was replaced meanwhile, start it again")
        })?;
        let bounds = Bounds { wall: Duration::from_secs(self.timeout), ..Bounds::default() };
        match self.no_sandbox {
            true => Ok(Workcell::without_walls(door, bounds)),
            false => Workcell::new(door, bounds).map_err(|error| no_place(&error)),
        }
    }
}

fn no_place(error: &WorkcellError) -> Failure {
    helped(Failure::failed("no_sandbox", with_causes(error)), error)
}

/// The failure with what helps where a workcell did not do its work.
pub(super) fn helped(failure: Failure, error: &WorkcellError) -> Failure {
    match error {
        WorkcellError::NoWalls(_) => failure.hint(
            "it takes bubblewrap 0.8 or newer, user namespaces and landlock; what you trust like yourself is \
             built and checked without, with --no-sandbox",
        ),
        WorkcellError::Exceeded(Exceeded::Wall(_)) => {
            failure.hint("give it more time with: --timeout SECONDS")
        }
        WorkcellError::Io { source, .. } => failure.hint(file_hint(source.kind())),
        _ => failure,
    }
}

/// Why nothing was built of what is at `place`.
pub(super) fn not_built(place: String, error: &NotBuilt) -> Failure {
    let failure = Failure::failed("not_built", with_causes(error)).at(place);
    match error {
        NotBuilt::Network(_) => {
            failure.hint("put what the build fetches into the capsule, or build with --no-sandbox")
        }
        NotBuilt::Workcell(error) | NotBuilt::Stopped { source: error, .. } => helped(failure, error),
        NotBuilt::Step { .. } => failure
            .hint("inside there is only /usr of this machine, the files in /build, a /tmp, and no network"),
        _ => failure,
    }
}
