//! What happens when nodes meet, one story a test.

use super::*;
use crate::proto::conduct::{MESSAGES_BURST, SHUNNED_FOR};
use xyn_store::timeline::BEHIND_CUT_MAX;

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn two_nodes_in_sync_exchange_less_than_a_kilobyte() {
    let mut bed = Bed::new(2, 1);
    (0..NODES_MAX).for_each(|author| (0..300).for_each(|_| bed.nodes[0].disk.write(feed(author), b"x")));
    bed.copy(0, 0);
    bed.copy(0, 1);
    bed.connect(0, 1);
    bed.run(MINUTE / 2);
    assert!(bed.sent > 0 && bed.sent < 1000, "{} bytes", bed.sent);
}

#[test]
fn both_get_what_the_other_wrote() {
    let mut bed = Bed::new(2, 1);
    bed.write(0, 1000);
    bed.write(1, 700);
    bed.connect(0, 1);
    bed.run(SECOND);
    bed.assert_same(&[0, 1]);
    assert_eq!((bed.length(0, 1), bed.length(1, 0)), (700, 1000));
}

#[test]
fn a_node_a_week_behind_is_sent_what_it_missed_and_little_else() {
    let mut bed = Bed::new(2, 1);
    bed.write(0, 20_000);
    bed.copy(0, 1);
    bed.write(0, 200);
    bed.connect(0, 1);
    bed.run(SECOND);
    bed.assert_same(&[0, 1]);
    let missed: usize =
        bed.nodes[0].disk.read(feed(0), 20_000, u64::MAX, u32::MAX).iter().map(|f| f.bytes.len()).sum();
    assert!(bed.sent < missed + missed / 10 + 1000, "{} bytes sent for {missed}", bed.sent);
}

#[test]
fn news_pass_along_a_line_of_nodes() {
    let mut bed = Bed::new(5, 1);
    (0..5).for_each(|node| bed.write(node, 40));
    (0..4).for_each(|node| bed.connect(node, node + 1));
    bed.run(MINUTE);
    bed.assert_same(&[0, 1, 2, 3, 4]);
    assert_eq!(bed.length(0, 4), 40);
}

#[test]
fn a_broken_connection_costs_only_what_was_under_way() {
    let mut bed = Bed::new(2, 7);
    bed.weather.delay_ms_max = 50;
    bed.write(0, 10_000);
    let all: usize =
        bed.nodes[0].disk.read(feed(0), 0, u64::MAX, u32::MAX).iter().map(|f| f.bytes.len()).sum();
    for _ in 0..8 {
        bed.connect(0, 1);
        bed.run(Duration::from_millis(300));
        bed.disconnect(0, 1);
    }
    bed.connect(0, 1);
    bed.run(MINUTE);
    bed.assert_same(&[0, 1]);
    let wasted = bed.sent - all;
    assert!(wasted < 9 * PULLS_PER_PEER * CREDIT_BYTES as usize && wasted < all, "{wasted} of {all}");
}

#[test]
fn nothing_is_fetched_from_two_peers() {
    let mut bed = Bed::new(3, 3);
    bed.write(0, 3000);
    bed.copy(0, 1);
    bed.connect(0, 2);
    bed.connect(1, 2);
    bed.run(SECOND * 2);
    bed.assert_same(&[0, 1, 2]);
    let all: usize =
        bed.nodes[0].disk.read(feed(0), 0, u64::MAX, u32::MAX).iter().map(|f| f.bytes.len()).sum();
    assert!(bed.sent < all + all / 10, "{} bytes sent for {all}", bed.sent);
}

#[test]
fn a_liar_is_dropped_and_nothing_of_it_is_kept() {
    let mut bed = Bed::new(2, 1);
    bed.nodes[0].manner = Manner::Liar;
    bed.write(0, 10);
    bed.connect(0, 1);
    bed.run(MINUTE * 2);
    assert_eq!(bed.drops, [(1, 0, Misdeed::Lie)], "and shunned from then on");
    assert_eq!(bed.length(1, 0), 0);
}

#[test]
fn what_a_mute_peer_keeps_back_is_asked_of_another() {
    let mut bed = Bed::new(3, 1);
    bed.write(0, 10);
    bed.copy(0, 1);
    bed.nodes[0].manner = Manner::Mute;
    bed.connect(0, 2);
    bed.connect(1, 2);
    bed.run(ANSWER_TIMEOUT + SECOND * 2);
    assert_eq!(bed.length(2, 0), 10);
}

