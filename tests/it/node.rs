//! A node as its users have it: the real program on a folder, asked over HTTP and by the command line.
//!
//! Owns the process: it never outlives the test. Refuses to wait without an end. Invariant: when [`Node::start`]
//! is done, the node answers.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;

/// The longest that anything a test waits for may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How a panic that nobody contains begins.
pub(crate) const PANIC: &str = "panicked at";
const PROGRAM: &str = env!("CARGO_BIN_EXE_xyn");
/// How long a connection is kept that nobody uses.
const IDLE_MAX: Duration = Duration::from_secs(4);
/// How often is looked whether it has come.
const LOOK: Duration = Duration::from_millis(10);
/// A run whose steps all are done in the process.
pub(crate) const COUNT: &str = r#"
id: bp.count
name: Count
trigger: { event_type: test.count }
inputs:
  - { name: key, schema: { type: string }, required: true }
plan:
  - { kind: transform, id: first, set: { text: "{{ inputs.key }}" } }
  - { kind: transform, id: second, set: { text: "{{ steps.first.output.text }}" } }
  - { kind: action_task, id: keep, action: artifacts.put,
      with: { name: "{{ inputs.key }}", content: "{{ steps.second.output.text }}" } }
outputs:
  - { name: key, from: "{{ steps.second.output.text }}" }
"#;

/// A place for a node's data, and for files that commands are given.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// The node's data.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Writes a file beside the data.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).expect("the folder can be written");
        path.to_str().expect("a path that is text").to_owned()
    }

    /// What the nodes of this folder had to say.
    fn log(&self) -> PathBuf {
        self.0.path().join("log")
    }

    /// The program with no settings but this folder.
    pub(crate) fn program(&self) -> Command {
        self.configured(Command::new(PROGRAM))
    }

    /// The same, started by another program that is told its name and arguments behind its own.
    pub(crate) fn program_by<const N: usize>(&self, starter: [&str; N]) -> Command {
        let mut command = Command::new(starter[0]);
        command.args(&starter[1..]).arg(PROGRAM);
        self.configured(command)
    }

    fn configured(&self, mut command: Command) -> Command {
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("XYN_")) {
            command.env_remove(name);
        }
        command.env("XYN_DATA", self.data()).env("XYN_LOG", "warn").stdin(Stdio::null());
        command
    }

    /// Runs the program on this folder.
    pub(crate) fn xyn<const N: usize>(&self, arguments: [&str; N]) -> Said {
        Said::of(self.program().args(arguments))
    }

    /// What a start says that is refused; one that is not is ended after a while and has another exit code.
    pub(crate) fn refused_start(&self) -> Said {
        Said::of(self.program_by(["timeout", "10"]).args(["up", "--listen", "127.0.0.1:0"]))
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Said {
    /// Exit code.
    pub(crate) code: i32,
    /// What it answered.
    pub(crate) out: String,
    /// What it said about it.
    pub(crate) err: String,
}

impl Said {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the program starts");
        let said = Self {
            code: output.status.code().expect("the program ended by itself"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        };
        assert!(!said.err.contains(PANIC), "{said:?}");
        said
    }

    /// It ended with `code`, and all of `words` stand in what it said.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        let text = format!("{}{}", self.out, self.err);
        assert!(words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
    }

    /// The answer of a command that did what was asked.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// The answer as a document.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).expect("the answer is JSON")
    }
}

/// A running node.
pub(crate) struct Node {
    process: Mutex<Child>,
    base: String,
    mesh: Vec<String>,
    lan_catalogue: Vec<String>,
    http: Client,
    log: PathBuf,
}

impl Node {
    /// Starts a node on `folder` and waits until it answers.
    pub(crate) async fn start(folder: &Folder) -> Self {
        Self::start_by(folder, folder.program()).await
    }

    /// The same with a command of the folder's that was changed.
    pub(crate) async fn start_by(folder: &Folder, command: Command) -> Self {
        Self::start_with(folder, command, &[]).await
    }

