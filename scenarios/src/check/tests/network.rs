//! What the network does to messages, as it is counted.

use super::{CALM, scenario};
use crate::report::Report;
use crate::tally::Happening;
use crate::world::World;

const TROUBLES: [Happening; 7] = [
    Happening::MessagesLost,
    Happening::MessagesDoubled,
    Happening::MessagesOvertaken,
    Happening::MessagesBlocked,
    Happening::MessagesHeldUp,
    Happening::MessagesTooLate,
    Happening::CallsBlocked,
];

/// The calm world with these lines.
fn run(lines: &str) -> Report {
    World::new(scenario(&format!("{CALM}\n{lines}"))).expect("opens").run()
}

#[test]
fn on_still_lines_each_message_comes_once_and_in_turn() {
    let report = run("weather: {latency: 5ms, jitter: 0s}");
    assert_eq!(TROUBLES.map(|what| report.times(what)), [0; 7], "{}", report.to_text());
    assert!(report.traffic.messages > 1000 && is_settled(&report), "{}", report.to_text());
}

#[test]
fn what_becomes_of_messages_adds_up() {
    let report = run("
weather: {latency: 20ms, jitter: 100ms, loss: 50, twice: 50}
faults:
  - {at: 1m, for: 1m, fault: {part: {one: [0], one_way: true}}}
  - {at: 2m, for: 1m, fault: {slow: {node: 1, by: 2s}}}
  - {at: 150s, for: 5s, every: 20s, fault: {stop: {node: 2}}}");
    assert!(TROUBLES.iter().all(|what| report.times(*what) > 0), "{}", report.to_text());
    assert!(is_settled(&report), "{}", report.to_text());
}

/// All that was sent came to an end, but what is on its way when the world ends: less than one for each side of a link.
fn is_settled(report: &Report) -> bool {
    let [lost, doubled, _, blocked, _, late, _] = TROUBLES.map(|what| report.times(what));
    let ended = report.traffic.delivered + lost + blocked + late;
    (ended..ended + 12).contains(&(report.traffic.messages + doubled))
}
