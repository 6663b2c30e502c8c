//! Authors with many feeds: all of them come, none of them costs others their place, and nobody is to blame.

use xyn_store::Digest;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn life(node: PublicKey, incarnation: u64) -> FeedId {
    FeedId { node, incarnation }
}

fn long(seq: u64) -> Known {
    Known { head: Some(Head { seq, hash: Digest::of(b"") }), fork: None }
}

impl Bed {
    /// `node` writes a record in each of so many lives.
    fn live(&mut self, node: usize, lives: u64) {
        for incarnation in 0..lives {
            let feed = life(public(node), incarnation);
            self.nodes[node].disk.write(feed, b"the only one");
            self.grew(node, feed);
        }
    }

    /// Node 0 tells node 1 that it has feeds of `author`.
    fn announce(&mut self, author: PublicKey, lives: std::ops::Range<u64>, known: Known) {
        let feeds = lives.map(|incarnation| (life(author, incarnation), known)).collect();
        let feeds = wire::Bounded::new(feeds).expect("as many as fit");
        self.deliver(0, 1, wire::encode(&wire::Sync::Have { feeds, ask: 0 }));
    }

    /// What node 1 knows of what node 0 has: feeds that it wants, and others.
    fn counts(&self) -> (usize, usize) {
        self.nodes[1].sync.peers[&public(0)].has.counts()
    }
}

#[test]
fn of_the_feeds_that_a_peer_names_so_many_are_remembered_and_those_of_strangers_cost_no_look() {
    let mut bed = Bed::new(2, 1);
    bed.connect(0, 1);
    let most = FEEDS_MAX as u64;
    for part in 0..3 {
        bed.announce(root().public(), part * most..(part + 1) * most, long(1));
        assert_eq!(bed.counts(), (0, FEEDS_MAX));
    }
    for part in 0..3 {
        bed.announce(public(0), part * most..(part + 1) * most, long(1));
        assert_eq!(bed.counts(), (FEEDS_MAX, FEEDS_MAX));
    }
    for held in bed.nodes[1].sync.held() {
        assert!(held.size <= held.limit, "{held:?}");
    }
    assert!(bed.drops.is_empty(), "how many there are is not its doing: {:?}", bed.drops);
}

#[test]
fn what_a_revocation_leaves_of_a_feed_is_wanted_and_the_rest_of_its_node_s_is_not() {
    let mut bed = Bed::new(2, 1);
    bed.connect(0, 1);
    bed.announce(public(2), 1..11, long(9));
    assert_eq!(bed.counts(), (10, 0));
    let last = Head { seq: 5, hash: Digest::of(b"") };
    bed.tell(1, Input::Roster(roster(&[(2, &[(life(public(2), 3), last)])])));
    assert_eq!(bed.counts(), (1, 9));
    bed.tell(1, Input::Roster(roster(&[])));
    assert_eq!(bed.counts(), (10, 0));
    bed.tell(1, Input::Grew { feed: life(public(2), 3), known: long(9) });
    assert_eq!(bed.counts(), (9, 0), "it came from elsewhere");
}

#[test]
fn a_newcomer_hears_out_a_member_with_more_feeds_than_a_message_names_and_floods_nobody() {
    let mut bed = Bed::new(2, 1);
    bed.live(0, 2 * FEEDS_MAX as u64 + 100);
    bed.connect(0, 1);
    bed.run(MINUTE);
    bed.assert_same(&[0, 1]);
    assert!(bed.drops.is_empty(), "{:?}", bed.drops);
}

#[test]
fn where_new_feeds_of_an_author_are_too_many_the_others_are_not_tried_one_after_the_other() {
    let mut bed = Bed::new(2, 1);
    bed.live(0, 3000);
    bed.nodes[1].disk.refuses = Some(Refused::Paced);
    bed.connect(0, 1);
    bed.run(SECOND * 4);
    assert!(bed.sent < 300_000, "{} bytes", bed.sent);
    bed.nodes[1].disk.refuses = None;
    bed.run(SUMMARY_LATEST + SECOND * 8);
    bed.assert_same(&[0, 1]);
    assert!(bed.drops.is_empty(), "{:?}", bed.drops);
}

#[test]
fn no_numbers_that_a_peer_names_are_too_large_to_be_summed_up() {
    let mut bed = Bed::new(2, 1);
    bed.connect(0, 1);
    bed.announce(public(2), 1..4, long(u64::MAX));
    assert_eq!(bed.nodes[1].sync.lag_records(public(0)), u64::MAX);
}
