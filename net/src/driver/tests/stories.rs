//! What nodes of one environment live through.

use xyn_store::trust::{NotAdmitted, NotRedeemed};

use super::people::{checkpoint, invitation, public, roster, ticket};
use super::*;
use crate::proto::conduct::Misdeed;
use crate::proto::join::guest::NotJoined;

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

async fn settle(nodes: &mut [&mut Node], lengths: &[(u8, u64)]) {
    for node in nodes.iter_mut() {
        node.until(|disk| lengths.iter().all(|(who, seq)| disk.known(feed(*who)).seq() == *seq)).await;
    }
    for node in &nodes[1..] {
        assert!(*nodes[0].disk() == *node.disk());
    }
}

#[tokio::test]
async fn two_nodes_that_worked_apart_have_the_same_after_they_met() {
    for transport in ["tcp/0", "udp/0/quic-v1"] {
        let team = roster(&[ALICE, BOB], &[]);
        let transport = || transport.to_owned();
        let mut alice =
            Start { transport: transport(), ..node(ALICE, &team).with_records(3000) }.start().await;
        let bob = Start { transport: transport(), ..node(BOB, &team).with_records(2000) };
        let mut bob = bob.dialling(&[&alice]).start().await;
        settle(&mut [&mut alice, &mut bob], &[(ALICE, 3000), (BOB, 2000)]).await;
        let (a, b) = (alice.status().await, bob.status().await);
        assert_eq!((a.traffic.records_in, b.traffic.records_in), (2000, 3000));
        assert_eq!((a.traffic.records_out, b.traffic.records_out), (3000, 2000));
        assert!(a.traffic.refused.is_empty() && b.traffic.refused.is_empty(), "{a:?} {b:?}");
        assert_eq!(
            a.peers.iter().map(|peer| (peer.node, peer.lag_records)).collect::<Vec<_>>(),
            [(public(BOB), 0)]
        );
        alice.stop().await;
        bob.stop().await;
    }
}

#[tokio::test]
async fn two_nodes_in_sync_say_less_than_a_kilobyte_and_news_arrive_at_once() {
    let team = roster(&[ALICE, BOB], &[]);
    let disk = node(ALICE, &team).with_records(500).disk;
    let mut alice = Start { disk: disk.clone(), ..node(ALICE, &team) }.start().await;
    let mut bob = Start { disk, ..node(BOB, &team) }.dialling(&[&alice]).start().await;
    alice.hear_connected(BOB).await;
    bob.hear_connected(ALICE).await;
    // Whatever they had to say to each other is said before the record arrives.
    alice.write().await;
    bob.until(|disk| disk.known(feed(ALICE)).seq() == 501).await;
    let (of_alice, of_bob) = (alice.status().await.traffic, bob.status().await.traffic);
    assert!(of_alice.bytes_out + of_bob.bytes_out < 1000, "{of_alice:?} {of_bob:?}");
    assert!(of_alice.records_out > 0, "what was published was sent: {of_alice:?}");
}

#[tokio::test]
async fn a_node_that_comes_later_gets_everything_from_whomever_it_reaches() {
    let team = roster(&[ALICE, BOB, CAROL], &[]);
    let mut alice = node(ALICE, &team).with_records(300).start().await;
    let mut bob = node(BOB, &team).with_records(200).dialling(&[&alice]).start().await;
    settle(&mut [&mut alice, &mut bob], &[(ALICE, 300), (BOB, 200)]).await;
    let mut carol = node(CAROL, &team).with_records(100).dialling(&[&bob]).start().await;
    let all = [(ALICE, 300), (BOB, 200), (CAROL, 100)];
    settle(&mut [&mut alice, &mut bob, &mut carol], &all).await;
    carol.write().await;
    alice.until(|disk| disk.known(feed(CAROL)).seq() == 101).await;
}

