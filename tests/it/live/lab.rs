//! The sites of a live test and what lies between them.
//!
//! Owns the processes and the namespaces: neither outlives the test. Invariant: a site that is started answers.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use xyn_actors::services::mesh::Invite;
use xyn_net::driver::named;
use xyn_store::Clock;
use xyn_store::audit::key::NodeKey;
use xyn_store::scope::Principal;
use xyn_store::trust::{EnvId, Role};

use crate::node::{Folder, Node, PANIC, Said};

/// The port of every mesh in a network of its own.
const PORT: u16 = 4311;

/// Nodes, and the network between them.
pub(crate) struct Lab {
    pub(crate) sites: Vec<Site>,
    network: Option<Network>,
}

/// A node somewhere.
pub(crate) struct Site {
    folder: Folder,
    /// What its nodes had to say.
    log: String,
    /// The network namespace it lives in.
    space: Option<String>,
    address: Ipv4Addr,
    port: u16,
    is_cut_off: bool,
    process: Option<Child>,
}

impl Lab {
    /// Runs `count` nodes of one environment, the first of which founded it.
    #[expect(clippy::print_stderr, reason = "whoever reads the result must know what was tried")]
    pub(crate) async fn open(count: usize) -> Self {
        let network = Network::open(count);
        match &network {
            Some(network) if network.filters => eprintln!("live: network namespaces, cut by nftables"),
            Some(_) => eprintln!("live: network namespaces, cut by taking links down; there is no nft"),
            None => eprintln!("live: processes on loopback; this machine allows no network namespaces"),
        }
        let sites = (0..count).map(|at| Site::new(at, network.as_ref())).collect();
        let mut lab = Self { sites, network };
        let tickets = lab.sites[0].found(count - 1).await;
        lab.start(0);
        for (site, ticket) in lab.sites[1..].iter_mut().zip(tickets) {
            site.start(true, Some(&ticket));
        }
        lab
    }

    pub(crate) fn is_networked(&self) -> bool {
        self.network.is_some()
    }

    pub(crate) fn all(&self) -> Vec<&Site> {
        self.sites.iter().collect()
    }

    /// Starts a site that was killed.
    pub(crate) fn start(&mut self, at: usize) {
        let has_mesh = self.network.is_some() || !self.sites[at].is_cut_off;
        self.sites[at].start(has_mesh, None);
    }

    /// From now on nothing passes between this site and the others.
    pub(crate) fn cut_off(&mut self, at: usize) {
        self.sites[at].is_cut_off = true;
        self.change(at);
    }

    /// Now it does again.
    pub(crate) fn bring_back(&mut self, at: usize) {
        self.sites[at].is_cut_off = false;
        self.change(at);
    }

    fn change(&mut self, at: usize) {
        match &self.network {
            Some(network) => network.cut(&self.sites[at]),
            None => {
                self.sites[at].kill();
                self.start(at);
            }
        }
    }

    /// Of what passes, so many in a hundred get lost; where links cannot do that, none.
    pub(crate) fn lose(&self, percent: usize) {
        for site in self.network.iter().filter(|network| network.filters).flat_map(|_| &self.sites) {
            let rule = format!("iifname != \"lo\" numgen random mod 100 < {percent} drop;");
            site.filter("loss", &format!("chain in {{ type filter hook input priority 1; {rule} }}"));
        }
    }
}

impl Site {
    fn new(at: usize, network: Option<&Network>) -> Self {
        let space = network.map(|network| network.space(at));
        let (address, port) = match network {
            Some(_) => (address(at), PORT),
            None => (Ipv4Addr::LOCALHOST, free_port()),
        };
        let folder = Folder::new();
        let log = folder.file("live.log", "");
        Self { folder, log, space, address, port, is_cut_off: false, process: None }
    }

    /// The program, where this site is.
    fn program(&self) -> Command {
        match &self.space {
            Some(space) => self.folder.program_by(["ip", "netns", "exec", space]),
            None => self.folder.program(),
        }
    }

    pub(crate) fn xyn(&self, arguments: &[&str]) -> Said {
        Said::of(self.program().args(arguments))
    }

    /// Founds the environment, and gives out tickets for when this site is where it belongs.
    async fn found(&self, tickets: usize) -> Vec<String> {
        let mut command = self.folder.program();
        command.env("XYN_MESH", "on").env("XYN_MESH_LISTEN", "/ip4/127.0.0.1/tcp/0");
        let node = Node::start_by(&self.folder, command).await;
        let key = NodeKey::load(&self.folder.data()).expect("it has a key").public();
        let root = NodeKey::found_root(&self.folder.data()).expect("it has the root's key").public();
        let addresses = [named(&format!("/ip4/{}/tcp/{}", self.address, self.port), key)];
        let mut texts = Vec::new();
        for _ in 0..tickets {
            let (env, principal) = (EnvId::rooted_in(root), Principal::new("mate@lab"));
            let expires = Clock::system().now().after(Duration::from_secs(3600));
            let invite = Invite::mint(env, key, &addresses, &principal, Role::Operator, expires);
            let invite = invite.expect("randomness");
            node.post("/api/v1/intents", &json!({ "action": "peer.invite", "input": invite.input }))
                .await
                .ok();
            texts.push(invite.ticket.to_string());
        }
        assert!(node.stop().await.success());
        texts
    }

