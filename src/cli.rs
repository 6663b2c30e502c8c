//! The command line: one file per command.
//!
//! Owns what people type, what they are shown and how the program ends. Decides nothing about the node's data.
//! Invariant: results go to stdout, everything else to stderr, and each way to end has its exit code.

mod artifact;
mod audit;
mod blueprint;
mod capsule;
mod completions;
mod config;
mod deploy;
mod doctor;
mod event;
mod faults;
mod folder;
mod gate;
mod input;
mod man;
mod moment;
mod on_the_way;
mod output;
mod peer;
mod policy;
mod run;
mod save;
mod schema;
mod secret;
mod sim;
mod status;
mod store;
mod story;
mod table;
mod timeline;
mod up;
mod watch;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use output::Output;
use tokio::sync::OnceCell;

use crate::client::{Client, Need, Place};
use crate::config as settings;
use crate::failure::{Exit, Failure, with_causes};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "xyn", version, about, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Start with `xyn up`. Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied by policy, \
                        5 waiting for approval, 6 conflict, 7 node unreachable."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Name of the argument that holds the data folder. A command that has another use for `--data` takes the folder by
/// another flag, and gives it this name.
const FOLDER: &str = "folder";

/// What every command understands.
#[derive(Clone, Debug, Args)]
struct Global {
    /// The node's data folder [env: XYN_DATA] [default: xyn in the XDG data folder]
    #[arg(id = FOLDER, long = "data", global = true, value_name = "DIR", help_heading = "Global options")]
    data: Option<PathBuf>,
    /// The node's address, such as http://127.0.0.1:4310 [env: XYN_URL] [default: what runs on the data folder]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    url: Option<String>,
    /// Results as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    /// No colours, also when NO_COLOR is not set
    #[arg(long, global = true, help_heading = "Global options")]
    no_color: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the node and keep it running
    Up(up::Arguments),
    /// Show how the node is: runs, gates, events
    Status(status::Arguments),
    /// Look for what is wrong; each finding says what mends it
    Doctor(doctor::Arguments),
    /// Emit events and watch them come
    #[command(subcommand)]
    Event(event::Command),
    /// Write, check and activate blueprints
    #[command(subcommand)]
    Blueprint(blueprint::Command),
    /// Start, watch and steer runs
    #[command(subcommand)]
    Run(run::Command),
    /// Answer what waits for people
    #[command(subcommand)]
    Gate(gate::Command),
    /// Keep and fetch artifacts
    #[command(subcommand)]
    Artifact(artifact::Command),
    /// Test, explain and activate policies
    #[command(subcommand)]
    Policy(policy::Command),
    /// See what the team did, and go back to any moment of it
    #[command(subcommand)]
    Timeline(timeline::Command),
    /// See the other nodes of the environment, let nodes in and revoke them
    #[command(subcommand)]
    Peer(peer::Command),
    /// Keep folders, moment by moment, and bring them back
    #[command(subcommand)]
    Workspace(workspace::Command),
    /// Seal an app into one signed file, and check such files
    #[command(subcommand)]
    Capsule(capsule::Command),
    /// See what serves where
    #[command(subcommand)]
    Deploy(deploy::Command),
    /// Keep values that apps are given, and nobody is shown
    #[command(subcommand)]
    Secret(secret::Command),
    /// Verify and read the audit chain
    #[command(subcommand)]
    Audit(audit::Command),
    /// Check and mend the store of a stopped node
    #[command(subcommand)]
    Store(store::Command),
    /// Run worlds of simulated nodes under every fault, and check what must hold
    #[command(subcommand)]
    Sim(sim::Command),
    /// Print the JSON Schema of what people write
    #[command(subcommand)]
    Schema(schema::Command),
    /// Show the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Print completions for a shell
    Completions(completions::Arguments),
    /// Print or write the manual pages
    Man(man::Arguments),
}

/// What a command works with.
pub(crate) struct Context {
    /// Where its words go.
    pub(crate) out: Output,
    data: Option<PathBuf>,
    url: Option<String>,
    /// The way to what is only read, once it was found.
    reader: OnceCell<Client>,
}

impl Context {
    /// What `--data` says, for the layers of the configuration.
    fn flags(&self) -> settings::Flags {
        settings::Flags { data: self.data.clone(), ..settings::Flags::default() }
    }

    /// The address that was named, on the command line or in the environment; none when the data folder names it.
    fn address(&self) -> Option<String> {
        let variable = || std::env::var("XYN_URL").ok().filter(|url| !url.is_empty());
        // A folder named on the command line goes before an address in the environment.
        self.url.clone().or_else(|| if self.data.is_some() { None } else { variable() })
    }

