//! Teammates: nodes of one environment as real processes on loopback, each with a folder of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use xyn_actors::services::mesh::Invite;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::scope::Principal;
use xyn_store::trust::{EnvId, Role};
use xyn_store::{Clock, Timestamp};

use crate::node::{Folder, Node, Said, eventually};

/// A teammate: a folder, and whether its node runs.
pub(crate) struct Mate {
    pub(crate) name: &'static str,
    pub(crate) folder: Folder,
    pub(crate) node: Option<Node>,
    /// Where its mesh listened first, so that others find it there again.
    pub(crate) address: String,
    /// How it takes part in the mesh.
    pub(crate) mesh: &'static str,
    /// Whom it dials besides those it finds.
    pub(crate) peers: Option<String>,
}

impl Mate {
    pub(crate) fn new(name: &'static str) -> Self {
        let address = "/ip4/127.0.0.1/tcp/0".to_owned();
        Self { name, folder: Folder::new(), node: None, address, mesh: "on", peers: None }
    }

    /// Starts its node, with a ticket or without.
    pub(crate) async fn up(&mut self, ticket: Option<&str>) {
        let mut command = self.folder.program();
        command.env("XYN_LOG", "info").env("XYN_MESH", self.mesh).env("XYN_MESH_LISTEN", &self.address);
        command.envs(self.peers.as_ref().map(|peers| ("XYN_MESH_PEERS", peers)));
        let arguments: Vec<&str> = ticket.into_iter().flat_map(|ticket| ["--join", ticket]).collect();
        let node = Node::start_with(&self.folder, command, &arguments).await;
        let address = node.mesh().first();
        assert_eq!(address.is_some(), self.mesh != "off", "{} listens when it takes part", self.name);
        if let Some((place, _)) = address.and_then(|address| address.split_once("/p2p/")) {
            self.address = place.to_owned();
        }
        self.node = Some(node);
    }

    pub(crate) fn node(&self) -> &Node {
        self.node.as_ref().expect("it runs")
    }

    pub(crate) async fn stop(&mut self) {
        let node = self.node.take().expect("it runs");
        assert!(node.stop().await.success(), "{} stops in good order", self.name);
    }

    pub(crate) fn kill(&mut self) {
        self.node.take().expect("it runs").kill_9();
    }

    pub(crate) fn key(&self) -> PublicKey {
        NodeKey::load(&self.folder.data()).expect("it has a key").public()
    }

    /// The environment that it founded.
    pub(crate) fn env(&self) -> EnvId {
        EnvId::rooted_in(NodeKey::found_root(&self.folder.data()).expect("it has the root's key").public())
    }

    pub(crate) async fn intent(&self, action: &str, input: Value) -> Value {
        let body = json!({ "action": action, "input": input });
        self.node().post("/api/v1/intents", &body).await.ok()
    }

    /// A ticket that is good until `expires`.
    pub(crate) async fn ticket(&self, expires: Timestamp) -> String {
        let addresses = self.node().mesh();
        let principal = Principal::new("mate@lab");
        let invite = Invite::mint(self.env(), self.key(), addresses, &principal, Role::Operator, expires)
            .expect("randomness");
        self.intent("peer.invite", invite.input).await;
        invite.ticket.to_string()
    }

    /// The records that came from others, as its journal tells it; the oldest first.
    pub(crate) async fn admitted(&self) -> Vec<Value> {
        let mut told = self.node().all("/api/v1/events?event_name=xyn.sync.records.admitted").await;
        told.reverse();
        told.into_iter().map(|mut event| event["data"].take()).collect()
    }

    pub(crate) async fn invite(&self) -> String {
        self.ticket(Clock::system().now().after(Duration::from_secs(3600))).await
    }

    /// What it counts under this name, with the labels.
    pub(crate) async fn counted(&self, metric: &str) -> u64 {
        // A connection that was kept may have been closed just now.
        let metrics = eventually("it tells what it counts", async || {
            self.node().request("GET", "/metrics").send().await.ok()?.text().await.ok()
        })
        .await;
        let value = metrics.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse::<f64>().expect("a number") as u64)
    }

    /// Peers and connections that it refused for this reason.
    pub(crate) async fn refusals(&self, reason: &str) -> u64 {
        self.counted(&format!("xyn_mesh_refused_total{{reason=\"{reason}\"}}")).await
    }

    pub(crate) async fn note(&self, title: &str) {
        self.intent("timeline.note", json!({ "title": title })).await;
    }

    /// The hash of its whole timeline, boards and all.
    pub(crate) fn digest(&self) -> String {
        self.folder.xyn(["timeline", "digest"]).ok()
    }

    /// Every moment, as the command line shows it.
    pub(crate) fn log(&self) -> Vec<Value> {
        let lines = self.folder.xyn(["timeline", "log", "--json"]).ok();
        lines.lines().map(|line| serde_json::from_str(line).expect("each line is a moment")).collect()
    }

    pub(crate) fn titles(&self) -> Vec<String> {
        let title = |moment: &Value| moment["title"].as_str().expect("a moment has a title").to_owned();
        self.log().iter().map(title).collect()
    }

    /// What a start on a new folder says that is refused.
    pub(crate) fn refused(&self, ticket: &str) -> Said {
        let mut command = self.folder.program_by(["timeout", "90"]);
        command.env("XYN_MESH_LISTEN", "/ip4/127.0.0.1/tcp/0");
        Said::of(command.args(["up", "--listen", "127.0.0.1:0", "--join", ticket]))
    }
}

/// Waits until all of `mates` show the same timeline, with the same on all boards, and `wanted` is on it.
pub(crate) async fn converge(mates: &[&Mate], wanted: &[&str]) {
    let what = format!("{wanted:?} is the same everywhere");
    eventually(&what, async || {
        let logs: Vec<Vec<Value>> = mates.iter().map(|mate| mate.log()).collect();
        let titles: BTreeSet<&str> = logs[0].iter().filter_map(|moment| moment["title"].as_str()).collect();
        let is_complete = wanted.iter().all(|title| titles.contains(title));
        let is_same = is_complete && logs.windows(2).all(|pair| pair[0] == pair[1]);
        let digest = is_same.then(|| mates[0].digest())?;
        mates[1..].iter().all(|mate| mate.digest() == digest).then_some(())
    })
    .await;
}

/// Three mates of one environment, the first of which founded it and gave out the others' tickets.
pub(crate) async fn team() -> ([Mate; 3], [String; 2]) {
    let [mut ada, mut bob, mut eve] = ["ada", "bob", "eve"].map(Mate::new);
    ada.up(None).await;
    let tickets = [ada.invite().await, ada.invite().await];
    bob.up(Some(&tickets[0])).await;
    eve.up(Some(&tickets[1])).await;
    ([ada, bob, eve], tickets)
}
