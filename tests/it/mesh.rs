//! Nodes that share a timeline: real processes on loopback, killed, stopped and revoked.
//!
//! Invariant of each test: what one of them knows in the end, all of them know, to the same bytes.

use std::time::Duration;

use serde_json::json;
use xyn_net::wire::{self, Join, Message as _, Redeem};
use xyn_store::Clock;
use xyn_store::audit::key::NodeKey;
use xyn_store::trust::{EnvId, Seat, Ticket, TicketId, TicketSecret};

use crate::flood::attacker;
use crate::node::{COUNT, Said, eventually};
use crate::team::{Mate, converge, team};

/// What one writes alone.
const NOTES: u64 = 25;

#[tokio::test]
async fn three_nodes_work_apart_meet_and_show_the_same_timeline() {
    let ([mut ada, mut bob, eve], _) = team().await;
    ada.note("from ada").await;
    bob.note("from bob").await;
    eve.note("from eve").await;
    converge(&[&ada, &bob, &eve], &["from ada", "from bob", "from eve"]).await;

    // Bob and Eve reach each other by Ada alone, who is away now; then Bob is killed, and Eve goes on.
    ada.stop().await;
    bob.note("bob alone").await;
    bob.kill();
    eve.node().promote(&eve.folder, COUNT).await;
    let run = eve.node().run("bp.count", json!({ "key": "apart" })).await;
    eve.node().ended(&run).await;
    ada.up(None).await;
    ada.note("ada is back").await;
    bob.up(None).await;
    converge(&[&ada, &bob, &eve], &["bob alone", "ada is back", "Count: started, completed"]).await;
    for mate in [&ada, &bob, &eve] {
        let of_run = mate.log().into_iter().filter(|moment| moment["refs"]["run_id"] == json!(run)).count();
        assert_eq!(of_run, 1, "{} shows the run once", mate.name);
    }
    for mate in [ada, bob, eve] {
        assert!(mate.node.expect("it runs").stop().await.success());
    }
}