#[tokio::test]
async fn a_node_killed_in_the_middle_asks_for_the_rest_only() {
    let team = roster(&[ALICE, BOB], &[]);
    let mut alice = node(ALICE, &team).with_records(30_000).start().await;
    let mut bob = node(BOB, &team).dialling(&[&alice]).start().await;
    bob.until(|disk| disk.known(feed(ALICE)).seq() > 0).await;
    bob.task.abort();
    let disk = {
        let _ = (&mut bob.task).await;
        bob.disk().clone()
    };
    let kept = disk.known(feed(ALICE)).seq();
    assert!(kept < 30_000, "it was killed too late to be in the middle");
    let mut bob = Start { disk, ..node(BOB, &team) }.dialling(&[&alice]).start().await;
    settle(&mut [&mut alice, &mut bob], &[(ALICE, 30_000)]).await;
    assert_eq!(bob.status().await.traffic.records_in, 30_000 - kept);
}

#[tokio::test]
async fn a_member_that_was_away_is_found_again_where_it_was() {
    let team = roster(&[ALICE, BOB], &[]);
    let alice = node(ALICE, &team).with_records(3).start().await;
    let mut bob = node(BOB, &team).dialling(&[&alice]).start().await;
    bob.hear_connected(ALICE).await;
    let (_, port) = alice.address.split_once("/tcp/").expect("it listens on TCP");
    let transport = format!("tcp/{}", port.split('/').next().expect("a port"));
    let disk = alice.stop().await;
    bob.hear(|event| matches!(event, Event::Disconnected(_)).then_some(())).await;
    let alice = Start { transport, disk, ..node(ALICE, &team) }.start().await;
    bob.hear_connected(ALICE).await;
    alice.write().await;
    bob.until(|disk| disk.known(feed(ALICE)).seq() == 4).await;
}

#[tokio::test]
async fn members_who_only_know_a_third_meet_and_go_on_without_it() {
    let team = roster(&[ALICE, BOB, CAROL], &[]);
    let alice = node(ALICE, &team).start().await;
    let mut bob = node(BOB, &team).dialling(&[&alice]).start().await;
    let carol = node(CAROL, &team).dialling(&[&alice]).start().await;
    bob.hear_connected(CAROL).await;
    alice.stop().await;
    carol.write().await;
    bob.until(|disk| disk.known(feed(CAROL)).seq() == 1).await;
}

#[tokio::test]
async fn where_a_member_was_is_remembered_over_a_restart_and_a_false_word_of_it_does_no_harm() {
    let team = roster(&[ALICE, BOB, CAROL], &[]);
    let mut alice = node(ALICE, &team).start().await;
    let bob = node(BOB, &team).dialling(&[&alice]).start().await;
    let located = alice.hear(|event| match event {
        Event::Located { node, addresses } if node == public(BOB) => Some((node, addresses)),
        _ => None,
    });
    let (_, mut addresses) = located.await;
    alice.stop().await;
    let carol = node(CAROL, &team).start().await;
    addresses.insert(0, carol.address.clone());
    addresses.insert(0, "no address".into());
    let contacts = vec![(public(BOB), addresses)];
    let mut alice = Start { contacts, ..node(ALICE, &team) }.start().await;
    alice.hear_connected(BOB).await;
    bob.write().await;
    alice.until(|disk| disk.known(feed(BOB)).seq() == 1).await;
}

#[tokio::test]
async fn who_is_revoked_is_disconnected_and_refused_when_it_dials_again() {
    let team = roster(&[ALICE, BOB], &[]);
    let mut alice = node(ALICE, &team).start().await;
    let mut bob = node(BOB, &team).dialling(&[&alice]).start().await;
    alice.hear_connected(BOB).await;
    alice.mesh.roster_changed(roster(&[ALICE, BOB], &[BOB])).await.expect("it runs");
    let revoked = Refusal::NotAdmitted(NotAdmitted::Revoked(public(BOB)));
    alice.hear_refused(BOB, |why| *why == revoked).await;
    bob.hear(|event| matches!(event, Event::Disconnected(_)).then_some(())).await;
    // Told once a minute, counted each time.
    while alice.status().await.traffic.refused["revoked"] < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(alice.status().await.peers.is_empty());
}

