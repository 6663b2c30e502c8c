//! Where a command looks for its node, and whether one is there.
//!
//! Owns reading what a running node left in its folder. Connects to nothing. Invariant: what a node that was killed
//! left behind is not taken for a node.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use xyn_actors::runtime::Environment;

use crate::failure::{Exit, Failure};
use crate::node::{FolderId, NODE_FILE, NodeFile};
use crate::shell;

/// The file in `data` in which a running node says where it listens; none when it is not there or no such file, or was
/// copied with the folder.
pub(crate) fn node_file(data: &Path) -> Option<NodeFile> {
    let file: NodeFile = serde_json::from_slice(&std::fs::read(data.join(NODE_FILE)).ok()?).ok()?;
    (FolderId::of(data).ok()? == file.folder).then_some(file)
}

/// Whether a command only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It looks: a stopped folder will do.
    Read,
    /// It changes or follows something: a node must run.
    Node,
}

/// Where a command looks for its node.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// `--url` or `XYN_URL`.
    pub(crate) url: Option<String>,
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The environment of the folder.
    pub(crate) env: Environment,
}

impl Place {
    /// Addresses of the node that has the folder, as URLs; none when no node runs.
    pub(super) fn addresses(&self) -> Vec<String> {
        // After a kill the file stays, and its port may be another node's by now.
        let node = node_file(&self.data).filter(|node| lives(node.pid));
        let listen = node.map(|node| node.listen).unwrap_or_default();
        listen.into_iter().map(|address| format!("http://{}", reachable(address))).collect()
    }
}

/// Whether there is such a process. One that belongs to somebody else is one.
fn lives(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// No node runs over `data`.
pub(crate) fn unreachable(data: &Path) -> Failure {
    let message = format!("no node runs on `{}`", data.display());
    Failure::new(Exit::Unreachable, "unreachable", message).hint(match data.is_file() {
        true => "that is a file: name a folder with --data DIR".to_owned(),
        false => format!("start it with: xyn up --data {}", shell::word(data)),
    })
}

/// The address by which a listener is reached: one that listens everywhere is reached at loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback: std::net::IpAddr = if address.is_ipv6() {
            std::net::Ipv6Addr::LOCALHOST.into()
        } else {
            std::net::Ipv4Addr::LOCALHOST.into()
        };
        address.set_ip(loopback);
    }
    address
}

#[cfg(test)]
mod tests {
    use super::super::Client;
    use super::*;

    #[test]
    fn a_process_that_is_gone_does_not_live() {
        assert!(lives(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().expect("starts");
        child.wait().expect("ends");
        assert!(!lives(child.id()));
        assert!(!lives(0));
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_at_loopback() {
        let table = [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("127.0.0.2:1", "127.0.0.2:1")];
        for (listens, reached) in table {
            let [listens, reached] = [listens, reached].map(|text| text.parse().expect("an address"));
            assert_eq!(reachable(listens), reached);
        }
    }

    #[tokio::test]
    async fn a_folder_without_a_node_is_unreachable_and_stays_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place { url: None, data: folder.path().join("none"), env: Environment::default() };
        for need in [Need::Read, Need::Node] {
            let failure = Client::find(&place, need).await.err().expect("there is none");
            assert_eq!(failure.exit, Exit::Unreachable);
            assert!(failure.hint.is_some_and(|hint| hint.starts_with("start it with: xyn up --data ")));
        }
        assert!(!place.data.exists());
    }
}
