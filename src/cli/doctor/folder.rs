//! What can be wrong with the data folder and the machine it is on.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use xyn_store::audit::key::{FILE_NAME, KeyError, NodeKey};
use xyn_store::{Clock, DATABASE_FILE, Options, Store, StoreError, Timestamp};

use super::super::store;
use super::Finding;
use crate::client::node_file;
use crate::shell;

/// Free space that is too little to go on with.
const BROKEN_FREE_BYTES: u64 = 64 << 20;
/// Free space that is worth a word.
const LOW_FREE_BYTES: u64 = 1 << 30;
/// The largest database that is checked as a whole; a larger one takes more time than a look should.
const CHECKED_MAX_BYTES: u64 = 256 << 20;
/// No clock that is right shows less: this program did not exist then.
const PROGRAM_BORN_MICROS: i64 = 1_767_225_600_000_000;
/// How far in the future a file may have been written.
const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);

/// Everything about the folder `data`; `runs` says that its node answers.
pub(super) fn all(data: &Path, runs: bool) -> Vec<Finding> {
    if !data.exists() {
        let message = format!("{} does not exist yet", data.display());
        return vec![clock(data), Finding::warning("folder", message, up(data))];
    }
    vec![clock(data), writable(data), space(data), key(data), lock(data, runs)]
}

fn up(data: &Path) -> String {
    format!("xyn up --data {}", shell::word(data))
}

