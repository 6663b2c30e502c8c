//! Many worlds in a row, summed up.

use std::collections::BTreeMap;

use serde::Serialize;
use xyn_store::{Digest, StoreError};

use crate::report::Report;

/// What many worlds came to.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Worlds that were run.
    pub worlds: u64,
    /// Events in all of them.
    pub steps: u64,
    /// Writes that were acknowledged.
    pub entries: u64,
    /// Messages that were sent.
    pub messages: u64,
    /// What was broken, by seed.
    pub broken: BTreeMap<u64, String>,
    /// The hash of each world's trace.
    #[serde(skip)]
    traces: BTreeMap<u64, Digest>,
    #[serde(skip)]
    first: Option<(u64, Result<Report, String>)>,
}

impl Summary {
    /// Adds the world of `seed`. Worlds may come in any order.
    pub fn add(&mut self, seed: u64, report: Result<Report, StoreError>) {
        self.worlds += 1;
        let report = report.map_err(|error| error.to_string());
        if let Ok(report) = &report {
            self.steps += report.steps;
            self.entries += report.entries;
            self.messages += report.traffic.messages;
            self.traces.insert(seed, report.trace);
        }
        let broken = match &report {
            Ok(report) => report.violation.as_ref().map(|violation| violation.broken.to_string()),
            Err(error) => Some(error.clone()),
        };
        let Some(broken) = broken else { return };
        self.broken.insert(seed, broken);
        if self.first.as_ref().is_none_or(|(first, _)| seed < *first) {
            self.first = Some((seed, report));
        }
    }

    /// One hash over all traces, in the order of the seeds.
    pub fn trace(&self) -> Digest {
        let traces: Vec<&[u8]> = self.traces.values().map(|trace| trace.as_bytes().as_slice()).collect();
        Digest::of_parts(&traces)
    }

    /// The failure with the smallest seed.
    pub fn first_failure(self) -> Option<Result<Report, String>> {
        self.first.map(|(_, report)| report)
    }

    /// The summary for people.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "worlds     {}, {} events\nwritten    {} times\nsent       {} messages\ntrace      {}\n",
            self.worlds,
            self.steps,
            self.entries,
            self.messages,
            self.trace()
        );
        for (seed, broken) in &self.broken {
            text += &format!("BROKEN     seed {seed}: {broken}\n");
        }
        text + &format!("verdict    {} of {} hold\n", self.worlds - self.broken.len() as u64, self.worlds)
    }
}
