//! Nodes on a network that is not to be trusted: real processes that are cut off from each other, killed and
//! brought back.
//!
//! Where the machine allows it, every node lives in a network namespace, all of them on one bridge; nftables takes
//! links and packets away, tbf makes links thin, and a proxy makes them long. Everywhere, they also share loopback, where a node that is cut off runs without
//! its mesh meanwhile, and where nobody is discovered: they know of each other what they told each other.
//! `XYN_FULL=1` goes on for longer. Invariant: once all are back, all show the same, each moment once.

mod browse;
mod lab;
mod line;
mod network;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::content::noise;
use crate::crash::Dice;
use lab::{Lab, Site};
use line::{BITS_PER_SECOND, ROUND_TRIP};
use network::BUCKET_BYTES;

/// How long nodes may take to find each other again, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(150);
/// A file that a thin line takes two seconds for.
const FILE_BYTES: usize = 256 << 10;
/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);
/// How long two behind routers have to get through to each other.
const PUNCHED_WITHIN: Duration = Duration::from_secs(40);

/// Every moment, as the command line shows it.
fn log(site: &Site) -> Vec<Value> {
    let lines = site.xyn(&["timeline", "log", "--json"]).ok();
    lines.lines().map(|line| serde_json::from_str(line).expect("each line is a moment")).collect()
}

fn shows(log: &[Value], title: &str) -> bool {
    log.iter().any(|moment| moment["title"] == title)
}

/// Waits until it is so, and says how long that took.
#[expect(clippy::print_stderr, reason = "whoever reads the result wants to know how long it took")]
fn wait(what: &str, is_so: impl Fn() -> Result<(), String>) {
    let begun = Instant::now();
    while let Err(instead) = is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: after {PATIENCE:?} {instead}");
        std::thread::sleep(LOOK);
    }
    eprintln!("live: {what}: {:.1} s", begun.elapsed().as_secs_f32());
}

/// Waits until `sites` show the same, with all of `wanted`.
fn converge(what: &str, sites: &[&Site], wanted: &[String]) {
    wait(what, || {
        let logs: Vec<Vec<Value>> = sites.iter().map(|site| log(site)).collect();
        let is_complete = wanted.iter().all(|title| shows(&logs[0], title));
        let is_equal = logs.windows(2).all(|pair| pair[0] == pair[1]);
        let lengths: Vec<usize> = logs.iter().map(Vec::len).collect();
        if is_complete && is_equal { Ok(()) } else { Err(format!("they show {lengths:?} moments")) }
    });
}

/// Waits until each of `sites` is connected to all the others.
fn meet(what: &str, sites: &[&Site]) {
    wait(what, || {
        let peers: Vec<usize> = sites.iter().map(|site| site.peers().len()).collect();
        if peers.iter().all(|count| count + 1 == sites.len()) { Ok(()) } else { Err(format!("{peers:?}")) }
    });
}

fn note(site: &Site, title: &str, said: &mut Vec<String>) {
    site.xyn(&["timeline", "note", title]).ok();
    said.push(title.to_owned());
}

#[tokio::test]
async fn nodes_on_one_machine_show_the_same_when_they_are_back() {
    story(&mut Lab::on_loopback(3).await);
}

#[tokio::test]
async fn nodes_on_a_network_that_is_cut_and_lossy_show_the_same_when_they_are_back() {
    match Lab::networked(3).await {
        Some(mut lab) => {
            story(&mut lab);
            moved(&mut lab);
        }
        None => eprintln!("live: this machine allows no network namespaces: nothing was cut here"),
    }
}

#[tokio::test]
async fn two_behind_routers_meet_through_a_member_that_relays_and_then_find_a_way_of_their_own() {
    find_a_way(&[]).await;
}

#[tokio::test]
async fn two_behind_routers_who_reach_the_relay_by_different_transports_find_a_way_of_their_own() {
    find_a_way(&["udp", "tcp"]).await;
}

/// Two behind routers meet through a relay which they do not reach by what is `barred`, and do without it soon.
#[expect(clippy::print_stderr, reason = "whoever reads the result must know what was tried")]
async fn find_a_way(barred: &[&str]) {
    let Some(lab) = Lab::behind_routers(barred).await else {
        eprintln!(
            "live: this machine allows no network namespaces, or no nftables: nobody was behind a router here"
        );
        return;
    };
    let mut said = Vec::new();
    lab.sites.iter().enumerate().for_each(|(at, site)| note(site, &format!("site {at} is here"), &mut said));
    meet("two whom nobody can dial are connected", &lab.all());
    converge("with what all wrote", &lab.all(), &said);
    let is_direct = lab.sites[1..].iter().all(goes_around_the_relay);
    assert!(is_direct, "no way around the relay: {:?}", lab.sites[1].peers());
}

/// Whether all connections of `site` are direct, soon.
fn goes_around_the_relay(site: &Site) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PUNCHED_WITHIN {
        let ways = site.peers();
        if ways.len() == 2 && ways.iter().all(|way| !way.is_empty() && !way.contains("/p2p-circuit")) {
            return true;
        }
        std::thread::sleep(LOOK);
    }
    false
}

