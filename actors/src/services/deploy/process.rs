//! A process: the command of a capsule, supervised.
//!
//! Owns the process from its start to the end of its last answer: it is started again with a growing pause when it
//! ends by itself, and ended when nobody holds the instance any more. Invariant: whatever becomes of an instance, its
//! process group is gone after it.

mod log;
mod orphans;
mod pauses;
mod plan;
mod proxy;

use std::fs::{File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::services::secrets::Scrub;
use log::Log;
pub(super) use log::tail;
use orphans::Noted;
pub(super) use orphans::end_orphans;
use pauses::Pauses;
pub(super) use plan::{Plan, plan};
pub(super) use proxy::answer;

/// How long a process may take until it is well.
const WELL_WITHIN: Duration = Duration::from_secs(30);
/// How long one answer to a question about its health may take.
const PROBE_WITHIN: Duration = Duration::from_secs(5);
/// How often it is asked until it is well.
const PROBE_PAUSE: Duration = Duration::from_millis(20);
/// How long a process has to end when it is told to.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How long what an ended process said is waited for.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// Bytes of a log that a failure shows.
const SHOWN_BYTES: usize = 1_000;

/// The folders of a deployment.
#[derive(Clone, Debug)]
pub(super) struct Rooms {
    /// What was laid out of the capsule.
    pub(super) app: PathBuf,
    /// What the app keeps, whichever release runs.
    pub(super) data: PathBuf,
    /// What its processes said.
    pub(super) log: PathBuf,
}

/// A running release.
pub(super) struct Instance {
    /// The port at which the process listens; none while it does not.
    port: watch::Receiver<Option<u16>>,
    stop: watch::Sender<bool>,
}

/// Why a process is not well.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWell {
    /// It cannot be started.
    #[error("`{program}` cannot be started: {source}")]
    Start {
        /// What was started.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It ended.
    #[error("its process ended ({0}) before it was well{1}")]
    Ended(String, String),
    /// It did not answer well in time.
    #[error("{0} after {within} seconds{1}", within = WELL_WITHIN.as_secs())]
    Late(String, String),
}

impl NotWell {
    /// How the process ended, where it did.
    pub(super) fn exit(&self) -> Option<&str> {
        match self {
            Self::Ended(how, _) => Some(how),
            Self::Start { .. } | Self::Late(..) => None,
        }
    }

    /// Why, without what it said.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Start { .. } => self.to_string(),
            Self::Ended(how, _) => Self::Ended(how.clone(), String::new()).to_string(),
            Self::Late(last, _) => Self::Late(last.clone(), String::new()).to_string(),
        }
    }
}

impl Instance {
    /// Starts what `plan` says in `rooms`, and waits until it answers `health` well. What `scrub` takes out is not in
    /// its log.
    pub(super) async fn start(
        plan: Plan,
        rooms: Rooms,
        health: &str,
        scrub: Scrub,
    ) -> Result<Arc<Self>, NotWell> {
        let log = Log::at(rooms.log.clone(), scrub);
        let mut running = Running::start(&plan, &rooms, &log)?;
        running.well(health, &rooms.log).await?;
        let (told, port) = watch::channel(Some(running.port));
        let (stop, stopping) = watch::channel(false);
        let supervision = Supervision { plan, rooms, log, health: health.to_owned(), told };
        tokio::spawn(supervision.run(running, stopping));
        Ok(Arc::new(Self { port, stop }))
    }

    /// The port at which it listens, as soon as it does. None when it ends for good.
    async fn ready(&self) -> Option<u16> {
        let mut port = self.port.clone();
        port.wait_for(Option::is_some).await.ok().and_then(|port| *port)
    }

    /// Ends it, whoever still holds it.
    pub(super) fn end(&self) {
        self.stop.send_replace(true);
    }

    /// Is done when its process has ended for good.
    pub(super) async fn ended(&self) {
        let mut port = self.port.clone();
        while port.changed().await.is_ok() {}
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.end();
    }
}

/// What keeps a process running.
struct Supervision {
    plan: Plan,
    rooms: Rooms,
    log: Log,
    health: String,
    told: watch::Sender<Option<u16>>,
}

impl Supervision {
    async fn run(self, mut running: Running, mut stopping: watch::Receiver<bool>) {
        let mut pauses = Pauses::default();
        loop {
            let began = Instant::now();
            let ended = tokio::select! {
                ended = running.child.wait() => ended,
                () = told(&mut stopping) => return running.end(&self.log).await,
            };
            self.told.send_replace(None);
            running.kill();
            let mut pause = pauses.after(began.elapsed());
            self.log.note(&format!("{}; it is started again in {pause:?}", how(ended)));
            loop {
                tokio::select! {
                    () = sleep(pause) => {}
                    () = told(&mut stopping) => return,
                }
                let again = async {
                    let mut running = Running::start(&self.plan, &self.rooms, &self.log)?;
                    running.well(&self.health, &self.rooms.log).await.map(|()| running)
                };
                let again = tokio::select! {
                    again = again => again,
                    () = told(&mut stopping) => return,
                };
                match again {
                    Ok(again) => {
                        running = again;
                        self.told.send_replace(Some(running.port));
                        break;
                    }
                    Err(error) => {
                        pause = pauses.after(Duration::ZERO);
                        self.log.note(&format!("{error}; it is tried again in {pause:?}"));
                    }
                }
            }
        }
    }
}

