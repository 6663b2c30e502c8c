//! A local network of this machine: a bridge, and a namespace for each node.
//!
//! Owns the namespaces: they do not outlive the test, and those of a test that was killed are taken away by the
//! next one. Named by process, so that two tests at a time do not meet; each bridge is a world of its own.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

/// How namespaces of this test are called; the process that owns them comes next.
const PREFIX: &str = "xyn";
/// Nothing comes in, nothing goes out.
const CUT: &str = "chain in { type filter hook input priority 0; iifname != \"lo\" drop; }\n\
                   chain out { type filter hook output priority 0; oifname != \"lo\" drop; }";

/// Where the bridge itself is.
pub(super) const BRIDGE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);
/// What leaves at once where a rate is limited.
pub(super) const BUCKET_BYTES: usize = 32 << 10;
/// What a router lets through: what was asked for from within.
const ROUTER: &str = "chain post { type nat hook postrouting priority 100; oifname \"eth0\" masquerade; }\n\
     chain in { type filter hook input priority 0; iifname \"eth0\" ct state new drop; }\n\
     chain through { type filter hook forward priority 0; iifname \"eth0\" ct state new drop; }";

/// How sites lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// On one bridge.
    Together,
    /// So is the first, and each of the others is behind a router of its own.
    BehindRouters,
    /// Each reaches the bridge and what lives there, and no other site.
    Apart,
}

/// A bridge, and a namespace for each site on it.
pub(super) struct Network {
    name: String,
    count: usize,
    pub(super) plan: Plan,
    /// Whether there is nft.
    pub(super) filters: bool,
}

impl Network {
    /// None where this machine, or this user, may not.
    pub(super) fn open(count: usize, plan: Plan) -> Option<Self> {
        sweep();
        let name = format!("{PREFIX}{}", std::process::id());
        let mut network = Self { name, count: 0, plan, filters: false };
        let lan = network.lan();
        ip(&["netns", "add", &lan])?;
        ip(&["-n", &lan, "link", "add", "lan", "type", "bridge"])?;
        ip(&["-n", &lan, "link", "set", "lan", "up"])?;
        if plan == Plan::Apart {
            ip(&["-n", &lan, "address", "add", &format!("{BRIDGE}/24"), "dev", "lan"])?;
        }
        for at in 0..count {
            network.count = at + 1;
            let space = network.space(at);
            ip(&["netns", "add", &space])?;
            ip(&["-n", &space, "link", "set", "lo", "up"])?;
            match network.router(at) {
                None => network.attach(&space, at)?,
                Some(router) => {
                    ip(&["netns", "add", &router])?;
                    network.attach(&router, at)?;
                    hide(&router, &space, at)?;
                }
            }
        }
        network.filters =
            filter(&lan, "trial", &losing(0)).and_then(|()| filter(&lan, "trial", "")).is_some();
        Some(network)
    }

