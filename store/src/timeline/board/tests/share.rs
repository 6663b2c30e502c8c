//! How much of a board one author may be.

use automerge::ReadDoc;

use super::*;
use crate::timeline::OPERATIONS_MAX;
use crate::timeline::tests::world::review;

/// Changes of `author` to the thread, each on top of the one before it.
fn puts(author: &mut Author, count: u64) -> Vec<Record> {
    let mut deps = Vec::new();
    let one = |seq: u64| {
        let name = author.entry_id(&seq.to_string()).to_string();
        let puts = vec![put(&name, Vec::new())];
        let record = author.craft(moment(1), &review(), (seq, seq), deps.clone(), puts);
        deps = vec![change_hash(&record)];
        record
    };
    (1..=count).map(one).collect()
}

#[test]
fn nobody_makes_a_board_larger_than_its_share_and_others_go_on() {
    let (mut ana, mut eve) = (Author::new(1, 1), Author::new(2, 1));
    let flood: Vec<Record> = puts(&mut eve, BOARD_CHANGES_MAX + 3);
    let flood: Vec<&Record> = flood.iter().collect();
    let whole = fold(&review(), &all(&flood));
    let shown = |folded: &Folded| folded.document.length(ROOT) as u64;
    assert_eq!((shown(&whole), whole.pending), (BOARD_CHANGES_MAX, 1));
    let (early, late) =
        all(&flood).split_at_checked(100).map(|(a, b)| (a.to_vec(), b.to_vec())).expect("long");
    let extended = fold(&review(), &early).extend(&late).expect("goes on");
    assert_eq!((&extended.view, extended.pending), (&whole.view, whole.pending));
    let mine = ana.edit(moment(2), &review(), &all(&flood), &[Edit::Resolve(true)]);
    let extended = extended.extend(&all(&[&mine])).expect("goes on");
    assert_eq!((shown(&extended), extended.pending), (BOARD_CHANGES_MAX + 1, 1));
}

#[test]
fn few_bytes_that_unfold_to_thousands_of_operations_use_up_the_share() {
    let mut eve = Author::new(2, 1);
    let again = put("a", Vec::new());
    let operations = vec![again; OPERATIONS_MAX as usize];
    let record = eve.craft(moment(1), &review(), (1, 1), vec![ChangeHash([7; 32])], operations);
    let [one] = &all(&[&record])[..] else { panic!("one contribution") };
    assert!(one.change.len() < 200, "{}", one.change.len());
    let fit = BOARD_OPERATIONS_MAX / OPERATIONS_MAX;
    let flood: Vec<Contribution> = (1..fit + 10).map(|seq| Contribution { seq, ..one.clone() }).collect();
    let folded = fold(&review(), &flood);
    assert_eq!(folded.pending, fit + 1, "one too many is counted");
    let beyond = |why: &&Reason| **why == Reason::Beyond(Measure::Operations);
    assert_eq!(folded.left_out.values().filter(beyond).count(), 9, "and each is told of");
    let room = |count: usize, changes: usize| {
        let folded = fold(&review(), &flood[..count]);
        folded.has_room(&eve.feed, &vec![one.change.clone(); changes])
    };
    let fit = fit as usize;
    assert!(room(fit - 2, 2).is_ok());
    assert!(matches!(room(fit - 1, 2), Err(EditError::Full(Measure::Operations))), "both together");
    assert!(matches!(room(fit + 1, 1), Err(EditError::Full(Measure::Operations))), "it is known by now");
}

#[test]
fn going_back_to_old_numbers_again_and_again_uses_up_the_share() {
    let mut eve = Author::new(2, 1);
    let again = |n: u32| {
        let op = put(&n.to_string(), Vec::new());
        eve.craft(moment(1), &review(), (1, 1), vec![ChangeHash([n as u8; 32])], vec![op])
    };
    let records: Vec<Record> = (0..BOARD_RESTARTS_MAX + 20).map(again).collect();
    let folded = fold(&review(), &all(&records.iter().collect::<Vec<_>>()));
    assert_eq!(folded.pending, u64::from(BOARD_RESTARTS_MAX) + 2, "one too many is counted");
    // An author that writes out of turn writes twice.
    let known: Vec<Contribution> = all(&records.iter().collect::<Vec<_>>());
    let twice = [known[0].change.clone(), known[1].change.clone()];
    let before = BOARD_RESTARTS_MAX as usize;
    let folded = fold(&review(), &known[..before]);
    assert!(folded.has_room(&eve.feed, &twice[..1]).is_ok());
    assert!(matches!(folded.has_room(&eve.feed, &twice), Err(EditError::Full(Measure::Restarts))));
}

#[test]
fn what_a_board_takes_in_memory_grows_with_the_authors_before_each_change_and_with_what_changes_make() {
    const AUTHORS: u64 = 300;
    let size = |is_chain: bool| {
        let mut deps = Vec::new();
        let records = (1..=AUTHORS).map(|life| {
            let mut author = Author::new(1, life);
            let start = if is_chain { life } else { 1 };
            let op = put(&life.to_string(), Vec::new());
            let record = author.craft(moment(1), &review(), (1, start), deps.clone(), vec![op]);
            deps.extend(is_chain.then(|| change_hash(&record)));
            deps = deps.split_off(deps.len().saturating_sub(1));
            record
        });
        let records: Vec<Record> = records.collect();
        let folded = fold(&review(), &all(&records.iter().collect::<Vec<_>>()));
        assert_eq!(folded.pending, 0);
        folded.size_bytes() as u64
    };
    assert!(size(true) - size(false) > 8 * AUTHORS * AUTHORS / 2, "each knows of all before it");
    let names = vec![put("a", Vec::new()); OPERATIONS_MAX as usize];
    let record = Author::new(1, 1).craft(moment(1), &review(), (1, 1), Vec::new(), names);
    assert!(fold(&review(), &all(&[&record])).size_bytes() > 32 * OPERATIONS_MAX as usize);
}
