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
use xyn_actors::services::mesh::JoinError;
use xyn_store::StoreError;
use xyn_store::trust::{InvalidTicket, Ticket};

use super::Context;
use super::output::{Output, Paint};
use crate::config::{self, MeshMode};
use crate::failure::{Exit, Failure, with_causes};
use crate::node::{Ended, Listener, Node, NodeError, NodeOptions};
use crate::shell;

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
    /// Share the timeline with the nodes of the environment: wherever they are, or on the local network alone
    /// [env: XYN_MESH] [default: off]
    #[arg(long, value_enum)]
    mesh: Option<MeshMode>,
    /// Address to listen on for them, such as /ip6/::/udp/4311/quic-v1; may be given again [env:
    /// XYN_MESH_LISTEN] [default: port 4311, QUIC and TCP]
    #[arg(long, value_name = "MULTIADDR")]
    mesh_listen: Vec<String>,
    /// Node to dial, such as /ip4/192.168.1.7/tcp/4311; may be given again [env: XYN_MESH_PEERS]
    #[arg(long, value_name = "MULTIADDR")]
    peer: Vec<String>,
    /// Let everybody on the local network read capsules whose scope is lan or public, here; may be given again
    /// [env: XYN_LAN_CATALOGUE] [default when no address is said: [::]:7423]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "[::]:7423")]
    lan_catalogue: Vec<SocketAddr>,
    /// Join the environment of the node that gave out this ticket, at the folder's first start; the mesh is on
    /// then, unless something else is said
    #[arg(long, value_name = "TICKET")]
    join: Option<String>,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let flags = config::Flags {
        listen: arguments.listen,
        mesh: arguments.mesh,
        mesh_listen: arguments.mesh_listen,
        mesh_peers: arguments.peer,
        lan_catalogue: arguments.lan_catalogue,
        ..context.flags()
    };
    let mut settings = config::load(&flags, &config::process_environment)?.settings;
    if arguments.join.is_some() && settings.mesh.mode == MeshMode::Off && flags.mesh.is_none() {
        settings.mesh.mode = MeshMode::On;
    }
    let join = arguments.join.as_deref().map(|text| ticket(text, "--join")).transpose()?;
    let env = settings.environment(&config::process_environment)?;
    let data =
        std::path::absolute(&settings.data).map_err(|error| Failure::file("find", &settings.data, &error))?;
    log(&context.out)?;
    let mut stop = Box::pin(stop_signal()?);
    let options = NodeOptions {
        data: data.clone(),
        listen: settings.listen,
        env,
        blob_quota_bytes: settings.limits.artifact_store_bytes,
        mesh: settings.mesh.service(),
        join,
        lan_catalogue: settings.lan_catalogue,
    };
    let mut again = NodeOptions { join: None, ..options.clone() };
    let mut node = tokio::select! {
        started = Node::start(options) => started.map_err(|error| explained(&error, &data))?,
        // To join may take a while.
        () = &mut stop => return Ok(Exit::Done),
    };
    config::write_template(&data)
        .map_err(|error| Failure::file("write", &data.join(config::CONFIG_FILE), &error))?;
    let mesh = node.mesh_addresses().await;
    announce(&node, &mesh, &data, context)?;
    again.listen = node.addresses();
    again.lan_catalogue = node.catalogue_addresses();
    // A node that has another key goes on as what it is now: with it, at the same addresses.
    while node.serve(&mut stop).await == Ended::HandedOver {
        node = Node::start(again.clone()).await.map_err(|error| explained(&error, &data))?;
    }
    Ok(Exit::Done)
}

/// The ticket in a text that stands `at` a place of the command line. When it is none it is not repeated: it may be most
/// of a secret.
pub(super) fn ticket(text: &str, at: &str) -> Result<Ticket, Failure> {
    let wrong = |error: InvalidTicket| {
        Failure::usage(error.to_string()).at(at).hint("copy the whole line that `xyn peer invite` printed")
    };
    text.parse().map_err(wrong)
}

