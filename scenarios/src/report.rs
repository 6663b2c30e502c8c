//! What came of a world: for people, for programs, and as a picture.

mod picture;
mod spread;

use serde::Serialize;
use xyn_store::{Digest, duration};

use crate::check::{Traffic, Violation};
use crate::scenario::Scenario;
use crate::span::Span;
use crate::tally::{Happening, Tally};
pub use spread::{Passed, Spread};

/// What came of a world.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The world.
    pub scenario: Scenario,
    /// Events that were delivered.
    pub steps: u64,
    /// A hash of all of them, in order.
    pub trace: Digest,
    /// Virtual time.
    pub lasted: Span,
    /// How long after faults stopped everybody had the same.
    pub converged_within: Option<Span>,
    /// Writes that were acknowledged.
    pub entries: u64,
    /// What happened.
    pub tally: Tally,
    /// What was sent.
    pub traffic: Traffic,
    /// How it went.
    pub samples: Vec<Sample>,
    /// What became of the capsule on trial, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<Spread>,
    /// The law that was broken first.
    pub violation: Option<Violation>,
}

/// The world at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// When.
    pub at: Span,
    /// Nodes that run.
    pub running: u64,
    /// Which part of what the best informed node has the others have on average, in thousandths.
    pub held_thousandths: u64,
    /// Records that the best informed node has.
    pub records: u64,
    /// Messages so far.
    pub messages: u64,
    /// Events on the calendar.
    pub under_way: u64,
}

impl Report {
    /// Whether every law held.
    pub fn holds(&self) -> bool {
        self.violation.is_none()
    }

    /// How often something happened.
    pub fn times(&self, what: Happening) -> u64 {
        self.tally.get(&what).copied().unwrap_or_default()
    }

    /// The report for people.
    pub fn to_text(&self) -> String {
        let Scenario { name, seed, nodes, faults, .. } = &self.scenario;
        let traffic = &self.traffic;
        let mut lines = vec![
            format!("scenario   {name}, seed {seed}: {nodes} nodes, {} faults", faults.len()),
            format!("virtual    {}, {} events", duration::show(self.lasted.0), self.steps),
            format!("written    {} times", self.entries),
            format!(
                "sent       {} messages, {} bytes; {} came",
                traffic.messages, traffic.bytes, traffic.delivered
            ),
        ];
        let tally: Vec<String> =
            self.tally.iter().map(|(what, times)| format!("{times} × {}", what.name())).collect();
        if !tally.is_empty() {
            lines.push(format!("happened   {}", tally.join(", ")));
        }
        let closed: Vec<String> =
            traffic.closed.iter().map(|(why, count)| format!("{count} × {why}")).collect();
        if !closed.is_empty() {
            lines.push(format!("dropped    {}", closed.join(", ")));
        }
        lines.extend(self.spread.iter().flat_map(Spread::lines));
        lines.push(match self.converged_within {
            Some(within) => format!("converged  {} after faults stopped", duration::show(within.0)),
            None => "converged  no".to_owned(),
        });
        lines.push(format!("trace      {}", self.trace));
        lines.push(match &self.violation {
            None => "verdict    every law held".to_owned(),
            Some(violation) => {
                let at = Span::millis(violation.at_micros / 1000);
                format!("verdict    BROKEN at step {}, {at}: {}", violation.step, violation.broken)
            }
        });
        lines.join("\n") + "\n"
    }

    /// Convergence over time, as an SVG picture.
    pub fn to_svg(&self) -> String {
        picture::draw(self)
    }
}
