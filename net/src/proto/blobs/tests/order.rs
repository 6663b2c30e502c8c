//! In which order what came is kept: that in which it was asked for, as far as that keeps nobody waiting.

use super::*;

/// A fetch from two, and the answers to all that is asked of them, in the order in which it was asked for. They have
/// come as far as this node and were not taken up.
fn under_way() -> (Bed, Vec<(AskId, Vec<u8>)>) {
    let mut bed = Bed::new(3, 1);
    let bytes = content(1, 100 << 20);
    let objects = [1, 2].map(|node| {
        bed.nodes[node].bytes_per_second = 1000 * MIB;
        bed.connect(0, node);
        bed.nodes[node].shelf.put(&bytes, 64 << 10)
    });
    bed.fetch(0, objects[0]);
    let end = bed.now.after(Duration::from_secs(10));
    while bed.nodes[0].came_bytes < 40 * MIB {
        bed.step(end);
    }
    let mut answers = BTreeMap::new();
    loop {
        let came = |_: &_, event: &mut Event| matches!(event, Event::Answer { to: 0, .. });
        for event in bed.events.extract_if(.., came).map(|(_, event)| event).collect::<Vec<_>>() {
            if let Event::Answer { from, ask, bytes, .. } = event {
                answers.insert(ask, bytes.expect("nothing is lost"));
                bed.tell(from, Input::Served { peer: public(0) });
            }
        }
        if bed.nodes[0].core.asks.keys().all(|ask| answers.contains_key(ask)) {
            break;
        }
        bed.step(end);
    }
    bed.nodes[0].kept.clear();
    (bed, answers.into_iter().collect())
}

impl Bed {
    fn answer(&mut self, (ask, bytes): &(AskId, Vec<u8>)) -> &[AskId] {
        self.tell(0, Input::Answered { ask: *ask, bytes: Some(bytes.clone()) });
        &self.nodes[0].kept
    }
}

#[test]
fn an_answer_that_overtook_another_waits_for_it() {
    let (mut bed, answers) = under_way();
    assert!(bed.answer(&answers[2]).is_empty());
    assert!(bed.answer(&answers[1]).is_empty());
    let order: Vec<AskId> = answers[..3].iter().map(|(ask, _)| *ask).collect();
    assert_eq!(bed.answer(&answers[0]), order);
}

#[test]
fn it_waits_no_longer_than_until_somebody_else_would_be_asked() {
    let (mut bed, answers) = under_way();
    let patience = bed.nodes[0].core.peers[&public(1)].hedge_after();
    assert!(bed.answer(&answers[1]).is_empty());
    bed.now = bed.now.after(patience);
    bed.tell(0, Input::Tick);
    assert_eq!(bed.nodes[0].kept, [answers[1].0]);
}

#[test]
fn nor_for_one_who_takes_long_where_another_would_be_asked_sooner() {
    let (mut bed, answers) = under_way();
    let patience = bed.nodes[0].core.peers[&public(2)].hedge_after();
    let first = bed.nodes[0].core.asks[&answers[0].0].peer;
    let slow = bed.nodes[0].core.peers.get_mut(&first).expect("it is connected");
    (0..32).for_each(|_| slow.delivered(0, Duration::from_secs(3)));
    assert!(slow.hedge_after() > patience * 2);
    assert!(bed.answer(&answers[1]).is_empty());
    bed.now = bed.now.after(patience);
    bed.tell(0, Input::Tick);
    assert_eq!(bed.nodes[0].kept, [answers[1].0]);
}

#[test]
fn nor_do_more_than_so_many_answers_wait() {
    let (mut bed, answers) = under_way();
    for answer in &answers[1..=OVERTAKING_MAX] {
        assert!(bed.answer(answer).is_empty());
    }
    assert_eq!(bed.answer(&answers[OVERTAKING_MAX + 1]), [answers[1].0]);
}