    /// Whether the node is named by its address, so that nothing is known about its folder.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.address().is_some()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> Result<PathBuf, Failure> {
        let (data, _) = settings::data_folder(&self.flags(), &settings::process_environment)?;
        Ok(data)
    }

    /// The way to the node. What only looks goes one way all along: a folder that was opened is let go by the last of
    /// its tasks, and whoever opens it anew before is told that it is in use.
    pub(crate) async fn client(&self, need: Need) -> Result<Client, Failure> {
        match need {
            Need::Read => self.reader.get_or_try_init(|| self.find(need)).await.cloned(),
            Need::Node => self.find(need).await,
        }
    }

    async fn find(&self, need: Need) -> Result<Client, Failure> {
        let url = self.address();
        let data = if url.is_some() { self.data().unwrap_or_default() } else { self.data()? };
        // A stopped folder can be read whatever its configuration says.
        let settings = settings::load(&self.flags(), &settings::process_environment);
        let env = settings.map(|loaded| loaded.settings.quiet_environment()).unwrap_or_default();
        Client::find(&Place { url, data, env }, need).await
    }
}

impl From<settings::ConfigError> for Failure {
    fn from(error: settings::ConfigError) -> Self {
        Self::failed("config", with_causes(&error)).hint(error.mend())
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    xyn_store::panics::log_contained();
    let cli = Cli::parse();
    let out = Output::new(cli.global.json, cli.global.no_color);
    let context = Context { out, data: cli.global.data, url: cli.global.url, reader: OnceCell::new() };
    let ended = runtime(&cli.command).and_then(|runtime| runtime.block_on(run(cli.command, &context)));
    ended.unwrap_or_else(|failure| context.out.failure(&failure)).into()
}

/// A node wants all cores; everything else is one thing after another.
fn runtime(command: &Command) -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = match command {
        Command::Up(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build().map_err(|error| {
        Failure::failed("runtime", format!("cannot start the program's threads: {error}"))
            .hint("see how many threads and files a process may have with: ulimit -a")
    })
}

async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Up(arguments) => up::run(arguments, context).await,
        Command::Status(arguments) => status::run(arguments, context).await,
        Command::Doctor(arguments) => doctor::run(arguments, context).await,
        Command::Event(command) => event::run(command, context).await,
        Command::Blueprint(command) => blueprint::run(command, context).await,
        Command::Run(command) => run::run(command, context).await,
        Command::Gate(command) => gate::run(command, context).await,
        Command::Artifact(command) => artifact::run(command, context).await,
        Command::Policy(command) => policy::run(command, context).await,
        Command::Timeline(command) => timeline::run(command, context).await,
        Command::Peer(command) => peer::run(command, context).await,
        Command::Workspace(command) => workspace::run(command, context).await,
        Command::Capsule(command) => capsule::run(command, context).await,
        Command::Deploy(command) => deploy::run(command, context).await,
        Command::Secret(command) => secret::run(command, context).await,
        Command::Audit(command) => audit::run(command, context).await,
        Command::Store(command) => store::run(command, context).await,
        Command::Sim(command) => sim::run(command, context),
        Command::Schema(command) => schema::run(command, context),
        Command::Config(command) => config::run(command, context),
        Command::Completions(arguments) => completions::run(&arguments, context),
        Command::Man(arguments) => man::run(&arguments, context),
    }
}

/// The command line as data, for completions and manual pages.
fn grammar() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        grammar().debug_assert();
    }

    #[test]
    fn emit_takes_json_as_data_and_the_folder_beside_it() {
        let folder = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).expect("it is understood");
            let Command::Event(event::Command::Emit(_)) = cli.command else { panic!("it is an emit") };
            cli.global.data
        };
        assert_eq!(folder("xyn event emit a.b --data {}"), None);
        assert_eq!(folder("xyn --data /d event emit a.b --data {}"), Some("/d".into()));
        assert_eq!(folder("xyn event emit a.b --data {} --data-dir /d"), Some("/d".into()));
    }

    #[test]
    fn help_shows_every_command_on_a_screen() {
        insta::assert_snapshot!(grammar().term_width(100).render_help(), @r"
        A node that turns events into governed, durable runs

        Usage: xyn [OPTIONS] <COMMAND>

        Commands:
          up           Start the node and keep it running
          status       Show how the node is: runs, gates, events
          doctor       Look for what is wrong; each finding says what mends it
          event        Emit events and watch them come
          blueprint    Write, check and activate blueprints
          run          Start, watch and steer runs
          gate         Answer what waits for people
          artifact     Keep and fetch artifacts
          policy       Test, explain and activate policies
          timeline     See what the team did, and go back to any moment of it
          peer         See the other nodes of the environment, let nodes in and revoke them
          workspace    Keep folders, moment by moment, and bring them back
          capsule      Seal an app into one signed file, and check such files
          deploy       See what serves where
          secret       Keep values that apps are given, and nobody is shown
          audit        Verify and read the audit chain
          store        Check and mend the store of a stopped node
          sim          Run worlds of simulated nodes under every fault, and check what must hold
          schema       Print the JSON Schema of what people write
          config       Show the configuration
          completions  Print completions for a shell
          man          Print or write the manual pages
          help         Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version

        Global options:
              --data <DIR>  The node's data folder [env: XYN_DATA] [default: xyn in the XDG data folder]
              --url <URL>   The node's address, such as http://127.0.0.1:4310 [env: XYN_URL] [default: what
                            runs on the data folder]
              --json        Results as JSON
              --no-color    No colours, also when NO_COLOR is not set

        Start with `xyn up`. Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied by policy, 5 waiting
        for approval, 6 conflict, 7 node unreachable.
        ");
    }
}