#[tokio::test]
async fn a_node_killed_again_and_again_loses_nothing_and_catches_up() {
    let ([ada, mut bob, mut eve], tickets) = team().await;
    for round in 0..3 {
        for number in 0..20 {
            ada.note(&format!("ada {round}.{number}")).await;
            bob.note(&format!("bob {round}.{number}")).await;
        }
        bob.kill();
        eve.kill();
        ada.note(&format!("meanwhile {round}")).await;
        // The ticket is used, and this is the folder that used it.
        bob.up(Some(&tickets[0])).await;
        eve.up(None).await;
    }
    let wanted: Vec<String> = (0..3)
        .flat_map(|round| {
            let notes = (0..20)
                .flat_map(move |number| [format!("ada {round}.{number}"), format!("bob {round}.{number}")]);
            notes.chain([format!("meanwhile {round}")])
        })
        .collect();
    converge(&[&ada, &bob, &eve], &wanted.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let titles = ada.titles();
    assert_eq!(titles.iter().filter(|title| wanted.contains(title)).count(), wanted.len(), "each once");
}

#[tokio::test]
async fn a_ticket_that_is_used_expired_or_for_another_environment_lets_nobody_in_and_says_why() {
    let mut ada = Mate::new("ada");
    ada.up(None).await;
    let (first, short) = (ada.invite().await, Clock::system().now().after(Duration::from_secs(2)));
    let expired = ada.ticket(short).await;
    let mut bob = Mate::new("bob");
    bob.up(Some(&first)).await;
    bob.note("in").await;
    converge(&[&ada, &bob], &["in"]).await;
    bob.stop().await;

    let says = |said: Said, code: i32, words: &[&str]| {
        assert_eq!(said.code, code, "{said:?}");
        words.iter().for_each(|word| assert!(said.err.contains(word), "`{word}`: {}", said.err));
    };
    let eve = Mate::new("eve");
    says(eve.refused(&first), 4, &["the ticket has been used", "xyn peer invite"]);
    eventually("the ticket expires", async || (Clock::system().now() > short).then_some(())).await;
    says(eve.refused(&expired), 4, &["the ticket has expired"]);
    says(eve.refused(&first[..first.len() - 1]), 2, &["mistyped or cut short"]);

    // Bob belongs to Ada's environment, and Mallory to one of his own.
    let mut mallory = Mate::new("mallory");
    mallory.up(None).await;
    let foreign = mallory.invite().await;
    says(bob.refused(&foreign), 6, &["belongs to environment", "--data"]);
    mallory.stop().await;
    says(mallory.refused(&ada.invite().await), 6, &["belongs to environment", "--data"]);

    // Nobody's secret is in a log, an event or an intent.
    let text: Vec<String> =
        ["/api/v1/events?limit=200", "/api/v1/intents?limit=200"].map(String::from).to_vec();
    for path in text {
        let shown = ada.node().get(&path).await.to_string();
        assert!(shown.contains("peer"), "{shown}");
        assert!(![&first, &expired].iter().any(|ticket| shown.contains(ticket.as_str())));
    }
    for reason in ["ticket_used", "ticket_expired"] {
        said_refused(&ada, reason).await;
    }
}

/// Waits until `host` has counted once that it refused what was said under this name, and has said so.
async fn said_refused(host: &Mate, reason: &str) {
    let counter = format!("xyn_mesh_said_refused_total{{reason=\"{reason}\"}}");
    eventually(reason, async || (host.counted(&counter).await == 1).then_some(())).await;
    let is_told = |line: &str| line.contains("refused what a peer said") && line.contains(reason);
    assert!(host.node().log().lines().any(is_told), "{reason}: {}", host.node().log());
}

#[tokio::test]
async fn a_ticket_that_was_tampered_with_opens_nothing_is_refused_by_name_and_stays_good_as_it_was() {
    let [mut ada, mut bob, eve] = ["ada", "bob", "eve"].map(Mate::new);
    ada.up(None).await;
    let text = ada.invite().await;
    let ticket: Ticket = text.parse().expect("a ticket");
    let elsewhere = EnvId::rooted_in(NodeKey::from_secret([9; 32]).public());
    let secret = TicketSecret::from_bytes([0; 16]);
    for (tampered, reason, words) in [
        (Ticket { env: elsewhere, ..ticket.clone() }, "ticket_of_other_env", "is for another environment"),
        (Ticket { id: TicketId([0; 8]), ..ticket.clone() }, "ticket_unknown", "gave out no such ticket"),
        (Ticket { secret, ..ticket.clone() }, "ticket_wrong_secret", "secret is wrong"),
    ] {
        eve.refused(&tampered.to_string()).says(4, &[words, "xyn peer invite"]);
        said_refused(&ada, reason).await;
    }

    // One key shows the ticket, and another one agreed to the seat.
    let Ticket { env, id, secret, .. } = ticket;
    let consent = Seat::Under(ada.key()).agree(env, &NodeKey::from_secret([8; 32]));
    let shown = wire::encode(&Join::Redeem(Redeem { env, ticket: id, secret, consent }));
    let host = ada.node().mesh()[0].clone();
    let intruder = attacker::say(NodeKey::from_secret([7; 32]), host, Join::PROTOCOL, vec![shown]);
    let intruder = tokio::spawn(intruder);
    eventually("the door closes", async || (ada.refusals("door").await > 0).then_some(())).await;
    assert!(ada.node().log().contains("did not prove that the key is its own"), "{}", ada.node().log());
    intruder.abort();

    bob.up(Some(&text)).await;
    bob.note("in").await;
    converge(&[&ada, &bob], &["in"]).await;
}

#[tokio::test]
async fn a_node_at_the_address_of_another_is_refused_by_name_and_nothing_is_said_to_it() {
    for transport in ["tcp/0", "udp/0/quic-v1"] {
        let [mut ada, mut bob, mut eve] = ["ada", "bob", "eve"].map(Mate::new);
        for mate in [&mut ada, &mut bob, &mut eve] {
            mate.address = format!("/ip4/127.0.0.1/{transport}");
        }
        ada.up(None).await;
        for mate in [&mut bob, &mut eve] {
            mate.up(Some(&ada.invite().await)).await;
        }
        let address = |mate: &Mate| mate.node().mesh()[0].clone();
        let (of_ada, of_bob) = (address(&ada), address(&bob));
        let (place, _) = of_ada.split_once("/p2p/").expect("it says who it is");
        let (_, key) = of_bob.split_once("/p2p/").expect("it says who it is");
        bob.stop().await;
        eve.stop().await;
        eve.peers = Some(format!("{place}/p2p/{key}"));
        eve.up(None).await;
        let is_refused = async || (eve.refusals("not_its_key").await > 0).then_some(());
        eventually("whoever answers is not who was dialled", is_refused).await;
        let log = eve.node().log();
        assert!(log.contains("is not that of the node that was expected"), "{log}");
        // As who she is, Ada is heard.
        ada.note("as herself").await;
        converge(&[&ada, &eve], &["as herself"]).await;
    }
}

#[tokio::test]
async fn who_is_reached_by_both_families_is_reached_by_ipv6_first() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    for mate in [&mut ada, &mut bob] {
        mate.address = "/ip4/127.0.0.1/tcp/0,/ip6/::1/tcp/0".to_owned();
    }
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    ada.note("over IPv6").await;
    converge(&[&ada, &bob], &["over IPv6"]).await;
    let listening: Vec<&str> = ada.node().mesh().iter().map(String::as_str).collect();
    assert!(["/ip4/", "/ip6/"].iter().all(|family| listening.iter().any(|at| at.starts_with(family))));
    let peers = bob.node().all("/api/v1/peers").await;
    let addresses: Vec<&str> =
        peers.iter().filter_map(|peer| peer["connection"]["address"].as_str()).collect();
    assert!(matches!(addresses[..], [address] if address.starts_with("/ip6/::1/")), "{addresses:?}");
}

