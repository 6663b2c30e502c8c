//! The property of the model, held against the real code: keys, documents, a database, and members that hear
//! of each other's words about who belongs.

mod arrival;
mod history;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use automerge::ChangeHash;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use self::arrival::{News, arrival, below};
use self::history::{Act, History, Seated, acts};
use super::member::{Member, env, head, root, seats};
use super::world::Author;
use crate::crash_tests::full;
use crate::digest::Digest;
use crate::simulation::Dice;
use crate::timeline::board::{Board, Contribution, Folded, fold as fold_board};
use crate::timeline::feed::FeedId;
use crate::timeline::fold::{contribution, fold};
use crate::timeline::limit::Limit;
use crate::timeline::record::{Body, Record};
use crate::trust::{Cut, Place, Placed, Roster, SignedStatement};

/// Each round but the last brings one of the two a record, a proof or a word of the other: no case has as many.
const ROUNDS_MAX: usize = 300;

/// Founds the environment on both, which know of each other and of whoever belongs from the start.
fn found(members: &mut [Member; 2], people: &[Author]) {
    members.iter_mut().for_each(Member::empty);
    let people = people.iter().map(|person| seats(&root(), &person.key()));
    let own = members.iter().map(|member| seats(&root(), member.node.store.key()));
    let words: Vec<Vec<u8>> = own.chain(people).collect();
    members.iter_mut().for_each(|member| member.says(words.clone()));
}

/// Gives each member what comes to it, again and again, and what the other one wrote meanwhile, until nothing is
/// new: what anti-entropy does. Each starts anew once, in the middle of it.
fn come_to_rest(members: &mut [Member; 2], arrivals: &[Vec<News>; 2], dice: &mut Dice) {
    let restarts = [0, 1].map(|which: usize| below(dice, arrivals[which].len()));
    for round in 0..ROUNDS_MAX {
        let before = members.each_ref().map(|member| member.node.rows());
        for which in [0, 1] {
            for (index, news) in arrivals[which].iter().enumerate() {
                match news {
                    News::Frames(frames) => drop(members[which].hears(frames)),
                    News::Proof(proof) => members[which].learns(proof),
                }
                if (round, index) == (0, restarts[which]) {
                    members[which].restart();
                }
            }
            let theirs = members[1 - which].wrote.clone();
            members[which].hears(&theirs);
        }
        if before == members.each_ref().map(|member| member.node.rows()) {
            return;
        }
    }
    panic!("it never comes to rest");
}

/// The statement in `record`, if it holds one.
fn statement_in(record: &Record) -> Option<SignedStatement> {
    let Body::Statement(bytes) = &record.content.body else { return None };
    Some(SignedStatement::decode(&bytes.0, env()).expect("authors sign what they say"))
}

/// What all that is said in `records` adds up to, with what the `root` said and was heard.
fn expected(records: &[Record], root: impl Iterator<Item = SignedStatement>) -> Roster {
    let mut placed: Vec<Placed> = root.map(|statement| Placed { statement, place: None }).collect();
    let mut numbers: BTreeMap<FeedId, BTreeMap<u64, BTreeSet<Digest>>> = BTreeMap::new();
    for record in records {
        let place = Place { feed: record.feed, record: head(record) };
        let own = statement_in(record).filter(|it| it.statement().issuer == record.feed.node);
        placed.extend(own.map(|statement| Placed { statement, place: Some(place) }));
        numbers.entry(record.feed).or_default().entry(record.seq).or_default().insert(record.hash);
    }
    let mut forks = BTreeMap::new();
    for (feed, numbers) in numbers {
        if let Some((seq, _)) = numbers.iter().find(|(_, hashes)| hashes.len() > 1) {
            let before = numbers.get(&(seq - 1)).and_then(BTreeSet::first);
            let cut = before.map_or(Cut::Everything, |hash| Cut::After { seq: seq - 1, hash: *hash });
            forks.insert(feed, cut);
        }
    }
    Roster::fold(env(), &placed, forks)
}

/// Who is seated from the start, what is written, and how it comes to each of two.
type Plan = (Seated, Vec<(u8, Act)>, u64);

fn plan() -> impl Strategy<Value = Plan> {
    ([proptest::bool::weighted(0.7); 5], acts(), any::<u64>())
}