#[tokio::test]
async fn a_liar_is_dropped_shunned_and_nothing_of_it_is_kept() {
    let team = roster(&[ALICE, BOB], &[]);
    let mut alice = node(ALICE, &team).start().await;
    let liar = Start { lies: true, ..node(BOB, &team).with_records(10) };
    let _bob = liar.dialling(&[&alice]).start().await;
    alice.hear_refused(BOB, |why| *why == Refusal::Misdeed(Misdeed::Lie)).await;
    alice.hear_refused(BOB, |why| *why == Refusal::Shunned).await;
    assert_eq!(alice.length(BOB), 0);
    let refused = alice.status().await.traffic.refused;
    assert_eq!(refused["lie"], 1);
}

#[tokio::test]
async fn a_guest_comes_in_on_its_ticket_and_takes_part() {
    let alone = roster(&[ALICE], &[]);
    let host = Start { invitation: Some(invitation(ALICE)), ..node(ALICE, &alone).with_records(20) };
    let mut alice = host.start().await;
    let wrong = join(&key(BOB), ticket(ALICE, &alice.address, [6; 16]), &Clock::system()).await;
    assert!(matches!(wrong, Err(NotLetIn::NotJoined(NotJoined::Refused(NotRedeemed::Secret)))));
    let joined = join(&key(BOB), ticket(ALICE, &alice.address, [5; 16]), &Clock::system()).await;
    let (statements, team) = joined.expect("the ticket is right");
    assert_eq!(statements.len(), 2);
    let team = Arc::new(team);
    alice.mesh.roster_changed(Arc::clone(&team)).await.expect("it runs");
    let mut bob = node(BOB, &team).with_records(10).dialling(&[&alice]).start().await;
    settle(&mut [&mut alice, &mut bob], &[(ALICE, 20), (BOB, 10)]).await;
}

#[tokio::test]
async fn a_guest_that_did_not_hear_its_answer_asks_again_as_the_member_it_has_become() {
    let alone = roster(&[ALICE], &[]);
    let host = Start { invitation: Some(invitation(ALICE)), ..node(ALICE, &alone) };
    let alice = host.start().await;
    let first = join(&key(BOB), ticket(ALICE, &alice.address, [5; 16]), &Clock::system()).await;
    let (_, team) = first.expect("the ticket is right");
    alice.mesh.roster_changed(Arc::new(team.clone())).await.expect("it runs");
    let again = join(&key(BOB), ticket(ALICE, &alice.address, [5; 16]), &Clock::system()).await;
    assert_eq!(again.expect("the ticket is right").1, team);
}

#[tokio::test]
async fn a_member_whose_certificate_comes_late_is_let_in_when_it_is_here() {
    let (team, alone) = (roster(&[ALICE, BOB], &[]), roster(&[ALICE], &[]));
    let mut alice = node(ALICE, &alone).with_records(5).start().await;
    let mut bob = node(BOB, &team).with_records(5).dialling(&[&alice]).start().await;
    bob.hear_connected(ALICE).await;
    alice.mesh.roster_changed(team).await.expect("it runs");
    settle(&mut [&mut alice, &mut bob], &[(ALICE, 5), (BOB, 5)]).await;
}

#[tokio::test]
async fn members_witness_each_other_s_logs() {
    let team = roster(&[ALICE, BOB], &[]);
    let mut alice = node(ALICE, &team).start().await;
    let _bob = node(BOB, &team).dialling(&[&alice]).start().await;
    alice.mesh.signed(checkpoint(ALICE)).await.expect("it runs");
    let (witness, seen) = alice
        .hear(|event| match event {
            Event::Witnessed { witness, checkpoint, .. } => Some((witness, checkpoint)),
            _ => None,
        })
        .await;
    assert_eq!((witness, seen), (public(BOB), checkpoint(ALICE)));
}