#[tokio::test]
async fn the_journal_tells_once_of_records_that_come_in_one_batch() {
    let ([ada, mut bob, eve], _) = team().await;
    bob.note("before").await;
    converge(&[&ada, &bob, &eve], &["before"]).await;
    bob.stop().await;
    bob.mesh = "off";
    bob.up(None).await;
    for number in 0..NOTES {
        bob.note(&format!("alone {number}")).await;
    }
    bob.stop().await;
    bob.mesh = "on";
    let before = ada.admitted().await;
    let came = async || ada.counted("xyn_mesh_records_total{direction=\"in\"}").await;
    let came_before = came().await;
    bob.up(None).await;
    converge(&[&ada, &bob, &eve], &[&format!("alone {}", NOTES - 1)]).await;
    let told = ada.admitted().await;
    let of_bob = |data: &&serde_json::Value| {
        data["feed"].as_str().is_some_and(|feed| feed.starts_with(&bob.key().to_string()))
    };
    let known = before.iter().filter(of_bob).map(|data| data["last"].as_u64()).next_back().flatten();
    let first = known.expect("his first note came") + 1;
    let [batch] = told[before.len()..].iter().filter(of_bob).collect::<Vec<_>>()[..] else {
        panic!("one event is wanted: {told:?}");
    };
    let numbers = ["first", "last", "count"].map(|key| batch[key].as_u64());
    assert_eq!(numbers, [first, first + NOTES - 1, NOTES].map(Some), "{batch}");
    assert!([bob.key(), eve.key()].iter().any(|key| batch["peer"] == json!(key)), "{batch}");
    // The counters say what the journal does, and that Bob, whom somebody asked, sent them.
    let counts = told[before.len()..].iter().filter_map(|data| data["count"].as_u64());
    assert_eq!(came().await - came_before, counts.sum::<u64>(), "{told:?}");
    let went = bob.counted("xyn_mesh_records_total{direction=\"out\"}").await;
    assert!(went >= NOTES, "{went} of {NOTES} records were sent");
}

#[tokio::test]
async fn two_whole_nodes_in_sync_that_meet_again_say_little() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    for number in 0..NOTES {
        ada.note(&format!("ada {number}")).await;
        bob.note(&format!("bob {number}")).await;
    }
    let last = NOTES - 1;
    converge(&[&ada, &bob], &[&format!("ada {last}"), &format!("bob {last}")]).await;
    let mut said = Vec::new();
    // Whoever signs a checkpoint at that moment has more to say.
    while said.len() < 3 && !said.iter().any(|bytes| *bytes < 1_000) {
        bob.stop().await;
        bob.up(None).await;
        said.push(says(&bob).await);
    }
    eprintln!("mesh: two whole nodes in sync say {said:?} bytes");
    assert!(said.iter().any(|bytes| *bytes < 1_000), "{said:?}");
    let came = async || bob.counted("xyn_mesh_records_total{direction=\"in\"}").await;
    assert_eq!(came().await, 0, "they were in sync");
    ada.note("new").await;
    converge(&[&ada, &bob], &["new"]).await;
    assert_eq!(came().await, 1, "they are together");
}