#[test]
fn any_order_framing_and_batching_gives_the_same_rows_and_those_of_the_fold() {
    // Two nodes, emptied between the cases: a new folder takes longer than all else.
    let members = RefCell::new([Member::new(), Member::new()]);
    let config = ProptestConfig {
        cases: if full() { 5_000 } else { 160 },
        max_shrink_iters: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let held = TestRunner::new(config).run(&plan(), |(seated, acts, seed)| {
        let (history, mut dice) = (History::of(&acts, &seated), Dice::new(seed));
        let members = &mut *members.borrow_mut();
        found(members, &history.seated);
        let arrivals = [(); 2].map(|()| arrival(&history, &mut dice));
        come_to_rest(members, &arrivals, &mut dice);
        let heard = members[0].heard_of_the_root();
        let ids = |words: &BTreeMap<Digest, SignedStatement>| words.keys().copied().collect::<Vec<_>>();
        let roster = expected(&history.records, heard.values().cloned());
        let timeline = fold(&history.records, |feed| roster.cut(*feed)).digest();
        for member in members {
            prop_assert_eq!(ids(&member.heard_of_the_root()), ids(&heard), "the root is heard alike");
            prop_assert_eq!(member.node.digest(), timeline, "the rows are those of the fold");
            for feed in history.branches().map(|branch| branch.feed) {
                prop_assert_eq!(
                    member.replica.roster().cut(feed),
                    roster.cut(feed),
                    "each feed is cut alike"
                );
            }
            for record in &history.records {
                let is_of_root = |it: &SignedStatement| it.statement().issuer == root().public();
                let word = statement_in(record).filter(is_of_root);
                let is_heard = word.is_none_or(|word| heard.contains_key(&word.id()));
                let counts = roster.cut(record.feed).admits(head(record));
                prop_assert!(is_heard || !counts, "what counts is heard");
            }
            let rows = member.node.rows();
            member.rebuild();
            prop_assert_eq!(member.node.rows(), rows, "a rebuild gives the same rows");
        }
        Ok(())
    });
    held.expect("the same set gives the same timeline");
}

/// The changes to each board in some order that keeps to that of each feed, in pieces of some size.
fn contributions(
    history: &History,
    limit: Limit,
    seed: u32,
    piece: usize,
) -> BTreeMap<Board, Vec<Vec<Contribution>>> {
    let mut feeds: BTreeMap<FeedId, BTreeMap<u64, &Record>> = BTreeMap::new();
    for record in &history.records {
        feeds.entry(record.feed).or_default().entry(record.seq).or_insert(record);
    }
    let mut left: Vec<_> = feeds.into_values().map(|records| records.into_values()).collect();
    let mut boards: BTreeMap<Board, Vec<Contribution>> = BTreeMap::new();
    let mut dice = Dice::new(u64::from(seed));
    while !left.is_empty() {
        let which = dice.below(left.len() as u64) as usize;
        let Some(record) = left[which].next() else {
            drop(left.swap_remove(which));
            continue;
        };
        if let Body::Board { board, .. } = &record.content.body {
            let here = record.seq <= limit.grounds;
            boards.entry(board.clone()).or_default().extend(contribution(record, limit).filter(|_| here));
        }
    }
    boards.into_iter().map(|(board, all)| (board, all.chunks(piece).map(<[_]>::to_vec).collect())).collect()
}

#[test]
fn a_board_that_grows_piece_by_piece_is_the_one_that_all_pieces_give() {
    let config = ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() };
    let plan = (acts(), any::<u32>(), 1..4_usize, prop_oneof![Just(u64::MAX), 1..9_u64]);
    let held = TestRunner::new(config).run(&plan, |(acts, seed, piece, counts)| {
        let limit = Limit { counts, grounds: counts.saturating_add(2) };
        for (board, pieces) in contributions(&History::of(&acts, &[true; 5]), limit, seed, piece) {
            let mut grown: Option<Folded> = None;
            for until in 0..pieces.len() {
                let all = pieces[..=until].concat();
                let whole = fold_board(&board, &all);
                let extended = grown.and_then(|grown| grown.extend(&pieces[until]));
                let grown_on = extended.unwrap_or_else(|| fold_board(&board, &all));
                prop_assert_eq!(&grown_on.view, &whole.view);
                prop_assert_eq!(
                    (grown_on.pending, grown_on.is_touched()),
                    (whole.pending, whole.is_touched())
                );
                prop_assert_eq!(heads(&grown_on), heads(&whole));
                grown = Some(grown_on);
            }
        }
        Ok(())
    });
    held.expect("a board is a function of its changes");
}

fn heads(folded: &Folded) -> BTreeSet<ChangeHash> {
    folded.document.get_heads().into_iter().collect()
}