#[test]
fn a_peer_that_never_answers_is_dropped_for_stalling() {
    let mut bed = Bed::new(2, 1);
    bed.write(0, 10);
    bed.nodes[0].manner = Manner::Mute;
    bed.connect(0, 1);
    bed.run(MINUTE * 2);
    assert_eq!(bed.drops.first(), Some(&(1, 0, Misdeed::Stall)));
}

#[test]
fn a_peer_that_announces_what_it_does_not_have_is_dropped_in_time() {
    let mut bed = Bed::new(2, 1);
    bed.write(0, 10);
    bed.nodes[0].manner = Manner::Braggart;
    bed.connect(0, 1);
    bed.run(MINUTE * 60);
    assert_eq!(bed.length(1, 0), 10, "what it does have is welcome");
    assert!(bed.sent < 200_000, "{} bytes", bed.sent);
}

#[test]
fn a_flooder_is_dropped() {
    let mut bed = Bed::new(2, 1);
    bed.connect(0, 1);
    let message = wire::encode(&wire::Sync::Summary(wire::Summary::default()));
    (0..10_000).for_each(|_| bed.deliver(0, 1, message.clone()));
    assert_eq!(bed.drops, [(1, 0, Misdeed::Flood)]);
    assert!(bed.sent < 2000, "a flood is not answered: {} bytes", bed.sent);
}

#[test]
fn a_flooder_that_goes_and_comes_back_goes_on_where_it_was() {
    let mut bed = Bed::new(2, 1);
    let message = wire::encode(&wire::Sync::Summary(wire::Summary::default()));
    for _ in 0..3 {
        bed.connect(0, 1);
        (0..MESSAGES_BURST / 2).for_each(|_| bed.deliver(0, 1, message.clone()));
        bed.disconnect(0, 1);
    }
    assert_eq!(bed.drops, [(1, 0, Misdeed::Flood)]);
}

#[test]
fn bytes_that_are_no_message_and_answers_to_nothing_are_held_against_their_sender() {
    let mut bed = Bed::new(2, 1);
    bed.connect(0, 1);
    (0..2).for_each(|_| bed.deliver(0, 1, vec![1, 200]));
    assert_eq!(bed.drops, [(1, 0, Misdeed::Malformed)]);
    let mut bed = Bed::new(2, 1);
    bed.connect(0, 1);
    let frames = wire::Sync::Frames { feed: feed(0), after: 0, frames: wire::Bounded::default() };
    (0..20).for_each(|_| bed.deliver(0, 1, wire::encode(&frames)));
    assert_eq!(bed.drops, [(1, 0, Misdeed::Unasked)]);
}

#[test]
fn an_author_who_signs_two_records_is_cut_at_the_same_place_everywhere() {
    for deep in [1, 2, 3, 37, 300] {
        let mut bed = Bed::new(4, deep);
        // Node 3's folder was copied: it goes on in two ways. Nodes 0 and 1 each saw one of them.
        bed.write(3, 400);
        bed.copy(3, 0);
        bed.copy(3, 1);
        for (node, more) in [(0, 0), (1, 50)] {
            let disk = &mut bed.nodes[node].disk;
            disk.rewind(feed(3), 400 - deep);
            (0..deep + more).for_each(|_| disk.write(feed(3), &[node as u8]));
            bed.grew(node, feed(3));
        }
        bed.connect(0, 1);
        bed.connect(1, 2);
        bed.run(MINUTE * 3);
        bed.assert_same(&[0, 1, 2]);
        let known = bed.nodes[2].disk.known(feed(3));
        assert_eq!((known.seq(), known.fork), (400 - deep, Some(401 - deep)));
        assert!(bed.drops.is_empty(), "none of them lied: {:?}", bed.drops);
    }
}

#[test]
fn of_two_forks_of_one_feed_the_earlier_one_is_where_it_ends() {
    let mut bed = Bed::new(5, 1);
    bed.write(4, 400);
    (0..4).for_each(|node| bed.copy(4, node));
    // Nodes 0 and 1 saw two ends behind record 300, nodes 2 and 3 two ends behind record 200.
    for (node, common) in [(1, 300), (3, 200)] {
        let disk = &mut bed.nodes[node].disk;
        disk.rewind(feed(4), common);
        (common..400).for_each(|_| disk.write(feed(4), b"another end"));
        bed.grew(node, feed(4));
        bed.connect(node - 1, node);
        bed.run(MINUTE);
        assert_eq!(bed.nodes[node].disk.known(feed(4)).fork, Some(common + 1));
    }
    bed.connect(1, 2);
    bed.run(MINUTE);
    bed.assert_same(&[0, 1, 2, 3]);
    assert_eq!(bed.length(0, 4), 200);
}

