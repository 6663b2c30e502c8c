//! What people type about peers: inviting, joining, looking, and revoking, with real nodes on loopback.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use xyn_net::driver::join;
use xyn_net::wire::{Join, Message as _};
use xyn_store::Clock;
use xyn_store::audit::key::NodeKey;
use xyn_store::trust::EnvId;

use crate::flood::attacker;
use crate::forgeries::misshapen;
use crate::node::{Folder, Node, eventually};

async fn up(folder: &Folder) -> Node {
    let mut command = folder.program();
    command.env("XYN_LOG", "info").env("XYN_MESH", "on").env("XYN_MESH_LISTEN", "/ip4/127.0.0.1/tcp/0");
    Node::start_with(folder, command, &[]).await
}

/// The member that `principal` is, as `folder` lists it.
fn member(folder: &Folder, principal: &str) -> Option<Value> {
    let listed = folder.xyn(["peer", "list", "--json"]).json();
    listed["items"].as_array().expect("a list").iter().find(|peer| peer["principal"] == principal).cloned()
}

#[tokio::test]
async fn a_node_is_invited_joins_is_seen_and_is_revoked() {
    let (ada, bob) = (Folder::new(), Folder::new());
    let host = up(&ada).await;
    let invited = ada.xyn(["peer", "invite", "bob@lab", "--expires", "10m"]);
    invited.says(0, &["bob@lab", "xyn up --join"]);
    let ticket = invited.out.trim_end();
    assert!(ticket.starts_with("xyn1") && !ticket.contains(char::is_whitespace), "nothing else: {invited:?}");
    let open = ada.xyn(["peer", "list", "--invitations", "--json"]).json();
    assert_eq!(open["items"][0]["principal"], "bob@lab");

    ada.xyn(["peer", "join", ticket]).says(6, &["a node runs on", "--join TICKET"]);
    bob.xyn(["peer", "join", "xyn1abc"]).says(2, &["mistyped", "xyn peer invite"]);
    bob.xyn(["peer", "join", ticket]).says(0, &["is a node of environment", "xyn up --mesh on"]);
    bob.xyn(["peer", "join", ticket]).says(0, &["already"]);
    assert_eq!(ada.xyn(["peer", "list", "--invitations", "--json"]).json()["items"], json!([]));

    let guest = up(&bob).await;
    let is_here = |peer: &Value| !peer["connection"].is_null();
    eventually("ada sees bob", async || member(&ada, "bob@lab").filter(is_here)).await;
    ada.xyn(["peer", "list"]).says(0, &["connected since", "this node"]);
    ada.xyn(["peer", "show", "bob@lab"]).says(0, &["fingerprint", "certified by", "127.0.0.1"]);
    ada.xyn(["peer", "trace", "--no-follow"]).says(0, &["listening", "connected"]);
    ada.xyn(["status"]).says(0, &["on, 1 peer connected"]);
    ada.xyn(["doctor"]).says(0, &["1 of 1 other nodes connected"]);
    let metrics = host.request("GET", "/metrics").send().await.expect("answers").text().await.expect("text");
    assert!(metrics.contains("xyn_mesh_peers 1.0") && metrics.contains("xyn_mesh_lag_records{"), "{metrics}");

    ada.xyn(["peer", "revoke", "bob@lab"]).says(2, &["--reason"]);
    ada.xyn(["peer", "revoke", "bob@lab", "--reason", "left the team"]).says(0, &["is revoked with"]);
    ada.xyn(["peer", "revoke", "bob@lab", "--reason", "again"]).says(6, &["revoked already"]);
    let is_gone = |peer: &Value| peer["standing"] == "revoked" && peer["connection"].is_null();
    let gone = eventually("bob is gone", async || member(&ada, "bob@lab").filter(is_gone)).await;
    assert!(gone["last_seen_at"].is_string() && gone["revoked_because"] == "left the team", "{gone}");
    ada.xyn(["peer", "list"]).says(0, &["offline since", "revoked"]);
    let told = async || {
        let trace = ada.xyn(["peer", "trace", "--no-follow", "--json"]).ok();
        trace.contains("\"revoked\"").then_some(())
    };
    eventually("the trace says why", told).await;

    let told = async || bob.xyn(["status"]).out.contains("this node is revoked: left the team").then_some(());
    eventually("bob is told", told).await;
    bob.xyn(["doctor"]).says(1, &["this node is revoked: left the team", "xyn peer join"]);

    for path in ["/api/v1/events?limit=200", "/api/v1/intents?limit=200", "/api/v1/peers/trace?limit=200"] {
        assert!(!host.get(path).await.to_string().contains(ticket), "{path}");
    }
    assert!(!host.log().contains(ticket) && !guest.log().contains(ticket));
    assert!(guest.stop().await.success() && host.stop().await.success());
    ada.xyn(["peer", "list"]).says(0, &["bob@lab", "revoked"]);
}