/// Waits for the word to end.
async fn told(stopping: &mut watch::Receiver<bool>) {
    // An instance that nobody holds ends as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn how(ended: io::Result<std::process::ExitStatus>) -> String {
    ended.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// One process, and the group that it leads.
struct Running {
    child: Child,
    group: Option<Pid>,
    port: u16,
    /// Who writes down what it says.
    listeners: Vec<JoinHandle<()>>,
    /// A share in the folder that it is in.
    _within: File,
    _noted: Option<Noted>,
}

/// Whether a process of this node is in the folder `app`, whatever that was called when it was started.
pub(super) fn is_within(app: &Path) -> bool {
    matches!(File::open(app).map(|folder| folder.try_lock()), Ok(Err(TryLockError::WouldBlock)))
}

impl Running {
    fn start(plan: &Plan, rooms: &Rooms, log: &Log) -> Result<Self, NotWell> {
        let fail = |source| NotWell::Start { program: plan.program.clone(), source };
        // The port is free, and was given back: whoever takes it meanwhile is not well, so that is seen.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let port = port.map_err(fail)?.port();
        let program = match plan.program.contains('/') {
            true => rooms.app.join(&plan.program),
            false => PathBuf::from(&plan.program),
        };
        let within = File::open(&rooms.app).and_then(|folder| folder.lock_shared().map(|()| folder));
        let within = within.map_err(fail)?;
        let mut command = Command::new(program);
        command
            .args(&plan.arguments)
            .current_dir(&rooms.app)
            .env_clear()
            .env("HOME", &rooms.data)
            .env("XYN_APP_DATA", &rooms.data)
            .env("HOST", "127.0.0.1")
            .env("PORT", port.to_string())
            .envs(&plan.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(fail)?;
        let id = child.id();
        let group = id.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        // Before anything that it says, so that what stands behind this is what it said.
        log.note(&format!("started `{}` as process {} at port {port}", plan.program, id.unwrap_or_default()));
        let out = child.stdout.take().map(|out| tokio::spawn(log.clone().follow(out)));
        let err = child.stderr.take().map(|err| tokio::spawn(log.clone().follow(err)));
        let listeners = out.into_iter().chain(err).collect();
        let noted = id.and_then(|id| {
            let noted = Noted::beside(&rooms.app, id);
            noted
                .inspect_err(
                    |error| tracing::warn!(%error, id, "a process outlives this node if that is killed"),
                )
                .ok()
        });
        Ok(Self { child, group, port, listeners, _within: within, _noted: noted })
    }

    /// Waits until `health` is answered well.
    async fn well(&mut self, health: &str, log: &Path) -> Result<(), NotWell> {
        let deadline = Instant::now() + WELL_WITHIN;
        loop {
            let last = tokio::select! {
                ended = self.child.wait() => {
                    self.hear_out().await;
                    return Err(NotWell::Ended(how(ended), shown(log)));
                }
                answered = timeout(PROBE_WITHIN, probe(self.port, health)) => match answered {
                    Ok(Ok(status)) if status.is_success() => return Ok(()),
                    Ok(Ok(status)) => format!("`{health}` is answered with {status}"),
                    Ok(Err(error)) => format!("`{health}` is not answered ({error})"),
                    Err(_) => format!("`{health}` is not answered"),
                },
            };
            if Instant::now() >= deadline {
                return Err(NotWell::Late(last, shown(log)));
            }
            sleep(PROBE_PAUSE).await;
        }
    }

    /// Waits until all that it said is written down, now that it has ended.
    async fn hear_out(&mut self) {
        self.kill();
        for listener in self.listeners.drain(..) {
            // Who left the group may hold the pipe open.
            let _ = timeout(HEARD_WITHIN, listener).await;
        }
    }

    /// Tells the group to end, and after a while ends it.
    async fn end(mut self, log: &Log) {
        self.signal(Signal::TERM);
        if timeout(END_WITHIN, self.child.wait()).await.is_err() {
            log.note("it did not end when it was told to, and is cut off");
        }
        self.kill();
    }

    /// Ends whatever is left of the group, once: its number may be somebody else's later.
    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.group = None;
    }

    fn signal(&self, signal: Signal) {
        // A group that is gone needs no signal.
        let _ = self.group.map(|group| kill_process_group(group, signal));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How the process at `port` answers a GET of `path`.
async fn probe(port: u16, path: &str) -> Result<http::StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    let request = http::Request::get(path)
        .header(http::header::HOST, format!("127.0.0.1:{port}"))
        .body(http_body_util::Empty::<hyper::body::Bytes>::new())?;
    let asking = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    asking.abort();
    Ok(answer?.status())
}

/// The end of what it said, for who asks why.
fn shown(log: &Path) -> String {
    let said = tail(log, SHOWN_BYTES).unwrap_or_default();
    let said = said.trim_end();
    if said.is_empty() { String::new() } else { format!("; it said:\n{said}") }
}