#[test]
fn of_what_a_revoked_member_wrote_after_its_cut_no_more_is_asked_for_than_others_may_have_built_on() {
    let mut bed = Bed::new(2, 1);
    bed.write(0, 5000);
    let cut = bed.nodes[0].disk.head_at(feed(0), 60);
    let roster = roster(&[(0, &[(feed(0), cut)])]);
    bed.copy(0, 1);
    bed.nodes[1].disk.rewind(feed(0), 60);
    bed.grew(1, feed(0));
    bed.tell(1, Input::Roster(roster));
    bed.connect(0, 1);
    bed.run(MINUTE * 5);
    // One answer may hold more than was needed.
    let length = bed.length(1, 0);
    assert!((60 + BEHIND_CUT_MAX..2000).contains(&length), "{length} records");
    assert!(bed.drops.is_empty() && bed.sent < 400_000, "{} bytes, {:?}", bed.sent, bed.drops);
}

#[test]
fn a_new_member_s_records_come_as_soon_as_it_is_one() {
    let mut bed = Bed::new(2, 1);
    bed.write(0, 100);
    bed.tell(1, Input::Roster(roster(&[(0, &[])])));
    bed.connect(0, 1);
    bed.run(SECOND);
    assert_eq!(bed.length(1, 0), 0);
    bed.tell(1, Input::Roster(roster(&[])));
    bed.run(SECOND);
    assert_eq!(bed.length(1, 0), 100);
}

#[test]
fn a_full_disk_pauses_and_blames_nobody() {
    let mut bed = Bed::new(2, 1);
    bed.write(0, 100);
    bed.nodes[1].disk.refuses = Some(Refused::Busy);
    bed.connect(0, 1);
    bed.run(MINUTE * 5);
    assert!(bed.drops.is_empty() && bed.length(1, 0) == 0);
    bed.nodes[1].disk.refuses = None;
    bed.run(PAUSE + SECOND);
    bed.assert_same(&[0, 1]);
}

#[test]
fn who_passes_on_what_its_author_wrote_too_fast_is_not_to_blame_and_brings_it_later() {
    let mut bed = Bed::new(2, 1);
    bed.write(0, 100);
    bed.nodes[1].disk.refuses = Some(Refused::Paced);
    bed.connect(0, 1);
    bed.run(MINUTE * 30);
    assert!(bed.drops.is_empty() && bed.length(1, 0) == 0);
    assert!(bed.sent < 1_000_000, "{} bytes", bed.sent);
    bed.nodes[1].disk.refuses = None;
    bed.run(SUMMARY_LATEST + SECOND * 2);
    bed.assert_same(&[0, 1]);
}

#[test]
fn who_is_newer_is_dropped_as_such_and_no_liar_and_heard_when_this_node_is_upgraded() {
    let mut bed = Bed::new(3, 1);
    bed.write(2, 10);
    bed.copy(2, 0);
    bed.write(0, 10);
    bed.nodes[1].disk.refuses = Some(Refused::Newer);
    bed.connect(0, 1);
    bed.run(MINUTE);
    assert_eq!(bed.drops, [(1, 0, Misdeed::Newer)]);
    bed.nodes[1].disk.refuses = None;
    bed.run(SHUNNED_FOR);
    bed.connect(0, 1);
    bed.run(MINUTE);
    bed.assert_same(&[0, 1]);
}

#[test]
fn news_that_are_faster_than_an_answer_are_not_held_against_whoever_answers() {
    let mut bed = Bed::new(2, 1);
    bed.weather.delay_ms_max = 100;
    bed.connect(0, 1);
    for _ in 0..60 {
        bed.write(0, 3);
        while bed.nodes[1].sync.pulls.is_empty() {
            bed.run(Duration::from_millis(10));
        }
        bed.copy(0, 1);
        bed.run(SECOND);
    }
    bed.assert_same(&[0, 1]);
    assert!(bed.drops.is_empty(), "{:?}", bed.drops);
}
