//! `xyn up`: start the node and keep it running.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use xyn_store::StoreError;

use super::Context;
use super::error::{Exit, Failure};
use super::output::Paint;
use crate::client::NodeFile;
use crate::config::{self, CONFIG_FILE};
use crate::node::{self, NodeError, NodeOptions};

/// How often to look whether the node is up.
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[derive(Debug, Args)]
#[command(after_help = "Logs go to stderr; XYN_LOG says which, such as XYN_LOG=info or XYN_LOG=xyn_actors=debug. \
                        With --json they are JSON, and one document on stdout says where the node listens.")]
pub(super) struct Arguments {
    /// Address to listen on, loopback only; may be given again [env: XYN_LISTEN] [default: [::1]:4310 and
    /// 127.0.0.1:4310]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let flags = config::Flags { listen: arguments.listen, ..context.flags() };
    let settings = config::load(&flags, &config::process_environment)?.settings;
    let data = settings.data;
    log(context.out.json)?;
    let first_start = !data.join(xyn_store::DATABASE_FILE).exists();
    if config::write_template(&data).map_err(|error| Failure::file("write", &data.join(CONFIG_FILE), &error))? {
        tracing::info!(file = %data.join(CONFIG_FILE).display(), "configuration written");
    }
    let options = NodeOptions { data: data.clone(), listen: settings.listen, json_logs: context.out.json };
    let node = node::run(options);
    tokio::pin!(node);
    let ended = tokio::select! {
        ended = &mut node => Some(ended),
        file = ready(&data) => {
            announce(&file, &data, first_start, context)?;
            None
        }
    };
    let ended = match ended {
        Some(ended) => ended,
        None => node.await,
    };
    ended.map(|()| Exit::Done).map_err(|error| explained(&error, &data))
}

/// Logs to stderr, as `XYN_LOG` says; warnings when it says nothing.
fn log(json: bool) -> Result<(), Failure> {
    let filter = match std::env::var("XYN_LOG") {
        Ok(text) => EnvFilter::try_new(&text).map_err(|error| {
            Failure::usage(format!("`{text}` is no log filter: {error}"))
                .at("XYN_LOG")
                .hint("say a level such as `info`, or `xyn_actors=debug,info`")
        })?,
        Err(_) => EnvFilter::new(if json { "info" } else { "warn" }),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = if json { registry.with(layer.json()).try_init() } else { registry.with(layer).try_init() };
    started.map_err(|error| Failure::failed("log", error.to_string()))
}

/// Waits until this process has written where it listens.
async fn ready(data: &Path) -> NodeFile {
    let own = std::process::id();
    loop {
        if let Some(file) = NodeFile::read(data).filter(|file| file.pid == own) {
            return file;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn announce(file: &NodeFile, data: &Path, first_start: bool, context: &Context) -> Result<(), Failure> {
    if context.out.json {
        let document = json!({ "pid": file.pid, "listen": file.listen, "data": data, "first_start": first_start });
        return context.out.json_line(&document);
    }
    let default = config::data_folder(&config::Flags::default(), &config::process_environment);
    let named = default.is_ok_and(|(folder, _)| folder == data);
    context.out.line(&greeting(file, data, first_start, named, context.out.paint))
}

/// What a person who started a node is told. `found` says that commands find the folder without being told.
fn greeting(file: &NodeFile, data: &Path, first_start: bool, found: bool, paint: Paint) -> String {
    let mut text = String::new();
    if first_start {
        let _ = writeln!(text, "This is a new node. It has made in {}:", data.display());
        let _ = writeln!(text, "  node.key     its identity, which stays on this machine");
        let _ = writeln!(text, "  config.toml  its configuration, all of it commented");
        let _ = writeln!(text, "  two sample blueprints, bp.hello and bp.approval: xyn blueprint list\n");
    }
    let addresses: Vec<_> = file.listen.iter().map(|address| format!("http://{address}")).collect();
    let _ = writeln!(text, "xyn {} listens on {}", env!("CARGO_PKG_VERSION"), paint.bold(&addresses.join(" and ")));
    let _ = writeln!(text, "Its data is in {}. Stop it with Ctrl-C.\n", data.display());
    let _ = writeln!(text, "In another terminal:");
    let at = if found { String::new() } else { format!(" --data {}", data.display()) };
    let lines = [
        (format!("xyn event emit demo.hello --data '{{\"name\": \"Ada\"}}'{at}"), "start a run"),
        (format!("xyn run list{at}"), "see how it went"),
        (format!("xyn event tail{at}"), "watch everything that happens"),
        (format!("xyn status{at}"), "see how the node is"),
    ];
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
    for (line, what) in &lines {
        let _ = writeln!(text, "  {line:width$}  {}", paint.dim(&format!("# {what}")));
    }
    text.trim_end().to_owned()
}

/// What an error of the node means to who started it.
fn explained(error: &NodeError, data: &Path) -> Failure {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    let mut in_use = matches!(error, NodeError::Store(StoreError::InUse { .. }));
    while let Some(below) = cause {
        in_use |= matches!(below.downcast_ref(), Some(StoreError::InUse { .. }));
        let said = below.to_string();
        // A transparent error says what its source says.
        if !message.ends_with(&said) {
            let _ = write!(message, ": {said}");
        }
        cause = below.source();
    }
    if in_use {
        return Failure::new(Exit::Conflict, "in_use", message)
            .hint("use the node that runs, stop it first, or name another folder with --data DIR");
    }
    Failure::failed("node", message).hint(format!("see what is wrong with: xyn doctor --data {}", data.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_start_says_what_was_made_and_what_to_type() {
        let listen = ["[::1]:4310", "127.0.0.1:4310"].map(|address| address.parse().expect("an address")).to_vec();
        let file = NodeFile { pid: 7, listen, started_at: String::new() };
        insta::assert_snapshot!(greeting(&file, Path::new("/srv/xyn"), true, false, Paint::PLAIN), @"");
    }

    #[test]
    fn a_folder_that_another_node_has_is_a_conflict() {
        let store = StoreError::InUse { folder: "/srv/xyn".into(), holder: "process 7".into() };
        let failure = explained(&NodeError::from(store), Path::new("/srv/xyn"));
        assert_eq!(failure.exit, Exit::Conflict);
        insta::assert_snapshot!(failure.render(Paint::PLAIN), @"");
    }
}