#[tokio::test]
async fn a_ticket_that_waits_for_approval_is_shown_and_good_once_it_is_given() {
    let (ada, bob) = (Folder::new(), Folder::new());
    let host = up(&ada).await;
    let policy = "policy_id: pol.ask\npolicy_type: governance\nname: Ask\nevaluation_mode: first_match\n\
                  rules:\n  - { rule_id: ask, priority: 1, match: { action: peer.invite }, \
                  effect: require_approval }\n";
    ada.xyn(["policy", "activate", &ada.file("policy.yaml", policy)]).ok();
    let invited = ada.xyn(["peer", "invite", "bob@lab"]);
    invited.says(5, &["xyn gate approve"]);
    let ticket = invited.out.trim_end();
    bob.xyn(["peer", "join", ticket]).says(4, &["no such ticket"]);
    let waiting = ada.xyn(["gate", "list", "--json"]).json();
    let intent = waiting["items"][0]["intent_id"].as_str().expect("an intent waits");
    ada.xyn(["gate", "approve", intent]).ok();
    bob.xyn(["peer", "join", ticket]).says(0, &["is a node of environment"]);
    assert!(host.stop().await.success());
}

fn lines(pipe: impl Read) -> impl Iterator<Item = String> {
    BufReader::new(pipe).lines().map_while(Result::ok)
}

/// A node that is started as people type it, with a log as they get it.
struct Typed {
    process: Child,
    /// It is read no further, and not closed: the node may say more.
    _said: Box<dyn Iterator<Item = String> + Send>,
    log: Box<dyn Iterator<Item = String> + Send>,
    /// Where its mesh listens.
    mesh: String,
}

impl Typed {
    fn up(folder: &Folder) -> Self {
        let mut command = folder.program_by(["timeout", "60"]);
        command.env_remove("XYN_LOG").args(["up", "--mesh", "on", "--listen", "127.0.0.1:0"]);
        command.args(["--mesh-listen", "/ip4/127.0.0.1/tcp/0"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        let mut said = Box::new(lines(process.stdout.take().expect("it is piped")));
        let log = Box::new(lines(process.stderr.take().expect("it is piped")));
        let address = said.find_map(|line| Some(line.strip_prefix("Its mesh listens on ")?.to_owned()));
        Self { process, _said: said, log, mesh: address.expect("it listens") }
    }

    /// Ends it when its log says all of `words` in a line; answers what it said, and that line last.
    async fn logs(mut self, words: &'static [&str]) -> Vec<String> {
        let told = tokio::task::spawn_blocking(move || {
            let mut told = Vec::new();
            for line in &mut self.log {
                told.push(line);
                if words.iter().all(|word| told.last().is_some_and(|line| line.contains(word))) {
                    break;
                }
            }
            let pid = rustix::process::Pid::from_child(&self.process);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the process is ours");
            self.process.wait().expect("the process is ours");
            told
        });
        told.await.expect("it reads")
    }
}

#[tokio::test]
async fn a_node_that_is_started_as_people_type_it_says_whom_it_refuses() {
    let folder = Folder::new();
    let node = Typed::up(&folder);
    let (host, stranger) = (node.mesh.clone(), NodeKey::from_secret([1; 32]));
    let attack = tokio::spawn(attacker::say(stranger, host, Join::PROTOCOL, vec![b"let me in".to_vec()]));
    let told = node.logs(&["WARN", "it said something else than a ticket"]).await;
    attack.abort();
    assert!(told.last().is_some_and(|line| line.contains("ticket")), "{told:?}");
}

/// Of a member there are two pieces of news: one has to wait, and one nobody signed.
#[tokio::test]
async fn a_node_that_is_started_as_people_type_it_says_what_it_refuses_and_not_what_waits() {
    let folder = Folder::new();
    let node = Typed::up(&folder);
    let root = NodeKey::found_root(&folder.data()).expect("it has the root's key").public();
    let ticket = folder.xyn(["peer", "invite", "mallory@lab"]).ok();
    let (key, clock) = (NodeKey::from_secret([1; 32]), Clock::system());
    join(&key, ticket.trim_end().parse().expect("a ticket"), &clock).await.expect("it is invited");
    let news = ["gap", "bad_signature"].map(|reason| misshapen(reason, 1, root, clock.now()));
    let topic = format!("xyn/{}", EnvId::rooted_in(root));
    let attack = tokio::spawn(attacker::gossip(key, node.mesh.clone(), topic, news.to_vec()));
    let told = node.logs(&["WARN", "refused what a peer said", "bad_signature"]).await;
    attack.abort();
    assert!(told.last().is_some_and(|line| line.contains("bad_signature")), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("gap")), "{told:?}");
}
