//! The sites of a live test and what lies between them.
//!
//! Owns the processes, which do not outlive the test. Invariant: a site that is started answers.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use xyn_actors::services::mesh::Invite;
use xyn_net::driver::named;
use xyn_store::Clock;
use xyn_store::audit::key::NodeKey;
use xyn_store::scope::Principal;
use xyn_store::trust::{EnvId, Role};

use super::line::{BITS_PER_SECOND, Line, ROUND_TRIP};
use super::network::{BRIDGE, Network, Plan};
use crate::node::{Folder, Node, PANIC, Said};

/// The port of every mesh in a network of its own.
const PORT: u16 = 4311;
/// Nodes, and the network between them.
pub(crate) struct Lab {
    pub(crate) sites: Vec<Site>,
    network: Option<Network>,
    /// By which the second reaches the first, where there is no other way.
    _line: Option<Line>,
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
    /// What is set beside where it listens.
    settings: Vec<(&'static str, String)>,
    process: Option<Child>,
}

impl Lab {
    /// Runs `count` nodes of one environment, the first of which founded it, on loopback.
    pub(crate) async fn on_loopback(count: usize) -> Self {
        Self::open(count, None).await
    }

    /// The same, each in a network namespace; none where this machine allows none.
    #[expect(clippy::print_stderr, reason = "whoever reads the result must know what was tried")]
    pub(crate) async fn networked(count: usize) -> Option<Self> {
        let network = Network::open(count, Plan::Together)?;
        match network.filters {
            true => eprintln!("live: network namespaces, cut and made lossy by nftables"),
            false => eprintln!("live: network namespaces, cut by taking links down: nft does not work here"),
        }
        Some(Self::open(count, Some(network)).await)
    }

    /// Three, all but the first behind routers that let nobody in; the first relays, and of `barred` what goes to it
    /// by that protocol from the other sites in turn is dropped. None where that cannot be.
    pub(crate) async fn behind_routers(barred: &[&str]) -> Option<Self> {
        let network = Network::open(3, Plan::BehindRouters)?;
        if !network.filters {
            return None;
        }
        barred.iter().zip(1..).for_each(|(protocol, at)| network.bar(at, protocol, 0));
        Some(Self::open(3, Some(network)).await)
    }

    /// Two nodes at the ends of a line that is long and thin. Where this machine allows no network namespaces it
    /// is on loopback.
    #[expect(clippy::print_stderr, reason = "whoever reads the result must know what was tried")]
    pub(crate) async fn on_a_line() -> Self {
        let network = Network::open(2, Plan::Apart);
        let sites = Self::build(2, network.as_ref());
        let limit = |network: &Network| {
            sites.iter().try_for_each(|site| network.limit(site.space(), BITS_PER_SECOND)).is_some()
        };
        let is_thin = network.as_ref().is_some_and(limit);
        let (place, thin_by) = match (&network, is_thin) {
            (Some(_), true) => ("between network namespaces", "tbf"),
            (Some(_), false) => ("between network namespaces", "the proxy: tc or tbf is missing here"),
            (None, _) => ("on loopback: this machine allows no network namespaces", "the proxy"),
        };
        eprintln!("live: a line of {ROUND_TRIP:?} {place}, {BITS_PER_SECOND} bit/s by {thin_by}");
        let lan = network.as_ref().map(Network::lan);
        let begins = if lan.is_some() { BRIDGE } else { Ipv4Addr::LOCALHOST };
        let to = SocketAddrV4::new(sites[0].address, sites[0].port);
        let line = Line::open(lan.as_deref(), begins, to, is_thin);
        let address = format!("/ip4/{}/tcp/{}", line.begins.ip(), line.begins.port());
        let mut lab = Self { sites, network, _line: Some(line) };
        let tickets = lab.sites[0].found(1, &[address]).await;
        lab.begin(tickets);
        lab
    }

    async fn open(count: usize, network: Option<Network>) -> Self {
        let sites = Self::build(count, network.as_ref());
        let is_hidden = network.as_ref().is_some_and(|network| network.plan == Plan::BehindRouters);
        let mut lab = Self { sites, network, _line: None };
        let [first, ..] = lab.sites.as_slice() else { return lab };
        let places = [("tcp", ""), ("udp", "/quic-v1")].map(|(protocol, rest)| first.place(protocol, rest));
        let tickets = first.found(count - 1, &places).await;
        if is_hidden {
            let relay = lab.sites[0].named("udp", "/quic-v1");
            lab.sites[0].settings.push(("XYN_MESH_RELAY", "true".to_owned()));
            lab.sites[1..].iter_mut().for_each(|it| it.settings.push(("XYN_MESH_RELAYS", relay.clone())));
        }
        lab.begin(tickets);
        lab
    }