    /// Puts a namespace on the bridge.
    fn attach(&self, space: &str, at: usize) -> Option<()> {
        let (lan, port) = (self.lan(), format!("site{at}"));
        ip(&["-n", &lan, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", space])?;
        ip(&["-n", &lan, "link", "set", &port, "master", "lan", "up"])?;
        if self.plan == Plan::Apart {
            ip(&["-n", &lan, "link", "set", &port, "type", "bridge_slave", "isolated", "on"])?;
        }
        ip(&["-n", space, "address", "add", &format!("{}/24", address(at)), "dev", "eth0"])?;
        link(space, true)
    }

    /// The namespace of a site's router, where it has one.
    fn router(&self, at: usize) -> Option<String> {
        self.is_hidden(at).then(|| format!("{}-r{at}", self.name))
    }

    fn is_hidden(&self, at: usize) -> bool {
        self.plan == Plan::BehindRouters && at > 0
    }

    /// Where a site takes itself to be.
    pub(super) fn address(&self, at: usize) -> Ipv4Addr {
        if self.is_hidden(at) { within(at, 2) } else { address(at) }
    }

    /// The namespace of the bridge.
    pub(super) fn lan(&self) -> String {
        format!("{}-lan", self.name)
    }

    pub(super) fn space(&self, at: usize) -> String {
        format!("{}-{at}", self.name)
    }

    /// Lets nothing pass to and from a namespace, or lets it pass again.
    pub(super) fn cut(&self, space: &str, is_cut_off: bool) {
        let done = match (self.filters, is_cut_off) {
            (true, true) => filter(space, "cut", CUT),
            (true, false) => filter(space, "cut", ""),
            (false, is_cut_off) => link(space, !is_cut_off),
        };
        done.expect("it is our network");
    }

    /// Of what comes in here, so many in a hundred get lost from now on; none where there is no nft.
    pub(super) fn lose(&self, space: &str, percent: usize) {
        if self.filters {
            filter(space, "loss", &losing(percent)).expect("it worked before");
        }
    }

    /// Drops what a site sends to another one by a protocol.
    pub(super) fn bar(&self, at: usize, protocol: &str, to: usize) {
        let rule = format!("ip daddr {} meta l4proto {protocol} drop;", address(to));
        let chain = format!("chain out {{ type filter hook output priority 0; {rule} }}");
        filter(&self.space(at), "bar", &chain).expect("it worked before");
    }

    /// Lets so much leave a namespace and no more; none where this kernel has no token bucket.
    pub(super) fn limit(&self, space: &str, bits_per_second: u64) -> Option<()> {
        let rate = format!("{bits_per_second}bit");
        let burst = BUCKET_BYTES.to_string();
        let bucket = ["tbf", "rate", &rate, "burst", &burst, "latency", "400ms"];
        let tc = ["netns", "exec", space, "tc", "qdisc", "replace", "dev", "eth0", "root"];
        ip(&[&tc[..], &bucket].concat())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let routers = (0..self.count).filter_map(|at| self.router(at));
        let spaces = (0..self.count).map(|at| self.space(at)).chain(routers).chain([self.lan()]);
        for space in spaces {
            // What is gone already needs no deleting.
            let _ = ip(&["netns", "delete", &space]);
        }
    }
}

/// Puts `space` behind `router`, which is on the bridge: nobody there sees more of it than what it asks for.
fn hide(router: &str, space: &str, at: usize) -> Option<()> {
    ip(&["-n", router, "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", space])?;
    for (end, device, last) in [(router, "eth1", 1), (space, "eth0", 2)] {
        ip(&["-n", end, "address", "add", &format!("{}/24", within(at, last)), "dev", device])?;
        ip(&["-n", end, "link", "set", device, "up"])?;
    }
    ip(&["-n", space, "route", "add", "default", "via", &within(at, 1).to_string()])?;
    ip(&["netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])?;
    filter(router, "router", ROUTER)
}

/// Takes the link of a namespace up, with a way for what is sent to all, or down.
fn link(space: &str, is_up: bool) -> Option<()> {
    ip(&["-n", space, "link", "set", "eth0", if is_up { "up" } else { "down" }])?;
    if is_up { ip(&["-n", space, "route", "replace", "224.0.0.0/4", "dev", "eth0"]) } else { Some(()) }
}

/// Takes away what a test that was killed left behind: namespaces of processes that are no more.
fn sweep() {
    let Ok(said) = Command::new("ip").args(["netns", "list"]).output() else { return };
    for space in String::from_utf8_lossy(&said.stdout).lines().filter_map(|line| line.split(' ').next()) {
        let owner = space.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let owner = owner.and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            // Another test may have been quicker.
            let _ = ip(&["netns", "delete", space]);
        }
    }
}

/// Puts `chains` in the place of a namespace's filter called `name`; none when
/// that did not work.
fn filter(space: &str, name: &str, chains: &str) -> Option<()> {
    let mut nft = Command::new("ip");
    nft.args(["netns", "exec", space, "nft", "-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut nft = nft.spawn().ok()?;
    // Declared first, so that there is something to delete.
    let script = format!("table inet {name}\ndelete table inet {name}\ntable inet {name} {{\n{chains}\n}}\n");
    // One that does not read says so by its end.
    let _ = nft.stdin.take().expect("it is piped").write_all(script.as_bytes());
    nft.wait().ok()?.success().then_some(())
}

/// Of what comes in, so many in a hundred get lost.
fn losing(percent: usize) -> String {
    let rule = format!("iifname != \"lo\" numgen random mod 100 < {percent} drop;");
    format!("chain in {{ type filter hook input priority 1; {rule} }}")
}

/// Runs `ip`; none when that did not work.
fn ip(arguments: &[&str]) -> Option<()> {
    let said = Command::new("ip").args(arguments).output().ok()?;
    said.status.success().then_some(())
}

/// An address in the network behind a router.
fn within(at: usize, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, u8::try_from(at).expect("a few sites"), last)
}

/// Where on the bridge the site with this number is, or its router.
fn address(at: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, u8::try_from(at + 1).expect("a few sites"))
}