/// The bytes of messages that a node hears and says after its start, until nothing more is said for a while.
async fn says(mate: &Mate) -> u64 {
    let counted = async |way| mate.counted(&format!("xyn_mesh_bytes_total{{direction=\"{way}\"}}")).await;
    let mut said = [0; 2];
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = std::mem::replace(&mut said, [counted("in").await, counted("out").await]);
        if said == before && !said.contains(&0) {
            return said.iter().sum();
        }
    }
}

#[tokio::test]
async fn who_is_revoked_is_disconnected_cannot_come_back_and_is_not_heard_any_more() {
    let ([ada, bob, mut eve], _) = team().await;
    eve.note("before").await;
    converge(&[&ada, &bob, &eve], &["before"]).await;
    ada.intent("peer.revoke", json!({ "node": eve.key(), "reason": "left the team" })).await;
    let is_turned_away = |mate: &Mate| mate.node().log().contains("was revoked");
    eventually("ada turns eve away", async || is_turned_away(&ada).then_some(())).await;
    // Once when she was revoked, and then whenever she dials, by herself and from a new start.
    let is_refused_again = async |times: u64| (ada.refusals("revoked").await > times).then_some(());
    eventually("eve dials again", async || is_refused_again(1).await).await;
    eve.stop().await;
    let before = ada.refusals("revoked").await;
    eve.up(None).await;
    eventually("eve dials from a new start", async || is_refused_again(before).await).await;
    ada.note("without eve").await;
    bob.note("nor here").await;
    converge(&[&ada, &bob], &["before", "without eve", "nor here"]).await;
    let here: Vec<String> = eve.titles();
    assert!(!here.iter().any(|title| title == "without eve" || title == "nor here"), "{here:?}");
    let again = json!({ "action": "peer.revoke", "input": { "node": eve.key(), "reason": "twice" } });
    assert_eq!(ada.node().post("/api/v1/intents", &again).await.status, 409);
    let upwards = json!({ "action": "peer.revoke", "input": { "node": ada.key(), "reason": "mutiny" } });
    assert_eq!(bob.node().post("/api/v1/intents", &upwards).await.status, 403);
}

#[tokio::test]
async fn what_a_member_wrote_alone_before_it_was_revoked_is_heard_by_nobody_when_it_comes_back() {
    let ([ada, bob, mut eve], _) = team().await;
    eve.note("before").await;
    converge(&[&ada, &bob, &eve], &["before"]).await;
    eve.stop().await;
    eve.mesh = "off";
    eve.up(None).await;
    eve.note("on the train").await;
    ada.intent("peer.revoke", json!({ "node": eve.key(), "reason": "left the team" })).await;
    ada.note("she is out").await;
    converge(&[&ada, &bob], &["she is out"]).await;
    eve.stop().await;
    eve.mesh = "on";
    eve.up(None).await;
    let is_refused = async || (ada.refusals("revoked").await > 0).then_some(());
    eventually("eve is turned away", is_refused).await;
    ada.note("the end").await;
    converge(&[&ada, &bob], &["before", "the end"]).await;
    let is_shown = |mate: &Mate| mate.titles().iter().any(|title| title == "on the train");
    assert!(is_shown(&eve) && !is_shown(&ada) && !is_shown(&bob));
}

#[tokio::test]
async fn a_node_that_keeps_to_the_local_network_meets_who_is_near_and_refuses_who_is_far() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.mesh = "lan";
    // Addresses that are kept for documents: nobody is there, and nobody is asked.
    ada.peers = Some("/ip4/203.0.113.7/tcp/4311".to_owned());
    ada.up(None).await;
    bob.mesh = "lan";
    bob.up(Some(&ada.invite().await)).await;
    ada.note("near").await;
    converge(&[&ada, &bob], &["near"]).await;
    let is_refused = async || (ada.refusals("far").await > 0).then_some(());
    eventually("who is far is refused", is_refused).await;
    assert!(ada.node().log().contains("it is not on the local network"), "{}", ada.node().log());
    assert_eq!(bob.refusals("far").await, 0);
}