fn writable(data: &Path) -> Finding {
    let probe = data.join(format!(".doctor.{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&probe);
    let written = written.and_then(|_| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Finding::ok("folder", format!("{} can be written", data.display())),
        Err(error) => {
            let message = format!("{} cannot be written: {error}", data.display());
            Finding::broken(
                "folder",
                message,
                format!("chown -R \"$(id -u)\" {0} && chmod u+rwx {0}", shell::word(data)),
            )
        }
    }
}

fn space(data: &Path) -> Finding {
    let free = match rustix::fs::statvfs(data) {
        Ok(system) => system.f_bavail.saturating_mul(system.f_frsize),
        Err(error) => {
            let message = format!("nobody knows how much is free: {error}");
            return Finding::warning("disk", message, format!("df {}", shell::word(data)));
        }
    };
    let message = format!("{} MiB are free", free >> 20);
    let mend = || format!("free some space: du -sh {}/*", shell::word(data));
    match free {
        ..BROKEN_FREE_BYTES => Finding::broken("disk", message, mend()),
        BROKEN_FREE_BYTES..LOW_FREE_BYTES => Finding::warning("disk", message, mend()),
        LOW_FREE_BYTES.. => Finding::ok("disk", message),
    }
}

fn clock(data: &Path) -> Finding {
    let now = Clock::system().now();
    let mend = "timedatectl set-ntp true";
    if now < Timestamp::from_micros(PROGRAM_BORN_MICROS) {
        return Finding::broken("clock", format!("it is not {now}: the clock is slow"), mend);
    }
    let written = std::fs::metadata(data.join(DATABASE_FILE)).and_then(|metadata| metadata.modified());
    let written = written.ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let written = written.map(|since| Timestamp::EPOCH.after(since));
    match written {
        Some(written) if written > now.after(MAX_AHEAD) => {
            let message = format!("it is {now}, but the database was written at {written}");
            Finding::broken("clock", message, mend)
        }
        _ => Finding::ok("clock", format!("it is {now}")),
    }
}

fn key(data: &Path) -> Finding {
    if !data.join(DATABASE_FILE).exists() {
        return Finding::ok("node key", "it is made at the first start");
    }
    match NodeKey::load(data) {
        Ok(key) => Finding::ok("node key", format!("this node is {}", key.public())),
        Err(error) => no_key(&error, data),
    }
}

/// Why the key cannot be had, and what gives it back.
fn no_key(error: &KeyError, data: &Path) -> Finding {
    let file = shell::word(&data.join(FILE_NAME));
    let (message, mend) = match error {
        KeyError::Permissions { path, mode } => (
            format!("{} is open to other users (mode {mode:03o})", path.display()),
            format!("chmod 600 {file}"),
        ),
        KeyError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            (error.to_string(), format!("chown \"$(id -u)\" {file} && chmod 600 {file}"))
        }
        KeyError::Missing(_) | KeyError::Malformed(_) => {
            (error.to_string(), format!("restore {file} from a backup"))
        }
        _ => (error.to_string(), format!("see what it is with: ls -l {file}")),
    };
    Finding::broken("node key", message, mend)
}

/// Who has the folder, and whether it opens when nobody has it.
fn lock(data: &Path, runs: bool) -> Finding {
    let file = node_file(data);
    if runs {
        let pid = file.map(|file| file.pid).unwrap_or_default();
        return Finding::ok("store", format!("process {pid} has it"));
    }
    if !data.join(DATABASE_FILE).exists() {
        return Finding::warning("store", "no node was started here yet", up(data));
    }
    match stopped(data) {
        Ok(None) if file.is_some() => {
            Finding::warning("store", "its node was killed; the next start goes on where it was", up(data))
        }
        Ok(None) => Finding::ok("store", "it is sound; no node runs"),
        Ok(Some((fault, mend))) => Finding::broken("store", fault, mend),
        Err(error @ StoreError::InUse { .. }) => {
            let mend = "stop that process with `kill PID` and start the node again";
            Finding::broken("store", format!("{error}, and does not answer"), mend)
        }
        Err(error @ StoreError::NewerFormat { .. }) => {
            Finding::broken("store", error.to_string(), "install the newest version of xyn")
        }
        Err(error) => Finding::broken(
            "store",
            error.to_string(),
            format!("look closer: xyn store verify --data {}", shell::word(data)),
        ),
    }
}

/// What is wrong with the store of a stopped node, and what mends it. A large one is opened, and no more.
fn stopped(data: &Path) -> Result<Option<(String, String)>, StoreError> {
    let size_bytes = std::fs::metadata(data.join(DATABASE_FILE)).map_or(0, |metadata| metadata.len());
    if size_bytes > CHECKED_MAX_BYTES {
        let half_rebuilt = Store::open(data, Options::default())?.is_half_rebuilt()?;
        let mend = format!("xyn store rebuild --data {}", shell::word(data));
        return Ok(half_rebuilt.then(|| ("a rebuild was begun and not finished".into(), mend)));
    }
    let report = store::checked(data, |_| {})?;
    let more = match report.fault_count {
        0 | 1 => String::new(),
        count => format!(" (and {} more: xyn store verify)", count - 1),
    };
    Ok(report.faults.first().map(|fault| format!("{fault}{more}")).zip(store::mend(&report, data)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::State;
    use super::*;

    fn state_of(findings: &[Finding], check: &str) -> Option<State> {
        findings.iter().find(|finding| finding.check == check).map(|finding| finding.state)
    }

    #[test]
    fn a_sound_folder_has_no_findings() {
        let folder = tempfile::tempdir().expect("a folder");
        Store::open(folder.path(), Options::default()).expect("opens").close();
        let findings = all(folder.path(), false);
        let bad: Vec<_> = findings.iter().filter(|f| f.state != State::Ok && f.check != "disk").collect();
        assert!(bad.is_empty(), "{bad:?}");
    }

    #[test]
    fn a_key_that_others_can_read_is_found_with_what_mends_it() {
        let folder = tempfile::tempdir().expect("a folder");
        Store::open(folder.path(), Options::default()).expect("opens").close();
        let file = folder.path().join(FILE_NAME);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("changes");
        let finding = key(folder.path());
        assert_eq!(finding.state, State::Broken);
        assert_eq!(finding.mend, format!("chmod 600 {}", file.display()));
    }

    #[test]
    fn a_folder_that_does_not_exist_is_not_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("nothing");
        assert_eq!(state_of(&all(&data, false), "folder"), Some(State::Warning));
        assert!(!data.exists());
    }

    #[test]
    fn a_damaged_store_is_found_with_what_mends_it() {
        let folder = tempfile::tempdir().expect("a folder");
        Store::open(folder.path(), Options::default()).expect("opens").close();
        let file = folder.path().join(DATABASE_FILE);
        let bytes = std::fs::read(&file).expect("is there");
        std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("writes");
        let finding = lock(folder.path(), false);
        assert_eq!(finding.state, State::Broken);
        assert!(finding.mend.starts_with("restore "), "{finding:?}");
    }

    #[test]
    fn a_folder_that_a_silent_process_has_is_broken() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Options::default()).expect("opens");
        assert_eq!(state_of(&all(folder.path(), false), "store"), Some(State::Broken));
        store.close();
    }
}
