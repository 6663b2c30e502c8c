//! Both bases keep what they answered for, and nothing by half.

use super::{Base, Dice, Failure, Memory, Platter, Survival};
use crate::projection::Changes;
use crate::reader::Order;
use crate::tables::{Key, Table};

fn bases() -> [Box<dyn Base>; 2] {
    [Box::new(Memory::new()), Box::new(Platter::new().expect("opens"))]
}

/// Rows that only make sense together.
fn pair(number: u64) -> Changes {
    let mut changes = Changes::new();
    changes.put_bytes(Table::Positions, Key::new().u64(number), vec![7; 3000]);
    changes.put_bytes(Table::Checkpoints, Key::new().u64(number), vec![8; 3000]);
    changes
}

fn numbers(base: &dyn Base, table: Table) -> Vec<u64> {
    let mut numbers = Vec::new();
    let visit = |key: &[u8], _: &[u8]| {
        numbers.push(u64::from_be_bytes(key.try_into().expect("a number")));
        Ok(true)
    };
    base.read().expect("opens").scan(table, &[], None, Order::Ascending, visit).expect("reads");
    numbers
}

#[test]
fn what_was_answered_for_survives_any_power_cut_and_the_rest_is_whole_or_gone() {
    let mut dice = Dice::new(1);
    let (mut lost, mut kept) = (0, 0);
    for mut base in bases() {
        let mut sure = Vec::new();
        for number in 0..150 {
            if number % 3 == 2 {
                base.unplug(&mut dice);
            }
            let before = numbers(&*base, Table::Positions);
            let committed = base.commit(pair(number));
            sure.extend(committed.is_ok().then_some(number));
            if !base.has_power() {
                let survival = Survival::ALL[dice.below(5) as usize];
                base.replug(survival, &mut dice).expect("opens after a power cut");
            }
            match numbers(&*base, Table::Positions).len() > before.len() {
                _ if committed.is_ok() => {}
                true => kept += 1,
                false => lost += 1,
            }
            let found = numbers(&*base, Table::Positions);
            assert!(sure.iter().all(|number| found.contains(number)), "{sure:?} {found:?}");
            assert_eq!(found, numbers(&*base, Table::Checkpoints));
        }
    }
    assert!(lost > 5 && kept > 5, "both happen: {lost} lost, {kept} kept");
}

#[test]
fn a_full_disk_refuses_and_takes_up_again_when_there_is_room() {
    for mut base in bases() {
        base.commit(pair(1)).expect("there is room");
        base.fail(Some(Failure::NoBlocks));
        let refused = (2..2000).filter(|number| base.commit(pair(*number)).is_err()).count();
        assert!(refused > 0);
        base.fail(None);
        base.commit(pair(5000)).expect("there is room again");
        let found = numbers(&*base, Table::Positions);
        assert!(found.contains(&1) && found.contains(&5000));
    }
}

#[test]
fn a_copy_goes_its_own_way() {
    for mut base in bases() {
        base.commit(pair(1)).expect("commits");
        let mut copy = base.copied().expect("can be read");
        base.commit(pair(2)).expect("commits");
        copy.commit(pair(3)).expect("commits");
        assert_eq!(numbers(&*base, Table::Positions), [1, 2]);
        assert_eq!(numbers(&*copy, Table::Positions), [1, 3]);
    }
}