    fn build(count: usize, network: Option<&Network>) -> Vec<Site> {
        (0..count).map(|at| Site::new(at, network)).collect()
    }

    /// Starts all: the first founded the environment, and the others come in on its tickets.
    fn begin(&mut self, tickets: Vec<String>) {
        self.start(0);
        for (site, ticket) in self.sites[1..].iter_mut().zip(tickets) {
            site.start(true, Some(&ticket));
        }
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
            Some(network) => network.cut(self.sites[at].space(), self.sites[at].is_cut_off),
            None => {
                self.sites[at].kill();
                self.start(at);
            }
        }
    }

    /// Of what passes, so many in a hundred get lost; where that cannot be, none.
    pub(crate) fn lose(&self, percent: usize) {
        if let Some(network) = &self.network {
            self.sites.iter().for_each(|site| network.lose(site.space(), percent));
        }
    }
}

impl Site {
    fn new(at: usize, network: Option<&Network>) -> Self {
        let space = network.map(|network| network.space(at));
        let (address, port) = match network {
            Some(network) => (network.address(at), PORT),
            None => (Ipv4Addr::LOCALHOST, free_port()),
        };
        let folder = Folder::new();
        let log = folder.file("live.log", "");
        Self { folder, log, space, address, port, is_cut_off: false, settings: Vec::new(), process: None }
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

    /// Another program, where this site is.
    pub(crate) fn runs(&self, program: &str, arguments: &[&str]) -> Said {
        Said::of(Command::new("ip").args(["netns", "exec", self.space(), program]).args(arguments))
    }

    /// From its next start on this is set.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.settings.push((name, value.to_owned()));
    }

    /// Where the other sites reach it.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Who it is.
    pub(crate) fn key(&self) -> String {
        NodeKey::load(&self.folder.data()).expect("it has a key").public().to_string()
    }

    /// Founds the environment, and gives out tickets for when this site is where it belongs, and is reached there.
    async fn found(&self, tickets: usize, addresses: &[String]) -> Vec<String> {
        let mut command = self.folder.program();
        command.env("XYN_MESH", "on").env("XYN_MESH_LISTEN", "/ip4/127.0.0.1/tcp/0");
        let node = Node::start_by(&self.folder, command).await;
        let key = NodeKey::load(&self.folder.data()).expect("it has a key").public();
        let root = NodeKey::found_root(&self.folder.data()).expect("it has the root's key").public();
        let mut texts = Vec::new();
        for _ in 0..tickets {
            let (env, principal) = (EnvId::rooted_in(root), Principal::new("mate@lab"));
            let expires = Clock::system().now().after(Duration::from_secs(3600));
            let invite = Invite::mint(env, key, addresses, &principal, Role::Operator, expires);
            let invite = invite.expect("randomness");
            node.post("/api/v1/intents", &json!({ "action": "peer.invite", "input": invite.input }))
                .await
                .ok();
            texts.push(invite.ticket.to_string());
        }
        assert!(node.stop().await.success());
        texts
    }

    /// Where it listens.
    fn place(&self, protocol: &str, rest: &str) -> String {
        format!("/ip4/{}/{protocol}/{}{rest}", self.address, self.port)
    }

    /// The same, and who it is.
    fn named(&self, protocol: &str, rest: &str) -> String {
        let key = NodeKey::load(&self.folder.data()).expect("it has a key").public();
        named(&self.place(protocol, rest), key)
    }

    fn start(&mut self, has_mesh: bool, ticket: Option<&str>) {
        let host = format!("/ip4/{}", self.address);
        let listen = format!("{host}/tcp/{0},{host}/udp/{0}/quic-v1", self.port);
        let mut command = self.program();
        command.env("XYN_MESH", if has_mesh { "on" } else { "off" }).env("XYN_MESH_LISTEN", listen);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
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

    /// From its next start on it is reached at another port.
    pub(crate) fn move_house(&mut self) {
        self.port += 1;
    }

    /// Where the members are to which it is connected.
    pub(crate) fn peers(&self) -> Vec<String> {
        let connections = self.connections().into_iter();
        connections.filter_map(|it| it["address"].as_str().map(str::to_owned)).collect()
    }

    /// Its connections to members.
    pub(crate) fn connections(&self) -> Vec<Value> {
        let mut list = self.xyn(&["peer", "list", "--json"]).json();
        let members = list["items"].as_array_mut().into_iter().flatten();
        members.map(|it| it["connection"].take()).filter(|it| !it.is_null()).collect()
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

    fn space(&self) -> &str {
        self.space.as_deref().expect("it is in a network")
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

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port()
}