#[tokio::test]
async fn whom_nobody_can_dial_is_reached_through_a_member_that_relays() {
    let team = roster(&[ALICE, BOB, CAROL], &[]);
    let reach = Reach::Anywhere;
    let alice = Start { reach, is_relay: true, ..node(ALICE, &team) }.start().await;
    let relays = vec![alice.address.clone()];
    let bob = Start { reach, relays: relays.clone(), ..node(BOB, &team).with_records(20) };
    let mut bob = bob.start().await;
    let through = bob
        .hear(|event| match event {
            Event::Listening(address) if address.contains("/p2p-circuit") => Some(address),
            _ => None,
        })
        .await;
    let carol = Start { reach, relays, peers: vec![through], ..node(CAROL, &team) };
    let mut carol = carol.start().await;
    carol.hear_connected(BOB).await;
    carol.until(|disk| disk.known(feed(BOB)).seq() == 20).await;
    assert!(bob.status().await.listening.iter().any(|address| address.contains("/p2p-circuit")));
}

#[tokio::test]
async fn two_whom_nobody_can_dial_find_each_other_through_the_member_that_both_know() {
    let team = roster(&[ALICE, BOB, CAROL], &[]);
    let reach = Reach::Anywhere;
    let alice = Start { reach, is_relay: true, ..node(ALICE, &team) }.start().await;
    let behind = |who| Start { reach, transport: String::new(), ..node(who, &team) };
    let bob = Start { relays: vec![alice.address.clone()], ..behind(BOB).with_records(20) };
    let mut bob = bob.start().await;
    assert!(bob.address.contains("/p2p-circuit"), "{}", bob.address);
    // Carol names no relay: she hears from Alice where Bob is.
    let mut carol = behind(CAROL).with_records(10).dialling(&[&alice]).start().await;
    carol.hear_connected(BOB).await;
    bob.hear_connected(CAROL).await;
    settle(&mut [&mut bob, &mut carol], &[(BOB, 20), (CAROL, 10)]).await;
    let status = carol.status().await;
    let way = status.peers.iter().find(|peer| peer.node == public(BOB)).map(|peer| peer.address.as_str());
    assert!(way.is_some_and(|way| way.contains("/p2p-circuit")), "{way:?}");
}

#[tokio::test]
async fn a_member_is_found_by_the_name_of_its_machine() {
    let team = roster(&[ALICE, BOB], &[]);
    let alice = node(ALICE, &team).with_records(5).start().await;
    let by_name = alice.address.replace("/ip6/::1/", "/dns6/localhost/");
    let peers = vec![by_name];
    let mut bob = Start { reach: Reach::Anywhere, peers, ..node(BOB, &team) }.start().await;
    bob.until(|disk| disk.known(feed(ALICE)).seq() == 5).await;
}

#[tokio::test]
async fn a_task_that_was_stopped_says_goodbye_and_its_handle_says_so() {
    let team = roster(&[ALICE, BOB], &[]);
    let mut alice = Start { transport: "udp/0/quic-v1".into(), ..node(ALICE, &team) }.start().await;
    let bob =
        Start { transport: "udp/0/quic-v1".into(), ..node(BOB, &team) }.dialling(&[&alice]).start().await;
    alice.hear_connected(BOB).await;
    let mesh = bob.mesh.clone();
    bob.stop().await;
    alice.hear(|event| matches!(event, Event::Disconnected(node) if node == public(BOB)).then_some(())).await;
    assert!(matches!(mesh.status().await, Err(Stopped)));
}

#[tokio::test]
async fn a_task_that_panics_ends_with_that_panic_its_handle_says_so_and_peers_learn_of_it() {
    let team = roster(&[ALICE, BOB], &[]);
    let broken = Start { panics: true, ..node(ALICE, &team).with_records(10) };
    let alice = broken.start().await;
    let mut bob = node(BOB, &team).dialling(&[&alice]).start().await;
    bob.hear(|event| matches!(event, Event::Disconnected(node) if node == public(ALICE)).then_some(())).await;
    let ended = alice.task.await.expect_err("it panics");
    assert!(ended.is_panic() && ended.to_string().contains("broken on purpose"), "{ended}");
    assert!(matches!(alice.mesh.status().await, Err(Stopped)));
    assert_eq!(bob.length(ALICE), 0);
}
