//! Nodes on a network that is not to be trusted: real processes, each in a network of its own, cut off from each
//! other, killed and brought back.
//!
//! Where the machine allows it, every node lives in a network namespace, all of them on one bridge, and nftables
//! takes links away. Elsewhere they share loopback, and a node that is cut off runs without its mesh meanwhile.
//! The test says which. `XYN_FULL=1` goes on for longer. Invariant: once all are back, all show the same.

mod lab;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::crash::Dice;
use lab::{Lab, Site};

/// How long nodes may take to find each other again: a link that went silent is noticed, and dialled with patience.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);

/// Every moment, as the command line shows it.
fn log(site: &Site) -> Vec<Value> {
    let lines = site.xyn(&["timeline", "log", "--json"]).ok();
    lines.lines().map(|line| serde_json::from_str(line).expect("each line is a moment")).collect()
}

fn shows(log: &[Value], title: &str) -> bool {
    log.iter().any(|moment| moment["title"] == title)
}

/// Waits until `sites` show the same, with all of `wanted`.
fn converge(sites: &[&Site], wanted: &[String]) {
    let begun = Instant::now();
    loop {
        let logs: Vec<Vec<Value>> = sites.iter().map(|site| log(site)).collect();
        let is_complete = wanted.iter().all(|title| shows(&logs[0], title));
        if is_complete && logs.windows(2).all(|pair| pair[0] == pair[1]) {
            return;
        }
        let lengths: Vec<usize> = logs.iter().map(Vec::len).collect();
        assert!(begun.elapsed() < PATIENCE, "after {PATIENCE:?} they show {lengths:?} moments");
        std::thread::sleep(LOOK);
    }
}

fn note(site: &Site, title: &str, said: &mut Vec<String>) {
    site.xyn(&["timeline", "note", title]).ok();
    said.push(title.to_owned());
}

#[tokio::test]
async fn nodes_that_are_cut_off_and_killed_show_the_same_when_they_are_back() {
    let mut lab = Lab::open(3).await;
    let mut said = Vec::new();
    for (at, site) in lab.sites.iter().enumerate() {
        note(site, &format!("site {at} is here"), &mut said);
    }
    converge(&lab.all(), &said);

    // The third is cut off; the first, by which the others came in, is killed; all go on as they can.
    lab.cut_off(2);
    for (at, site) in lab.sites.iter().enumerate() {
        note(site, &format!("site {at} works apart"), &mut said);
    }
    lab.sites[0].kill();
    note(&lab.sites[1], "the second is alone", &mut said);
    assert!(!shows(&log(&lab.sites[2]), "the second is alone"), "nothing passes where there is no way");
    lab.bring_back(2);
    if lab.is_networked() {
        // Nobody gave them each other's address: they find each other on the network.
        converge(&[&lab.sites[1], &lab.sites[2]], &["the second is alone".to_owned()]);
    }
    lab.start(0);
    converge(&lab.all(), &said);

    let rounds = if std::env::var_os("XYN_FULL").is_some() { 12 } else { 1 };
    let mut dice = Dice::new(20_261_121);
    for round in 0..rounds {
        let (cut, killed) = (dice.below(3), dice.below(3));
        lab.cut_off(cut);
        for number in 0..10 {
            let at = dice.below(3);
            note(&lab.sites[at], &format!("{round}.{number} by {at}"), &mut said);
        }
        lab.sites[killed].kill();
        lab.lose(dice.below(15));
        lab.start(killed);
        lab.bring_back(cut);
        converge(&lab.all(), &said);
    }
    for title in &said {
        let times = log(&lab.sites[0]).iter().filter(|moment| moment["title"] == *title).count();
        assert_eq!(times, 1, "`{title}`");
    }
}
