//! The same bytes by others over loopback, in the same run: rsync from its daemon, where it is installed, and
//! iroh-blobs by its own program, where that is named.
//!
//! rsync encrypts nothing and compares no digest of what came whole; iroh-blobs does both, with BLAKE3.

use std::fs;
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Process, number, report};

/// How long a daemon may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the others fetch.
pub(super) struct Beside {
    folder: PathBuf,
    size: usize,
    daemon: Option<Daemon>,
    iroh: Option<Iroh>,
}

impl Beside {
    /// Lays `bytes` out where the others find them, and starts who holds them.
    pub(super) fn new(folder: &Path, bytes: &[u8], iroh: Option<&str>) -> Self {
        let folder = folder.join("beside");
        fs::create_dir(&folder).expect("there is room");
        fs::write(folder.join("blob"), bytes).expect("there is room");
        let iroh = iroh.map(|program| Iroh::hold(program, &folder));
        Self { daemon: Daemon::start(&folder), folder, size: bytes.len(), iroh }
    }

    /// Each fetches once.
    pub(super) fn measure(&self) {
        let here = self.folder.join("here");
        let tell = |name: &str, seconds: f64| {
            report(&format!("blobs.{name}"), self.size as f64 / seconds / 1e6);
            fs::remove_dir_all(&here).expect("own folder");
        };
        if let Some(daemon) = &self.daemon {
            tell("rsync", daemon.fetch(&here));
        }
        if let Some(iroh) = &self.iroh {
            tell("iroh", iroh.fetch(&here));
        }
    }
}

/// rsync, killed when dropped.
struct Daemon {
    child: Child,
    port: u16,
}

impl Daemon {
    /// None where it is not installed.
    fn start(folder: &Path) -> Option<Self> {
        let free = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect("loopback can be bound");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let settings = folder.join("rsyncd.conf");
        let text = format!("use chroot = no\n[held]\npath = {}\n", folder.display());
        fs::write(&settings, text).expect("there is room");
        let mut command = Command::new("rsync");
        command.args(["--daemon", "--no-detach", "--address=::1"]);
        command.arg(format!("--port={port}")).arg(format!("--config={}", settings.display()));
        let child = command.stdin(Stdio::null()).spawn().ok()?;
        let begun = Instant::now();
        while TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "rsync does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { child, port })
    }

    /// Seconds until the blob is in `folder`.
    fn fetch(&self, folder: &Path) -> f64 {
        fs::create_dir(folder).expect("there is room");
        let begun = Instant::now();
        let from = format!("rsync://[::1]:{}/held/blob", self.port);
        let ended = Command::new("rsync").arg("--whole-file").arg(from).arg(folder).status();
        assert!(ended.expect("it was started before").success(), "rsync says why");
        begun.elapsed().as_secs_f64()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of `benches/iroh`.
struct Iroh {
    program: String,
    /// Node, address and hash.
    place: Vec<String>,
    _holder: Process,
}

impl Iroh {
    fn hold(program: &str, folder: &Path) -> Self {
        let (file, store) = (folder.join("blob"), folder.join("iroh"));
        let mut holder = Process::of(program, &["hold", &file.to_string_lossy(), &store.to_string_lossy()]);
        let place = holder.line().split_whitespace().map(str::to_owned).collect();
        Self { program: program.to_owned(), place, _holder: holder }
    }

    /// Seconds until the blob is in `folder`.
    fn fetch(&self, folder: &Path) -> f64 {
        let folder = folder.to_string_lossy();
        let words = ["fetch", &folder].into_iter().chain(self.place.iter().map(String::as_str));
        number(&Process::of(&self.program, &words.collect::<Vec<_>>()).line())
    }
}