#[tokio::test]
async fn two_at_the_ends_of_a_long_and_thin_line_show_the_same_and_a_file_takes_its_time() {
    let mut lab = Lab::on_a_line().await;
    let mut said = Vec::new();
    lab.sites.iter().enumerate().for_each(|(at, site)| note(site, &format!("site {at} is here"), &mut said));
    converge("the first meeting over the line", &lab.all(), &said);
    wait("a ping takes as long as the line is", || {
        let connections = lab.sites[1].connections();
        let times: Vec<f64> = connections.iter().filter_map(|it| it["round_trip_ms"].as_f64()).collect();
        let is_long = |time: &f64| *time >= ROUND_TRIP.as_secs_f64() * 1e3;
        if times.len() == 1 && times.iter().all(is_long) { Ok(()) } else { Err(format!("{connections:?}")) }
    });
    let place = tempfile::tempdir().expect("a folder");
    let [here, there] = [0, 1].map(|at| {
        let shop = place.path().join(format!("{at}/shop"));
        std::fs::create_dir_all(&shop).expect("made");
        lab.sites[at].xyn(&["workspace", "add", shop.to_str().expect("text")]).ok();
        shop.join("large")
    });
    std::fs::write(&here, noise(FILE_BYTES)).expect("written");
    let moment = lab.sites[0].xyn(&["workspace", "snapshot", "shop", "-m", "a large file"]).ok();
    converge("its moment", &lab.all(), &["a large file".to_owned()]);
    let begun = Instant::now();
    lab.sites[1].xyn(&["workspace", "restore", "shop", moment.trim()]).ok();
    let bits = (FILE_BYTES - BUCKET_BYTES) as u64 * 8;
    let (took, least) = (begun.elapsed(), Duration::from_secs(bits) / BITS_PER_SECOND as u32);
    assert!(took >= least, "{FILE_BYTES} bytes came in {took:?}, and the line takes {least:?} for them");
    assert!(std::fs::read(there).expect("there") == noise(FILE_BYTES));

    // On loopback they meet again by the shortest way.
    lab.cut_off(1);
    for number in 0..12 {
        let at = number % 2;
        note(&lab.sites[at], &format!("{number} by {at}, apart"), &mut said);
    }
    lab.bring_back(1);
    converge("what was written apart, over the line", &lab.all(), &said);
}

/// What the sites of a lab live through.
fn story(lab: &mut Lab) {
    let mut said = Vec::new();
    for (at, site) in lab.sites.iter().enumerate() {
        note(site, &format!("site {at} is here"), &mut said);
    }
    converge("the first meeting", &lab.all(), &said);
    // Nobody gave those who came in by the first each other's address.
    meet("everybody is connected to everybody", &lab.all());

    // The third is cut off; the first, by which the others came in, is killed; all go on as they can.
    lab.cut_off(2);
    for (at, site) in lab.sites.iter().enumerate() {
        note(site, &format!("site {at} works apart"), &mut said);
    }
    wait("what passes between the two who are left", || {
        match shows(&log(&lab.sites[0]), "site 1 works apart") {
            true => Ok(()),
            false => Err("the first has not heard of the second".to_owned()),
        }
    });
    assert!(!shows(&log(&lab.sites[2]), "site 1 works apart"), "nothing passes where there is no way");
    lab.sites[0].kill();
    note(&lab.sites[1], "the second is alone", &mut said);
    lab.bring_back(2);
    let told = ["the second is alone", "site 2 works apart"].map(str::to_owned);
    converge("two who came in by a third that is gone", &[&lab.sites[1], &lab.sites[2]], &told);
    lab.start(0);
    converge("the first is back", &lab.all(), &said);

    let rounds = if std::env::var_os("XYN_FULL").is_some() { 12 } else { 1 };
    let mut dice = Dice::new(20_261_121);
    for round in 0..rounds {
        let (cut, killed) = (dice.below(3), dice.below(3));
        lab.cut_off(cut);
        for number in 0..6 {
            let at = dice.below(3);
            note(&lab.sites[at], &format!("{round}.{number} by {at}"), &mut said);
        }
        lab.sites[killed].kill();
        lab.lose(5 + dice.below(10));
        lab.start(killed);
        lab.bring_back(cut);
        converge("cut, killed and losing packets", &lab.all(), &said);
    }
    for title in &said {
        let times = log(&lab.sites[0]).iter().filter(|moment| moment["title"] == *title).count();
        assert_eq!(times, 1, "`{title}`");
    }
}

/// Two come back to other places than any node remembers, while the one by which they came in is away: what is left
/// is to ask around on the local network.
fn moved(lab: &mut Lab) {
    (0..3).for_each(|at| lab.sites[at].kill());
    for at in [1, 2] {
        lab.sites[at].move_house();
        lab.start(at);
    }
    meet("who moved is found on the local network", &[&lab.sites[1], &lab.sites[2]]);
}