    /// The same with more arguments.
    pub(crate) async fn start_with(folder: &Folder, mut command: Command, arguments: &[&str]) -> Self {
        let log = File::options().create(true).append(true).open(folder.log()).expect("the log opens");
        let mut process = command
            .args(["up", "--json", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let out = process.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("a line of text");
        let Ok(said) = serde_json::from_str::<Value>(&line) else {
            let log = std::fs::read_to_string(folder.log()).unwrap_or_default();
            panic!("the node did not start: {log}");
        };
        let log = folder.log();
        let base = format!("http://{}", said["listen"][0].as_str().expect("an address"));
        // The node closes what is idle after ten seconds, perhaps just when the next request goes out.
        let http = Client::builder().no_proxy().timeout(PATIENCE).pool_idle_timeout(IDLE_MAX);
        let http = http.build().expect("a client");
        let [mesh, lan_catalogue] = ["mesh", "lan_catalogue"].map(|key| {
            let addresses = said[key].as_array().into_iter().flatten().filter_map(Value::as_str);
            addresses.map(str::to_owned).collect()
        });
        let node = Self { process: Mutex::new(process), base, mesh, lan_catalogue, http, log };
        eventually("the node answers", async || {
            let answer = node.request("GET", "/healthz").send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        node
    }

    /// Where its mesh is reached.
    pub(crate) fn mesh(&self) -> &[String] {
        &self.mesh
    }

    /// Where its catalogue for the local network is reached.
    pub(crate) fn lan_catalogue(&self) -> &[String] {
        &self.lan_catalogue
    }

    /// Where it is reached.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process().id()
    }

    /// What the nodes of its folder had to say so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A request that is not sent yet.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(method.parse().expect("a method"), self.url(path))
    }

    /// The document at `path`.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> impl Future<Output = Value> {
        let request = self.request("GET", path);
        async move { Answer::of(request).await.expect("the node answers").ok() }
    }

    /// What posting `body` to `path` brings.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request("POST", path).json(body)).await.expect("the node answers")
    }

    /// Every item of the list at `path`, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        let join = if path.contains('?') { '&' } else { '?' };
        loop {
            let mut page = self.get(&format!("{path}{join}limit=200{cursor}")).await;
            items.append(page["items"].as_array_mut().expect("a list"));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Makes a blueprint active.
    pub(crate) async fn promote(&self, folder: &Folder, source: &str) {
        let file = folder.file("blueprint.yaml", source);
        folder.xyn(["blueprint", "promote", &file]).ok();
    }

    /// Starts a run and says its id.
    pub(crate) async fn run(&self, blueprint: &str, inputs: Value) -> String {
        let body = serde_json::json!({ "blueprint": blueprint, "inputs": inputs });
        let run = self.post("/api/v1/runs", &body).await.ok();
        run["run_id"].as_str().expect("a run's id").to_owned()
    }

    /// The run once `is_so` holds.
    pub(crate) async fn run_that(&self, run_id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/v1/runs/{run_id}");
        eventually(what, async || Some(self.get(&path).await).filter(|run| is_so(run))).await
    }

    /// The run once it has ended.
    pub(crate) async fn ended(&self, run_id: &str) -> Value {
        let is_final =
            |run: &Value| matches!(run["status"].as_str(), Some("completed" | "failed" | "cancelled"));
        self.run_that(run_id, "the run ends", is_final).await
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill_9(&self) {
        let mut process = self.process();
        process.kill().expect("the process is ours");
        process.wait().expect("the process is ours");
    }

    /// Asks the node to stop (SIGTERM) and says how it ended.
    pub(crate) async fn stop(self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.process());
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the process is ours");
        eventually("the node stops", async || self.process().try_wait().expect("the process is ours")).await
    }

    fn process(&self) -> MutexGuard<'_, Child> {
        self.process.lock().expect("nobody panics while holding it")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that has ended already is what a test wants.
        if let Ok(process) = self.process.get_mut() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if !std::thread::panicking() {
            let log = self.log();
            assert!(!log.contains(PANIC), "the node panicked: {log}");
        }
    }
}

/// What a node answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The document, null when there is none.
    pub(crate) body: Value,
}

impl Answer {
    /// The answer to `request`, if the node lives to give it.
    pub(crate) async fn of(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok(Self { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    /// The document of an answer that is no refusal.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status < 300, "{self:?}");
        self.body
    }
}

/// What `look` finds, as soon as it finds something; looks again and again, but not for ever.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(LOOK).await;
    }
}
