//! Environments that are too large for everybody to speak with everybody, and nodes that have enough of connections.

use std::time::Instant;

use super::people::roster;
use super::*;
use crate::proto::conduct::Misdeed;
use crate::proto::sync::tests::disk::Disk;

const HUB: u8 = 1;
const MEMBERS: [u8; 5] = [HUB, 2, 3, 4, 5];
/// Below the number of members: news travel in gossip's mesh.
const EXPLICIT: usize = 2;

/// Records that any of `nodes` sent.
async fn sent(nodes: &[Node]) -> u64 {
    let mut sum = 0;
    for node in nodes {
        sum += node.status().await.traffic.records_out;
    }
    sum
}

/// All that meet at the hub, which alone can be dialled: what one of them says the others have through it.
async fn star(team: &Arc<Roster>, members: &[u8]) -> Vec<Node> {
    let mut nodes = vec![Start { explicit_max: EXPLICIT, ..node(HUB, team) }.start().await];
    for who in &members[1..] {
        let leaf = Start { explicit_max: EXPLICIT, transport: String::new(), ..node(*who, team) };
        let leaf = leaf.dialling(&[&nodes[0]]).start().await;
        nodes[0].hear_connected(*who).await;
        nodes.push(leaf);
    }
    nodes
}

/// `author` writes until what it writes reaches all of `nodes` as news, which count once, and is not asked for.
async fn news_arrive(nodes: &mut [Node], author: usize) {
    let (who, begun) = (nodes[author].who, Instant::now());
    loop {
        let before = sent(nodes).await;
        let said = nodes[author].write().await;
        let wanted = nodes[author].length(who);
        for node in nodes.iter_mut() {
            node.until(|disk: &Disk| disk.known(feed(who)).seq() == wanted).await;
        }
        if sent(nodes).await == before + said {
            return;
        }
        // Gossip's mesh forms in its own time; what is said before that is asked for.
        assert!(begun.elapsed() < PATIENCE, "no news of {who} arrive");
    }
}

#[tokio::test]
async fn news_of_a_large_environment_reach_everybody_through_the_mesh_and_false_ones_nobody() {
    let team = roster(&[1, 2, 3, 4, 5, 6], &[]);
    let mut nodes = star(&team, &MEMBERS).await;
    for author in 0..nodes.len() {
        news_arrive(&mut nodes, author).await;
    }

    // What the last one publishes is signed by nobody.
    let liar = Start { lies: true, explicit_max: EXPLICIT, transport: String::new(), ..node(6, &team) };
    let mut liar = liar.dialling(&[&nodes[0]]).start().await;
    liar.hear_connected(HUB).await;
    liar.write_false().await;
    let why = nodes[0].hear_refused(6, |why| !matches!(why, Refusal::Protocol(_))).await;
    assert_eq!(why, Refusal::Misdeed(Misdeed::Lie));
    liar.hear(|event| matches!(event, Event::Disconnected(_)).then_some(())).await;
    // It costs nobody else anything: they are heard as before.
    for author in 0..nodes.len() {
        news_arrive(&mut nodes, author).await;
    }
    for node in &nodes {
        let status = node.status().await;
        assert_eq!(node.length(6), 0, "{} has it", node.who);
        assert_eq!(status.peers.len(), if node.who == HUB { MEMBERS.len() - 1 } else { 1 });
        assert_eq!(status.traffic.refused.get("lie").copied(), (node.who == HUB).then_some(1));
    }
}

#[tokio::test]
async fn a_node_that_has_enough_connections_refuses_more_by_name_until_one_is_free() {
    for transport in TRANSPORTS {
        let team = roster(&[1, 2, 3, 4], &[]);
        let alice = Start { incoming_max: 2, transport: transport.into(), ..node(1, &team) };
        let mut alice = alice.start().await;
        let leaf = |who| Start { transport: String::new(), ..node(who, &team) };
        let bob = leaf(2).dialling(&[&alice]).start().await;
        let _carol = leaf(3).dialling(&[&alice]).start().await;
        for who in [2, 3] {
            alice.hear_connected(who).await;
        }
        let mut dave = leaf(4).dialling(&[&alice]).start().await;
        let is_crowded = |event| match event {
            Event::Refused { why: why @ Refusal::Crowded(_), .. } => Some(why),
            _ => None,
        };
        let why = alice.hear(is_crowded).await;
        assert_eq!(why.label(), "crowded", "{why}");
        let status = alice.status().await;
        assert!(status.peers.len() == 2 && status.traffic.refused["crowded"] >= 1, "{status:?}");
        bob.stop().await;
        alice.hear_connected(4).await;
        dave.hear_connected(1).await;
    }
}
