//! Changes to boards that are admitted and show nowhere: each is told of, by name and once.

use automerge::ChangeHash;

use super::node::{Node, admitted};
use super::world::{Author, change_hash, moment, put, review};
use crate::timeline::board::{BOARD_BYTES_MAX, LeftOut, Measure, Reason};
use crate::timeline::record::Record;

/// A node whose boards are open, or are folded anew whenever something comes.
struct Bench {
    node: Node,
    is_open: bool,
}

impl Bench {
    fn new(is_open: bool) -> Self {
        Self { node: Node::new(), is_open }
    }

    /// What shows nowhere of `record` of `author`, or because of it.
    fn take(&mut self, author: &Author, record: &Record) -> Vec<LeftOut> {
        if !self.is_open {
            self.node.reopen();
        }
        let admission = self.node.admission(&[author.frame(std::slice::from_ref(record))]);
        admitted(&admission.verdicts[0]);
        admission.left_out
    }

    fn pending(&self) -> u64 {
        let reader = self.node.store.read().expect("reads");
        reader.board(&review()).expect("reads").expect("touched").pending
    }
}

/// What is told of record `seq` of `author`.
fn told(author: &Author, seq: u64, why: Reason) -> [LeftOut; 1] {
    [LeftOut { feed: author.feed, seq, why }]
}

/// A change of `author`, said to be its first, whose operations begin at `start`.
fn change(author: &mut Author, start: u64, name: &str, deps: Vec<ChangeHash>) -> Record {
    author.craft(moment(1), &review(), (1, start), deps, vec![put(name, Vec::new())])
}

#[test]
fn what_waits_makes_no_sense_or_has_a_rival_is_told_by_name_when_it_comes_and_not_again() {
    for is_open in [true, false] {
        let mut bench = Bench::new(is_open);
        let [mut ana, mut eve, mut mal] = [1, 2, 3].map(|secret| Author::new(secret, 1));
        let waits = change(&mut eve, 1, "waits", vec![ChangeHash([7; 32])]);
        assert_eq!(bench.take(&eve, &waits), told(&eve, 1, Reason::Waits));
        let senseless = change(&mut mal, 9, "senseless", Vec::new());
        assert_eq!(bench.take(&mal, &senseless), told(&mal, 1, Reason::Senseless));
        // Which of two rivals wins is a matter of their hashes; the later record is the one too many.
        for secret in 10..14 {
            let mut two = Author::new(secret, 1);
            let [one, other] = ["one", "other"].map(|name| change(&mut two, 1, name, Vec::new()));
            assert_eq!(bench.take(&two, &one), []);
            assert_eq!(bench.take(&two, &other), told(&two, 2, Reason::Rival));
        }
        let fine = change(&mut ana, 1, "fine", Vec::new());
        assert_eq!(bench.take(&ana, &fine), []);
        assert_eq!(bench.pending(), 6, "they are there still");
    }
}

#[test]
fn a_change_that_waited_shows_when_what_it_builds_on_comes_or_is_told_of_again() {
    for is_open in [true, false] {
        let mut bench = Bench::new(is_open);
        let [mut ana, mut ben, mut eve] = [1, 2, 3].map(|secret| Author::new(secret, 1));
        let first = change(&mut ana, 1, "first", Vec::new());
        let behind = change(&mut ben, 2, "behind", vec![change_hash(&first)]);
        let astray = change(&mut eve, 9, "astray", vec![change_hash(&first)]);
        assert_eq!(bench.take(&ben, &behind), told(&ben, 1, Reason::Waits));
        assert_eq!(bench.take(&eve, &astray), told(&eve, 1, Reason::Waits));
        // A board that was folded anew does not know what is news.
        let news = if is_open { told(&eve, 1, Reason::Senseless).to_vec() } else { Vec::new() };
        assert_eq!(bench.take(&ana, &first), news);
        assert_eq!(bench.pending(), 1);
    }
}

#[test]
fn each_change_beyond_its_authors_bytes_is_told_of_when_it_comes() {
    const CHANGE_BYTES: usize = 60 << 10;
    let fit = BOARD_BYTES_MAX / CHANGE_BYTES;
    let mut eve = Author::new(1, 1);
    let mut deps = Vec::new();
    let large = |seq: u64| {
        let op = put(&format!("{seq:0CHANGE_BYTES$}"), Vec::new());
        let record = eve.craft(moment(1), &review(), (seq, seq), deps.clone(), vec![op]);
        deps = vec![change_hash(&record)];
        record
    };
    let flood: Vec<Record> = (1..=fit as u64 + 3).map(large).collect();
    let within: Vec<_> = flood[..fit].chunks(6).map(|records| eve.frame(records)).collect();
    for is_open in [true, false] {
        let mut bench = Bench::new(is_open);
        assert_eq!(bench.node.admission(&within).left_out, []);
        for record in &flood[fit..] {
            let why = Reason::Beyond(Measure::Bytes);
            assert_eq!(bench.take(&eve, record), told(&eve, record.seq, why), "open: {is_open}");
        }
        assert_eq!(bench.pending(), 1, "one too many is counted");
    }
}
