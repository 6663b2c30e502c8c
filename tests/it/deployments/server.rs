//! A PostgreSQL server of a test's own, as Debian has it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::node::PATIENCE;

/// Who runs the server where the tests run as root: it refuses to be root's.
const NOBODY: u32 = 65_534;
/// What its roles sign in with; it must be found nowhere but in the vault.
pub(super) const PASSWORD: &str = "hunter-of-seeds-22";

/// A PostgreSQL server of the test's own.
pub(super) struct Server {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        if is_root() {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("given away");
        }
        let made = command("initdb")
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--username=boss", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(folder.path().join("data"))
            .output();
        assert!(made.as_ref().expect("initdb is installed").status.success(), "{made:?}");
        let (port, child) = serve(folder.path());
        let mut server = Self { folder, port, child };
        let deadline = Instant::now() + 2 * PATIENCE;
        while !server.psql("postgres", "SELECT 1").status.success() {
            assert!(Instant::now() < deadline, "the server does not answer");
            // Somebody else took the port since it was found free.
            if server.child.try_wait().expect("ours").is_some() {
                (server.port, server.child) = serve(server.folder.path());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        for role in ["shop", "chief"] {
            server.ask("postgres", &format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"));
        }
        server.ask("postgres", "ALTER ROLE chief SUPERUSER");
        server.ask("postgres", "CREATE DATABASE shop OWNER shop");
        server
    }

    fn psql(&self, database: &str, statement: &str) -> std::process::Output {
        let port = self.port.to_string();
        let mut command = command("psql");
        command.args(["-X", "-A", "-t", "-U", "boss", "-p", &port, "-d", database, "-c", statement, "-h"]);
        command.arg(self.folder.path()).output().expect("psql is installed")
    }

    /// What `statement` answers.
    pub(super) fn ask(&self, database: &str, statement: &str) -> String {
        let output = self.psql(database, statement);
        assert!(output.status.success(), "{statement}: {output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    pub(super) fn address(&self, role: &str) -> String {
        format!("postgres://{role}:{PASSWORD}@127.0.0.1:{}/shop", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is ours, and nobody reads it any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the server of `folder` at a port that is free.
fn serve(folder: &Path) -> (u16, Child) {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
    let port = port.expect("a free port").port();
    let mut server = command("postgres");
    server.arg("-D").arg(folder.join("data"));
    // In its folder, not in that of the machine: it is killed, and tidies nothing up.
    server.args(["-c", "dynamic_shared_memory_type=mmap", "-c", "fsync=off"]);
    server.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"]).arg(folder);
    (port, server.spawn().expect("it starts"))
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// A program of PostgreSQL, which Debian keeps out of the way, as who may run it.
fn command(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name)).find(|path| path.exists());
    let mut command = Command::new(found.unwrap_or_else(|| PathBuf::from(name)));
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if name == "postgres" {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    if is_root() {
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    command
}