/// Is done when somebody asks the process to stop: Ctrl-C or SIGTERM. A second time ends it at once.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let listen = |kind| {
        signal(kind).map_err(|error| {
            Failure::failed("signals", format!("cannot listen for signals: {error}"))
                .hint("see how many files a process may have open with: ulimit -n")
        })
    };
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

/// What would be said as often as a peer likes: that it opens more streams than it may, or takes no news.
const HUSHED: &str = "libp2p_request_response=error,libp2p_gossipsub=error";

/// Logs to stderr, as `XYN_LOG` says; warnings when it says nothing.
fn log(out: &Output) -> Result<(), Failure> {
    let filter = match std::env::var("XYN_LOG") {
        Ok(text) => EnvFilter::try_new(format!("{HUSHED},{text}")).map_err(|error| {
            Failure::usage(format!("`{text}` is no log filter: {error}"))
                .at("XYN_LOG")
                .hint("say a level such as `info`, or `xyn_actors=debug,info`")
        })?,
        Err(_) => EnvFilter::new(format!("{HUSHED},{}", if out.json { "info" } else { "warn" })),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(out.paint_messages.is_colour());
    let started =
        if out.json { registry.with(layer.json()).try_init() } else { registry.with(layer).try_init() };
    started.map_err(|error| Failure::failed("log", error.to_string()))
}

fn announce(node: &Node, mesh: &[String], data: &Path, context: &Context) -> Result<(), Failure> {
    let listen = node.addresses();
    if context.out.json {
        let pid = std::process::id();
        let document = json!({
            "pid": pid, "listen": listen, "mesh": mesh, "data": data, "first_start": node.is_new,
            "lan_catalogue": node.catalogue_addresses(),
        });
        return context.out.json_line(&document);
    }
    let default = config::data_folder(&config::Flags::default(), &config::process_environment);
    let found = default.is_ok_and(|(folder, _)| folder == data);
    context.out.line(&greeting(&listen, mesh, data, node.is_new, found, context.out.paint))
}

/// What a person who started a node is told. `found` says that commands find the folder without being told.
fn greeting(
    listen: &[SocketAddr],
    mesh: &[String],
    data: &Path,
    is_new: bool,
    found: bool,
    paint: Paint,
) -> String {
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
    if let Some((first, more)) = mesh.split_first() {
        let address = first.split_once("/p2p/").map_or(first.as_str(), |(address, _)| address);
        let _ = match more.len() {
            0 => writeln!(text, "Its mesh listens on {address}"),
            more => writeln!(text, "Its mesh listens on {address} and {more} more"),
        };
    }
    let _ = writeln!(text, "Its data is in {}. Stop it with Ctrl-C.\n", data.display());
    let _ = writeln!(text, "In another terminal:");
    if !found {
        let _ = writeln!(text, "  export XYN_DATA={}", shell::word(data));
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
    if let NodeError::Join(error) = error {
        return not_joined(error, message);
    }
    if matches!(error, NodeError::Mesh(_)) {
        return Failure::failed("mesh", message)
            .hint("name other addresses with --mesh-listen and --peer, or work alone with --mesh off");
    }
    if let NodeError::Listen { what, .. } = error {
        return Failure::failed("node", message).hint(match what {
            Listener::Api => shell::up_elsewhere(data),
            Listener::Catalogue => {
                "choose another address with --lan-catalogue ADDR, or leave it out".to_owned()
            }
        });
    }
    if in_use {
        return Failure::new(Exit::Conflict, "in_use", message)
            .hint("use the node that runs, stop it first, or name another folder with --data DIR");
    }
    Failure::failed("node", message).hint(shell::doctor(data))
}

/// What it means that a ticket did not let the node in.
pub(super) fn not_joined(error: &JoinError, message: String) -> Failure {
    match error {
        JoinError::Elsewhere { .. } => Failure::new(Exit::Conflict, "other_environment", message)
            .hint("what is in a folder stays in its environment: join with a new one, named with --data DIR"),
        JoinError::NotLetIn(_) => Failure::new(Exit::Denied, "not_let_in", message).hint(
            "check that the node that gave out the ticket runs, or ask there for a new one: xyn peer invite",
        ),
        _ => {
            Failure::failed("join", message).hint("try again: a ticket can be used again by the same folder")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::rendered;
    use super::*;
    use xyn_actors::services::mesh::{NotJoined, NotLetIn};
    use xyn_store::audit::signature::PublicKey;
    use xyn_store::trust::{EnvId, NotRedeemed};

    #[test]
    fn a_first_start_says_what_was_made_and_what_to_type() {
        let listen =
            ["[::1]:4310", "127.0.0.1:4310"].map(|address| address.parse().expect("an address")).to_vec();
        insta::assert_snapshot!(greeting(&listen, &[], Path::new("/srv/xyn"), true, false, Paint::PLAIN), @r#"
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
    fn a_ticket_that_lets_nobody_in_is_explained_and_one_that_is_none_is_not_repeated() {
        let env = |byte| EnvId::rooted_in(PublicKey::from_bytes([byte; 32]));
        let elsewhere = JoinError::Elsewhere { here: env(0x11), ticket: env(0x22) };
        let failure = explained(&NodeError::from(elsewhere), Path::new("/srv/xyn"));
        assert_eq!(failure.exit, Exit::Conflict);
        insta::assert_snapshot!(rendered(&failure, Paint::PLAIN), @r"
        error: this folder belongs to environment `1111111111111111111111111111111111111111111111111111111111111111`, and the ticket is for `2222222222222222222222222222222222222222222222222222222222222222`
         hint: what is in a folder stays in its environment: join with a new one, named with --data DIR
        ");
        let refused = NotLetIn::from(NotJoined::Refused(NotRedeemed::Used));
        let failure = explained(&NodeError::from(JoinError::from(refused)), Path::new("/srv/xyn"));
        assert_eq!(failure.exit, Exit::Denied);
        insta::assert_snapshot!(rendered(&failure, Paint::PLAIN), @r"
        error: the ticket was refused: the ticket has been used
         hint: check that the node that gave out the ticket runs, or ask there for a new one: xyn peer invite
        ");
        let failure = ticket("xyn1mysecret", "TICKET").expect_err("it is none");
        assert_eq!(
            (failure.exit, failure.message.as_str()),
            (Exit::Usage, "the ticket was mistyped or cut short")
        );
        assert!(!rendered(&failure, Paint::PLAIN).contains("mysecret"));
    }

    #[test]
    fn the_catalogue_is_nowhere_until_it_is_asked_for_and_has_a_port_of_its_own() {
        #[derive(clap::Parser)]
        struct Program {
            #[command(flatten)]
            up: Arguments,
        }
        let listens = |flags: &[&str]| {
            let program =
                <Program as clap::Parser>::try_parse_from([&["xyn"], flags].concat()).expect("flags");
            program.up.lan_catalogue.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(listens(&[]), [""; 0]);
        assert_eq!(listens(&["--lan-catalogue"]), ["[::]:7423"]);
        assert_eq!(listens(&["--lan-catalogue", "--mesh", "lan"]), ["[::]:7423"]);
        assert_eq!(listens(&["--lan-catalogue", "10.0.0.1:80"]), ["10.0.0.1:80"]);
    }

    #[test]
    fn a_folder_that_another_node_has_is_a_conflict() {
        let store = StoreError::InUse { folder: "/srv/xyn".into(), holder: "process 7".into() };
        let failure = explained(&NodeError::from(store), Path::new("/srv/xyn"));
        assert_eq!(failure.exit, Exit::Conflict);
        insta::assert_snapshot!(rendered(&failure, Paint::PLAIN), @r"
        error: `/srv/xyn` is in use by a running node (process 7)
         hint: use the node that runs, stop it first, or name another folder with --data DIR
        ");
    }
}
