//! `xyn up`: start the node and keep it running.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use xyn_actors::blueprint::sample;
use xyn_store::StoreError;

use super::Context;
use super::output::Paint;
use crate::config;
use crate::failure::{Exit, Failure, with_causes};
use crate::node::{Node, NodeError, NodeOptions};

#[derive(Debug, Args)]
#[command(
    after_help = "Logs go to stderr; XYN_LOG says which, such as XYN_LOG=info or XYN_LOG=xyn_actors=debug. \
                        With --json they are JSON, and one document on stdout says where the node listens."
)]
pub(super) struct Arguments {
    /// Address to listen on, loopback only; may be given again [env: XYN_LISTEN] [default: [::1]:4310 and
    /// 127.0.0.1:4310]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let flags = config::Flags { listen: arguments.listen, ..context.flags() };
    let settings = config::load(&flags, &config::process_environment)?.settings;
    let env = settings.environment(&config::process_environment)?;
    let data =
        std::path::absolute(&settings.data).map_err(|error| Failure::file("find", &settings.data, &error))?;
    log(context.out.json)?;
    let stop = stop_signal()?;
    let options = NodeOptions {
        data: data.clone(),
        listen: settings.listen,
        env,
        blob_quota_bytes: settings.limits.artifact_store_bytes,
    };
    let node = Node::start(options).await.map_err(|error| explained(&error, &data))?;
    config::write_template(&data)
        .map_err(|error| Failure::file("write", &data.join(config::CONFIG_FILE), &error))?;
    announce(&node, &data, context)?;
    node.serve(stop).await;
    Ok(Exit::Done)
}

/// Is done when somebody asks the process to stop: Ctrl-C or SIGTERM. A second time ends it at once.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::failed("signals", error.to_string()));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        let asked = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        asked.await;
        tracing::info!("stopping");
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::warn!("stopping at once: what is durable is kept, the next start recovers");
            std::process::exit(i32::from(Exit::Failed as u8));
        });
    })
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

fn announce(node: &Node, data: &Path, context: &Context) -> Result<(), Failure> {
    let listen = node.addresses();
    if context.out.json {
        let pid = std::process::id();
        let document = json!({ "pid": pid, "listen": listen, "data": data, "first_start": node.is_new });
        return context.out.json_line(&document);
    }
    let default = config::data_folder(&config::Flags::default(), &config::process_environment);
    let found = default.is_ok_and(|(folder, _)| folder == data);
    context.out.line(&greeting(&listen, data, node.is_new, found, context.out.paint))
}

/// What a person who started a node is told. `found` says that commands find the folder without being told.
fn greeting(listen: &[SocketAddr], data: &Path, is_new: bool, found: bool, paint: Paint) -> String {
    let mut text = String::new();
    if is_new {
        let _ = writeln!(text, "This is a new node. It has made in {}:", data.display());
        let _ = writeln!(text, "  node.key     its identity, which stays on this machine");
        let _ = writeln!(text, "  config.toml  its configuration, all of it commented out");
        let samples: Vec<_> =
            sample::SHIPPED.iter().map(|(file, _)| file.trim_end_matches(".yaml")).collect();
        let _ = writeln!(text, "and has made the sample blueprints {} active.\n", samples.join(" and "));
    }
    let addresses: Vec<_> = listen.iter().map(|address| format!("http://{address}")).collect();
    let listens = paint.bold(&addresses.join(" and "));
    let _ = writeln!(text, "xyn {} listens on {listens}", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "Its data is in {}. Stop it with Ctrl-C.\n", data.display());
    let _ = writeln!(text, "In another terminal:");
    if !found {
        let _ = writeln!(text, "  export XYN_DATA={}", data.display());
    }
    let lines = [
        ("xyn event emit demo.hello --data '{\"name\": \"Ada\"}'", "start a run"),
        ("xyn run list", "see how it went"),
        ("xyn event tail", "watch everything that happens"),
        ("xyn status", "see how the node is"),
    ];
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
    for (line, what) in lines {
        let _ = writeln!(text, "  {line:width$}  {}", paint.dim(&format!("# {what}")));
    }
    text.trim_end().to_owned()
}

/// What an error of the node means to who started it.
fn explained(error: &NodeError, data: &Path) -> Failure {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let in_use = matches!(error, NodeError::Store(StoreError::InUse { .. }))
        || causes.any(|cause| matches!(cause.downcast_ref(), Some(StoreError::InUse { .. })));
    let message = with_causes(error);
    if in_use {
        return Failure::new(Exit::Conflict, "in_use", message)
            .hint("use the node that runs, stop it first, or name another folder with --data DIR");
    }
    Failure::failed("node", message)
        .hint(format!("see what is wrong with: xyn doctor --data {}", data.display()))
}

#[cfg(test)]
mod tests {
    use super::super::output::rendered;
    use super::*;

    #[test]
    fn a_first_start_says_what_was_made_and_what_to_type() {
        let listen =
            ["[::1]:4310", "127.0.0.1:4310"].map(|address| address.parse().expect("an address")).to_vec();
        insta::assert_snapshot!(greeting(&listen, Path::new("/srv/xyn"), true, false, Paint::PLAIN), @r#"
        This is a new node. It has made in /srv/xyn:
          node.key     its identity, which stays on this machine
          config.toml  its configuration, all of it commented out
        and has made the sample blueprints hello and approval active.

        xyn 0.1.0 listens on http://[::1]:4310 and http://127.0.0.1:4310
        Its data is in /srv/xyn. Stop it with Ctrl-C.

        In another terminal:
          export XYN_DATA=/srv/xyn
          xyn event emit demo.hello --data '{"name": "Ada"}'  # start a run
          xyn run list                                        # see how it went
          xyn event tail                                      # watch everything that happens
          xyn status                                          # see how the node is
        "#);
    }

    #[test]
    fn a_folder_that_another_node_has_is_a_conflict() {
        let store = StoreError::InUse { folder: "/srv/xyn".into(), holder: "process 7".into() };
        let failure = explained(&NodeError::from(store), Path::new("/srv/xyn"));
        assert_eq!(failure.exit, Exit::Conflict);
        insta::assert_snapshot!(rendered(&failure, Paint::PLAIN), @r"
        error: `/srv/xyn` is in use by another node (process 7)
         hint: use the node that runs, stop it first, or name another folder with --data DIR
        ");
    }
}