    fn start(&mut self, has_mesh: bool, ticket: Option<&str>) {
        let host = format!("/ip4/{}", self.address);
        let listen = format!("{host}/tcp/{0},{host}/udp/{0}/quic-v1", self.port);
        let mut command = self.program();
        command.env("XYN_MESH", if has_mesh { "on" } else { "off" }).env("XYN_MESH_LISTEN", listen);
        command.args(["up", "--json", "--listen", "127.0.0.1:0"]);
        command.args(ticket.into_iter().flat_map(|ticket| ["--join", ticket]));
        let log = File::options().append(true).open(&self.log).expect("the log opens");
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the program starts");
        let mut line = String::new();
        let out = process.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("a line of text");
        self.process = Some(process);
        assert!(line.starts_with('{'), "the node at {host} did not start: {}", self.said());
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// As a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the process is ours");
            process.wait().expect("the process is ours");
        }
    }

    /// Puts this in the place of the site's filter called `name`; nothing takes it away.
    fn filter(&self, name: &str, chains: &str) {
        let space = self.space.as_deref().expect("it is in a network");
        let mut nft = Command::new("ip");
        nft.args(["netns", "exec", space, "nft", "-f", "-"]).stdin(Stdio::piped());
        let mut nft = nft.spawn().expect("nft starts");
        // Declared first, so that there is something to delete.
        let script =
            format!("table inet {name}\ndelete table inet {name}\ntable inet {name} {{\n{chains}\n}}\n");
        nft.stdin.take().expect("it is piped").write_all(script.as_bytes()).expect("nft reads");
        assert!(nft.wait().expect("nft ends").success(), "{script}");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
        if !std::thread::panicking() {
            let said = self.said();
            assert!(!said.contains(PANIC), "a node panicked: {said}");
        }
    }
}

/// A bridge, and a namespace for each site on it.
struct Network {
    name: String,
    count: usize,
    /// Whether there is nft.
    filters: bool,
}

impl Network {
    /// None where this machine, or this user, may not.
    fn open(count: usize) -> Option<Self> {
        let name = format!("xyn{}", std::process::id());
        let mut network = Self { name, count: 0, filters: false };
        let lan = network.lan();
        ip(&["netns", "add", &lan])?;
        ip(&["-n", &lan, "link", "add", "lan", "type", "bridge"])?;
        ip(&["-n", &lan, "link", "set", "lan", "up"])?;
        for at in 0..count {
            let (space, port) = (network.space(at), format!("site{at}"));
            ip(&["netns", "add", &space])?;
            network.count = at + 1;
            ip(&["-n", &lan, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &space])?;
            ip(&["-n", &lan, "link", "set", &port, "master", "lan", "up"])?;
            ip(&["-n", &space, "address", "add", &format!("{}/24", address(at)), "dev", "eth0"])?;
            ip(&["-n", &space, "link", "set", "lo", "up"])?;
            link(&space, true)?;
        }
        let nft = Command::new("ip").args(["netns", "exec", &lan, "nft", "list", "ruleset"]).output();
        network.filters = nft.is_ok_and(|said| said.status.success());
        Some(network)
    }

    fn lan(&self) -> String {
        format!("{}-lan", self.name)
    }

    fn space(&self, at: usize) -> String {
        format!("{}-{at}", self.name)
    }

    /// Lets nothing pass to and from a site that is cut off.
    fn cut(&self, site: &Site) {
        let space = site.space.as_deref().expect("it is in a network");
        match (self.filters, site.is_cut_off) {
            (true, true) => site.filter(
                "cut",
                "chain in { type filter hook input priority 0; iifname != \"lo\" drop; }\n\
                 chain out { type filter hook output priority 0; oifname != \"lo\" drop; }",
            ),
            (true, false) => site.filter("cut", ""),
            (false, is_cut_off) => link(space, !is_cut_off).expect("it is our link"),
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let spaces = (0..self.count).map(|at| self.space(at)).chain([self.lan()]);
        for space in spaces {
            // What is gone already needs no deleting.
            let _ = ip(&["netns", "delete", &space]);
        }
    }
}

/// Takes the link of a namespace up, with a way for what is sent to all, or down.
fn link(space: &str, is_up: bool) -> Option<()> {
    ip(&["-n", space, "link", "set", "eth0", if is_up { "up" } else { "down" }])?;
    if is_up { ip(&["-n", space, "route", "replace", "224.0.0.0/4", "dev", "eth0"]) } else { Some(()) }
}

/// Runs `ip`; none when that did not work.
fn ip(arguments: &[&str]) -> Option<()> {
    let said = Command::new("ip").args(arguments).output().ok()?;
    said.status.success().then_some(())
}

fn address(at: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, u8::try_from(at + 1).expect("a few sites"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port()
}
